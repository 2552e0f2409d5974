//! Somebody looked at the program with a debugger, went home, and left it open. The program stands still at whatever
//! it was about to do.
//!
//! This file has `unsafe` code: only a system call that neither std nor rustix has makes a debugger of a process.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::ptr::null_mut;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Timer};
use rustix::process::{getpid, kill_process, set_ptracer, PTracer, Pid, Signal};

use crate::story::{executor, limit, say};

async fn work() {
    loop {
        Timer::after(Duration::from_millis(20)).await;
    }
}

/// Stops a thread, as a debugger does, and waits until it stands still.
fn hold(tid: i32) -> io::Result<()> {
    for request in [libc::PTRACE_SEIZE, libc::PTRACE_INTERRUPT] {
        // SAFETY: these two requests read and write no memory, here or there: they take a number and, for the first,
        // flags, of which there are none.
        let result = unsafe {
            libc::ptrace(request, tid, null_mut::<libc::c_void>(), null_mut::<libc::c_void>())
        };
        if result == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: it writes no status, for there is no place to write it to.
    match unsafe { libc::waitpid(tid, null_mut(), libc::__WALL) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The debugger: a process that holds all threads of the program, until that ends, and ends it at the limit. Its
/// standard input ends with the program.
pub fn debug(pid: i32, limit: Duration) -> io::Result<()> {
    let mut held = HashSet::new();
    loop {
        let before = held.len();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let name = entry?.file_name();
            let tid = name.to_str().and_then(|name| name.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
            // It may have ended meanwhile.
            match held.insert(tid).then(|| hold(tid)) {
                Some(Err(error)) if error.raw_os_error() != Some(libc::ESRCH) => return Err(error),
                _ => {}
            }
        }
        // Nobody was started meanwhile.
        if held.len() == before {
            break;
        }
    }
    thread::spawn(move || {
        thread::sleep(limit);
        let pid = Pid::from_raw(pid).expect("the number of a process");
        // It may have ended in this instant.
        let _ = kill_process(pid, Signal::KILL);
    });
    say("hung");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

pub fn run() -> io::Result<()> {
    let pid = getpid();
    let mut debugger = Command::new(std::env::current_exe()?);
    debugger.args(["--debug", &pid.as_raw_nonzero().to_string()]);
    debugger.args(["--seconds", &limit().as_secs().to_string()]);
    debugger.stdin(Stdio::piped()).env_remove("ASYNC_IO_TRACE");
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        // Where the system asks who may; elsewhere it says that it knows no such thing.
        let _ = set_ptracer(PTracer::Any);
        // Its standard input stays open as long as this process is there.
        debugger.spawn().map(std::mem::forget)
    });
    let executor = executor();
    block_on(executor.run(executor.spawn(work())));
    Ok(())
}
