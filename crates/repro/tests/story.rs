//! Stories and sentences from logs written by hand.

use std::path::PathBuf;

use repro::case::{Build, Case, Reactor};
use repro::story::{Decision, Figure, Story};
use repro::{Report, Run};

const CLIENTS: usize = 3;

/// Writes a log as the program does, at a time of the test's choosing.
#[derive(Default)]
struct Log {
    text: String,
    now_us: u64,
}

impl Log {
    fn line(&mut self, thread: u64, message: &str) -> &mut Log {
        let second = self.now_us / 1_000_000;
        let us = self.now_us % 1_000_000;
        self.text += &format!(
            "[2022-05-03T18:37:{second:02}.{us:06}Z TRACE accept 1 {thread:2}] {message}\n"
        );
        self
    }

    fn later(&mut self, us: u64) -> &mut Log {
        self.now_us += us;
        self
    }

    fn connects(&mut self, client: usize) -> &mut Log {
        let thread = client as u64 + 3;
        self.line(thread, &format!("client {client}: connect:+ 127.0.0.1:1"))
            .line(thread, &format!("client {client}: connect:- local=127.0.0.1:{}", 4000 + client))
    }

    fn accepts(&mut self, client: usize) -> &mut Log {
        let message = format!("serve: accepted n=1 peer=127.0.0.1:{} polls=2", 4000 + client);
        self.line(1, &message)
    }

    fn polls(&mut self, answer: &str) -> &mut Log {
        self.line(1, "poll_accept: call poll_readable poll=1 cx=Context { waker: .. }")
            .line(1, &format!("poll_accept: retf poll_readable prr={answer}"))
    }

    /// A poll whose reactor says what it looked at.
    fn looks(&mut self, tick: u64, ticks: &str, answer: &str, after: &str) -> &mut Log {
        self.line(1, "poll_accept: call poll_readable poll=1 cx=Context { waker: .. }")
            .line(1, &format!("Source::poll_ready:+ dir=0 tick={tick} ticks={ticks} key=0"))
            // Another thread's source, and a writer's look.
            .line(2, "Source::poll_ready:+ dir=0 tick=77 ticks=None key=9")
            .line(1, "Source::poll_ready:+ dir=1 tick=78 ticks=None key=0")
            .line(1, &format!("Source::poll_ready:- dir=0 ticks={after} reason=\"because\""))
            .line(1, &format!("poll_accept: retf poll_readable prr={answer}"))
            // What `accept` itself prints comes after the answer.
            .line(1, "Source::poll_ready:+ dir=0 tick=79 ticks=None key=0")
    }

    /// All clients accepted: the first after a wait, the others at once.
    fn of_ours(tick: u64) -> Log {
        let mut log = Log::default();
        let waits = format!("Some(({tick}, 0))");
        log.looks(0, "None", "Pending", &waits);
        log.connects(1).later(1_500);
        log.looks(tick + 1, &waits, "Ready(Ok(()))", "None").accepts(1);
        for client in 2..=CLIENTS {
            log.connects(client).later(200);
            log.looks(tick + 1, "None", "Ready(Ok(()))", "None").accepts(client);
        }
        log
    }

    /// One accepted, and polls in vain for the next until the end.
    fn of_the_fault(polls: usize) -> Log {
        let mut log = Log::default();
        log.polls("Pending").connects(1).later(2_000);
        log.polls("Ready(Ok(()))").accepts(1).connects(2).connects(3);
        for _ in 0..polls {
            log.later(1_000).polls("Pending");
        }
        log
    }

    fn story(&self) -> Story {
        Story::read(self.text.as_bytes(), CLIENTS).unwrap()
    }
}

fn exact(value: u64) -> Figure {
    Figure { value, at_least: false }
}

fn bound(value: u64) -> Figure {
    Figure { value, at_least: true }
}

#[test]
fn accepts_polls_and_latencies_are_counted() {
    let story = Log::of_ours(4).story();
    assert_eq!((story.accepted(), story.late()), (3, 0));
    let polls = story.polls_per_accept().unwrap();
    assert_eq!((polls.median, polls.max), (exact(1), exact(2)));
    let latency = story.latency_us().unwrap();
    assert_eq!((latency.median, latency.max), (exact(200), exact(1_500)));
    assert_eq!(story.polls_per_wait_max(), 2);
    assert_eq!(story.rule_breaks().count(), 0);
}

#[test]
fn a_look_belongs_to_the_poll_around_it() {
    let log = Log::of_ours(4);
    let story = log.story();
    let looks: Vec<_> =
        story.first_accept().iter().map(|poll| poll.look.as_ref().unwrap()).collect();
    assert_eq!((looks[0].tick, looks[0].ticks, looks[0].ticks_after), (0, None, Some((4, 0))));
    assert_eq!((looks[1].tick, looks[1].ticks, looks[1].ticks_after), (5, Some((4, 0)), None));
    assert_eq!(looks[1].reason.as_deref(), Some("because"));
}

#[test]
fn decisions_are_alike_when_only_the_numbers_differ() {
    let decisions = |tick| {
        let story = Log::of_ours(tick).story();
        story.first_accept().iter().map(|poll| poll.decision().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(decisions(4), decisions(17));
    let waited = Decision { met: Some((false, false)), ready: true };
    assert_eq!(decisions(4)[1], waited);
}

#[test]
fn an_answer_against_the_rule_is_found() {
    let mut log = Log::default();
    log.looks(2, "Some((2, 0))", "Ready(Ok(()))", "None");
    log.looks(3, "Some((2, 0))", "Pending", "Some((2, 0))");
    log.looks(2, "Some((2, 0))", "Pending", "Some((2, 0))");
    assert_eq!(log.story().rule_breaks().count(), 2);
}

#[test]
fn what_the_end_cuts_off_is_a_bound() {
    let story = Log::of_the_fault(1_400).story();
    assert_eq!((story.accepted(), story.late()), (1, 2));
    let polls = story.polls_per_accept().unwrap();
    assert_eq!((polls.median, polls.max), (bound(1_400), bound(1_400)));
    let latency = story.latency_us().unwrap();
    assert_eq!((latency.median, latency.max), (bound(1_400_000), bound(1_400_000)));
    assert_eq!(story.polls_per_wait_max(), 1_400);
}

#[test]
fn a_client_that_never_connected_is_late() {
    let mut log = Log::default();
    log.polls("Pending").connects(1).polls("Ready(Ok(()))").accepts(1);
    assert_eq!(log.story().late(), 2);
}

#[test]
fn a_log_cut_off_in_the_middle_is_read_as_far_as_it_goes() {
    let text = Log::of_ours(4).text;
    for end in 0..text.len() {
        match Story::read(&text.as_bytes()[..end], CLIENTS) {
            Ok(story) => assert!(story.accepted() <= 3),
            Err(error) => assert!(error.to_string().contains("found no line"), "{error}"),
        }
    }
}

#[test]
fn a_log_without_the_programs_lines_is_refused() {
    let error = Story::read(&b"Segmentation fault\n\xff\xfe\n"[..], CLIENTS).unwrap_err();
    assert!(error.to_string().contains("expected `[<time> <level>"), "{error}");
}

// The sentences.

fn report(log_of: impl Fn(Case) -> Log) -> Report {
    let run =
        |case| Run { case, log: PathBuf::new(), recording: None, story: log_of(case).story() };
    Report::new(Case::all().into_iter().map(run).collect())
}

/// Upstream hangs at 1,000 µs, and in debug at 100 µs too.
fn fault(case: Case) -> Log {
    let slow = case.cost_us == 1_000 || (case.cost_us == 100 && case.build == Build::Debug);
    match case.reactor {
        Reactor::Upstream if slow => Log::of_the_fault(1_400),
        _ => Log::of_ours(case.cost_us + 1),
    }
}

#[test]
fn the_sentences_say_what_the_runs_show() {
    let report = report(fault);
    assert!(report.fault_shows());
    let [ours, upstream, builds] = report.sentences();
    assert_eq!(
        ours,
        "The async-io of this repository accepted 18 of 18 connections, in debug and in release, at \
         0, 100 and 1,000 µs a poll, and asked `poll_readable` at most 2 times for any of them."
    );
    assert_eq!(
        upstream,
        "The same program on async-io 2.6.0 accepted 12 of 18 connections, and 6 waited for more than \
         a second or in vain (worst: 1 of 3 in release at 1,000 µs a poll); at 1,000 µs a poll, one wait took \
         1,400 polls where ours took 2 at most."
    );
    assert_eq!(
        builds,
        "On ours, debug and release decided alike in the first accept at every cost (Pending: not \
         waiting yet, then Ready: the tick is neither of the waiter's); upstream accepted 1 in debug \
         and 3 in release at 100 µs a poll."
    );
}

#[test]
fn the_sentences_claim_nothing_that_the_runs_do_not_show() {
    let report = report(|case| match case.reactor {
        Reactor::Upstream => Log::of_ours(4),
        Reactor::Ours if case.build == Build::Debug => Log::of_the_fault(50),
        Reactor::Ours => Log::of_ours(4),
    });
    assert!(!report.fault_shows());
    let [ours, upstream, builds] = report.sentences();
    assert!(ours.contains("accepted only 12 of 18 connections"), "{ours}");
    assert!(ours.contains("50 times or more"), "{ours}");
    assert!(
        upstream.contains("accepted 18 of 18 connections, and 0 waited for more"),
        "{upstream}"
    );
    assert!(upstream.ends_with("so this run did not show the fault."), "{upstream}");
    assert!(builds.contains("did not decide alike"), "{builds}");
    assert!(builds.ends_with("accepted as many in debug as in release."), "{builds}");
}

#[test]
fn the_tables_have_a_row_a_run_and_a_row_a_poll() {
    let report = report(fault);
    let runs = report.runs_table().to_string();
    assert_eq!(runs.lines().count(), 2 + 12, "{runs}");
    assert!(runs.contains("≥ 1,400"), "{runs}");
    let ticks = report.ticks_table().to_string();
    assert_eq!(ticks.lines().count(), 2 + 3 * 2, "{ticks}");
    let cell = "tick=2 ticks=Some((1, 0)) → Ready (because)";
    let line = ticks.lines().find(|line| line.contains(cell)).expect(&ticks);
    assert_eq!(line.matches(cell).count(), 2, "debug beside release: {line}");
}
