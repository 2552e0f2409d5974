//! Joins the two lines of a call during which another thread's line was written, and keeps the order of beginnings.

use std::collections::{HashMap, VecDeque};

use super::call::Call;
use super::line::{Line, Said};
use super::{Traced, What};

/// How many later things are held back for the end of a call. One that takes longer is told in two parts.
const HELD_MAX: usize = 4096;

/// How many calls are remembered that have not returned. A thread has one at a time.
const THREADS_MAX: usize = 1 << 16;

/// Lines on their way from a listing to who reads it.
#[derive(Default)]
pub struct Join {
    held: VecDeque<Held>,
    /// The number of the first that is held.
    first: u64,
    /// Of each thread the call that has not returned: its number, and its text so far.
    begun: HashMap<Option<u64>, Begun>,
}

struct Held {
    traced: Traced,
    /// Whether its end is yet to come.
    waits: bool,
}

/// What became of the second line of a call.
enum Resumed {
    /// It is part of the first, which is held still.
    Joined,
    /// The first was told already, or is missing.
    Apart(Box<Call>),
    /// It is no end of a call.
    Bad,
}

struct Begun {
    number: u64,
    text: String,
    utc_ns: Option<u64>,
    /// Whether it was told already that it begins.
    told: bool,
}

impl Join {
    /// Takes in a line. Returns whether it makes sense.
    pub fn push(&mut self, line: Line, number: u64) -> bool {
        let Line { tid, utc_ns, said } = line;
        let traced = |what| Traced { tid, utc_ns, line: number, what };
        let what = match said {
            Said::Whole(call) => What::Call(call),
            Said::Signal(text) => What::Signal(text),
            Said::Exit(text) => {
                self.begun.remove(&tid);
                What::Exit(text)
            }
            Said::Unfinished(text) => {
                let Some(call) = Call::parse_begin(&text) else { return false };
                let number = self.first + self.held.len() as u64;
                if self.begun.len() < THREADS_MAX {
                    self.begun.insert(tid, Begun { number, text, utc_ns, told: false });
                }
                self.held
                    .push_back(Held { traced: traced(What::Begins(Box::new(call))), waits: true });
                return true;
            }
            Said::Resumed { name, rest } => match self.resume(tid, &name, &rest) {
                Resumed::Joined => return true,
                Resumed::Bad => return false,
                Resumed::Apart(call) => What::Ends(call),
            },
        };
        self.held.push_back(Held { traced: traced(what), waits: false });
        true
    }

    /// Ends the thread's call.
    fn resume(&mut self, tid: Option<u64>, name: &str, rest: &str) -> Resumed {
        let is_same = |begun: &Begun| begun.text.split('(').next() == Some(name);
        let begun = self.begun.remove(&tid).filter(is_same);
        let text = match &begun {
            Some(begun) => format!("{}{}", begun.text, rest),
            None => format!("{name}({rest}"),
        };
        let Some(call) = Call::parse(&text).map(Box::new) else { return Resumed::Bad };
        let Some(begun) = begun else { return Resumed::Apart(call) };
        let place = begun.number.checked_sub(self.first).filter(|_| !begun.told);
        match place.and_then(|place| self.held.get_mut(place as usize)) {
            Some(held) => {
                held.traced.what = What::Call(call);
                held.traced.utc_ns = begun.utc_ns;
                held.waits = false;
                Resumed::Joined
            }
            None => Resumed::Apart(call),
        }
    }

    /// The next that can be told. At the end of the listing, all can.
    pub fn pop(&mut self, at_end: bool) -> Option<Traced> {
        let front = self.held.front()?;
        if front.waits && !at_end && self.held.len() < HELD_MAX {
            let tid = front.traced.tid;
            // Nobody will end it: its thread is gone, or has begun another call.
            let ends = self.begun.get(&tid).is_some_and(|begun| begun.number == self.first);
            if ends {
                return None;
            }
        }
        let held = self.held.pop_front()?;
        if held.waits {
            if let Some(begun) = self.begun.get_mut(&held.traced.tid) {
                begun.told |= begun.number == self.first;
            }
        }
        self.first += 1;
        Some(held.traced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lines: &[&str]) -> Vec<Traced> {
        let mut join = Join::default();
        let mut all = Vec::new();
        for (number, line) in (1..).zip(lines) {
            join.push(Line::parse(line).expect("a line"), number);
            all.extend(std::iter::from_fn(|| join.pop(false)));
        }
        all.extend(std::iter::from_fn(|| join.pop(true)));
        all
    }

    #[test]
    fn two_lines_are_a_call() {
        let all = joined(&[
            "1 1795884188.000001 epoll_pwait2(4,  <unfinished ...>",
            "2 1795884188.000002 write(5, \"x\", 1) = 1 <0.000001>",
            "1 1795884188.000003 <... epoll_pwait2 resumed>[{EPOLLIN, {u32=1, u64=1}}], 64, NULL) = 1 <0.000002>",
        ]);
        let [wait, write] = &all[..] else { panic!("{all:?}") };
        assert_eq!(
            (wait.tid, wait.line, wait.utc_ns),
            (Some(1), 1, Some(1_795_884_188_000_001_000))
        );
        let What::Call(call) = &wait.what else { panic!("{wait:?}") };
        assert_eq!((call.returned(), call.duration_ns), (Some(1), Some(2_000)));
        assert_eq!(call.args, "4,[{EPOLLIN, {u32=1, u64=1}}], 64, NULL");
        assert_eq!(write.tid, Some(2));
    }

    /// What a thread waits for hours for does not hold back what the others do.
    #[test]
    fn a_long_call_is_told_in_two_parts() {
        let mut lines = vec!["1 epoll_wait(4,  <unfinished ...>"];
        lines.extend(std::iter::repeat_n("2 getpid() = 2", HELD_MAX + 10));
        lines.push("1 <... epoll_wait resumed>[], 64, -1) = 0");
        let all = joined(&lines);
        assert_eq!(all.len(), lines.len());
        assert!(matches!(&all[0].what, What::Begins(call) if call.name == "epoll_wait"));
        let last = &all[lines.len() - 1];
        assert!(matches!(&last.what, What::Ends(call) if call.returned() == Some(0)), "{last:?}");
    }

    #[test]
    fn parts_without_each_other() {
        let all = joined(&[
            "1 <... read resumed>\"\", 16) = 0",
            "2 read(3,  <unfinished ...>",
            "2 +++ killed by SIGKILL +++",
            "3 read(3,  <unfinished ...>",
        ]);
        assert!(matches!(&all[0].what, What::Ends(call) if call.returned() == Some(0)));
        assert!(matches!(&all[1].what, What::Begins(call) if call.fds[0].fd == 3));
        assert!(matches!(&all[2].what, What::Exit(_)));
        assert!(matches!(&all[3].what, What::Begins(_)));
        // The end of another call than the one that began.
        let all = joined(&["1 read(3,  <unfinished ...>", "1 <... write resumed>) = 1"]);
        assert_eq!(all.len(), 2);
    }
}
