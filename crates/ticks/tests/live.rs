//! A program hangs, and whoever looks after it has its process number and nothing else. `ticks who` found
//! its recording by what the process has mapped, and so found it in the tests, where the name of the file
//! was made up; of a real process it said that it does not record. So here the tool is run on a process.
#![cfg(target_os = "linux")]

mod util;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{exit, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use async_io::{block_on, Async, Timer};
use futures_lite::future;
use serde_json::Value as Json;
use util::process::{role, Process};
use util::{path, stderr, stdout, ticks};

/// The process's part: waits for a connection and for a timer, or for nothing; then what the role says.
fn play(role: &str) {
    if role == "records nothing" {
        return go_on(role);
    }
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("a listener");
    let mut accept = Box::pin(listener.accept());
    assert!(block_on(future::poll_once(&mut accept)).is_none());
    let mut timer = Timer::after(Duration::from_secs(3_600));
    assert!(block_on(future::poll_once(&mut timer)).is_none());
    go_on(role);
}

/// The process's part that a child of it, which inherits its memory, plays on.
fn fork() {
    block_on(async {});
    // SAFETY: `fork` takes nothing. What the child does then, it does with what it has of this thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let dir = std::env::var("ASYNC_IO_TRACE").expect("it records");
        fs::write(format!("{dir}/child"), std::process::id().to_string()).expect("written");
        return play("exits");
    }
    assert!(child > 0);
    // SAFETY: a child of ours, whose status nobody asks for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    exit(0);
}

fn go_on(role: &str) {
    println!("\nwaits");
    for _ in std::io::stdin().lines() {
        block_on(async {});
    }
    match role {
        "is replaced" => {
            let mut next = Command::new("sh");
            panic!("{}", next.args(["-c", "echo; echo waits; read end"]).exec());
        }
        "exits" => exit(0),
        _ => {}
    }
}

fn who(args: &[&str]) -> Vec<Json> {
    let shown = stdout(["who", "--json"].iter().chain(args));
    shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[track_caller]
fn fails(output: &Output, wanted: &str) {
    assert_eq!(output.status.code(), Some(2), "{}", stderr(output));
    assert!(stderr(output).contains(wanted), "{}", stderr(output));
}

#[test]
fn who_waits_in_a_live_process() {
    if let Some(role) = role() {
        return play(&role);
    }
    let mut process = Process::start("who_waits_in_a_live_process", "exits", true);
    let pid = process.pid();
    let waits = who(&[&pid]);
    assert_eq!(waits.len(), 2, "{waits:?}");
    for wait in &waits {
        assert_eq!((wait["state"].as_str(), wait["pid"].to_string()), (Some("runs"), pid.clone()));
        let place = wait["place"].as_str().expect("a place");
        assert!(place.starts_with(&format!("{}:", file!())), "{place}");
    }
    assert_eq!(waits[0]["kind"], "tcp-listener");
    assert_eq!(waits[0]["dir"], "read");
    assert!(waits[0]["local"].as_str().is_some_and(|local| local.starts_with("127.0.0.1:")));
    assert!(waits[1]["due"].is_string(), "{waits:?}");
    assert_eq!(who(&[path(&process.file())]).len(), 2, "the same by its file");
    let shown = stdout(["who", &pid]);
    assert!(shown.contains(" runs, ") && shown.contains("due in 59m"), "{shown}");
    // So do the others.
    assert!(stdout(["stat", &pid]).contains(" runs: its records span "));
    assert!(stdout(["show", &pid, "--kind", "TimerInsert"]).contains("Timer::insert:+-"));

    process.end();
    fails(
        &ticks(["who", &pid]),
        &format!("process {pid}: there is no such process; if it has ended"),
    );
    let waits = who(&[path(&process.file())]);
    assert_eq!((waits.len(), waits[0]["state"].as_str()), (2, Some("ended")));
    assert!(stdout(["who", path(&process.file())]).contains(" has ended; as it was, "));
}

/// By number, wherever the file is by now.
#[test]
fn a_recording_is_found_where_it_went() {
    if let Some(role) = role() {
        return play(&role);
    }
    let process = Process::start("a_recording_is_found_where_it_went", "exits", true);
    let pid = process.pid();
    let (here, there) = (process.dir.path().join("here"), process.dir.path().join("the re"));
    fs::rename(&here, &there).expect("renamed");
    assert_eq!(who(&[&pid]).len(), 2);
    fs::remove_dir_all(&there).expect("removed");
    // Root may follow what is mapped to the file itself.
    let is_readable = fs::read_dir(format!("/proc/{pid}/map_files")).is_ok_and(|files| {
        let mut files = files.flatten().map(|entry| entry.path());
        files.any(|path| path.file_name().is_some() && fs::File::open(path).is_ok())
    });
    let output = ticks(["who", &pid]);
    match is_readable {
        true => assert!(String::from_utf8_lossy(&output.stdout).contains("2 waiting")),
        false => fails(&output, ".ticks was removed; only root can still read it"),
    }
}

/// A child inherits what its parent has mapped, and lives on when the parent's recording is removed or
/// spoilt: it was not found any more.
#[test]
fn a_child_is_found_without_its_parents_recording() {
    if let Some(role) = role() {
        return if role == "forks" { fork() } else { play(&role) };
    }
    let test = "a_child_is_found_without_its_parents_recording";
    let mut process = Process::start(test, "forks", true);
    let child = fs::read_to_string(process.dir.path().join("here/child")).expect("a number");
    assert_eq!(who(&[&child]).len(), 2);
    let mut file = fs::OpenOptions::new().write(true).open(process.file()).expect("writable");
    file.write_all(b"spoilt").expect("written");
    assert_eq!(who(&[&child]).len(), 2);
    fs::remove_file(process.file()).expect("removed");
    assert_eq!(who(&[&child]).len(), 2);
    process.end();
}

/// In a container the process has another number, by which it was looked for outside: it was said to have
/// been killed, and was not followed.
#[test]
fn a_process_in_a_container_runs() {
    if let Some(role) = role() {
        return play(&role);
    }
    let wrapper = ["unshare", "--pid", "--kill-child"];
    let tried = Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").output();
    if !tried.is_ok_and(|output| output.status.success()) {
        println!("skipped: this user may not make a namespace");
        return;
    }
    let test = "a_process_in_a_container_runs";
    let process = Process::start_under(&wrapper, test, "exits", true);
    let pid = process.pid();
    let inside = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("readable");
    let waits = who(&[inside.trim()]);
    assert_eq!(waits.len(), 2);
    assert_eq!((waits[0]["state"].as_str(), waits[0]["pid"].as_u64()), (Some("runs"), Some(1)));
}

#[test]
fn a_killed_process_is_told_from_one_that_ended() {
    if let Some(role) = role() {
        return play(&role);
    }
    let test = "a_killed_process_is_told_from_one_that_ended";
    let mut process = Process::start(test, "is killed", true);
    process.child.kill().expect("killed");
    // Not yet waited for, it is there and is not.
    let until = Instant::now() + Duration::from_secs(300);
    let file = process.file();
    let state = || who(&[path(&file)])[0]["state"].clone();
    while state() != "zombie" {
        assert!(Instant::now() < until, "{}", state());
        std::thread::sleep(Duration::from_millis(10));
    }
    fails(&ticks(["who", &process.pid()]), "it has ended, and its parent has not asked for it yet");
    let shown = stdout(["who", path(&process.file())]);
    assert!(
        shown.contains(" is a zombie (state Z), killed or ended without exit; as of "),
        "{shown}"
    );
    process.child.wait().expect("it ends");
    assert_eq!(state(), "gone");
    let shown = stdout(["who", path(&process.file())]);
    assert!(
        shown.contains(" was killed or ended without exit; as of its last record, "),
        "{shown}"
    );

    let mut process = Process::start(test, "is replaced", true);
    let copy = process.dir.path().join("copy.ticks");
    fs::copy(process.file(), &copy).expect("copied");
    assert_eq!(who(&[path(&copy)])[0]["state"], "left");
    process.stdin.take();
    let until = Instant::now() + Duration::from_secs(300);
    let state = || who(&[path(&process.file())])[0]["state"].clone();
    while !["left", "zombie", "gone"].contains(&state().as_str().expect("a text")) {
        assert!(Instant::now() < until, "{}", state());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_process_that_does_not_record_is_told_why() {
    if let Some(role) = role() {
        return play(&role);
    }
    let test = "a_process_that_does_not_record_is_told_why";
    let process = Process::start(test, "does not record", false);
    let wanted = "it has no records, as it was not recorded; who waits in it now says ticks who";
    fails(&ticks(["show", &process.pid()]), wanted);
    assert!(stdout(["who", &process.pid()]).contains("it is not recorded"));
    let process = Process::start(test, "records nothing", true);
    let wanted = format!(
        "it does not record, though it was started with ASYNC_IO_TRACE={}: it has not used async-io yet",
        process.dir.path().join("here").display()
    );
    fails(&ticks(["who", &process.pid()]), &wanted);
    // A number that no process has.
    let last = fs::read_to_string("/proc/sys/kernel/pid_max").expect("readable");
    let none = last.trim().parse::<u32>().expect("a number") + 1;
    fails(&ticks(["who", &none.to_string()]), "there is no such process");
    fails(&ticks(["who", "nowhere"]), "nowhere: neither a file nor the number of a process");
    fails(&ticks(["who", path(process.dir.path())]), "expected a recording, found a directory");
}

/// Whoever wanted the records up to a time got them, and then waited for the program's end.
#[test]
fn following_ends_when_the_last_time_has_passed() {
    if let Some(role) = role() {
        return play(&role);
    }
    let test = "following_ends_when_the_last_time_has_passed";
    let process = Process::start(test, "exits", true);
    let until = humantime::format_rfc3339_nanos(SystemTime::now()).to_string();
    for until in [&until[..], "0s"] {
        let mut tool = Command::new(env!("CARGO_BIN_EXE_ticks"));
        tool.args(["show", "--follow", "--until", until, &process.pid()]);
        let mut tool = tool.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        let watchdog = Instant::now() + Duration::from_secs(300);
        while tool.try_wait().expect("a child").is_none() {
            if Instant::now() > watchdog {
                tool.kill().expect("killed");
                panic!("--until {until} has passed, and it is still followed");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = tool.wait_with_output().expect("it ended");
        assert!(output.status.success());
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(shown.contains("Timer::insert:+-"), until != "0s", "{shown}");
    }
}

/// Until the process has ended, and all that it recorded.
#[test]
fn a_live_recording_is_followed_to_its_end() {
    if let Some(role) = role() {
        return play(&role);
    }
    let test = "a_live_recording_is_followed_to_its_end";
    let mut process = Process::start(test, "exits", true);
    let mut tool = Command::new(env!("CARGO_BIN_EXE_ticks"));
    tool.args(["show", "--follow", "--json", &process.pid()]).stdout(Stdio::piped());
    let mut tool = tool.spawn().expect("it runs");
    let mut again = Command::new(env!("CARGO_BIN_EXE_ticks"));
    again.args(["who", "--every", "10ms", &process.pid()]).stdout(Stdio::piped());
    let mut again = again.spawn().expect("it runs");
    let mut looks = BufReader::new(again.stdout.take().expect("a pipe")).lines();
    let mut lines = BufReader::new(tool.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("readable");
    assert!(first.contains("\"ThreadBegin\""), "{first}");
    let mut is_shown = || lines.any(|line| line.expect("readable").contains("\"BlockOnEnd\""));
    // Two that were there, and more as it goes on.
    assert!(is_shown() && is_shown());
    for _ in 0..3 {
        let stdin = process.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"go on\n").expect("it reads");
        assert!(is_shown());
    }
    // Three looks, however long they take here.
    let runs = |line: &String| line.contains(" runs, ");
    assert_eq!(looks.by_ref().map_while(Result::ok).filter(runs).take(3).count(), 3);
    process.end();
    let records = lines.map(|line| serde_json::from_str(&line.expect("readable")).expect("JSON"));
    let records: Vec<Json> = records.collect();
    // The thread of the test ends after its last wait. It ends with `exit`, in which musl destroys no
    // thread-local, so that nothing says so there.
    let ends = records.iter().filter(|record| record["record"] == "ThreadEnd");
    assert!(ends.count() > 0 || cfg!(target_env = "musl"), "{records:?}");
    assert!(tool.wait().expect("it ends").success());
    let looks: Vec<String> = looks.map_while(Result::ok).collect();
    assert!(looks.iter().any(|line| line.contains(" has ended; as it was")), "{looks:?}");
    assert!(again.wait().expect("it ends").success());
}
