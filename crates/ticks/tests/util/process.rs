//! A test binary that runs itself once more, in another role, as the process that is looked at.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// The role that a process plays.
const ROLE: &str = "TICKS_TEST_ROLE";

/// A process that waits until its standard input is closed. It is killed when this is dropped.
pub struct Process {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    /// What it writes after it said that it waits.
    pub stdout: Lines<BufReader<ChildStdout>>,
    pub dir: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts this test binary as `role`, and waits until it says that it waits.
    pub fn start(test: &str, role: &str, records: bool) -> Process {
        Process::start_under(&[], test, role, records)
    }

    /// As [`start`](Process::start), run by another program.
    pub fn start_under(wrapper: &[&str], test: &str, role: &str, records: bool) -> Process {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("here")).expect("a directory");
        let exe = std::env::current_exe().expect("a test binary has a path");
        let mut words = wrapper.iter().map(OsStr::new).chain([exe.as_os_str()]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).args(["--exact", test, "--nocapture"]).env(ROLE, role);
        command.env_remove("ASYNC_IO_TRACE").env_remove("ASYNC_IO_TRACE_MIB");
        if records {
            command.env("ASYNC_IO_TRACE", dir.path().join("here")).env("ASYNC_IO_TRACE_MIB", "4");
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let waits = lines.any(|line| line.is_ok_and(|line| line.ends_with("waits")));
        assert!(waits, "{:?}", child.wait());
        Process { stdin: child.stdin.take(), stdout: lines, child, dir }
    }

    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    pub fn file(&self) -> PathBuf {
        self.dir.path().join(format!("here/{}.ticks", self.child.id()))
    }

    /// Has it go on to its end.
    pub fn end(&mut self) {
        self.stdin = None;
        self.child.wait().expect("it ends");
    }
}

/// The role that this process is to play, if it is not the test.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Says that this process waits, and does so until it is told to go on or killed.
pub fn wait() {
    println!("\nwaits");
    for _ in std::io::stdin().lines() {}
}
