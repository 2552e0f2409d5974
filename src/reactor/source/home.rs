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
    /// The reactor to wait with: in a forked child, the child's, which an inherited source joins now.
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

    /// Gives up what a thread that is not in this process may have been at work on at the fork. Who
    /// waits is kept if that was whole.
    fn start_anew(&self) {
        // SAFETY: `move_home` holds MOVING and the home is inherited. Whoever uses the arming or the
        // readiness has seen before that the home is not: `wait` by `reactor`, which waits for MOVING;
        // `cancel` and `remove` by a look; a round by the child's registry, which does not have the source
        // yet.
        unsafe { self.arming.renew(|_| Arming::new()) };
        if !self.readiness().is_whole() {
            // SAFETY: as above.
            unsafe { self.readiness.renew(Readiness::in_place_of) };
        }
        // A new source is watched for reading; who waits to write must be heard of as well.
        let (_, writable) = self.readiness().interest();
        self.readiness().set_watched(true, writable);
    }
}
