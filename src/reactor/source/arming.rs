//! Having the poller watch a source for those who wait.

use std::io;
use std::sync::atomic::Ordering;

use ticks_format::Direction;

use super::Source;
use crate::poller::Interest;
use crate::reactor::wakes::{self, Woken};
use crate::reactor::Reactor;

pub(super) const NOT_ARMING: u8 = 0;
const ARMING: u8 = 1;
const ARMING_AGAIN: u8 = 2;

impl Source {
    /// Arms the source, after an event, for those who still wait.
    pub(crate) fn arm_again(&self, reactor: &Reactor, wakers: &mut Vec<Woken>) {
        if self.arm(reactor).is_err() {
            self.fail(wakers);
        }
    }

    /// What a poller that starts anew must watch.
    #[inline]
    pub(crate) fn interest(&self, reactor: &Reactor) -> Interest {
        match reactor.arms() {
            true => Interest::NONE,
            false => Interest { readable: true, writable: self.writes.load(Ordering::Relaxed) },
        }
    }

    /// Has the poller watch the direction that somebody has begun to wait for.
    #[inline]
    pub(super) fn watch(&self, reactor: &Reactor, dir: Direction) -> io::Result<()> {
        if reactor.arms() {
            return self.arm(reactor);
        }
        if dir == Direction::Write && !self.writes.load(Ordering::Relaxed) {
            self.watch_writes(reactor)?;
        }
        Ok(())
    }

    /// Once a source. If the number of its descriptor has become another source's, that one's
    /// registration is left alone.
    #[cold]
    fn watch_writes(&self, reactor: &Reactor) -> io::Result<()> {
        if !reactor.owns(self) {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("descriptor {} was closed and is another source's now", self.number()),
            ));
        }
        // What is ready by now is reported by this.
        reactor.poller()?.modify(&self.registration, self.key(), Interest::BOTH)?;
        self.writes.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Arming failed: wakes all who wait, so that each tries again and meets the error itself.
    pub(super) fn give_up(&self) {
        let mut wakers = Vec::new();
        self.fail(&mut wakers);
        wakes::wake_all(&mut wakers);
    }

    /// Asks the poller for the next event, for whichever directions are waited for. Of several
    /// threads one does it, again if the others have changed what is wanted meanwhile: so the last
    /// request is never an old one.
    fn arm(&self, reactor: &Reactor) -> io::Result<()> {
        // AcqRel throughout: who hands over to the arming thread has stored its waker before.
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        loop {
            match self.arming.compare_exchange(NOT_ARMING, ARMING, set, fetch) {
                Ok(_) => break,
                Err(state) => {
                    if self.arming.compare_exchange(state, ARMING_AGAIN, set, fetch).is_ok() {
                        return Ok(());
                    }
                }
            }
        }
        loop {
            let (readable, writable) = self.readiness.interest();
            let interest = Interest { readable, writable };
            let armed = match interest {
                Interest::NONE => Ok(()),
                _ => reactor
                    .poller()
                    .and_then(|poller| poller.modify(&self.registration, self.key(), interest)),
            };
            if let Err(error) = armed {
                self.arming.store(NOT_ARMING, Ordering::Release);
                return Err(error);
            }
            if self.arming.compare_exchange(ARMING, NOT_ARMING, set, fetch).is_ok() {
                return Ok(());
            }
            self.arming.store(ARMING, Ordering::Release);
        }
    }
}
