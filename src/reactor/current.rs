//! The process's reactor: made on first use, and made anew in a forked child.
//!
//! This file may contain `unsafe`: it follows pointers to leaked reactors.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicPtr, Ordering};

use super::Reactor;
use crate::dump;
use crate::fork::PerProcess;
use crate::published;
use crate::trace;

static REACTOR: PerProcess<Reactor> = PerProcess::new();

/// The reactor of this process. A child's ticks go on where its parent's were.
#[inline]
pub(crate) fn get() -> &'static Reactor {
    REACTOR.get(|parents| {
        trace::refresh();
        let reactor = Reactor::new(parents.map_or(0, Reactor::tick));
        published::publish(&reactor, &REACTOR);
        dump::start();
        reactor
    })
}

/// The reactor of this process, if it has been made.
pub(crate) fn made() -> Option<&'static Reactor> {
    REACTOR.made()
}

/// A place that remembers a reactor.
#[derive(Debug)]
pub(crate) struct Home(AtomicPtr<Reactor>);

impl Home {
    pub(crate) fn new(reactor: &'static Reactor) -> Home {
        Home(AtomicPtr::new((reactor as *const Reactor).cast_mut()))
    }

    #[inline]
    pub(crate) fn get(&self) -> &'static Reactor {
        // SAFETY: `new` and `set` store only what was made from `&'static Reactor`.
        unsafe { &*self.0.load(Ordering::Acquire) }
    }

    pub(crate) fn set(&self, reactor: &'static Reactor) {
        self.0.store((reactor as *const Reactor).cast_mut(), Ordering::Release);
    }
}
