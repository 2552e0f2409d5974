//! How far two clocks can be apart, by what each saw of the same connections.

use super::observe::{Meeting, Sight, STEPS};

/// The least and the most that a clock can be ahead of another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The least, nanoseconds.
    pub least_ns: Option<i128>,
    /// The most.
    pub most_ns: Option<i128>,
    /// By how many connections.
    pub connections: u64,
}

impl Bounds {
    /// How much is left open, if there are bounds on both sides. Where they contradict each other, by how much.
    pub fn width_ns(&self) -> Option<i128> {
        Some((self.most_ns? - self.least_ns?).abs())
    }

    /// Whether what the connections say can be true together.
    pub fn agree(&self) -> bool {
        self.least_ns.zip(self.most_ns).is_none_or(|(least_ns, most_ns)| least_ns <= most_ns)
    }

    /// Whether the clocks may be the same one, but for this much.
    pub fn allows_none(&self, slack_ns: i128) -> bool {
        self.least_ns.is_none_or(|least_ns| least_ns <= slack_ns)
            && self.most_ns.is_none_or(|most_ns| most_ns >= -slack_ns)
    }

    /// The middle, and how far the truth can be from it.
    pub fn middle(&self) -> (i128, i128) {
        let (least_ns, most_ns) = match (self.least_ns, self.most_ns) {
            (Some(least_ns), Some(most_ns)) => (least_ns, most_ns),
            (Some(one), None) | (None, Some(one)) => (one, one),
            (None, None) => (0, 0),
        };
        ((least_ns + most_ns) / 2, ((most_ns - least_ns) / 2).abs())
    }

    /// What happened at `first`, by the one clock, came before what happened at `then` by the other.
    fn order(&mut self, first_ns: Option<u64>, then_ns: Option<u64>) -> bool {
        let (Some(first_ns), Some(then_ns)) = (first_ns, then_ns) else { return false };
        let most_ns = i128::from(then_ns) - i128::from(first_ns);
        self.most_ns = Some(self.most_ns.map_or(most_ns, |known| known.min(most_ns)));
        true
    }

    /// The same the other way round: what the other clock saw came first.
    fn order_back(&mut self, first_ns: Option<u64>, then_ns: Option<u64>) -> bool {
        let (Some(first_ns), Some(then_ns)) = (first_ns, then_ns) else { return false };
        let least_ns = i128::from(first_ns) - i128::from(then_ns);
        self.least_ns = Some(self.least_ns.map_or(least_ns, |known| known.max(least_ns)));
        true
    }
}

/// How far the clock `other` is ahead of `one`.
pub fn apart(one: usize, other: usize, meetings: &[Meeting]) -> Bounds {
    let mut bounds = Bounds::default();
    for meeting in meetings {
        let sights = |clock| {
            meeting.sights.iter().filter(move |(of, _)| *of == clock).map(|(_, sight)| sight)
        };
        let mut counts = false;
        for (mine, theirs) in
            sights(one).flat_map(|mine| sights(other).map(move |theirs| (mine, theirs)))
        {
            counts |= compare(mine, theirs, &mut bounds);
        }
        bounds.connections += u64::from(counts);
    }
    bounds
}

/// What two sights of one connection say: a step that one clock saw came before each later step that the other saw.
fn compare(mine: &Sight, theirs: &Sight, bounds: &mut Bounds) -> bool {
    let mut counts = false;
    for first in 0..STEPS {
        for then in first + 1..STEPS {
            counts |= bounds.order(mine.0[first], theirs.0[then]);
            counts |= bounds.order_back(theirs.0[first], mine.0[then]);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::super::observe::Step;
    use super::*;

    /// A connection as its client saw it, and its server, whose clock is so far ahead.
    fn meeting(ahead_ns: i64, [begins, accepted, told]: [u64; 3]) -> Meeting {
        let (mut client, mut server) = (Sight::default(), Sight::default());
        client.see(Step::Begins, Some(begins));
        server.see(Step::Accepted, Some(accepted.saturating_add_signed(ahead_ns)));
        client.see(Step::Told, Some(told));
        Meeting { sights: vec![(0, client), (1, server)] }
    }

    /// The truth lies within the bounds, which are as wide as the connection took to answer.
    #[test]
    fn the_truth_is_within() {
        for ahead_ns in [0, 2_500_000_000, -7_000_000] {
            let slow = meeting(ahead_ns, [10_000_000_000, 10_000_200_000, 10_000_900_000]);
            let fast = meeting(ahead_ns, [20_000_000_000, 20_000_060_000, 20_000_100_000]);
            let one = apart(0, 1, std::slice::from_ref(&slow));
            assert_eq!((one.width_ns(), one.connections), (Some(900_000), 1));
            let both = apart(0, 1, &[slow, fast]);
            assert_eq!(both.width_ns(), Some(100_000));
            let (middle_ns, half_ns) = both.middle();
            assert!((middle_ns - i128::from(ahead_ns)).abs() <= half_ns && both.agree());
            assert_eq!(both.connections, 2);
        }
    }

    /// A clock that was set between two connections.
    #[test]
    fn what_cannot_be_true_together() {
        let before = meeting(0, [10_000_000_000, 10_000_200_000, 10_000_900_000]);
        let after = meeting(5_000_000, [20_000_000_000, 20_000_060_000, 20_000_100_000]);
        let bounds = apart(0, 1, &[before, after]);
        assert!(!bounds.agree());
        assert!(bounds.width_ns().is_some_and(|width_ns| width_ns > 4_000_000));
    }
}
