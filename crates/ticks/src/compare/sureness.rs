//! How sure it is that like was compared with like.

use std::collections::BTreeSet;

use super::counts::Classes;
use super::matching::Matching;
use super::role::Class;

/// What was matched, and what was not.
pub struct Sureness {
    /// Of each class that has members: how many there are in both recordings.
    pub classes: Vec<(Class, [u64; 2])>,
    /// Pairs of polls that were compared.
    pub compared: u64,
    /// Sources and tasks that parted.
    pub parted: u64,
    /// Those that could not be compared to their end.
    pub given_up: u64,
    /// Whether records of a recording are missing.
    pub lost: [bool; 2],
}

/// How sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degree {
    /// Each is the only one of its kind in both.
    Sure,
    /// Some were told apart by their order alone.
    Likely,
    /// Something has no like, or is missing.
    Unsure,
    /// There was nothing to match.
    Nothing,
}

impl Degree {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Degree::Sure => "sure",
            Degree::Likely => "likely",
            Degree::Unsure => "unsure",
            Degree::Nothing => "nothing to match",
        }
    }
}

impl Sureness {
    /// By what was counted.
    pub fn of(sides: [&Classes; 2], matching: &Matching, lost: [bool; 2]) -> Sureness {
        let classes: BTreeSet<&Class> = sides.iter().flat_map(|classes| classes.keys()).collect();
        let members =
            |class: &Class| sides.map(|side| side.get(class).map_or(0, |counts| counts.members));
        let classes = classes.into_iter().map(|class| (class.clone(), members(class)));
        Sureness {
            classes: classes.filter(|(_, members)| *members != [0; 2]).collect(),
            compared: matching.compared,
            parted: matching.parted,
            given_up: matching.given_up,
            lost,
        }
    }

    /// How many have their like.
    pub fn matched(&self) -> u64 {
        self.classes.iter().map(|(_, [a, b])| a.min(b)).sum()
    }

    /// How many there are in both recordings.
    pub fn members(&self) -> [u64; 2] {
        [0, 1].map(|side| self.classes.iter().map(|(_, members)| members[side]).sum())
    }

    /// The classes of which one recording has more.
    pub fn unmatched(&self) -> impl Iterator<Item = &(Class, [u64; 2])> {
        self.classes.iter().filter(|(_, [a, b])| a != b)
    }

    /// Whether there are any.
    pub fn has_unmatched(&self) -> bool {
        self.unmatched().next().is_some()
    }

    /// How sure it is.
    pub fn degree(&self) -> Degree {
        if self.matched() == 0 {
            Degree::Nothing
        } else if self.has_unmatched() || self.lost != [false; 2] || self.given_up > 0 {
            Degree::Unsure
        } else if self.classes.iter().any(|(_, [a, _])| *a > 1) {
            Degree::Likely
        } else {
            Degree::Sure
        }
    }

    /// Why it is no surer, a sentence each.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for (class, [a, b]) in self.unmatched() {
            reasons.push(format!("{class}: A has {a}, B has {b}; what is more has no like."));
        }
        if self.lost != [false; 2] {
            let which = match self.lost {
                [true, true] => "A and of B",
                [true, false] => "A",
                _ => "B",
            };
            reasons.push(format!(
                "Records of {which} are missing, so that the order of appearance may be off."
            ));
        }
        if self.given_up > 0 {
            reasons.push(format!(
                "Of {}, the polls were not compared to their end: one recording has far more of them.",
                self.given_up
            ));
        }
        let alike = self.classes.iter().filter(|(_, [a, b])| *a.min(b) > 1);
        let alike: Vec<String> = alike.map(|(class, _)| class.to_string()).collect();
        if !alike.is_empty() {
            let alike = alike.join("; ");
            reasons.push(format!("Several are alike and were matched by their order: {alike}."));
        }
        reasons
    }
}
