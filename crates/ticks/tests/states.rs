//! A trial with a file-transfer program from crates.io: a process that was stopped "runs" and has "0 waiting", a
//! wait that had lasted 3 s when the process was killed shows as `173 µs`, a process that never got an event
//! looks like one whose last came 4 s ago, and `stat` says of one record that it is 3 s old and 2 s old. Here
//! the tool is run on processes in each of these states.
#![cfg(target_os = "linux")]

mod util;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use async_io::{block_on, Async};
use serde_json::Value as Json;
use util::process::{role, wait, Process};
use util::{path, stderr, stdout, ticks};

fn signal(process: &Process, signal: i32) {
    // SAFETY: a number of a child that is there, and a signal's.
    assert_eq!(unsafe { libc::kill(process.child.id() as i32, signal) }, 0);
}

fn who(args: &[&str]) -> Vec<Json> {
    let shown = stdout(["who", "--json"].iter().chain(args));
    shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Runs `ticks who` on the process until it is in this state.
fn until(process: &Process, state: &str) -> Vec<Json> {
    let limit = Instant::now() + Duration::from_secs(300);
    loop {
        let waits = who(&[path(&process.file())]);
        if waits.iter().any(|wait| wait["state"] == state) {
            return waits;
        }
        assert!(Instant::now() < limit, "{waits:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A connection that waits to be read from, and got nothing, and one that got a byte and waits for more.
fn two_readers() {
    let mut cx = Context::from_waker(Waker::noop());
    let (silent, _far) = pair();
    let (talks, mut far) = pair();
    let (silent, talks) =
        (Async::new(silent).expect("registered"), Async::new(talks).expect("registered"));
    assert!(pin!(silent.readable()).poll(&mut cx).is_pending());
    assert!(silent.poll_readable(&mut cx).is_pending());
    assert!(talks.poll_readable(&mut cx).is_pending());
    far.write_all(b"x").expect("sent");
    // Rounds go on meanwhile, and bring the event.
    block_on(async_io::Timer::after(Duration::from_millis(10)));
    assert_eq!(talks.get_ref().read(&mut [0; 8]).ok(), Some(1));
    // The wait that the event has ended, then the next one.
    while talks.poll_readable(&mut cx).is_ready() {}
    wait();
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let far = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    (listener.accept().expect("accepted").0, far)
}

#[test]
fn a_process_that_never_got_an_event_is_told_from_one_that_did() {
    if role().is_some() {
        return two_readers();
    }
    let test = "a_process_that_never_got_an_event_is_told_from_one_that_did";
    let process = Process::start(test, "waits", true);
    let waits = who(&[&process.pid()]);
    let [silent, talks] = [0, 1].map(|at| &waits[at]);
    assert_eq!((&silent["events"], &silent["last_event"]), (&0.into(), &Json::Null), "{waits:?}");
    assert_eq!(talks["events_are_least"], false, "{waits:?}");
    assert!(talks["events"].as_u64().is_some_and(|events| events > 0), "{waits:?}");
    assert!(talks["last_event"].is_string(), "{waits:?}");
    let shown = stdout(["who", &process.pid()]);
    let rows: Vec<&str> = shown.lines().skip(2).collect();
    assert!(rows[0].contains("  0  never "), "{shown}");
    assert!(rows[1].contains(" ago  ") && !rows[1].contains("never"), "{shown}");
    assert!(!shown.contains("TICKS"), "{shown}");
    assert!(stdout(["who", "--ticks", &process.pid()]).contains("TICKS"));
}

/// The state comes first, and how old the last record is: nothing more comes of a stopped process.
#[test]
fn a_stopped_process_is_said_to_be_stopped() {
    if role().is_some() {
        return two_readers();
    }
    let process = Process::start("a_stopped_process_is_said_to_be_stopped", "waits", true);
    signal(&process, libc::SIGSTOP);
    let waits = until(&process, "stopped");
    assert_eq!(waits.len(), 2, "{waits:?}");
    let shown = stdout(["who", &process.pid()]);
    let (head, _) = shown.split_once('\n').expect("a line");
    assert!(head.contains(") is stopped by a signal (state T), 20"), "{head}");
    assert!(head.contains(": 2 waiting; the last record is ") && head.ends_with(" old"), "{head}");
    let stat = stdout(["stat", &process.pid()]);
    assert!(stat.contains(") is stopped by a signal (state T): its records span "), "{stat}");
    assert!(stdout(["who"]).contains("is stopped by a signal"));
    signal(&process, libc::SIGCONT);
    until(&process, "runs");
}

/// As one that reads from a file server which is gone: no signal ends it, and no look at its recording tells.
#[test]
fn an_uninterruptible_process_is_said_to_be_so() {
    if role().is_some() {
        let mut cx = Context::from_waker(Waker::noop());
        let (near, _far) = UnixStream::pair().expect("a pair");
        let near = Async::new(near).expect("registered");
        assert!(near.poll_readable(&mut cx).is_pending());
        println!("\nwaits");
        // SAFETY: as `fork`, but that the parent is suspended until the child has ended. The child makes
        // system calls only.
        unsafe {
            let flags = (libc::CLONE_VFORK | libc::SIGCHLD) as libc::c_long;
            if libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) == 0 {
                let mut byte = 0_u8;
                // Until the test closes it.
                libc::read(0, (&raw mut byte).cast(), 1);
                libc::_exit(0);
            }
        }
        return;
    }
    let test = "an_uninterruptible_process_is_said_to_be_so";
    let process = Process::start(test, "is suspended", true);
    let waits = until(&process, "uninterruptible");
    assert_eq!(waits.len(), 1, "{waits:?}");
    let shown = stdout(["who", &process.pid()]);
    assert!(
        shown.contains(") has thread ")
            && shown.contains(" in an uninterruptible wait (state D), 20"),
        "{shown}"
    );
}

/// Nobody has written down how long it waited on, so each time is the least that it may be.
#[test]
fn a_killed_process_waited_at_least_that_long() {
    if role().is_some() {
        return two_readers();
    }
    let mut process =
        Process::start("a_killed_process_waited_at_least_that_long", "is killed", true);
    let live = who(&[&process.pid()]);
    assert!(live.iter().all(|wait| wait["waited_is_least"] == false), "{live:?}");
    process.child.kill().expect("killed");
    process.child.wait().expect("it ends");
    let file = process.file();
    for wait in who(&[path(&file)]) {
        assert_eq!(
            (&wait["state"], &wait["waited_is_least"]),
            (&"gone".into(), &true.into()),
            "{wait}"
        );
    }
    let shown = stdout(["who", path(&file)]);
    for row in shown.lines().skip(2) {
        assert!(row.contains("  read  ≥ "), "{shown}");
    }
    assert!(shown.contains("; the last record is "), "{shown}");
}

/// The age of the last record is the least of the threads' ages, whoever asks.
#[test]
fn the_ages_in_stat_agree() {
    if role().is_some() {
        return two_readers();
    }
    let process = Process::start("the_ages_in_stat_agree", "waits", true);
    // The helper may be in its last round still.
    let limit = Instant::now() + Duration::from_secs(300);
    let stat = loop {
        let shown = stdout(["stat", "--json", &process.pid()]);
        let stat: Json = serde_json::from_str(&shown).expect("JSON");
        if stat["last_ago_ns"].as_u64().is_some_and(|ns| ns > 1_000_000_000) {
            break stat;
        }
        assert!(Instant::now() < limit, "{stat}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let threads = stat["threads"].as_array().expect("threads").iter();
    let youngest = threads.map(|thread| thread["last_ago_ns"].as_u64().expect("a number")).min();
    assert_eq!(youngest, stat["last_ago_ns"].as_u64(), "{stat}");
    let shown = stdout(["stat", &process.pid()]);
    let (head, _) = shown.split_once('\n').expect("a line");
    let (_, age) = head.rsplit_once("; the last is ").expect("an age");
    let age = format!(" {} ago", age.trim_end_matches(" old"));
    assert!(shown.lines().any(|line| line.ends_with(&age)), "no thread has{age}: {shown}");
}

#[test]
fn who_without_an_argument_lists_the_processes_that_record() {
    if role().is_some() {
        return two_readers();
    }
    let test = "who_without_an_argument_lists_the_processes_that_record";
    let recording = Process::start(test, "waits", true);
    let silent = Process::start(test, "records nothing", false);
    let shown = stdout(["who"]);
    let row = shown.lines().find(|line| line.trim_start().starts_with(&recording.pid()));
    let row = row.unwrap_or_else(|| panic!("{} is not there: {shown}", recording.pid()));
    assert!(row.contains("  runs") && row.ends_with(path(&recording.file())), "{row}");
    // Those who wait are in no task.
    assert!(row.contains("      0      2  "), "two wait: {row}");
    assert!(!shown.lines().any(|line| line.trim_start().starts_with(&silent.pid())), "{shown}");
    let objects = who(&[]);
    let object = objects.iter().find(|object| object["pid"] == recording.child.id());
    let object = object.unwrap_or_else(|| panic!("{objects:?}"));
    assert_eq!((&object["state"], &object["waiting"]), (&"runs".into(), &2.into()));
}

/// `--every 1` was refused with "time unit needed", though the help asked for a time.
#[test]
fn a_pause_is_understood_as_the_help_says() {
    if role().is_some() {
        return two_readers();
    }
    let process = Process::start("a_pause_is_understood_as_the_help_says", "waits", true);
    let mut tool = std::process::Command::new(env!("CARGO_BIN_EXE_ticks"));
    tool.args(["who", "--json", "--every", "0.01", &process.pid()]);
    let mut tool = tool.stdout(std::process::Stdio::piped()).spawn().expect("it runs");
    let lines = std::io::BufReader::new(tool.stdout.take().expect("a pipe"));
    let seen = std::io::BufRead::lines(lines).take(6).filter(Result::is_ok).count();
    assert_eq!(seen, 6, "it looks again");
    tool.kill().expect("killed");
    tool.wait().expect("it ends");
    for pause in ["0", "0s", "-1", "soon", ""] {
        let output = ticks(["who", &format!("--every={pause}"), &process.pid()]);
        assert_eq!(output.status.code(), Some(2), "{pause}");
        let wanted = "expected a time above 0, as 10s, 500ms or a number of seconds";
        assert!(stderr(&output).contains(wanted), "{pause}: {}", stderr(&output));
    }
}

/// What the log says at 07:39:36 is looked for at 07:39:36.
#[test]
fn a_time_without_a_date_is_of_today() {
    if role().is_some() {
        return two_readers();
    }
    let process = Process::start("a_time_without_a_date_is_of_today", "waits", true);
    let all = stdout(["show", "--json", &process.pid()]);
    let first = all.lines().next().expect("a record");
    let record: Json = serde_json::from_str(first).expect("JSON");
    let (date, time) = record["time"].as_str().expect("a time").split_once('T').expect("a date");
    let since = stdout(["show", "--json", "--since", time.trim_end_matches('Z'), &process.pid()]);
    let now = humantime::format_rfc3339(std::time::SystemTime::now()).to_string();
    if !now.starts_with(date) {
        println!("skipped: it is past midnight");
        return;
    }
    assert_eq!(since.lines().next(), Some(first));
}
