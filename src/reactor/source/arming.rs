//! Having the poller watch a source for those who wait.

use std::io;

use ticks_format::Direction;

use super::Source;
use crate::poller::Interest;
use crate::reactor::wakes::{self, Woken};
use crate::reactor::Reactor;
use crate::sync::atomic::{AtomicU8, Ordering};

const NOT_ARMING: u8 = 0;
const ARMING: u8 = 1;
const ARMING_AGAIN: u8 = 2;

/// Who arms a source: one thread at a time.
#[derive(Debug)]
pub(crate) struct Arming(AtomicU8);

impl Arming {
    pub(crate) fn new() -> Arming {
        Arming(AtomicU8::new(NOT_ARMING))
    }

    /// In a forked child: a thread that is not in this process may have been at it.
    pub(super) fn start_anew(&self) {
        self.0.store(NOT_ARMING, Ordering::Relaxed);
    }

    /// Makes a request of what is wanted by now. Of several threads one does it, again if the others
    /// have changed what is wanted meanwhile: so the last request is never an old one.
    pub(crate) fn request(&self, mut request: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        // AcqRel throughout: who hands over to the arming thread has stored before what is wanted.
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        loop {
            match self.0.compare_exchange(NOT_ARMING, ARMING, set, fetch) {
                Ok(_) => break,
                Err(state) => {
                    if self.0.compare_exchange(state, ARMING_AGAIN, set, fetch).is_ok() {
                        return Ok(());
                    }
                }
            }
        }
        loop {
            if let Err(error) = request() {
                self.0.store(NOT_ARMING, Ordering::Release);
                return Err(error);
            }
            if self.0.compare_exchange(ARMING, NOT_ARMING, set, fetch).is_ok() {
                return Ok(());
            }
            // Not a plain store: a third thread may have handed over since, and what it stored before must
            // be seen by the request.
            self.0.swap(ARMING, set);
        }
    }
}

impl Source {
    /// Arms the source, after an event, for those who still wait or are going to. Returns whether the
    /// poller could be asked; if not, they are woken.
    pub(crate) fn arm_again(&self, reactor: &Reactor, wakers: &mut Vec<Woken>) -> bool {
        let armed = self.arm(reactor).is_ok();
        if !armed {
            self.writes.store(false, Ordering::Relaxed);
            self.fail(wakers);
        }
        armed
    }

    /// What the poller is to watch now.
    #[inline]
    pub(crate) fn interest(&self, reactor: &Reactor) -> Interest {
        if reactor.arms() {
            let (readable, writable) = self.readiness.interest();
            return Interest::in_changes(readable, writable);
        }
        let writable = self.writes.load(Ordering::Relaxed);
        // By level, room to write would be reported without end.
        Interest { readable: true, writable, by_level: !writable && self.habit.by_level() }
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

    /// Once a source.
    #[cold]
    fn watch_writes(&self, reactor: &Reactor) -> io::Result<()> {
        let was_by_level = self.habit.rule_out_level();
        self.writes.store(true, Ordering::Relaxed);
        // What is ready by now is reported by this.
        let armed = self.arm(reactor);
        if armed.is_err() {
            self.writes.store(false, Ordering::Relaxed);
            if was_by_level {
                reactor.doubt_levels();
            }
        }
        armed
    }

    /// Has the poller report, at each wait, what is left to read.
    #[cold]
    pub(super) fn watch_by_level(&self, reactor: &Reactor) {
        if !reactor.reports_levels() {
            self.habit.rule_out_level();
            return;
        }
        self.habit.set_by_level();
        self.change_over(reactor);
    }

    /// Has the poller report changes again.
    #[cold]
    pub(super) fn watch_by_edge(&self, reactor: &Reactor) {
        self.habit.set_by_edge();
        self.change_over(reactor);
    }

    /// What is ready by now is reported by this.
    fn change_over(&self, reactor: &Reactor) {
        if self.arm(reactor).is_err() {
            self.habit.rule_out_level();
            self.writes.store(false, Ordering::Relaxed);
            reactor.doubt_levels();
            self.give_up();
        }
    }

    /// Arming failed: wakes all who wait, so that each tries again and meets the error itself.
    pub(super) fn give_up(&self) {
        let mut wakers = Vec::new();
        self.fail(&mut wakers);
        wakes::wake_all(&mut wakers);
    }

    /// Asks the poller for what is wanted by now.
    fn arm(&self, reactor: &Reactor) -> io::Result<()> {
        self.arming.request(|| self.request(reactor))
    }

    /// If the number of its descriptor has become another source's, that one's registration is left
    /// alone.
    fn request(&self, reactor: &Reactor) -> io::Result<()> {
        let interest = self.interest(reactor);
        if interest == Interest::NONE {
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
