//! Having the poller watch a source for those who wait.

use std::io;

use super::Source;
use crate::poller::Interest;
use crate::reactor::readiness::WaitStatus;
use crate::reactor::wakes::{self, Woken};
use crate::reactor::Reactor;

impl Source {
    /// Arms the source, after an event, for those who still wait or are going to. If that fails, they
    /// are woken.
    ///
    /// Arming asks the kernel what is ready now. If asking uses up what the source reports, and nobody
    /// waits for it, the source is not armed.
    pub(crate) fn arm_again(&self, reactor: &Reactor, wakers: &mut Vec<Woken>) {
        if !reactor.arms() {
            match self.arming().call(|| Ok(self.is_consumed_by_asking())) {
                Ok(true) => return self.readiness().watch_reads_on(),
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
            false => self.readiness().watched(),
        };
        Interest { readable, writable }
    }

    /// Has the poller watch the direction that somebody has begun to wait for.
    #[inline]
    pub(super) fn watch(&self, reactor: &Reactor, status: WaitStatus) -> io::Result<()> {
        match !status.watched || status.stored && reactor.arms() {
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
