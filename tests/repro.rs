//! A libp2p relay, built for debugging, left its callers waiting; built for release it did not. Its
//! author found in the two traces that `poll_readable` met the reactor's ticks in another order when
//! its task was slow, built a small program to show it, and got stuck: `spawn` of the small executor
//! returned nothing to wait for.
//! Upstream counts a reactor round before it waits and has a waiter remember the ticks anew at each
//! poll, so a slow task takes each event for an old one, and asks for ever. Ours counts when the wait
//! returns, and a waiter remembers once: Pending, and then Ready, however slow the task.
//! Here the program is finished, and run both ways on both reactors.

#![cfg(not(loom))]

use std::io::{self, Write};

use repro::case::{Build, Reactor, COSTS_US};
use repro::Report;

#[test]
fn repro() {
    // Written past the harness, which shows a passing test's `println!` to nobody.
    let report = match repro::reproduce(&mut |step| writeln!(io::stderr(), "{step}").unwrap()) {
        Ok(report) => report,
        Err(error) => panic!("{error}"),
    };
    writeln!(io::stdout(), "\n{report}").unwrap();
    for sentence in report.sentences() {
        writeln!(io::stdout(), "{sentence}").unwrap();
    }

    let compared = repro::compare(&report, &mut |step| writeln!(io::stderr(), "{step}").unwrap());
    let compared = compared.unwrap_or_else(|error| panic!("{error}"));
    writeln!(io::stdout(), "{compared}").unwrap();

    let mut complaints = Vec::new();
    debug_is_held_against_release(&compared, &mut complaints);
    ours_accepts_all(&report, &mut complaints);
    ours_needs_two_polls_a_wait(&report, &mut complaints);
    ours_decides_alike_in_debug_and_release(&report, &mut complaints);
    upstream_shows_the_fault(&report, &mut complaints);
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn ours_accepts_all(report: &Report, complaints: &mut Vec<String>) {
    for run in report.on(Reactor::Ours) {
        if run.story.accepted() != run.story.clients() {
            complaints.push(format!("{}: {}; see {}", run.case, run.story, run.log.display()));
        }
    }
}

/// Once it waits, an accept takes the poll that began the wait and the one that ends it.
fn ours_needs_two_polls_a_wait(report: &Report, complaints: &mut Vec<String>) {
    for run in report.on(Reactor::Ours) {
        let polls = run.story.polls_per_wait_max();
        if polls > 2 {
            complaints.push(format!(
                "{}: a wait took {polls} polls, expected at most 2; see {}",
                run.case,
                run.log.display()
            ));
        }
    }
}

/// Nothing but time differs between the two builds, and time decides nothing: the first accept, which
/// always begins with a wait, goes through the same decisions, and every later one keeps the rule.
fn ours_decides_alike_in_debug_and_release(report: &Report, complaints: &mut Vec<String>) {
    for cost_us in COSTS_US {
        let [debug, release] = Build::ALL.map(|build| {
            let polls = report.story(Reactor::Ours, build, cost_us).first_accept();
            polls.iter().map(|poll| poll.decision()).collect::<Vec<_>>()
        });
        if debug.iter().chain(&release).any(Option::is_none) {
            complaints.push(format!(
                "{cost_us} µs a poll: polls of the first accept without tick records: \
                 debug {debug:?}, release {release:?}"
            ));
        } else if debug != release {
            complaints.push(format!(
                "{cost_us} µs a poll: the first accept was decided differently: \
                 debug {debug:?}, release {release:?}"
            ));
        }
    }
    for run in report.on(Reactor::Ours) {
        if let Some(poll) = run.story.rule_breaks().next() {
            complaints.push(format!(
                "{}: not the rule's answer: {poll:?}; see {}",
                run.case,
                run.log.display()
            ));
        }
    }
}

fn upstream_shows_the_fault(report: &Report, complaints: &mut Vec<String>) {
    if !report.fault_shows() {
        let [upstream, ours] = Reactor::ALL.map(|reactor| report.polls_per_wait_max(reactor));
        complaints.push(format!(
            "upstream's fault did not show, so this run proves nothing: on the dearest polls, a wait \
             took at most {upstream} polls there, and {ours} on ours"
        ));
    }
}

/// Where upstream's two builds part differs from run to run. That the first accept of both was compared does not.
fn debug_is_held_against_release(compared: &str, complaints: &mut Vec<String>) {
    let compares = compared.contains("How sure the match is: ");
    let tells = ["The first decision that differs\n", "No difference: ", "Their numbers differ."];
    if !compares || !tells.iter().any(|told| compared.contains(told)) {
        complaints
            .push(format!("ticks compare does not tell where debug and release part:\n{compared}"));
    }
}
