//! Having the poller watch a source for those who wait.

use std::io;

use super::Source;
use crate::poller::Interest;
use crate::reactor::readiness::WaitStatus;
use crate::reactor::wakes::{self, Woken};
use crate::reactor::Reactor;
use crate::sync::atomic::{AtomicU8, Ordering};

const NOT_ARMING: u8 = 0;
const ARMING: u8 = 1;
const ARMING_AGAIN: u8 = 2;

/// Who arms a source: one thread at a time.
#[derive(Debug)]
pub(crate) struct Arming {
    state: AtomicU8,
}

impl Arming {
    pub(crate) fn new() -> Arming {
        Arming { state: AtomicU8::new(NOT_ARMING) }
    }

    /// In a forked child: a thread that is not in this process may have been at it. Relaxed: nobody else
    /// uses the source until it has moved, which a lock orders.
    pub(super) fn start_anew(&self) {
        self.state.store(NOT_ARMING, Ordering::Relaxed);
    }

    /// Makes a request of what is wanted by now. Of several threads one does it, again if the others
    /// have changed what is wanted meanwhile: so the last request is never an old one, and it is that
    /// one's error which is returned.
    pub(crate) fn request(&self, mut request: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        // AcqRel throughout: who hands over to the arming thread has stored before what is wanted.
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        loop {
            match self.state.compare_exchange(NOT_ARMING, ARMING, set, fetch) {
                Ok(_) => break,
                Err(state) => {
                    if self.state.compare_exchange(state, ARMING_AGAIN, set, fetch).is_ok() {
                        return Ok(());
                    }
                }
            }
        }
        loop {
            let requested = request();
            if self.state.compare_exchange(ARMING, NOT_ARMING, set, fetch).is_ok() {
                return requested;
            }
            // Not a plain store: a third thread may have handed over since, and what it stored before must
            // be seen by the request.
            self.state.swap(ARMING, set);
        }
    }
}

impl Source {
    /// Arms the source, after an event, for those who still wait or are going to. If that fails, they
    /// are woken.
    ///
    /// Arming asks the kernel for what is ready by now. A source that forgets what it has told, and whom
    /// nobody waits for, is left as it is.
    pub(crate) fn arm_again(&self, reactor: &Reactor, wakers: &mut Vec<Woken>) {
        if !reactor.arms() && self.is_consumed_by_asking() {
            self.readiness().watch_reads_on();
            return;
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
            // What is ready by now is reported by this.
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
    fn arm(&self, reactor: &Reactor) -> io::Result<()> {
        let armed = self.arming.request(|| self.request(reactor));
        if armed.is_err() {
            self.readiness().set_watched(false, false);
        }
        armed
    }

    /// If the number of its descriptor has become another source's, that one's registration is left
    /// alone.
    fn request(&self, reactor: &Reactor) -> io::Result<()> {
        let interest = self.interest(reactor);
        if interest == Interest::NONE && reactor.arms() {
            return Ok(());
        }
        if !reactor.owns(self) {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("descriptor {} was closed and is another source's now", self.number()),
            ));
        }
        reactor.poller()?.modify(&self.registration, self.key(), interest)
    }
}
