//! The layout tables are held against the real structures: everything that the program knows of itself is found, and
//! exactly that.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value as Json;

use crate::start::{own, plays, Program};
use crate::subject::{self, NAPS};
use crate::util::{stderr, ticks};

/// What the subject said of itself.
pub struct Known {
    /// Descriptor, direction, waiter, waker and both ticks.
    waits: BTreeSet<(u64, String, u64, u64, [u64; 2])>,
    /// Number and deadline.
    timers: BTreeSet<(u64, u64)>,
    /// Descriptor, kind and own address.
    sources: BTreeSet<(u64, String, String)>,
    /// The threads that are in `block_on`.
    threads: BTreeSet<u64>,
}

/// The tasks by the function that each is of, with its state.
const TASKS: [(&str, &str, usize); 8] = [
    ("read_one", "waiting", 5),
    ("read_shared", "waiting", 2),
    ("local_read", "waiting", 2),
    ("static_read", "waiting", 2),
    ("echo", "waiting", 1),
    ("write_full", "waiting", 1),
    ("forgotten", "forgotten", 1),
    ("nap", "waiting", NAPS),
];

impl Known {
    pub fn of(program: &Program) -> Known {
        let lines = program.said.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        let mut known = Known {
            waits: BTreeSet::new(),
            timers: BTreeSet::new(),
            sources: BTreeSet::new(),
            threads: BTreeSet::new(),
        };
        let number = |text: &str| text.parse::<u64>().expect("a number");
        for words in lines {
            match words[..] {
                ["wait", fd, dir, waiter, task, a, b] => {
                    let dir = ["read", "write"][number(dir) as usize].to_owned();
                    let ticks = [number(a), number(b)];
                    known.waits.insert((number(fd), dir, number(waiter), number(task), ticks));
                }
                ["timer", id, deadline_ns] => {
                    known.timers.insert((number(id), number(deadline_ns)));
                }
                ["source", fd, kind, local] => {
                    known.sources.insert((number(fd), kind.into(), local.into()));
                }
                ["thread", tid] => {
                    known.threads.insert(number(tid));
                }
                _ => {}
            }
        }
        assert_eq!(known.waits.len(), subject::WAITS);
        assert_eq!(known.timers.len(), NAPS + 1);
        assert_eq!(known.threads.len(), 5);
        known
    }
}

/// What `ticks who` found.
pub struct Found {
    all: Vec<Json>,
    /// What could not be read whole.
    pub remarks: String,
}

impl Found {
    #[track_caller]
    pub fn at(of: &[&str]) -> Found {
        let output = ticks([&["who", "--json", "--sources"], of].concat());
        let remarks = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{remarks}");
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let all = lines.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        Found { all: all.collect(), remarks }
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Json> {
        self.all.iter().filter(move |it| it["kind"] == kind)
    }

    pub fn tasks(&self) -> impl Iterator<Item = &Json> {
        self.of_kind("task")
    }

    pub fn sources(&self) -> impl Iterator<Item = &Json> {
        self.of_kind("source")
    }

    pub fn waits(&self) -> impl Iterator<Item = &Json> {
        self.all.iter().filter(|it| it["dir"].is_string() && it["kind"] != "unasked")
    }

    pub fn timers(&self) -> impl Iterator<Item = &Json> {
        self.all.iter().filter(|it| it["timer"].is_u64())
    }

    pub fn count(&self, function: &str, state: &str) -> usize {
        let is_it = |task: &&Json| name_of(task) == Some(function) && task["task_state"] == state;
        self.tasks().filter(is_it).count()
    }

    /// A core dump does not have what the kernel knows: a socket's kind and addresses.
    #[track_caller]
    pub fn holds_but_addresses(&self, known: &Known) {
        assert_eq!(self.remarks, "");
        self.holds_numbers(known);
        self.holds_tasks(known);
        self.is_of_one_piece(known, false);
    }

    /// Nor types' names, if it does not say which file was where.
    #[track_caller]
    pub fn holds_but_names(&self, known: &Known) {
        self.holds_numbers(known);
        let spawned = self.tasks().filter(|task| task["task_kind"] == "spawned");
        assert_eq!(spawned.count(), TASKS.iter().map(|task| task.2).sum::<usize>());
    }

    #[track_caller]
    fn holds_numbers(&self, known: &Known) {
        let fds: BTreeSet<u64> = self.sources().map(|it| int(&it["fd"])).collect();
        assert_eq!(self.waits().map(wait).collect::<BTreeSet<_>>(), known.waits);
        assert_eq!(self.timers().map(timer).collect::<BTreeSet<_>>(), known.timers);
        assert_eq!(fds, known.sources.iter().map(|it| it.0).collect());
    }

    /// What is missing, or there without being known; unless others come and go, of whom nothing is known.
    #[track_caller]
    pub fn holds(&self, known: &Known, with_others: bool) {
        let waits = self.waits().map(wait).collect::<BTreeSet<_>>();
        let timers = self.timers().map(timer).collect();
        let sources: BTreeSet<_> = self.sources().map(source).collect();
        if with_others {
            let missing = known.waits.difference(&waits).collect::<Vec<_>>();
            assert!(missing.is_empty(), "{missing:?} of {waits:?}; {}", self.remarks);
            let missing = known.timers.difference(&timers).collect::<Vec<_>>();
            assert!(missing.is_empty(), "{missing:?}; {}", self.remarks);
            // While others come and go, the kernel's lists of sockets may leave any out.
            let is_there = |it: &&(u64, String, String)| {
                let unlisted = (it.0, "other".to_owned(), "-".to_owned());
                sources.contains(*it) || sources.contains(&unlisted)
            };
            let missing = known.sources.iter().filter(|it| !is_there(it)).collect::<Vec<_>>();
            assert!(missing.is_empty(), "{missing:?} of {sources:?}; {}", self.remarks);
        } else {
            assert_eq!(waits, known.waits);
            assert_eq!(timers, known.timers);
            assert_eq!(sources, known.sources);
            assert_eq!(self.remarks, "");
        }
        self.holds_tasks(known);
        self.is_of_one_piece(known, with_others);
    }

    #[track_caller]
    fn holds_tasks(&self, known: &Known) {
        for (function, state, count) in TASKS {
            // The thread that naps does so in a `block_on`.
            let count = count + usize::from(function == "nap");
            assert_eq!(self.count(function, state), count, "{function}; {}", self.remarks);
        }
        let threads: BTreeSet<u64> = self
            .tasks()
            .filter(|task| task["task_kind"] == "block_on")
            .map(|task| int(&task["thread"]))
            .collect();
        assert_eq!(threads, known.threads);
    }

    /// Whoever waits is a task that is there; one of those who come and go may have ended since the tasks were read.
    #[track_caller]
    fn is_of_one_piece(&self, known: &Known, with_others: bool) {
        let ids: BTreeSet<u64> = self.tasks().map(|task| int(&task["task_id"])).collect();
        assert_eq!(ids.len(), self.tasks().count(), "a number twice");
        for task in self.tasks() {
            let is_known = name_of(task)
                .is_some_and(|name| TASKS.iter().any(|task| task.0 == name) || name == "churned");
            assert!(is_known || task["task_kind"] != "spawned", "{task}");
        }
        for it in self.waits().chain(self.timers()) {
            let is_known = it["timer"].is_u64() && known.timers.contains(&timer(it))
                || it["dir"].is_string() && known.waits.contains(&wait(it));
            let has_task = it["task_id"].as_u64().is_some_and(|id| ids.contains(&id));
            assert!(has_task || with_others && !is_known, "{it}; {}", self.remarks);
        }
        for source in self.sources() {
            assert!(source["fd"].as_i64().is_some_and(|fd| (0..1 << 20).contains(&fd)), "{source}");
        }
    }
}

fn int(value: &Json) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// The function that a task is of.
fn name_of(task: &Json) -> Option<&str> {
    task["name"].as_str()?.rsplit("::").next()
}

fn wait(it: &Json) -> (u64, String, u64, u64, [u64; 2]) {
    let ticks = [int(&it["ticks"][0]), int(&it["ticks"][1])];
    assert!(ticks[0] <= int(&it["round"]), "of a later round: {it}");
    let dir = it["dir"].as_str().expect("a text").to_owned();
    (int(&it["fd"]), dir, int(&it["waiter"]), int(&it["task"]), ticks)
}

fn timer(it: &Json) -> (u64, u64) {
    (int(&it["timer"]), int(&it["deadline_ns"]))
}

fn source(it: &Json) -> (u64, String, String) {
    let text = |field: &str| it[field].as_str().expect("a text").to_owned();
    (int(&it["fd"]), text("source_kind"), text("local"))
}

/// Plays the subject, if this process is to.
#[test]
fn plays_the_subject() {
    if plays() {
        subject::main();
    }
}

pub fn subject_of_this_build() -> Command {
    own("found::plays_the_subject")
}

#[test]
fn everything_is_found_and_nothing_else() {
    let program = Program::start(&mut subject_of_this_build(), "waits");
    Found::at(&[&program.pid()]).holds(&Known::of(&program), false);
}

#[test]
fn what_has_seen_events_says_so() {
    let program = Program::start(&mut subject_of_this_build(), "waits");
    let found = Found::at(&[&program.pid()]);
    let known = Known::of(&program);
    let seen: Vec<_> = found.sources().filter(|it| int(&it["read"]["tick"]) > 0).collect();
    let echoes = known.waits.iter().filter(|wait| wait.4[1] > 0).collect::<Vec<_>>();
    assert_eq!((seen.len(), echoes.len()), (1, 1), "{seen:?}");
    assert_eq!(int(&seen[0]["fd"]), echoes[0].0);
    assert_eq!(int(&seen[0]["read"]["tick"]), echoes[0].4[1]);
    let shared = found.sources().filter(|it| it["read"]["waiters"] == 5).collect::<Vec<_>>();
    assert_eq!(shared.len(), 1);
    assert_eq!((int(&shared[0]["read"]["wakers"]), int(&shared[0]["write"]["waiters"])), (5, 0));
}

#[test]
fn others_come_and_go_meanwhile_and_nothing_impossible_is_said() {
    let program = Program::start(subject_of_this_build().env("SUBJECT", "churn"), "waits");
    let known = Known::of(&program);
    let (mut whole, mut others) = (0, 0);
    // More of them on a machine with so much to do that each look takes long.
    for look in 0..100 {
        if look >= 8 && whole > 0 && others > 0 {
            break;
        }
        let found = Found::at(&[&program.pid()]);
        others += found.sources().count().saturating_sub(known.sources.len());
        // A part that changed whenever it was read is said to be torn, and then it may be missing.
        if !found.remarks.contains("could not be read") {
            found.holds(&known, true);
            whole += 1;
        }
    }
    assert!(whole > 0, "each look was torn");
    assert!(others > 0, "nobody came");
}
