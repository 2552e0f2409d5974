//! Watching a source by level, and by edge again: see [`habit`](super::habit).

use ticks_format::Direction;

use super::habit::Then;
use super::{Rest, Source};
use crate::reactor::readiness::{Harvest, WaiterId};
use crate::reactor::wakes::Woken;
use crate::reactor::Reactor;

impl Source {
    /// Whether the poller is to report at each wait what is left to read.
    #[inline]
    pub(crate) fn is_by_level(&self) -> bool {
        self.habit.by_level()
    }

    /// Delivers an event. Returns how many wakers it took, and whether the source must be armed anew.
    #[inline]
    pub(crate) fn deliver(&self, harvest: Harvest, wakers: &mut Vec<Woken>) -> (usize, bool) {
        let taken = self.readiness.deliver(harvest, wakers);
        if harvest.hung_up {
            self.habit.rule_out_level();
        }
        // Else what nobody is about to read, or no read takes away, would be reported in each round. By
        // what the poller was asked: a request to watch by edge may have failed.
        let leaves_level = (taken == 0 || harvest.hung_up) && self.is_asked_by_level();
        if leaves_level {
            self.habit.set_by_edge();
        }
        (taken, leaves_level)
    }

    /// Learns from an operation that is done. Returns whether the queue is empty, or is to be taken for
    /// empty because the poller reports at the next wait what there is.
    #[inline(always)]
    pub(super) fn learn_from(&self, reactor: &Reactor, rest: Rest) -> bool {
        match rest {
            Rest::Untold => false,
            Rest::Empty | Rest::EmptyDearly => {
                let is_empty = reactor.tells_the_end() && self.is_byte_stream();
                if is_empty && rest == Rest::EmptyDearly && self.habit.took_the_last() {
                    self.watch_by_level(reactor);
                }
                is_empty
            }
            Rest::PerhapsEmpty => match self.habit.took() {
                Then::ReadOn => false,
                Then::TakeForEmpty => true,
                Then::WatchByEdge => {
                    self.watch_by_edge(reactor);
                    false
                }
            },
        }
    }

    /// A waiter stops waiting because nobody wants to know any longer. Whoever looks at the queue without
    /// waiting expects all that is there.
    pub(crate) fn cancel(&self, dir: Direction, waiter: WaiterId) {
        let since = self.stop_waiting(dir, waiter);
        let by_level = dir == Direction::Read && self.habit.was_cancelled();
        let home = self.home.get();
        if home.is_inherited() {
            return;
        }
        if by_level {
            self.watch_by_edge(home);
        }
        // Without a round since, nobody has asked the kernel: the next operation must, or whoever looks again
        // and again within one round never sees what has come.
        if by_level || since == Some(home.tick()) {
            self.readiness.forget_blocked(dir);
        }
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
    fn watch_by_edge(&self, reactor: &Reactor) {
        self.habit.set_by_edge();
        self.change_over(reactor);
    }

    /// What is ready by now is reported by this. Where it fails, the driver finds out whether a level goes
    /// on being reported.
    fn change_over(&self, reactor: &Reactor) {
        if self.arm(reactor).is_err() {
            self.habit.rule_out_level();
            self.give_up();
        }
    }
}
