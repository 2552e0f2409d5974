//! Two tasks wait in one library's function, and its place in the code is the same for both. What tells them apart
//! is who called it: which of the program's functions, at which line. `ticks who --stacks` shows that of a
//! process that runs and of one that was killed, and of a release build that has nothing but names, it shows
//! these and says how to get lines.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod util;

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::task::Poll;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncReadExt};
use serde_json::Value as Json;
use ticks_format::image::Image;
use ticks_format::*;
use util::process::{role, wait, Process};
use util::{path, stdout, ticks, Sample};

const FAR: Duration = Duration::from_secs(3_600);

/// Both wait here.
async fn pause() {
    Timer::after(FAR).await;
}

async fn buyer() {
    pause().await;
}
const BUYER: u32 = line!() - 2;

async fn auditor() {
    pause().await;
}
const AUDITOR: u32 = line!() - 2;

async fn reader() {
    let (near, far) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let mut near = Async::new(near).expect("a source");
    let _ = near.read(&mut [0]).await;
    drop(far);
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The process's part: a buyer, thirty auditors, and one who reads.
fn play() {
    let mut tasks: Vec<Task> = vec![Box::pin(buyer()), Box::pin(reader())];
    tasks.extend((0..30).map(|_| Box::pin(auditor()) as Task));
    let all = future::poll_fn(|cx| {
        for task in &mut tasks {
            assert!(task.as_mut().poll(cx).is_pending());
        }
        Poll::<()>::Pending
    });
    assert!(block_on(future::poll_once(all)).is_none());
    wait();
}

fn started(test: &str) -> Option<Process> {
    match role() {
        Some(_) => {
            // Whoever waits before the recorder has started has no stack.
            block_on(async {});
            play();
            None
        }
        None => Some(Process::start(test, "shop", true)),
    }
}

/// Where the line of this file is said to be, if this build has debug information.
fn line(number: u32) -> String {
    match cfg!(debug_assertions) {
        true => format!("tests/stacks.rs:{number}\n"),
        false => String::new(),
    }
}

/// The group of waits whose heading begins like this.
#[track_caller]
fn group<'a>(shown: &'a str, heading: &str) -> &'a str {
    let mut groups = shown.split("\n\n").map(|group| group.trim_start_matches('\n'));
    groups
        .find(|group| group.starts_with(heading))
        .unwrap_or_else(|| panic!("no {heading}: {shown}"))
}

#[test]
fn who_came_there_and_how() {
    let Some(mut process) = started("who_came_there_and_how") else { return };
    for live in [true, false] {
        let shown = match live {
            true => stdout(["who", "--stacks", &process.pid()]),
            false => {
                process.child.kill().expect("it was there");
                process.child.wait().expect("it was there");
                stdout(["who", "--stacks", path(&process.file())])
            }
        };
        let buyers = group(&shown, "timer ");
        assert!(buyers.contains("stacks::buyer") && buyers.contains(&line(BUYER)), "{buyers}");
        // Without debug information nobody knows what the compiler has put into others.
        assert!(buyers.contains("stacks::pause") || !cfg!(debug_assertions), "{buyers}");
        assert!(!buyers.contains("auditor"), "{buyers}");
        let auditors = group(&shown, "30 × timer ");
        assert!(auditors.contains("stacks::auditor"), "{auditors}");
        assert!(auditors.contains(&line(AUDITOR)), "{auditors}");
        assert!(
            auditors.starts_with("30 × timer ") && auditors.contains(" and 27 more"),
            "{auditors}"
        );
        assert!(group(&shown, "fd ").contains("stacks::reader"), "{shown}");
        // Neither the runtime's nor the compiler's.
        for absent in ["async_io::", "futures_lite::", "core::", "std::", "{{closure}}", "__libc"] {
            assert!(!shown.contains(absent), "{absent}: {shown}");
        }
        assert_eq!(shown.matches("--all-frames shows them").count(), 1, "{shown}");
    }
}

#[test]
fn all_frames_and_full_names() {
    let Some(process) = started("all_frames_and_full_names") else { return };
    let shown = stdout(["who", "--all-frames", &process.pid()]);
    let buyers = group(&shown, "timer ");
    for frame in ["async_io::driver::block_on", "std::rt::lang_start", "stacks::buyer"] {
        // The test harness runs it on a thread of its own.
        let on_main = frame.starts_with("std::rt");
        assert!(buyers.contains(frame) || on_main, "{frame}: {buyers}");
    }
    assert!(!shown.contains("--all-frames"), "{shown}");
    let shown = stdout(["who", "--full-names", &process.pid()]);
    assert!(
        shown.contains("stacks::buyer::{{closure}}") || shown.contains("{closure#0}"),
        "{shown}"
    );
}

#[test]
fn for_scripts() {
    let Some(process) = started("for_scripts") else { return };
    let shown = stdout(["who", "--stacks", "--json", &process.pid()]);
    let waits: Vec<Json> =
        shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(waits.len(), 32);
    let calls = |wait: &Json| wait["stack"].as_array().expect("an array").clone();
    let is_of = |wait: &&Json, name: &str| calls(wait).iter().any(|call| call["function"] == name);
    assert_eq!(waits.iter().filter(|wait| is_of(wait, "stacks::auditor")).count(), 30);
    let buyer = waits.iter().find(|wait| is_of(wait, "stacks::buyer")).expect("one");
    // A function of musl begins each thread, and musl does not describe its own functions for unwinding.
    let end = if cfg!(target_env = "musl") { "unknown" } else { "whole" };
    assert_eq!(buyer["stack_end"], end);
    let calls = calls(buyer);
    assert!(calls.iter().any(|call| call["folded"] == true && call["inlined"] == false));
    let call = calls.iter().find(|call| call["function"] == "stacks::buyer").expect("one");
    assert_eq!(call["folded"], false);
    assert!(call["address"].as_u64().is_some_and(|address| address > 0));
    assert_eq!(call["module"], std::env::current_exe().unwrap().to_str().unwrap());
    if cfg!(debug_assertions) {
        assert_eq!(call["line"], BUYER);
    }
    // Who did not ask for them does not pay for them.
    let shown = stdout(["who", "--json", &process.pid()]);
    assert!(!shown.contains("\"stack\""), "{shown}");
}

/// A copy of this program that plays its part, in a directory of its own.
struct Copy {
    dir: tempfile::TempDir,
    program: PathBuf,
    child: Child,
}

impl Copy {
    fn start(test: &str) -> Copy {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("shop");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut child = Command::new(&program)
            .args(["--exact", test, "--nocapture"])
            .env("TICKS_TEST_ROLE", "shop")
            .env("ASYNC_IO_TRACE", dir.path())
            .env("ASYNC_IO_TRACE_MIB", "4")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(stdout));
        assert!(lines.map_while(Result::ok).any(|line| line.ends_with("waits")));
        child.kill().unwrap();
        child.wait().unwrap();
        Copy { dir, program, child }
    }

    fn shown(&self, more: &[&str]) -> String {
        let file = self.dir.path().join(format!("{}.ticks", self.child.id()));
        stdout(["who", "--stacks"].iter().chain(more).chain([&path(&file)]))
    }
}

fn strip(program: &Path, flags: &[&str]) {
    let status = Command::new("strip").args(flags).arg(program).status();
    assert!(status.expect("strip, which comes with the linker").success());
}

/// From the machine where it was built, or from the distribution's package of debug information.
#[test]
fn symbols_from_elsewhere() {
    if role().is_some() {
        return drop(started(""));
    }
    let copy = Copy::start("symbols_from_elsewhere");
    let symbols = tempfile::tempdir().unwrap();
    let dir = path(symbols.path()).to_owned();
    let with_dir = || copy.shown(&["--symbols", &dir]);

    // It runs where nobody has kept its symbols.
    fs::copy(&copy.program, symbols.path().join("shop")).unwrap();
    strip(&copy.program, &["--strip-all"]);
    let shown = copy.shown(&[]);
    assert!(!shown.contains("stacks::buyer") && shown.contains(" in shop\n"), "{shown}");
    assert_eq!(shown.matches("has no debug information").count(), 1, "{shown}");
    let shown = with_dir();
    let buyers = group(&shown, "timer ");
    assert!(buyers.contains("stacks::buyer") && buyers.contains(&line(BUYER)), "{buyers}");

    // It is not there at all.
    fs::remove_file(&copy.program).unwrap();
    let shown = copy.shown(&[]);
    let note = format!("{} is not there; --symbols DIR names", copy.program.display());
    assert_eq!(shown.matches(&note).count(), 1, "{shown}");
    assert!(with_dir().contains("stacks::buyer"), "{shown}");

    // Something else has taken its place: what that says would be wrong.
    fs::copy(env!("CARGO_BIN_EXE_ticks"), &copy.program).unwrap();
    let shown = copy.shown(&[]);
    assert_eq!(shown.matches("is not the build that ran").count(), 1, "{shown}");
    assert!(!shown.contains("ticks::"), "{shown}");
    assert!(with_dir().contains("stacks::buyer"), "{shown}");

    // Names only.
    strip(&symbols.path().join("shop"), &["--strip-debug"]);
    let shown = with_dir();
    let buyers = group(&shown, "timer ");
    assert!(buyers.contains("stacks::buyer\n") && !buyers.contains("stacks.rs:"), "{buyers}");
    assert_eq!(shown.matches("debug = \"limited\"").count(), 1, "{shown}");

    // Damaged: whatever of it is left, the waits are shown.
    let sound = fs::read(symbols.path().join("shop")).unwrap();
    for keep in [0, 1, 64, 4096, sound.len() / 2, sound.len() - 1] {
        fs::write(symbols.path().join("shop"), &sound[..keep]).unwrap();
        let shown = with_dir();
        assert!(shown.contains("32 waiting") && shown.contains("30 × timer "), "{keep}: {shown}");
    }
    fs::remove_file(symbols.path().join("shop")).unwrap();
    fs::create_dir(symbols.path().join("shop")).unwrap();
    assert!(with_dir().contains("32 waiting"));
}

/// Old recordings, and such whose stacks are damaged, are shown as far as they go.
#[test]
fn without_stacks() {
    let sample = Sample::new(&util::accept());
    let shown = stdout(["who", "--stacks", path(&sample.path)]);
    assert!(shown.contains("2 waits have no stack: stacks are taken on Linux"), "{shown}");
    let mut image = util::accept();
    let waiter = |stack| Waiter {
        awaited: Awaited::Timer { id: 9, deadline_ns: 1 },
        task: 1,
        since: 2,
        place: 0,
        tid: 3,
        stack,
        task_id: 0,
    };
    let known = |image: &mut Image, frames: &[(u16, u64)], end| {
        let frames: Vec<_> =
            frames.iter().map(|&(module, address)| Frame { module, address }).collect();
        image.stack(&frames, end)
    };
    let plain = known(&mut image, &[(0, 0x1234), (7, 0x5678)], StackEnd::Unknown);
    let deep = known(&mut image, &[(1, 0x99), (1, u64::MAX >> 16)], StackEnd::TooDeep);
    let path_of = image.place("/nowhere/shop\u{1b}[31m");
    let module = Module {
        start: 1,
        end: 2,
        bias: 0,
        path: path_of,
        build_id: vec![1; 20],
        file_bytes: 0,
        file_mtime_ns: 0,
        since: 0,
    };
    image.module(0, &module);
    for (index, stack) in (2..).zip([plain, deep, 99_999, u64::MAX]) {
        image.waiter(index, &waiter(stack));
    }
    let sample = Sample::new(&image);
    let shown = stdout(["who", "--all-frames", path(&sample.path)]);
    for expected in [
        "    0x1234\n    0x5678\n    … what called this is not known\n",
        "    0x99 in shop",
        "    … and more, which are not recorded\n",
        "/nowhere/shop\\u{1b}[31m is not there",
        "4 waits have no stack",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let output = ticks(["who", "--stacks", "--json", path(&sample.path)]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn it_fits_the_terminal() {
    let Some(process) = started("it_fits_the_terminal") else { return };
    for columns in ["40", "60", "90"] {
        let output = Command::new(env!("CARGO_BIN_EXE_ticks"))
            .args(["who", "--all-frames", &process.pid()])
            .env("COLUMNS", columns)
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let width: usize = columns.parse().unwrap();
        let stacks = &shown[shown.find("30 × timer").expect("a stack")..];
        assert!(stacks.lines().all(|line| line.chars().count() <= width), "{columns}: {stacks}");
    }
}
