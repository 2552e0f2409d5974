//! A recording ends in the middle of a wait, and the first question is whether the program was done by
//! then or was killed: the kernel's memory killer leaves no other trace in the program's own logs. So the
//! file says when the program left in order, by `exit` or by returning from `main`, and only then. A child
//! that was forked runs its parent's exit handlers, and must not say so of a parent that goes on.
#![cfg(any(target_os = "linux", windows))]

#[cfg(unix)]
use std::fs;
use std::io::{BufRead, BufReader};
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{exit, Command, Output, Stdio};

use async_io::block_on;
use ticks_format::layout::counter;

use crate::util::{child, recording, watchdog};

/// When the program says it ended, by its recording; 0: it does not.
fn closed(path: &Path) -> u64 {
    recording::open(path).counter(counter::CLOSED).unwrap()
}

#[cfg(unix)]
fn own_path() -> std::path::PathBuf {
    let dir = std::env::var_os("ASYNC_IO_TRACE").unwrap();
    recording::path(dir.as_ref(), std::process::id())
}

/// Sends this process a signal.
#[cfg(unix)]
fn kill(signal: libc::c_int) {
    // SAFETY: neither call touches memory.
    unsafe { libc::kill(libc::getpid(), signal) };
}

/// Runs the command, and kills it when it has said who it is: by `SIGKILL`, or `TerminateProcess`.
fn killed(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.starts_with("pid=")).expect("the child says who it is");
    child.kill().unwrap();
    let (status, stdout) = (child.wait().unwrap(), line.into_bytes());
    Output { status, stdout, stderr: Vec::new() }
}

/// Runs this test in a child as `role`. Returns whether its recording says that it ended.
fn ends(test: &str, role: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let mut command = child::command(test, role, 0);
    recording::into(&mut command, dir.path());
    let output = match role {
        "is killed" => killed(command),
        _ => command.output().unwrap(),
    };
    let stdout = String::from_utf8_lossy(&output.stdout);
    let pid = child::value(&stdout, "pid").unwrap_or_else(|| panic!("{}", child::shown(&output)));
    let path = recording::path(dir.path(), pid.parse().unwrap());
    let closed = closed(&path);
    let recording = recording::open(&path);
    let last = recording::rings(&recording)
        .iter()
        .flat_map(|ring| ring.records.last().cloned())
        .map(|r| r.time)
        .max();
    assert!(closed == 0 || closed >= last.unwrap(), "{role}: it ended after its last record");
    closed != 0
}

#[test]
fn a_recording_says_whether_its_program_left_in_order() {
    let test = "a_recording_says_whether_its_program_left_in_order";
    let _watchdog = watchdog(test);
    if let Some(role) = child::role() {
        block_on(async {});
        println!("\npid={}", std::process::id());
        match role.as_str() {
            "returns" => {}
            #[cfg(unix)]
            // SAFETY: ends the process at once.
            "_exits" => unsafe { libc::_exit(0) },
            "is killed" => loop {
                std::thread::park();
            },
            #[cfg(unix)]
            "is terminated" => kill(libc::SIGTERM),
            "aborts" => std::process::abort(),
            #[cfg(unix)]
            "goes on as another program" => panic!("{}", Command::new("true").exec()),
            other => panic!("{other}"),
        }
        return;
    }
    let mut all = vec!["returns", "is killed", "aborts"];
    if cfg!(unix) {
        all.extend(["_exits", "is terminated", "goes on as another program"]);
    }
    let found: Vec<_> = all.iter().map(|role| (*role, ends(test, role))).collect();
    let expected = all.iter().map(|role| (*role, *role == "returns"));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// On Windows the standard library's `exit` passes by the C library's handlers.
#[test]
fn a_recording_says_that_its_program_exited() {
    let test = "a_recording_says_that_its_program_exited";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        block_on(async {});
        println!("\npid={}", std::process::id());
        exit(3);
    }
    assert!(ends(test, "exits"));
}

/// The child is gone by `exit` each time, with the parent's exit handlers.
#[cfg(unix)]
#[test]
fn a_forked_child_ends_only_its_own_recording() {
    let test = "a_forked_child_ends_only_its_own_recording";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        println!("\npid={}", std::process::id());
        block_on(async {});
        for records in [false, true] {
            // SAFETY: the child does what other tests' forked children do, and exits.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                if records {
                    block_on(async {});
                    assert_eq!(closed(&own_path()), 0);
                }
                exit(0);
            }
            let mut status = 0;
            // SAFETY: `pid` is a child that is not reaped, and `status` outlives the call.
            assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
            assert_eq!(status, 0);
            assert_eq!(closed(&own_path()), 0, "the parent goes on");
            let path = recording::path(own_path().parent().unwrap(), pid as u32);
            assert_eq!(path.exists(), records);
            assert!(!records || closed(&path) != 0, "the child's own");
        }
        return;
    }
    assert!(ends(test, "forks"));
}

/// Whoever asks who waits in a process finds its recording by what it has mapped. The name there was
/// that of the file's making, and gone.
#[cfg(unix)]
#[test]
fn the_mapping_goes_by_the_name_of_the_file() {
    let test = "the_mapping_goes_by_the_name_of_the_file";
    let _watchdog = watchdog(test);
    if let Some(role) = child::role() {
        if role == "replaces" {
            fs::write(own_path(), "old").unwrap();
        }
        block_on(async {});
        println!("\npid={}", std::process::id());
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let end = format!(" {}", own_path().canonicalize().unwrap().display());
        assert_eq!(maps.lines().filter(|line| line.ends_with(&end)).count(), 1, "{maps}");
        return;
    }
    assert!(ends(test, "is new"));
    assert!(ends(test, "replaces"));
}
