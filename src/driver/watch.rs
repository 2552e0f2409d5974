//! What the helper thread does next, by what it sees now.
//!
//! The decision is a function of [`Seen`] and remembers nothing. What lies between two looks is part of
//! what is seen; and one time-out is: for [`SERVED`] after the helper has woken somebody it looks closely.

use std::time::Duration;

use crate::reactor::lock::Holder;

/// How often the helper looks where somebody would notice that nobody drives. Two looks without a round
/// in between, and it sees to it: so others' events are late by less than a millisecond. Each look
/// costs a running thread its turn, so there are no more of them than that takes.
pub(super) const CLOSE: Duration = Duration::from_micros(400);

/// How often it looks where only running `block_on` threads wait, which drive when they have to. It must
/// look even then: what they poll may block, in another crate's `block_on` for example.
pub(super) const DISTANT: Duration = Duration::from_millis(10);

/// For how long it looks closely after it has woken somebody.
pub(super) const SERVED: Duration = Duration::from_millis(40);

/// What the helper sees when it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Who holds the driver lock.
    pub(super) holder: Holder,
    /// For how long no round has been done, as far as looks tell; zero: there was one since the last.
    pub(super) still_for: Duration,
    /// A `block_on` thread is parked because the lock was taken.
    pub(super) line: bool,
    /// Somebody waits who is not in `block_on`, or nobody is.
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
    /// Sleep until whoever holds the lock lets go of it.
    Sleep,
    /// Offer the lock to the first in line.
    Offer,
    /// Do rounds.
    Drive,
}

impl Seen {
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
    const QUIET: Seen = Seen {
        holder: Holder::Nobody,
        still_for: Duration::ZERO,
        line: false,
        outsiders: false,
        served: false,
        blocked: false,
    };
    /// The same, without a round since the last look.
    const STILL: Seen = Seen { still_for: CLOSE, ..QUIET };

    #[test]
    fn the_table() {
        let held = Holder::BlockOn;
        let table = [
            // While rounds go by, the helper only looks: closely where somebody would notice.
            (QUIET, Watch::Nap(DISTANT)),
            (Seen { holder: held, ..QUIET }, Watch::Nap(DISTANT)),
            (Seen { line: true, ..QUIET }, Watch::Nap(CLOSE)),
            (Seen { outsiders: true, ..QUIET }, Watch::Nap(CLOSE)),
            (Seen { served: true, ..QUIET }, Watch::Nap(CLOSE)),
            (Seen { blocked: true, ..QUIET }, Watch::Nap(DISTANT)),
            // Somebody has settled down in the poller, whoever waits.
            (Seen { holder: held, ..STILL }, Watch::Sleep),
            (Seen { holder: held, line: true, ..STILL }, Watch::Sleep),
            (Seen { holder: held, outsiders: true, ..STILL }, Watch::Sleep),
            // Nobody is there. A thread in line drives before the helper does.
            (Seen { line: true, ..STILL }, Watch::Offer),
            (Seen { line: true, outsiders: true, blocked: true, ..STILL }, Watch::Offer),
            (Seen { outsiders: true, ..STILL }, Watch::Drive),
            (Seen { blocked: true, ..STILL }, Watch::Drive),
            // A thread that computes drives when it is done; for a while it is left alone.
            (STILL, Watch::Nap(DISTANT)),
            (Seen { served: true, ..STILL }, Watch::Nap(CLOSE)),
            (Seen { still_for: DISTANT, ..STILL }, Watch::Drive),
        ];
        for (seen, watch) in table {
            assert_eq!(seen.decide(), watch, "{seen:?}");
        }
    }
}
