//! Somebody pressed Ctrl-Z, or a supervisor sent SIGSTOP before an upgrade and died. The program stands still in the
//! midst of its work, and all its clients wait.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Timer};
use rustix::process::{getpid, kill_process, Signal};

use crate::story::{executor, limit, say};

async fn work() {
    loop {
        Timer::after(Duration::from_millis(20)).await;
    }
}

/// What is stopped cannot end itself: another process does. It ends as soon as this one is gone, because its
/// standard input does.
pub fn guard(pid: i32, limit: Duration) {
    thread::spawn(|| {
        let ended = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(i32::from(ended.is_err()));
    });
    thread::sleep(limit);
    let pid = rustix::process::Pid::from_raw(pid).expect("the number of a process");
    // It may have ended in this instant.
    let _ = kill_process(pid, Signal::KILL);
}

pub fn run() -> io::Result<()> {
    let pid = getpid();
    let mut guard = Command::new(std::env::current_exe()?);
    guard.args(["--guard", &pid.as_raw_nonzero().to_string()]);
    guard.args(["--seconds", &limit().as_secs().to_string()]);
    guard.stdout(Stdio::null()).env_remove("ASYNC_IO_TRACE");
    // The pipe stays open as long as this process is there.
    let guard = guard.stdin(Stdio::piped()).spawn()?;
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        say("hung");
        kill_process(pid, Signal::STOP)
    });
    let executor = executor();
    block_on(executor.run(executor.spawn(work())));
    drop(guard);
    Ok(())
}
