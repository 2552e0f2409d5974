//! What the helper thread does next, by what it observes now.
//!
//! The decision is a function of [`Observed`] and remembers nothing. [`Observed`] includes what has
//! happened between two looks, and one time-out: for [`SERVED`] after the helper has woken somebody, it
//! looks closely.

use std::time::Duration;

use crate::reactor::lock::Holder;

/// How often the helper looks closely. After two looks without a round in between it acts, so events
/// are late by less than a millisecond. Each look interrupts a running thread, so it does not look more
/// often.
pub(super) const CLOSE: Duration = Duration::from_micros(400);

/// How often it looks if only running `block_on` threads wait. They drive when they have to. It must
/// look even then: the tasks that they poll may block, in another crate's `block_on` for example.
pub(super) const DISTANT: Duration = Duration::from_millis(10);

/// For how long it looks closely after it has woken somebody.
pub(super) const SERVED: Duration = Duration::from_millis(40);

/// What the helper observes when it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    /// Who holds the driver lock.
    pub(super) holder: Holder,
    /// For how long no round has been done, as far as the looks tell. Zero: a round was done since the
    /// last look.
    pub(super) still_for: Duration,
    /// A `block_on` thread is parked because the lock was taken.
    pub(super) line: bool,
    /// Somebody waits whose wait began outside `block_on`.
    pub(super) outsiders: bool,
    /// It has woken somebody within [`SERVED`].
    pub(super) served: bool,
    /// A thread in `block_on` neither waits there nor computes: it is blocked elsewhere.
    pub(super) blocked: bool,
}

/// What the helper does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// Look again after this long.
    Nap(Duration),
    /// Sleep until the holder releases the lock.
    Sleep,
    /// Offer the lock to the first in line.
    Offer,
    /// Do rounds.
    Drive,
}

impl Observed {
    pub(super) fn decide(self) -> Watch {
        let close = self.line || self.outsiders || self.served;
        let nap = Watch::Nap(if close { CLOSE } else { DISTANT });
        if self.still_for.is_zero() {
            return nap;
        }
        match self.holder {
            Holder::BlockOn | Holder::Helper => Watch::Sleep,
            Holder::Nobody if self.line => Watch::Offer,
            Holder::Nobody if self.outsiders || self.blocked || self.still_for >= DISTANT => {
                Watch::Drive
            }
            Holder::Nobody => nap,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A thread in `block_on` computes, rounds go by, and nobody else waits.
    const QUIET: Observed = Observed {
        holder: Holder::Nobody,
        still_for: Duration::ZERO,
        line: false,
        outsiders: false,
        served: false,
        blocked: false,
    };
    /// The same, without a round since the last look.
    const STILL: Observed = Observed { still_for: CLOSE, ..QUIET };

    #[test]
    fn the_table() {
        let held = Holder::BlockOn;
        let table = [
            // While rounds go by, the helper only looks: closely where somebody would notice.
            (QUIET, Watch::Nap(DISTANT)),
            (Observed { holder: held, ..QUIET }, Watch::Nap(DISTANT)),
            (Observed { line: true, ..QUIET }, Watch::Nap(CLOSE)),
            (Observed { outsiders: true, ..QUIET }, Watch::Nap(CLOSE)),
            (Observed { served: true, ..QUIET }, Watch::Nap(CLOSE)),
            (Observed { blocked: true, ..QUIET }, Watch::Nap(DISTANT)),
            // A thread is in the poller, and serves every waiter.
            (Observed { holder: held, ..STILL }, Watch::Sleep),
            (Observed { holder: held, line: true, ..STILL }, Watch::Sleep),
            (Observed { holder: held, outsiders: true, ..STILL }, Watch::Sleep),
            // Nobody is there. A thread in line drives before the helper does.
            (Observed { line: true, ..STILL }, Watch::Offer),
            (Observed { line: true, outsiders: true, blocked: true, ..STILL }, Watch::Offer),
            (Observed { outsiders: true, ..STILL }, Watch::Drive),
            (Observed { blocked: true, ..STILL }, Watch::Drive),
            // A thread that computes drives when it is done; for a while it is left alone.
            (STILL, Watch::Nap(DISTANT)),
            (Observed { served: true, ..STILL }, Watch::Nap(CLOSE)),
            (Observed { still_for: DISTANT, ..STILL }, Watch::Drive),
        ];
        for (observed, watch) in table {
            assert_eq!(observed.decide(), watch, "{observed:?}");
        }
    }
}
