//! Which poll of the one recording is which of the other, and where they part.
//!
//! What is queued are the polls of the recording that is ahead. A pair needs nothing more once it has parted.

use std::collections::{HashMap, VecDeque};

use super::poll::Poll;
use super::role::Who;

/// How many polls may wait for their like of the other recording, and how many pairs there may be.
const KEPT_MAX: usize = 1 << 16;

/// The recordings, as indices.
pub const SIDES: [usize; 2] = [0, 1];

/// A poll of one recording that is not as that of the other.
pub struct Difference {
    /// Whose.
    pub who: Who,
    /// The polls of both; absent: there is none any more.
    pub polls: [Option<Poll>; 2],
    /// How many polls before were decided alike.
    pub alike: u64,
}

/// The same source or task in both.
#[derive(Default)]
struct Pair {
    queues: [VecDeque<Poll>; 2],
    begun: [bool; 2],
    ended: [bool; 2],
    alike: u64,
    is_settled: bool,
}

/// All pairs.
#[derive(Default)]
pub struct Matching {
    pairs: HashMap<Who, Pair>,
    queued: [usize; 2],
    /// Which recordings are read to their end.
    over: [bool; 2],
    /// The first difference in time.
    pub first: Option<Difference>,
    /// How many pairs of polls were compared.
    pub compared: u64,
    /// How many pairs parted.
    pub parted: u64,
    /// How many could not be compared to their end, because one recording was too far ahead.
    pub given_up: u64,
}

impl Difference {
    fn at_ns(&self) -> u64 {
        self.polls.iter().flatten().map(|poll| poll.at_ns).next().unwrap_or(u64::MAX)
    }
}

impl Matching {
    /// Which recording is to be read on: the one that is less far ahead.
    pub fn behind(&self) -> usize {
        usize::from(self.queued[1] < self.queued[0])
    }

    /// The next poll of one side.
    pub fn push(&mut self, side: usize, who: &Who, poll: Poll) {
        if !self.pairs.contains_key(who) {
            if self.over[1 - side] {
                // The other recording has none, and none can come any more.
                return;
            }
            if self.pairs.len() >= KEPT_MAX {
                self.given_up += 1;
                return;
            }
            self.pairs.insert(who.clone(), Pair::default());
        }
        let pair = self.pairs.get_mut(who).expect("it is there now");
        let other = 1 - side;
        pair.begun[side] = true;
        if pair.is_settled {
            return;
        }
        if let Some(of_other) = pair.queues[other].pop_front() {
            self.queued[other] -= 1;
            self.compared += 1;
            if of_other.is_alike(&poll) {
                pair.alike += 1;
                return;
            }
            let mut polls = [Some(of_other), Some(poll)];
            if side == 0 {
                polls.swap(0, 1);
            }
            self.part(who, polls);
            return;
        }
        pair.queues[side].push_back(poll);
        self.queued[side] += 1;
        if pair.begun[other] && pair.ended[other] {
            self.part_at_end(who);
        } else if self.queued[side] > KEPT_MAX {
            self.given_up += 1;
            self.settle(who);
        }
    }

    /// One side's source or task has come to its end.
    pub fn end(&mut self, side: usize, who: &Who) {
        let Some(pair) = self.pairs.get_mut(who) else { return };
        pair.ended[side] = true;
        if pair.begun[1 - side] {
            if !pair.is_settled && !pair.queues[1 - side].is_empty() {
                self.part_at_end(who);
            }
            if self.pairs.get(who).is_some_and(|pair| pair.ended[1 - side]) {
                self.settle(who);
                self.pairs.remove(who);
            }
        }
    }

    /// One recording is read to its end.
    pub fn end_side(&mut self, side: usize) {
        self.over[side] = true;
    }

    /// Both recordings are read.
    pub fn finish(&mut self) {
        let whos: Vec<Who> = self.pairs.keys().cloned().collect();
        for who in &whos {
            if self.pairs[who].begun == [true; 2] {
                self.part_at_end(who);
            }
        }
    }

    /// One side has polls that the other has not.
    fn part_at_end(&mut self, who: &Who) {
        let Some(pair) = self.pairs.get_mut(who).filter(|pair| !pair.is_settled) else { return };
        let polls = SIDES.map(|side| pair.queues[side].front().cloned());
        if polls.iter().any(Option::is_some) {
            self.part(who, polls);
        }
    }

    fn part(&mut self, who: &Who, polls: [Option<Poll>; 2]) {
        self.parted += 1;
        let alike = self.pairs.get(who).map_or(0, |pair| pair.alike);
        let found = Difference { who: who.clone(), polls, alike };
        if self.first.as_ref().is_none_or(|first| found.at_ns() < first.at_ns()) {
            self.first = Some(found);
        }
        self.settle(who);
    }

    /// Nothing more is compared of this pair.
    fn settle(&mut self, who: &Who) {
        let Some(pair) = self.pairs.get_mut(who) else { return };
        pair.is_settled = true;
        for side in SIDES {
            self.queued[side] -= pair.queues[side].len();
            pair.queues[side] = VecDeque::new();
        }
    }
}
