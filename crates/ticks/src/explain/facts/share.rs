//! How much of the processors a live process gets.

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
    /// Whether somebody else had the processors nearly all the time.
    pub fn is_starved(&self) -> bool {
        self.queued_ns > self.elapsed_ns / 50 * 49 && self.ran_ns < self.elapsed_ns / 50
    }

    /// Whether it may be one of both, so that it is worth a longer look. The kernel counts some of it late.
    pub fn is_suspect(&self) -> bool {
        self.is_starved() || self.throttled_ns > self.elapsed_ns / 5
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

/// Watches the process for a moment.
pub fn share(pid: u64, moment: Duration) -> Share {
    let cgroups = Cgroups::of_system();
    let (began, before, throttled) = (Instant::now(), schedules(pid), cgroups.throttled_ns(pid));
    sleep(moment);
    let (after, throttled_after) = (schedules(pid), cgroups.throttled_ns(pid));
    let elapsed_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let throttled =
        throttled_after.iter().zip(throttled).map(|(now, then)| now.saturating_sub(then));
    Share { throttled_ns: throttled.max().unwrap_or(0), ..between(&before, &after, elapsed_ns) }
}

fn between(before: &[Schedule], after: &[Schedule], elapsed_ns: u64) -> Share {
    let mut share = Share { elapsed_ns, ..Share::default() };
    for now in after {
        let Some(then) = before.iter().find(|then| then.tid == now.tid) else {
            share.ran_ns += now.ran_ns;
            share.queued_ns = share.queued_ns.max(now.queued_ns);
            continue;
        };
        let ran_ns = now.ran_ns.saturating_sub(then.ran_ns);
        let had_no_turn = then.is_ready && now.is_ready && now.turns == then.turns && ran_ns == 0;
        let queued_ns = match had_no_turn {
            true => elapsed_ns,
            false => now.queued_ns.saturating_sub(then.queued_ns),
        };
        share.ran_ns += ran_ns;
        share.queued_ns = share.queued_ns.max(queued_ns);
    }
    share
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

    /// The kernel counts a wait for a processor when it ends, so nothing is counted of one that goes on.
    #[test]
    fn who_gets_no_turn_at_all_waits_all_the_time() {
        let thread =
            |is_ready, ran_ns, turns| Schedule { tid: 1, is_ready, ran_ns, queued_ns: 5, turns };
        let share = |before, after| between(&[before], &[after], SECOND_NS);
        assert!(share(thread(true, 7, 3), thread(true, 7, 3)).is_starved());
        // It sleeps, it has had a turn, it runs all the time.
        assert!(!share(thread(false, 7, 3), thread(false, 7, 3)).is_starved());
        assert!(!share(thread(true, 7, 3), thread(true, 7, 4)).is_starved());
        assert!(!share(thread(true, 7, 3), thread(true, 7 + SECOND_NS, 3)).is_starved());
    }
}
