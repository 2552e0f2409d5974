//! Logs as loggers write them and as they arrive: through `tracing`, with a terminal's colours, behind what a
//! container's log puts before each line, through a pipe.
//!
//! The files in `tests/data/logs` are what one small server wrote, once with each logger. It accepts a connection, says
//! so, and sleeps 5 ms.

mod util;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;
use util::{path, stderr, stdout};

const LOGS: [&str; 4] =
    ["tracing.log", "tracing-threads-color.log", "env_logger.log", "env_logger-color.log"];

fn log(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs").join(name)
}

/// Runs the tool with the file as its standard input.
fn piped(file: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticks"));
    command.args(args).env_remove("CLICOLOR_FORCE");
    command.stdin(File::open(file).expect("the file is there"));
    command.output().expect("ticks runs")
}

/// What stands behind the head of a line that `ticks show` has written.
fn message(line: &str) -> &str {
    line.split_once("] ").unwrap_or_else(|| panic!("a head: {line}")).1
}

/// The `tracing` feature is ours, yet nothing that it led to could be read: a subscriber's lines have another head, and
/// the fields behind the message.
#[test]
fn the_lines_of_each_logger_are_records() {
    for name in LOGS {
        let file = log(name);
        let original = fs::read_to_string(&file).expect("the log");
        let shown = stdout(["show", path(&file)]);
        assert_eq!(shown.lines().count(), original.matches("TRACE").count(), "{shown}");
        let all = stdout(["show", "--all", path(&file)]);
        let others: Vec<&str> =
            all.lines().filter(|line| !shown.lines().any(|record| record == *line)).collect();
        let [other] = others[..] else { panic!("{others:?}") };
        assert_eq!(message(other), "accepted: one");
        if name.contains("color") {
            continue;
        }
        // Word for word what the program said, less the fields.
        for (line, written) in all.lines().zip(original.lines()) {
            let (_, rest) = written.split_once(message(line)).unwrap_or_else(|| panic!("{line}"));
            let is_field = |word: &str| word.contains('=') || word.ends_with('"');
            assert!(rest.split_ascii_whitespace().all(is_field), "{name}: {rest}");
        }
    }
}

#[test]
fn the_same_is_told_of_each() {
    for name in LOGS {
        let file = log(name);
        let stat: Json =
            serde_json::from_str(&stdout(["stat", "--json", path(&file)])).expect("JSON");
        let sources = stat["sources"].as_array().expect("an array");
        let listener = sources.iter().find(|source| source["kind"] == "tcp-listener");
        let listener = listener.unwrap_or_else(|| panic!("{name}: {stat}"));
        assert_eq!((&listener["wakes"], &listener["polls"]), (&1.into(), &2.into()), "{name}");
        assert_eq!(stat["timers"]["fired"], 1, "{name}: {stat}");
        let said = stdout(["explain", path(&file)]);
        assert!(said.starts_with("nothing wrong found"), "{name}: {said}");
    }
}

/// The thread is told by a subscriber that was asked to.
#[test]
fn the_thread_is_the_loggers_own() {
    let shown = stdout(["show", path(&log("tracing-threads-color.log"))]);
    assert!(shown.lines().all(|line| line.contains(" 0 1] ")), "{shown}");
}

/// `journalctl`, `docker compose logs` and `kubectl logs --timestamps` put something before each line.
#[test]
fn what_a_log_passed_through_is_no_matter() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, before) in LOGS.iter().flat_map(|name| {
        let befores = [
            "Nov 29 04:27:44 host relay[4711]: ",
            "relay-1  | ",
            "2026-11-29T04:37:51.912345678Z ",
        ];
        befores.map(|before| (*name, before))
    }) {
        let original = fs::read_to_string(log(name)).expect("the log");
        let file = dir.path().join(name);
        let passed: String = original.lines().map(|line| format!("{before}{line}\n")).collect();
        fs::write(&file, passed).expect("the file can be written");
        let direct = stdout(["show", "--all", path(&log(name))]);
        assert_eq!(stdout(["show", "--all", path(&file)]), direct, "{before}");
    }
}

/// `kubectl logs POD | ticks explain -`.
#[test]
fn a_log_and_a_recording_come_through_a_pipe() {
    for file in LOGS.map(log) {
        let output = piped(&file, &["show", "--all", "-"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), stdout(["show", "--all", path(&file)]));
    }
    let sample = util::Sample::new(&util::accept());
    let output = piped(&sample.path, &["show", "-"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout(["show", path(&sample.path)]));
}

/// What cannot be read says why, and a pipe by name says what reads it.
#[test]
fn what_is_no_log_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    for (content, wanted) in [
        (&b""[..], "is empty"),
        (b"\x7fELF\x02\x01\x01\0 and so on", "a core dump, which is read from a file only"),
        (b"Hello, world!\n", "a text log has lines as `[time LEVEL module] message` or"),
    ] {
        let file = dir.path().join("input");
        fs::write(&file, content).expect("the file can be written");
        let output = piped(&file, &["show", "-"]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
    }
    #[cfg(unix)]
    {
        let output = util::ticks(["show", "/dev/null"]);
        assert!(stderr(&output).contains("- reads standard input"), "{}", stderr(&output));
    }
}

/// A small `/tmp` was full, and the log was blamed.
#[test]
fn the_folder_of_temporary_files_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let gone = dir.path().join("gone");
    let variable = if cfg!(windows) { "TMP" } else { "TMPDIR" };
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticks"));
    command.arg("show").arg(log("tracing.log")).env(variable, &gone).stdin(Stdio::null());
    let output = command.output().expect("ticks runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("for a temporary file in {}", gone.display())), "{said}");
    assert!(said.contains(&format!("{variable}=DIR names another folder")), "{said}");
}
