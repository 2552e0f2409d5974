//! Which reactor a source waits with, and how it moves to a forked child's.
//!
//! This file may contain `unsafe`: it puts a new readiness in the place of one that is locked for ever.

#![allow(unsafe_code)]

use std::io;
use std::sync::{Arc, PoisonError};

use super::Source;
use crate::poller::arming::Arming;
use crate::reactor::readiness::Readiness;
use crate::reactor::{current, Reactor};
use crate::trace;

impl Source {
    /// The reactor to wait with. In a forked child, an inherited source moves to the child's reactor
    /// here.
    #[inline]
    pub(super) fn reactor(self: &Arc<Source>) -> io::Result<&'static Reactor> {
        let home = self.home.get();
        match home.is_inherited() {
            false => Ok(home),
            true => self.move_home(),
        }
    }

    #[cold]
    fn move_home(self: &Arc<Source>) -> io::Result<&'static Reactor> {
        /// Holding it grants the right to move sources. Nothing is recorded meanwhile: a listener
        /// may use an inherited source too.
        static MOVING: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let reactor = current::get();
        let lost = {
            let _moving = MOVING.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.home.get().is_inherited() {
                return Ok(reactor);
            }
            self.start_anew();
            let lost = trace::without_records(|| reactor.register(self))?;
            self.readiness().recount(reactor.demand());
            self.home.set(reactor);
            lost
        };
        reactor.tell_inserted(self, lost);
        Ok(reactor)
    }

    /// Replaces what a thread of the parent may have been changing at the fork. The waiters are kept if
    /// their lock was free.
    fn start_anew(&self) {
        // SAFETY: `move_home` holds MOVING and the home is inherited. All others use the arming and the
        // readiness only after the home is no longer inherited: `wait` calls `reactor` first, which waits
        // for MOVING; `cancel` and `remove` look first; a round finds sources by the child's registry,
        // which does not have this one yet.
        unsafe { self.arming.renew(|_| Arming::new()) };
        if !self.readiness().is_whole() {
            // SAFETY: as above.
            unsafe { self.readiness.renew(Readiness::in_place_of) };
        }
        // A new source is watched for reading only. Arm it also for those who wait to write.
        let (_, writable) = self.readiness().interest();
        self.readiness().set_watched(true, writable);
    }
}
