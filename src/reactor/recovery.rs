//! Going on when somebody has closed the poller's descriptors.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use super::source::Source;
use super::wakes::Woken;
use super::Reactor;
use crate::poller::Poller;
use crate::trace;

/// How often a poller is rebuilt after its descriptors were closed. Then the reactor goes on without a
/// poller.
const REBUILDS_MAX: u32 = 8;

impl Reactor {
    /// Whether the poller was closed too often: the reactor goes on without.
    #[inline]
    pub(super) fn lost_poller(&self) -> bool {
        self.rebuilds.load(Ordering::Relaxed) >= REBUILDS_MAX
    }

    /// The poller's wait failed: somebody closed its descriptors. Makes it anew and registers all
    /// sources again; if that fails for a source, its waiters are woken, and their next operation meets
    /// the error.
    #[cold]
    pub(super) fn recover(
        &self,
        error: &io::Error,
        wakers: &mut Vec<Woken>,
        owned: &mut Vec<Arc<Source>>,
    ) {
        let Some(poller) = self.poller.get() else { return };
        let again = self.rebuilds.fetch_add(1, Ordering::Relaxed) + 1 < REBUILDS_MAX;
        if !again || poller.rebuild().is_err() {
            self.rebuilds.store(REBUILDS_MAX, Ordering::Relaxed);
            trace::warn_once(
                trace::Warning::PollerLost,
                format_args!(
                    "the poller cannot be used any longer ({error}) nor made anew: I/O has stopped, \
                     timers go on; did something close all descriptors, as close_range(2) does?"
                ),
            );
            let sources = self.registry.all();
            sources.iter().for_each(|source| source.fail(wakers));
            owned.extend(sources);
            return;
        }
        trace::warn_once(
            trace::Warning::PollerRebuilt,
            format_args!(
                "the poller's descriptors were closed by somebody else ({error}); made a new poller; \
                 did something close all descriptors, as close_range(2) does?"
            ),
        );
        self.register_all(poller, wakers, owned);
    }

    /// Registers all sources with a poller that was made anew.
    fn register_all(&self, poller: &Poller, wakers: &mut Vec<Woken>, owned: &mut Vec<Arc<Source>>) {
        for source in self.registry.all() {
            self.register_again(poller, &source, wakers);
            owned.push(source);
        }
    }

    fn register_again(&self, poller: &Poller, source: &Source, wakers: &mut Vec<Woken>) {
        let interest = source.interest(self);
        let added = poller.add(source.registration(), source.key(), interest, source.arming());
        if added.is_err() {
            source.fail(wakers);
        } else if source.interest(self) != interest {
            // Another thread has changed it meanwhile, and asked the old poller.
            source.arm_or_fail(self, wakers);
        }
    }
}
