//! System calls per operation, counted by `strace -c -f` over a child that runs N and then 2N operations.
//!
//! The difference of the two runs leaves out start-up and end. Where strace is missing, or may not
//! trace, the test that asked is left out with a line on stderr; with `CI=true` it fails instead.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};

use super::child;

/// System calls by name, in one operation.
#[derive(Debug)]
pub struct PerOperation {
    calls: BTreeMap<String, f64>,
}

impl PerOperation {
    /// How many calls of these names one operation makes.
    pub fn of(&self, names: &[&str]) -> f64 {
        names.iter().filter_map(|name| self.calls.get(*name)).sum()
    }

    /// How many calls one operation makes in all. Reading the clock is left out: it is a system call
    /// only on machines whose clock the kernel does not map into the process.
    pub fn total(&self) -> f64 {
        self.calls.iter().filter(|(name, _)| *name != "clock_gettime").map(|(_, calls)| calls).sum()
    }
}

impl fmt::Display for PerOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} system calls an operation:", self.total())?;
        for (name, calls) in &self.calls {
            write!(f, " {name} {calls:.2}")?;
        }
        Ok(())
    }
}

/// Runs `role` of the test called `test` with `count` operations and with twice as many, and returns
/// what one operation costs; or nothing where strace cannot be used.
///
/// The child must do exactly [`child::count`] operations and must call nothing else in proportion. One that
/// was [disturbed] is run again. If all are, the machine is too busy to tell, and the test is left out.
pub fn per_operation(test: &str, role: &str, count: usize) -> Option<PerOperation> {
    if let Err(reason) = usable() {
        let message = format!("{test}: left out, system calls cannot be counted: {reason}");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        // Not eprintln!: the test harness would keep it to itself, since the test passes.
        let _ = writeln!(io::stderr(), "{message}");
        return None;
    }
    let undisturbed = |count| (0..TRIES).find_map(|_| calls(test, role, count));
    let (Some(once), Some(twice)) = (undisturbed(count), undisturbed(2 * count)) else {
        let _ = writeln!(io::stderr(), "{test}: left out, other programs disturb it each time");
        return None;
    };
    let calls = twice
        .iter()
        .map(|(name, calls)| {
            let before = once.get(name).copied().unwrap_or(0);
            (name.clone(), (*calls as f64 - before as f64) / count as f64)
        })
        .filter(|(_, calls)| calls.abs() >= 0.005)
        .collect();
    let cost = PerOperation { calls };
    eprintln!("{test}: {role}: {cost}");
    Some(cost)
}

fn usable() -> Result<(), String> {
    let output = std::process::Command::new("strace")
        .args(["-f", "-c", "-o", "/dev/null", "true"])
        .output()
        .map_err(|error| format!("strace does not start: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("strace may not trace: {}", said.trim()))
    }
}

/// In a child: other programs have kept it from running, and it has made calls for that reason.
pub fn disturbed() {
    println!("{DISTURBED}");
}

const DISTURBED: &str = "this run was disturbed";

/// How often a child that was disturbed is run.
const TRIES: usize = 20;

/// `None`: it was disturbed.
fn calls(test: &str, role: &str, count: usize) -> Option<BTreeMap<String, u64>> {
    let dir = tempfile::tempdir().expect("a directory for the summary");
    let path = dir.path().join("summary");
    let path = path.to_str().expect("a temporary path is UTF-8");
    let strace = ["strace", "-f", "-c", "-U", "calls,name", "-o", path];
    let output = child::under(&strace, test, role, count).output().expect("strace starts");
    assert!(
        output.status.success(),
        "{role} with {count} operations failed: {}",
        child::shown(&output)
    );
    if String::from_utf8_lossy(&output.stdout).contains(DISTURBED) {
        return None;
    }
    let summary = fs::read_to_string(path).expect("strace wrote its summary");
    let calls: BTreeMap<_, _> = summary.lines().filter_map(row).collect();
    assert!(!calls.is_empty(), "no row in strace's summary:\n{summary}");
    Some(calls)
}

/// A row of the summary is a number and a name; the heading, the rule and the total are not rows.
fn row(line: &str) -> Option<(String, u64)> {
    let mut words = line.split_whitespace();
    let calls = words.next()?.parse().ok()?;
    let name = words.next().filter(|name| *name != "total")?;
    Some((name.to_owned(), calls))
}
