//! `ticks record`: a program is run with the recorder on, as if nobody had come in between.

mod util;

use std::fs;
use std::net::UdpSocket;
use std::process::Command;

use async_io::{block_on, Async};
use futures_lite::future;
use util::process::role;
use util::{accept, path, stderr, stdout, ticks, Sample};

/// From the program to each view of its recording, on every system that has a recorder.
#[test]
fn a_program_is_recorded_and_looked_at() {
    let test = "a_program_is_recorded_and_looked_at";
    if role().is_some() {
        block_on(async {
            let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).expect("a socket");
            let mut wait = socket.readable();
            assert!(future::poll_once(&mut wait).await.is_none(), "nothing is there yet");
            let own = socket.get_ref();
            own.send_to(b"x", own.local_addr().expect("an address")).expect("sent");
            wait.await.expect("it came");
        });
        std::process::exit(7);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let program = std::env::current_exe().expect("a test binary has a path");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticks"));
    command.args(["record", "-o", path(dir.path()), "--size", "2", "--", path(&program)]);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    let output = command.env("TICKS_TEST_ROLE", "records").output().expect("ticks runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(7), "{said}");
    let files = fs::read_dir(dir.path()).expect("readable").map(|entry| entry.expect("it").path());
    let files: Vec<_> = files.collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let file = path(&files[0]);
    let name = files[0].file_name().expect("a name").to_str().expect("UTF-8");
    assert!(said.contains(name) && said.contains("rings of threads"), "{said}");
    assert!(said.contains("try: ticks who "), "{said}");
    let shown = stdout(["show", file]);
    for record in ["block_on:+", "Source::new", "Source::poll_ready:+ dir=0", "Task::spawn"] {
        assert!(shown.contains(record), "no {record}: {shown}");
    }
    // Linux keeps so much of a thread's name.
    let thread = &test[..15];
    let name = program.file_name().expect("a name").to_str().expect("UTF-8");
    assert!(stdout(["who", file]).starts_with(name), "the program is named");
    assert!(stdout(["stat", file]).contains(thread), "its records are summed up");
    let chrome = stdout(["export", "--chrome", "-o", "-", file]);
    assert!(chrome.contains(thread), "{chrome}");
}

#[test]
#[cfg_attr(windows, ignore = "the program that is recorded is sh")]
fn record_passes_the_status_on_and_says_what_is_there() {
    let sample = Sample::new(&accept());
    let dir = sample.dir.path().join("new/recordings");
    let script = format!(
        "cp {} \"$ASYNC_IO_TRACE\"/1.ticks; test \"$ASYNC_IO_TRACE_MIB\" = 3 && exit 7",
        sample.path.display()
    );
    let args = ["record", "-o", path(&dir), "--size", "3", "--", "sh", "-c", &script];
    let output = ticks(args);
    assert_eq!(output.status.code(), Some(7));
    let said = stderr(&output);
    assert!(said.contains("1.ticks: relay (4711), which was killed or ended without exit: 2 rings of threads, 21 slots"), "{said}");
    assert!(said.contains("try: ticks who "), "{said}");

    let output = ticks(["record", "-o", path(&dir), "sh", "-c", "kill -9 $$"]);
    assert_eq!(output.status.code(), Some(137));
    assert!(stderr(&output).contains("nothing was recorded"), "{}", stderr(&output));
    assert!(stderr(&output).contains("ended by a signal: 9 (SIGKILL)"), "{}", stderr(&output));
    let output = ticks(["record", "-o", path(&dir), "/nonexistent/program"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nonexistent/program: cannot be run"));
    let blocked = sample.path.join("dir");
    let output = ticks(["record", "-o", path(&blocked), "true"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the directory for recordings"));
    assert!(fs::exists(dir.join("1.ticks")).expect("readable"));
}

/// A size that the recorder does not take was handed on, and what was said of it was lost among what the
/// program says. A place where no file can be made was found out afterwards: "does the program use async-io?"
#[test]
#[cfg_attr(windows, ignore = "the program that is recorded is touch")]
fn record_refuses_before_the_program_is_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let (file, ran) = (dir.path().join("file"), dir.path().join("ran"));
    fs::write(&file, "").expect("written");
    let refuses = |args: [&str; 2], wanted: &str| {
        let args = [&["record"][..], &args, &["--", "touch", path(&ran)]].concat();
        let output = ticks(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(wanted), "{args:?}: {}", stderr(&output));
        assert!(!ran.exists(), "{args:?}");
    };
    for size in ["0", "abc", "99999999", "-1", ""] {
        let wanted = format!("expected a number of MiB from 1 to 1048576, found {size:?}");
        refuses(["--size", size], &wanted);
        refuses(["--size", size], "'--size <MIB>'");
    }
    let wanted = "file: expected a directory for recordings, found what is not a directory";
    refuses(["-o", path(&file)], wanted);
    // Where nobody can make a file, not even root.
    if cfg!(target_os = "linux") {
        refuses(["-o", "/proc"], "/proc: no recording can be made there: ");
    }
    let output = ticks(["record", "-o", path(dir.path()), "--size", "1", "touch", path(&ran)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let left = fs::read_dir(dir.path()).expect("readable").count();
    assert_eq!((ran.exists(), left), (true, 2), "the two files are all that is there");
}

/// Whoever supervises the tool asks it to end, and means the program.
#[test]
#[cfg(target_os = "linux")]
fn record_passes_on_the_request_to_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ticks"));
    command.args(["record", "-o", path(dir.path()), "--", "sh", "-c"]);
    command.arg("trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done");
    let mut tool = command.stdout(std::process::Stdio::piped()).spawn().expect("it runs");
    let mut ready = [0; 6];
    std::io::Read::read_exact(tool.stdout.as_mut().expect("a pipe"), &mut ready).expect("ready");
    let asked = std::process::Command::new("sh")
        .args(["-c", "kill -TERM \"$0\""])
        .arg(tool.id().to_string())
        .status();
    assert!(asked.expect("it runs").success());
    assert_eq!(tool.wait().expect("it ends").code(), Some(9));
}

/// `nohup ticks record -- server` was to outlive the terminal, and the server was ended with it: the tool
/// handled what it had been told to ignore, and passed it on.
#[test]
#[cfg(target_os = "linux")]
fn record_leaves_ignored_what_is_ignored() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = "trap '' HUP INT; exec \"$0\" record -o \"$1\" -- \
                  sh -c 'kill -HUP $PPID; kill -HUP $$; kill -INT $$; grep SigIgn /proc/$$/status; exit 9'";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_ticks"), path(dir.path())]);
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(9), "{}", stderr(&output));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = shown.trim_end().chars().last().and_then(|digit| digit.to_digit(16));
    assert!(last.is_some_and(|bits| bits & 3 == 3), "HUP and INT are ignored: {shown}");
}
