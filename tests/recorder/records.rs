//! The recorder's file and the logger's lines are two views of one thing. They are worth something only
//! if they agree: each hook that a logger sees must be in the file too, in the same order, with the same
//! values, at the time it happened.
#![cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows))]

use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_io::{block_on, Async, Timer};
use futures_lite::{AsyncReadExt, FutureExt};

use crate::util::{child, recording, tcp_pair, watchdog};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // One thread's, as the file has them: the other one is the reactor's helper.
        if std::thread::current().name() != Some("async-io") {
            LINES.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn utc_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// Everything that has hooks: sources, operations, both ways of waiting, timers, a deadline.
fn work() {
    let (near, mut far) = tcp_pair().unwrap();
    let mut near = Async::new(near).unwrap();
    block_on(async {
        let mut byte = [0];
        let read = async { near.read(&mut byte).await.map(drop) };
        let write = async {
            Timer::after(Duration::from_millis(2)).await;
            far.write_all(b"x")?;
            std::future::pending().await
        };
        read.or(write).await.unwrap();
        near.writable().await.unwrap();
        Timer::after(Duration::from_secs(3_600))
            .or(async { Timer::after(Duration::from_millis(1)).await })
            .await;
    });
    drop(near);
}

#[test]
fn the_file_says_what_the_log_says() {
    let test = "the_file_says_what_the_log_says";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        log::set_logger(&Logger).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        let begun = utc_ns();
        work();
        let ended = utc_ns();
        let dir = std::env::var_os("ASYNC_IO_TRACE").unwrap();
        return compare(&recording::path(Path::new(&dir), std::process::id()), begun, ended);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = child::command(test, "logs", 0);
    recording::into(&mut command, dir.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
}

fn compare(path: &Path, begun: u64, ended: u64) {
    let recording = recording::open(path);
    let rings = recording::rings(&recording);
    let own = u64::from(std::process::id());
    let ring = rings.iter().filter(|ring| ring.tid != own && ring.name != "async-io");
    let ring = ring.max_by_key(|ring| ring.head).expect("this thread's ring");
    // What is known of tasks is for recordings alone.
    let kept = recording::records(ring).map(|record| record.to_string());
    let kept: Vec<String> = kept.filter(|line| !line.starts_with("Task::")).collect();
    let logged = LINES.lock().unwrap();
    for (kept, logged) in kept.iter().zip(logged.iter()) {
        assert_eq!(kept, logged);
    }
    assert_eq!(kept.len(), logged.len());
    // An event or a timer may be harvested by the helper thread.
    let all = rings.iter().flat_map(recording::records).map(|record| record.to_string());
    let all: Vec<String> = all.collect();
    for name in ["Source::new", "Source::poll_ready:-", "Timer::fire", "Waker::wake", "wait: list"]
    {
        assert!(all.iter().any(|line| line.starts_with(name)), "no {name}");
    }
    // Clocks are read one after the other, and this machine may be slow at it.
    let slack = Duration::from_secs(1).as_nanos() as u64;
    for stamped in &ring.records {
        let at = recording.clock().utc_ns(stamped.time);
        assert!(begun - slack <= at && at <= ended + slack, "{at} is not in {begun}..{ended}");
    }
}
