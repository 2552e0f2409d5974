//! The records: how the reactor's clockwork is made visible, and how to look at it.
//!
//! Every step of the reactor, its sources, timers and poller, and of [`block_on`](crate::block_on)
//! is a *record*. Nobody need change a line of code to see them:
//!
//! - **A logger at `TRACE`.** With any [`log`](::log) implementation, `RUST_LOG=async_io=trace` for
//!   `env_logger`, each record is a line of text with the same fields as key-values.
//! - **The `tracing` feature.** The same records as `tracing` events. Where a subscriber listens, nothing goes
//!   to `log`.
//! - **`ASYNC_IO_TRACE=<dir>` in the environment.** The flight recorder, see below.
//!
//! Without any of these, `ASYNC_IO_DUMP_SIGNAL=SIGUSR1` has the program print who waits, on standard error, when
//! that signal comes, and `ASYNC_IO_DUMP_EVERY=10s` every ten seconds if it has changed.
//!
//! # Reading a record
//!
//! ```text
//! Source::poll_ready:+ dir=0 tick=3 ticks=Some((2, 2)) key=0 fd=4 waiter=0
//! ```
//!
//! `+` begins, `-` ends, `+-` is a point in time. `dir` is the direction, 0 to read and 1 to write.
//! `tick` is the round of the last event that was delivered to it. `ticks` is what the waiter
//! remembers of the moment it began to wait: the reactor's round, and the direction's. It is ready if
//! and only if `tick` is neither of the two.
//!
//! # The flight recorder
//!
//! With `ASYNC_IO_TRACE=<dir>` in the environment the process makes one file, `<dir>/<pid>.ticks`, when
//! it first uses the reactor, or first spawns a task of `async-executor`, if that is patched too. The
//! file holds the latest records of each thread, a description of each source, the [tasks](task()) that
//! there are, and a table of who waits now: for what, since when, in which task, and where in the code.
//! The file is memory that is shared with the kernel, so it is there however the process ends, by
//! `SIGKILL` too; the tool `ticks` shows it, of a dead process or of one that goes on.
//!
//! - The directory is made if it is missing and its parent directory exists. Only its owner can enter it
//!   then.
//! - `ASYNC_IO_TRACE_MIB=<n>` bounds the file, 64 MiB unless set. The file is sparse: only the parts
//!   that were written take up disk space. The oldest records of a thread are overwritten by its
//!   newest.
//! - `ASYNC_IO_TRACE_STACKS=0` takes no stacks, see below.
//! - Only the user may read the file. An older one of that name is replaced, and no link is followed.
//!   A setuid program, or one that its file gives capabilities, makes none. The file must not be cut
//!   short while the program runs, which would end it by `SIGBUS`; it may be removed.
//! - On Windows all of the file's room is taken at once, its directory says who may read it, and no stacks are
//!   taken.
//! - A forked child makes a file of its own. Where the name is taken, the file is `<dir>/<pid>-1.ticks`
//!   and so on. That happens with a plugin that has its own copy of this crate, with a program that the
//!   process becomes by `exec`, and in a shared directory where another user has left a file of that
//!   name.
//! - A program that ends by `exit`, or returns from `main`, says so in the file.
//! - On a full disk recording goes on in the room that the file has. The recorder allocates room before
//!   it stores there. A copy-on-write file system does not keep that room: a full btrfs slows the
//!   program down, and with a snapshot, or on other file systems of this kind, `SIGBUS` may end the
//!   program. Name a directory elsewhere: `/dev/shm` is in memory, and outlives the program.
//! - If something fails, because the directory is not writable or the disk is full for example, one
//!   line on standard error says so, and the program goes on without it.
//!
//! Each wait has a place in the code: the call of the function whose future waits (`accept`, `connect`,
//! `read_with`, `readable`, …), the call that made a [`Timer`](crate::Timer), or the call of a poll
//! function. A stream that is read or written through `AsyncReadExt` and its like, or through a trait
//! object, has no place: the call comes from code that only passes polls on.
//!
//! Each wait also has the stack on which it began: the async functions that wait for each other, down to
//! the one that called this crate. `ticks who --stacks` shows their names, files and lines; in a release
//! build the lines take `debug = "line-tables-only"` in its profile. No stack is taken of code that runs
//! on another stack than the thread's own, a coroutine's for example.
//!
//! There is a flight recorder on Linux, Android, FreeBSD and Apple's systems; stacks are taken on Linux, on
//! x86-64 and aarch64.
//!
//! # Cost
//!
//! While nobody listens, a hook is one relaxed load and a branch. The crate looks up who listens once a
//! round, when a source is registered, and when `block_on` is called. A record of the flight recorder
//! costs little more than reading the clock: no system call, no allocation, no lock.
//!
//! A logger may do what it likes: use this reactor, panic, be slow. It is called with nothing locked.
//! Its panics are caught, and its own use of the reactor is not recorded.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Write};
use std::panic::Location;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;
use std::time::Duration;

use ticks_format::records as r;
use ticks_format::{
    Direction, Key, Kind, Op, Reason, Record, Ticks, Verdict, WakeCause, WakerChange,
};
use ticks_recorder as recorder;

use crate::contain::contain;

mod describe;
mod log;
mod place;
mod spans;
mod task;
#[cfg(feature = "tracing")]
mod tracing;
mod waits;

pub(crate) use describe::{source as describe, Descriptor};
pub(crate) use place::{place_at, place_here, timer_begins, Place};
pub(crate) use recorder::thread_number;
use spans::{begun, since};
pub use task::task;
pub(crate) use task::{all_woken, asks_reactor, asks_timer, block_on_task};
pub(crate) use waits::task_names;
pub use waits::{waits, Wait, WaitsFor};

/// Why a waker is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// An event of a source.
    Source { key: Key, dir: Direction, tick: u64 },
    /// A timer that fired.
    Timer { id: u64 },
    /// Its place was given to another waiter, or its source cannot be waited for any longer.
    Notify,
}

/// Who listens, a bit each. Relaxed: a listener that comes or goes may miss or get a few records.
static LISTENERS: AtomicU8 = AtomicU8::new(0);

const LOG: u8 = 1;
#[cfg(feature = "tracing")]
const TRACING: u8 = 2;
const RECORDER: u8 = 4;

/// This reactor, as the recorder knows it.
static CLIENT: recorder::Client = recorder::Client {
    version: concat!("async-io ", env!("CARGO_PKG_VERSION")),
    is_reactor: true,
    passes_on: place::passes_on,
};

/// Whether anybody listened to the records when that was last looked up.
///
/// # Examples
///
/// ```
/// // No logger is installed.
/// assert!(!async_io::trace::is_listening());
/// ```
#[inline]
pub fn is_listening() -> bool {
    cfg!(not(async_io_no_hooks)) && LISTENERS.load(Ordering::Relaxed) != 0
}

/// Looks up who listens.
pub(crate) fn refresh() {
    let mut listeners = 0;
    #[cfg(feature = "tracing")]
    if tracing::listens() {
        listeners |= TRACING;
    }
    // A subscriber's bridge from `log` would make events of these records too. tracing's own feature `log`
    // has the same rule.
    if listeners == 0 && log::listens() {
        listeners |= LOG;
    }
    if cfg!(not(async_io_no_hooks)) && recorder::listens(&CLIENT) {
        listeners |= RECORDER;
    }
    // A plain store would make every round write to a line that all hooks read.
    if LISTENERS.load(Ordering::Relaxed) != listeners {
        LISTENERS.store(listeners, Ordering::Relaxed);
    }
}

thread_local! {
    /// This thread is in a listener: what it does there is not recorded.
    static IN_LISTENER: Cell<bool> = const { Cell::new(false) };
}

/// Runs something without records of this thread, because no listener may run in its midst.
pub(crate) fn without_records<T>(quietly: impl FnOnce() -> T) -> T {
    let before = IN_LISTENER.with(|inside| inside.replace(true));
    let result = quietly();
    IN_LISTENER.with(|inside| inside.set(before));
    result
}

/// Hands a record to the program's logger and subscriber.
#[cold]
fn emit(record: Record, at: &'static Location<'static>) {
    if IN_LISTENER.with(|inside| inside.replace(true)) {
        return;
    }
    let listeners = LISTENERS.load(Ordering::Relaxed);
    if listeners & LOG != 0 {
        contain(|| log::emit(&record, at));
    }
    #[cfg(feature = "tracing")]
    if listeners & TRACING != 0 {
        contain(|| tracing::emit(&record));
    }
    IN_LISTENER.with(|inside| inside.set(false));
}

/// What is said on standard error, once a process each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Warning {
    UnknownPoller,
    PollerLost,
    PollerRebuilt,
    NoHelper,
}

/// Says something on standard error, the first time it is called for this warning.
pub(crate) fn warn_once(warning: Warning, text: fmt::Arguments<'_>) {
    static SAID: AtomicU8 = AtomicU8::new(0);
    let bit = 1 << warning as u8;
    if SAID.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
        // If standard error is closed, nobody can be told.
        let _ = writeln!(io::stderr(), "async-io: {text}");
    }
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn errno(error: &io::Error) -> i64 {
    -i64::from(error.raw_os_error().unwrap_or(1))
}

/// Keeps what follows out of the way of the code around it.
#[cold]
#[inline(always)]
fn unlikely() {}

/// Whether the flight recorder listens.
#[inline(always)]
fn is_recording() -> bool {
    cfg!(not(async_io_no_hooks)) && LISTENERS.load(Ordering::Relaxed) & RECORDER != 0
}

macro_rules! read_clock {
    () => {
        recorder::now()
    };
    (at_once) => {
        recorder::now_or_just_now()
    };
}

/// Declares the hooks. Each is a load and a branch at its place; the record is made out of line, and
/// carries the line of the call. `now` is the counter's value at the hook; what follows `table` is done
/// for the flight recorder alone. A hook that is marked `at_once` comes right after another one of the
/// same thread, and shares its reading of the clock: so what comes of one harvest carries the time at
/// which the wait returned.
macro_rules! hooks {
    ($now:ident $record:ident: $(
        $(#[$doc:meta])*
        fn $hook:ident($($arg:ident: $type:ty),* $(,)?) $($at_once:ident)? $make:block $(table $table:block)?
    )*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            #[track_caller]
            #[allow(clippy::too_many_arguments)] // The fields of the record.
            pub(crate) fn $hook($($arg: $type),*) {
                #[inline(never)]
                #[allow(clippy::too_many_arguments)] // Those of the hook, and the place.
                fn out_of_line(at: &'static Location<'static>, $($arg: $type),*) {
                    let $now = read_clock!($($at_once)?);
                    let $record = $make;
                    let listeners = LISTENERS.load(Ordering::Relaxed);
                    if listeners & RECORDER != 0 {
                        $($table)?
                        recorder::record(&$record, $now);
                    }
                    if listeners & !RECORDER != 0 {
                        emit($record.into(), at);
                    }
                }
                if is_listening() {
                    unlikely();
                    out_of_line(Location::caller(), $($arg),*);
                }
            }
        )*
    };
}

hooks! { now record:
    fn ticker(tick: u64) at_once {
        r::Ticker { tick }
    }
    fn react_begin(tick: u64, timeout: Option<Duration>, next_timer: Option<Duration>) {
        begun(Kind::ReactBegin, now);
        r::ReactBegin { tick, timeout_ns: timeout.map(ns), next_timer_ns: next_timer.map(ns) }
    }
    fn react_events(tick: u64, events: usize) at_once {
        r::ReactEvents { tick, events: events as u64 }
    }
    fn react_event(
        tick: u64,
        key: Key,
        readable: bool,
        writable: bool,
        fd: i64,
        flags: u32,
        wakers: usize,
    ) at_once {
        r::ReactEvent { tick, key, readable, writable, fd, flags, wakers: wakers as u64 }
    }
    fn react_stale(tick: u64, key: Key, readable: bool, writable: bool, flags: u32) at_once {
        r::ReactStale { tick, key, readable, writable, flags }
    }
    fn react_end(tick: u64, events: usize, wakers: usize) {
        let duration_ns = since(Kind::ReactBegin, now);
        r::ReactEnd { tick, events: events as u64, wakers: wakers as u64, duration_ns }
    }
    fn source_new(key: Key, fd: i64, descriptor: Descriptor<'_>) {
        let (kind, local, peer, inode) = describe::source(descriptor);
        r::SourceNew { key, fd, kind, local, peer, inode }
    } table {
        recorder::source_described(&record, now);
    }
    fn source_drop(key: Key, fd: i64, descriptor: Descriptor<'_>) {
        let (kind, local, peer, inode) = describe::source(descriptor);
        r::SourceDrop { key, fd, kind, local, peer, inode }
    } table {
        recorder::source_gone(&record, now);
    }
    /// A poll begins; `ticks` if its waiter waits already.
    fn poll_begin(
        key: Key,
        fd: i64,
        dir: Direction,
        tick: u64,
        ticks: Option<Ticks>,
        waiter: Option<u64>,
    ) {
        r::PollBegin { dir, tick, ticks, key, fd, waiter: number(waiter) }
    } table {
        recorder::wait_begins_anew(ticks.is_none());
    }
    /// A poll ends: ready.
    fn poll_ready(key: Key, fd: i64, dir: Direction, tick: u64, waiter: Option<u64>, reason: Reason) {
        poll_end(key, fd, dir, tick, None, waiter, Verdict::Ready, reason)
    } table {
        wait_over(key, dir, waiter);
    }
    /// A poll ends: pending, and its waiter waits.
    fn poll_pending(
        key: Key,
        fd: i64,
        dir: Direction,
        tick: u64,
        ticks: Ticks,
        waiter: Option<u64>,
        reason: Reason,
        waker: &Waker,
    ) at_once {
        poll_end(key, fd, dir, tick, Some(ticks), waiter, Verdict::Pending, reason)
    } table {
        recorder::waits(key, fd, dir, record.waiter, ticks, waker_number(waker), now);
    }
    /// A poll ends: pending, but the kernel has something left and the task was woken already.
    fn poll_again(key: Key, fd: i64, dir: Direction, tick: u64, waiter: Option<u64>) {
        poll_end(key, fd, dir, tick, None, waiter, Verdict::Pending, Reason::ReadyWhenAsked)
    }
    /// A poll ends: an error.
    fn poll_failed(key: Key, fd: i64, dir: Direction, tick: u64, waiter: Option<u64>) {
        poll_end(key, fd, dir, tick, None, waiter, Verdict::Failed, Reason::Error)
    } table {
        wait_over(key, dir, waiter);
    }
    /// A waiter goes without a waker if that has been woken.
    fn source_waker(
        key: Key,
        fd: i64,
        change: WakerChange,
        dir: Direction,
        waiter: Option<u64>,
        waker: Option<&Waker>,
    ) {
        let (waiter, task) = (number(waiter), waker.map_or(0, waker_number));
        r::SourceWaker { change, dir, key, fd, waiter, task }
    }
    fn wake(waker: &Waker, by: Cause) {
        wake_record(waker_number(waker), by)
    } table {
        task::woken_by(by);
    }
    fn timer_insert(id: u64, deadline_ns: u64) at_once {
        let now_ns = recorder::clock_ns(now);
        r::TimerInsert { id, deadline_ns, in_ns: deadline_ns.saturating_sub(now_ns) }
    } table {
        recorder::timer_begun();
    }
    fn timer_remove(id: u64, deadline_ns: u64) {
        r::TimerRemove { id, deadline_ns }
    } table {
        recorder::timer_over(id);
    }
    fn timer_fire(id: u64, deadline_ns: u64, now_ns: u64) {
        r::TimerFire { id, deadline_ns, late_ns: now_ns.saturating_sub(deadline_ns) }
    } table {
        recorder::timer_over(id);
    }
    fn wait_begin(epoll_fd: i32, timeout: Option<Duration>) at_once {
        r::WaitBegin { epoll_fd: epoll_fd.into(), timeout_ns: timeout.map(ns) }
    }
    fn wait_return(epoll_fd: i32, waited: &io::Result<usize>) {
        let count = *waited.as_ref().unwrap_or(&0) as u64;
        r::WaitReturn { epoll_fd: epoll_fd.into(), count }
    }
    fn wait_entry(index: usize, flags: u32, data: u64) at_once {
        r::WaitEntry { index: index as u64, flags, data }
    }
    fn wait_end(epoll_fd: i32, waited: &io::Result<usize>) at_once {
        let res = waited.as_ref().map_or_else(errno, |&count| count as i64);
        r::WaitEnd { epoll_fd: epoll_fd.into(), res }
    }
    fn ctl_begin(
        op: Op,
        epoll_fd: i32,
        fd: impl Into<i64> + Copy,
        event_fd: i32,
        flags: u32,
        data: u64,
    ) {
        let (epoll_fd, event_fd) = (epoll_fd.into(), event_fd.into());
        r::CtlBegin { op, epoll_fd, fd: fd.into(), event_fd, flags, data }
    }
    fn ctl_end(
        op: Op,
        epoll_fd: i32,
        fd: impl Into<i64> + Copy,
        event_fd: i32,
        result: &io::Result<()>,
    ) {
        let res = result.as_ref().map_or_else(errno, |()| 0);
        let (epoll_fd, event_fd) = (epoll_fd.into(), event_fd.into());
        r::CtlEnd { op, epoll_fd, fd: fd.into(), event_fd, res }
    }
    fn notify(epoll_fd: i32, event_fd: i32) {
        let thread = thread_number();
        r::Notify { epoll_fd: epoll_fd.into(), event_fd: event_fd.into(), thread }
    }
    fn block_on_begin() {
        begun(Kind::BlockOnBegin, now);
        r::BlockOnBegin { thread: thread_number() }
    }
    fn block_on_end() {
        r::BlockOnEnd { thread: thread_number(), duration_ns: since(Kind::BlockOnBegin, now) }
    }
    fn park_begin() {
        begun(Kind::ParkBegin, now);
        r::ParkBegin { thread: thread_number() }
    }
    fn park_end() {
        r::ParkEnd { thread: thread_number(), duration_ns: since(Kind::ParkBegin, now) }
    }
    fn unpark(target: u64) {
        r::Unpark { thread: thread_number(), target }
    }
    fn drive_begin() {
        begun(Kind::DriveBegin, now);
        r::DriveBegin { thread: thread_number() }
    }
    fn drive_end() {
        r::DriveEnd { thread: thread_number(), duration_ns: since(Kind::DriveBegin, now) }
    }
    fn handover(target: u64) {
        r::Handover { thread: thread_number(), target }
    }
}

/// A timer is armed for the task of `waker`. Called before anybody can fire it, with its lock held.
#[inline(always)]
pub(crate) fn timer_waits(id: u64, deadline_ns: u64, waker: &Waker) {
    if is_recording() {
        recorder::timer_waits(id, deadline_ns, waker_number(waker));
    }
}

/// Another task waits for a timer.
#[inline(always)]
pub(crate) fn timer_task(id: u64, waker: &Waker) {
    if is_recording() {
        recorder::timer_task(id, waker_number(waker));
    }
}

/// A waiter waits no longer.
#[inline(always)]
pub(crate) fn wait_over(key: Key, dir: Direction, waiter: Option<u64>) {
    if let Some(waiter) = waiter.filter(|_| is_recording()) {
        recorder::wait_over(key, dir, waiter);
    }
}

/// More is known of a source than when it was registered: its peer.
#[inline(always)]
pub(crate) fn source_connected(key: Key, fd: i64, descriptor: Descriptor<'_>) {
    if is_recording() {
        let (kind, local, peer, inode) = describe::source(descriptor);
        let known = r::SourceNew { key, fd, kind, local, peer, inode };
        recorder::source_described(&known, recorder::now());
    }
}

#[allow(clippy::too_many_arguments)] // The fields of the record.
fn poll_end(
    key: Key,
    fd: i64,
    dir: Direction,
    tick: u64,
    ticks: Option<Ticks>,
    waiter: Option<u64>,
    result: Verdict,
    reason: Reason,
) -> r::PollEnd {
    let waiter = number(waiter);
    r::PollEnd { dir, tick, ticks, result, key, fd, waiter, reason, upstream: None }
}

fn wake_record(task: u64, by: Cause) -> r::Wake {
    let none =
        r::Wake { task, by: WakeCause::Notify, key: None, dir: None, tick: None, timer: None };
    match by {
        Cause::Source { key, dir, tick } => r::Wake {
            by: WakeCause::Source,
            key: Some(key),
            dir: Some(dir),
            tick: Some(tick),
            ..none
        },
        Cause::Timer { id } => r::Wake { by: WakeCause::Timer, timer: Some(id), ..none },
        Cause::Notify => none,
    }
}

/// A waiter's number in records; one that has not begun to wait has none yet.
fn number(waiter: Option<u64>) -> u64 {
    waiter.unwrap_or(ticks_format::WaiterId::NEW)
}

/// A waker in records: its data pointer.
fn waker_number(waker: &Waker) -> u64 {
    // The cfg is set where the standard library has it.
    #[cfg(async_io_waker_data)]
    #[allow(clippy::incompatible_msrv)]
    return waker.data() as usize as u64;
    #[cfg(not(async_io_waker_data))]
    {
        let _ = waker;
        0
    }
}
