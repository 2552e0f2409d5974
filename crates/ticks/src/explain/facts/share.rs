//! How much of the processors a live process gets.

use std::collections::HashMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{thread_states, Cgroups};

/// How a process's threads got on during a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How long the moment was.
    pub elapsed_ns: u64,
    /// How long a processor had its threads run, in all.
    pub ran_ns: u64,
    /// How long its threads were ready to run and did not, the longest of them.
    pub queued_ns: u64,
    /// How long its cgroup kept it from running.
    pub throttled_ns: u64,
}

impl Share {
    /// Whether somebody else had the processors nearly all the time that it wanted to run, which was most of the time.
    pub fn is_starved(&self) -> bool {
        self.queued_ns > self.elapsed_ns / 4 * 3 && self.ran_ns < self.queued_ns / 50
    }

    /// Whether it may be one of both, so that it is worth a longer look. In a short one it may have had its only turn.
    pub fn is_suspect(&self) -> bool {
        self.throttled_ns > self.elapsed_ns / 5
            || (self.queued_ns > self.elapsed_ns / 2 && self.ran_ns < self.elapsed_ns / 5)
    }

    /// Whether the limit of its cgroup kept it from running for most of the time.
    pub fn is_throttled(&self) -> bool {
        self.throttled_ns > self.elapsed_ns / 2
    }
}

/// A thread, as the scheduler counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Schedule {
    tid: u64,
    /// Whether it is ready to run, or runs.
    is_ready: bool,
    ran_ns: u64,
    /// For how long it was ready and did not run. It is counted when it gets a processor, and not before.
    queued_ns: u64,
    /// How often it got a processor.
    turns: u64,
}

/// How long to wait between two looks at the threads.
///
/// A thread that got a processor between two looks, and waits again, has waited since for at most that long. The
/// kernel does not tell it before the next turn.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Watches the process for a moment.
pub fn share(pid: u64, moment: Duration) -> Share {
    let cgroups = Cgroups::of_system();
    let (began, throttled) = (Instant::now(), cgroups.throttled_ns(pid));
    let mut threads = HashMap::new();
    let (mut before, mut at) = (schedules(pid), began);
    while began.elapsed() < moment {
        sleep(LOOK_EVERY);
        let (after, now) = (schedules(pid), Instant::now());
        count(&mut threads, &before, &after, nanos(now - at));
        (before, at) = (after, now);
    }
    let throttled = cgroups.throttled_ns(pid).into_iter().zip(throttled);
    Share {
        elapsed_ns: nanos(at - began),
        ran_ns: threads.values().map(|got| got.ran_ns).sum(),
        queued_ns: threads.values().map(|got| got.queued_ns).max().unwrap_or(0),
        throttled_ns: throttled.map(|(now, then)| now.saturating_sub(then)).max().unwrap_or(0),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a thread got so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Got {
    ran_ns: u64,
    queued_ns: u64,
}

/// Adds what each thread got between two looks. One that began or ended between them did run.
fn count(
    threads: &mut HashMap<u64, Got>,
    before: &[Schedule],
    after: &[Schedule],
    between_ns: u64,
) {
    for now in after {
        let got = threads.entry(now.tid).or_default();
        let Some(then) = before.iter().find(|then| then.tid == now.tid) else {
            got.ran_ns += now.ran_ns;
            continue;
        };
        let ran_ns = now.ran_ns.saturating_sub(then.ran_ns);
        let had_no_turn = then.is_ready && now.is_ready && now.turns == then.turns && ran_ns == 0;
        got.ran_ns += ran_ns;
        got.queued_ns += match had_no_turn {
            true => between_ns,
            // What is counted at its turn may have begun before the first look.
            false => now.queued_ns.saturating_sub(then.queued_ns).min(between_ns),
        };
    }
}

fn schedules(pid: u64) -> Vec<Schedule> {
    let schedule = |(tid, state): (u64, char)| {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?;
        let mut fields = text.split_whitespace().map(str::parse);
        let mut next = || fields.next()?.ok();
        Some(Schedule {
            tid,
            is_ready: state == 'R',
            ran_ns: next()?,
            queued_ns: next()?,
            turns: next()?,
        })
    };
    thread_states(pid).into_iter().filter_map(schedule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_busy_machine_starves_nobody() {
        let share = |ran_ns, queued_ns, throttled_ns| Share {
            elapsed_ns: SECOND_NS,
            ran_ns,
            queued_ns,
            throttled_ns,
        };
        // Eight programs on two processors.
        assert!(!share(SECOND_NS / 4, SECOND_NS / 4 * 3, 0).is_starved());
        assert!(share(SECOND_NS / 100, SECOND_NS / 100 * 99, 0).is_starved());
        assert!(!share(SECOND_NS / 2, 0, SECOND_NS / 3).is_throttled());
        assert!(share(SECOND_NS / 10, 0, SECOND_NS / 10 * 8).is_throttled());
    }

    fn thread(is_ready: bool, ran_ns: u64, queued_ns: u64, turns: u64) -> Schedule {
        Schedule { tid: 1, is_ready, ran_ns, queued_ns, turns }
    }

    /// The kernel counts a wait for a processor when it ends. So nothing was counted of one that goes on, and a program
    /// that had one short turn while it was watched was not said to be starved.
    #[test]
    fn a_wait_counts_while_it_goes_on() {
        const LOOK_NS: u64 = SECOND_NS / 100;
        let watched = |looks: &[Schedule]| {
            let mut threads = HashMap::new();
            for pair in looks.windows(2) {
                count(&mut threads, &pair[..1], &pair[1..], LOOK_NS);
            }
            let Got { ran_ns, queued_ns } = threads[&1];
            let elapsed_ns = LOOK_NS * (looks.len() as u64 - 1);
            Share { elapsed_ns, ran_ns, queued_ns, throttled_ns: 0 }
        };
        let waits = vec![thread(true, 7, 5, 3); 100];
        assert!(watched(&waits).is_starved());
        // It has a turn of 1 ms, for which it had waited three seconds, of which one look's time counts.
        let turn = SECOND_NS / 1000;
        let waits_again = vec![thread(true, 7 + turn, 5 + 3 * SECOND_NS, 4); 100];
        let share = watched(&[waits.clone(), waits_again].concat());
        assert!(share.is_starved(), "{share:?}");
        assert!(share.queued_ns <= share.elapsed_ns, "{share:?}");
        // It sleeps, it runs all the time, it wakes and runs at once for a moment each time.
        assert!(!watched(&vec![thread(false, 7, 5, 3); 100]).is_starved());
        let runs: Vec<_> = (0..100).map(|look| thread(true, look * LOOK_NS, 5, 3)).collect();
        assert!(!watched(&runs).is_starved());
        let wakes: Vec<_> = (0..100).map(|look| thread(true, look, 5 + look, 3 + look)).collect();
        assert!(!watched(&wakes).is_suspect());
    }
}
