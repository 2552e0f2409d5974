//! A recording to look at, and the tool run on it.

#![allow(dead_code)] // Not every test binary needs all of it.

pub mod chrome;
pub mod example;
pub mod pcap;
pub mod process;
pub mod tmux;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use ticks_format::image::Image;
use ticks_format::layout::{Layout, FILE_BYTES_MIN};
use ticks_format::records::*;
use ticks_format::*;

/// When the recording begins: a second before the seed's accept.
pub const BEGIN_NS: u64 = 1_651_603_071_139_518_000;

/// A recording in a directory of its own.
pub struct Sample {
    pub dir: TempDir,
    pub path: PathBuf,
}

impl Sample {
    pub fn new(image: &Image) -> Sample {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("4711.ticks");
        fs::write(&path, image.to_bytes()).expect("the file can be written");
        Sample { dir, path }
    }
}

/// Runs the tool with colours off.
pub fn ticks<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticks"));
    command.args(args).env_remove("CLICOLOR_FORCE");
    command.output().expect("ticks runs")
}

/// What a successful run wrote.
pub fn stdout<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let output = ticks(args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

pub const KEY: Key = Key(3);
pub const TASK: u64 = 0x55a8_a668_d970;

/// An empty recording of process 4711, which is long gone.
pub fn empty(pid: u64, process_start: u64) -> Image {
    let layout = Layout::new(FILE_BYTES_MIN);
    let header = Header::new(&layout, pid, process_start);
    let mut image = Image::new(layout, &header, "program=/usr/bin/relay\n");
    image.anchor(&Anchor { counter: 0, utc_ns: BEGIN_NS, monotonic_ns: 0, reactor_ns: Some(0) });
    image
}

/// A listener on whose one waiter an event comes while the helper thread waits; then the main
/// thread's next poll is ready. In between a timer fires late.
pub fn accept() -> Image {
    let mut image = empty(4711, u64::MAX);
    let main = image.claim(4711, "main", 0).expect("a ring");
    let helper = image.claim(4714, "async-io", 10).expect("a ring");
    let listener = SourceNew {
        key: KEY,
        fd: 4,
        kind: SourceKind::TcpListener,
        local: "127.0.0.1:4001".parse().map(Address::Ip).expect("an address"),
        peer: Address::None,
        inode: 88_001,
    };
    let ms = |ms: u64| ms * 1_000_000;
    record(&mut image, main, ms(1), listener);
    record(&mut image, main, ms(2), BlockOnBegin { thread: 4711 });
    wait(&mut image, helper, ms(3));
    poll(&mut image, main, ms(10), None, Verdict::Pending);
    event(&mut image, helper, ms(1_000));
    poll(&mut image, main, ms(1_001), Some(Ticks { a: 1, b: 0 }), Verdict::Ready);
    record(
        &mut image,
        helper,
        ms(1_002),
        TimerFire { id: 7, deadline_ns: ms(1_001), late_ns: ms(1) },
    );
    poll(&mut image, main, ms(1_003), None, Verdict::Pending);
    image.source(&Source {
        key: KEY,
        registered: true,
        fd: 4,
        kind: SourceKind::TcpListener,
        local: "127.0.0.1:4001".parse().map(Address::Ip).expect("an address"),
        peer: Address::None,
        inode: 88_001,
        since: ms(1),
    });
    let place = image.place("src/main.rs:76:9");
    let ticks = Some(Ticks { a: 2, b: 2 });
    let (dir, fd, key) = (Direction::Read, 4, KEY);
    let awaited = Awaited::Source { key, fd, dir, waiter: 0, ticks };
    let (task, tid) = (TASK, 4711);
    image.waiter(0, &Waiter { awaited, task, since: ms(1_003), place, tid, stack: 0, task_id: 0 });
    let awaited = Awaited::Timer { id: 8, deadline_ns: ms(2_003) };
    image.waiter(
        1,
        &Waiter { awaited, task: 0x10, since: ms(900), place: 0, tid, stack: 0, task_id: 0 },
    );
    image
}

pub fn record(image: &mut Image, ring: usize, time: u64, record: impl Into<Record>) {
    image.record(ring, &record.into(), time);
}

pub fn wait(image: &mut Image, ring: usize, time: u64) {
    let begin = ReactBegin { tick: 1, timeout_ns: None, next_timer_ns: None };
    record(image, ring, time, begin);
    let (epoll_fd, timeout_ns) = (5, None);
    record(image, ring, time + 1, WaitBegin { epoll_fd, timeout_ns });
}

pub fn event(image: &mut Image, ring: usize, time: u64) {
    record(image, ring, time, WaitEnd { epoll_fd: 5, res: 1 });
    record(image, ring, time + 1, Ticker { tick: 2 });
    let event = ReactEvent {
        tick: 2,
        key: KEY,
        readable: true,
        writable: false,
        fd: 4,
        flags: 1,
        wakers: 1,
    };
    record(image, ring, time + 2, event);
    let end = ReactEnd { tick: 2, events: 1, wakers: 1, duration_ns: 997_000_000 };
    record(image, ring, time + 3, end);
    let wake = Wake {
        task: TASK,
        by: WakeCause::Source,
        key: Some(KEY),
        dir: Some(Direction::Read),
        tick: Some(2),
        timer: None,
    };
    record(image, ring, time + 4, wake);
}

pub fn poll(image: &mut Image, ring: usize, time: u64, ticks: Option<Ticks>, result: Verdict) {
    let (dir, key, fd, waiter) = (Direction::Read, KEY, 4, 0);
    let tick = if time < 1_000_000_000 { 0 } else { 2 };
    record(image, ring, time, PollBegin { dir, tick, ticks, key, fd, waiter });
    let pending = result == Verdict::Pending;
    if pending {
        let change = WakerChange::Stored;
        let waker = SourceWaker { change, dir, key, fd, waiter, task: TASK };
        record(image, ring, time + 100, waker);
    }
    let end = PollEnd {
        dir,
        tick,
        ticks: pending.then_some(Ticks { a: 1, b: tick }),
        result,
        key,
        fd,
        waiter,
        reason: if pending { Reason::NoEvent } else { Reason::LaterTick },
        // As a recorder has it, which does not follow 2.6.0.
        upstream: None,
    };
    record(image, ring, time + 200, end);
}
