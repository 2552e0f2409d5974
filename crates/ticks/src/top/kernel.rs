//! What the kernel says of a process's threads. It is read from `/proc`; elsewhere there is nothing.

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

/// A thread, as the kernel has it.
pub struct Thread {
    /// Its name.
    pub name: String,
    /// What it does: `sleeps in ep_poll`.
    pub state: String,
    /// Whether it runs or could.
    pub runs: bool,
    /// How much of one processor it used since the last look, in percent.
    pub cpu: Option<u64>,
}

/// The threads, and how long each has run so far.
#[derive(Default)]
pub struct Threads {
    /// Nanoseconds on a processor, by the thread's number.
    used_ns: HashMap<u64, u64>,
    at: Option<Instant>,
}

impl Threads {
    /// Looks.
    pub fn look(&mut self, pid: u64) -> HashMap<u64, Thread> {
        let now = Instant::now();
        let elapsed_ns = self.at.map(|at| now.duration_since(at).as_nanos());
        let mut used_ns = HashMap::new();
        let mut threads = HashMap::new();
        let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for tid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok()) {
            let read = |file| fs::read_to_string(format!("/proc/{pid}/task/{tid}/{file}")).ok();
            let Some(state) = read("stat").as_deref().and_then(state_of) else { continue };
            let used = read("schedstat").and_then(|text| text.split(' ').next()?.parse().ok());
            let before = self.used_ns.get(&tid).copied();
            let cpu = used.zip(before).zip(elapsed_ns).map(|((used, before), elapsed_ns)| {
                percent(u64::saturating_sub(used, before).into(), elapsed_ns)
            });
            used_ns.extend(used.map(|used| (tid, used)));
            // It takes a right over the process, and is "0" where the thread does not wait.
            let within = read("wchan").filter(|name| !name.is_empty() && name != "0");
            let name = read("comm").unwrap_or_default().trim_end().to_owned();
            let text = match within {
                Some(within) => format!("{} in {within}", word(state)),
                None => word(state).to_owned(),
            };
            threads.insert(tid, Thread { name, state: text, runs: state == 'R', cpu });
        }
        (self.used_ns, self.at) = (used_ns, Some(now));
        threads
    }
}

fn percent(used_ns: u128, elapsed_ns: u128) -> u64 {
    let percent = (used_ns * 100 + elapsed_ns / 2).checked_div(elapsed_ns).unwrap_or(0);
    // One thread has one processor; what is more is the clocks' difference.
    percent.min(100) as u64
}

/// The state is counted behind the name, which may hold anything.
fn state_of(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

fn word(state: char) -> &'static str {
    match state {
        'R' => "runs",
        'S' => "sleeps",
        'D' => "uninterruptible",
        'T' => "stopped",
        't' => "traced",
        'Z' | 'X' => "ended",
        'I' => "idle",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        assert_eq!(state_of("17 (a) R (b) S 1 17"), Some('S'));
        assert_eq!(state_of("17"), None);
    }

    #[test]
    fn a_thread_has_one_processor() {
        assert_eq!(
            [(5, 1_000), (995, 1_000), (2_000, 1_000), (1, 0)].map(|(a, b)| percent(a, b)),
            [1, 100, 100, 0]
        );
    }
}
