//! Having the poller watch a source for those who wait.

use std::io;

use ticks_format::Direction;

use super::Source;
use crate::poller::Interest;
use crate::reactor::readiness::{WaitStatus, Watch};
use crate::reactor::wakes::{self, Woken};
use crate::reactor::Reactor;

impl Source {
    /// Arms the source, after an event, for those who still wait or are going to. If that fails, they
    /// are woken.
    ///
    /// Arming asks the kernel what is ready now. If asking uses up what the source reports, the source is
    /// not armed: its reads stay watched from its registration on.
    pub(crate) fn arm_again(&self, reactor: &Reactor, wakers: &mut Vec<Woken>) {
        if !reactor.arms() {
            match self.arming().call(|| Ok(self.is_consumed_by_asking())) {
                Ok(true) => return,
                Ok(false) => {}
                // Removed meanwhile.
                Err(_) => return,
            }
        }
        self.arm_or_fail(reactor, wakers);
    }

    /// Asks the poller for what is wanted by now. If that fails, those who wait are woken.
    pub(crate) fn arm_or_fail(&self, reactor: &Reactor, wakers: &mut Vec<Woken>) {
        if self.arm(reactor).is_err() {
            self.fail(wakers);
        }
    }

    /// What the poller is to watch now.
    #[inline]
    pub(crate) fn interest(&self, reactor: &Reactor) -> Interest {
        let (readable, writable) = match reactor.arms() {
            true => self.readiness().interest(),
            false => {
                let [read, write] = self.readiness().watched();
                (read == Watch::On || self.stays_watched(Direction::Read, read), write == Watch::On)
            }
        };
        Interest { readable, writable }
    }

    /// Whether the poller goes on watching although an event found nobody waiting.
    #[inline]
    fn stays_watched(&self, dir: Direction, watch: Watch) -> bool {
        dir == Direction::Read && watch == Watch::Lapsed && self.is_consumed_by_asking()
    }

    /// Has the poller watch the direction that somebody has begun to wait for.
    #[inline]
    pub(super) fn watch(
        &self,
        reactor: &Reactor,
        dir: Direction,
        status: WaitStatus,
    ) -> io::Result<()> {
        let arms = match reactor.arms() {
            true => status.stored || status.watch != Watch::On,
            false => status.watch != Watch::On && !self.stays_watched(dir, status.watch),
        };
        match arms {
            // This also makes the poller report what is ready already.
            true => self.arm(reactor),
            false => Ok(()),
        }
    }

    /// Arming failed: wakes all who wait, so that each tries again and meets the error itself.
    pub(super) fn give_up(&self) {
        let mut wakers = Vec::new();
        self.fail(&mut wakers);
        wakes::wake_all(&mut wakers);
    }

    /// Asks the poller for what is wanted by now. After an error the next wait asks again.
    pub(crate) fn arm(&self, reactor: &Reactor) -> io::Result<()> {
        let request = |interest| self.request(reactor, interest);
        let armed = self.arming().request(|| self.interest(reactor), request);
        if armed.is_err() {
            self.readiness().set_watched(false, false);
        }
        armed
    }

    fn request(&self, reactor: &Reactor, interest: Interest) -> io::Result<()> {
        if interest == Interest::NONE && reactor.arms() {
            return Ok(());
        }
        if self.arming().has_ended() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("descriptor {} was closed and is another source's now", self.number()),
            ));
        }
        reactor.poller()?.modify(&self.registration, self.key(), interest, self.arming())
    }
}
