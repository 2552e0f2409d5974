//! The text of the records, line by line.
//!
//! The log of 2022 that this project began from showed an accept that was never seen: the waiter's
//! ticks were taken anew at each poll, so that the event that arrived meanwhile always looked old.
//! This is that accept, as it goes now, with the same words.

use std::cell::RefCell;
use std::net::TcpListener;
use std::sync::Once;

use super::*;
use crate::poller::flags;

thread_local! {
    /// What this thread has logged: other tests log beside it.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Capture;

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.target(), record.args());
        LINES.with(|lines| lines.borrow_mut().push(line));
    }

    fn flush(&self) {}
}

fn capture() {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| {
        log::set_logger(&Capture).expect("no other test sets a logger");
        log::set_max_level(log::LevelFilter::Trace);
    });
    LINES.with(|lines| lines.borrow_mut().clear());
}

/// The lines so far, with what differs from run to run replaced.
fn lines(replace: &[(String, &str)]) -> Vec<String> {
    let duration = |line: String| match line.split_once(" duration=") {
        Some((before, _)) => format!("{before} duration=_"),
        // What 2.6.0 would have said follows from all records of a process, and the other tests'
        // reactors have the same keys; the tests of `ticks_format::Shadow` see to that.
        None => line.split(" upstream=").next().unwrap_or_default().to_owned(),
    };
    LINES.with(|lines| {
        let lines = lines.take().into_iter().map(|line| {
            replace.iter().fold(duration(line), |line, (from, to)| line.replace(from, to))
        });
        lines.collect()
    })
}

#[test]
fn one_accept() {
    capture();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (reactor, script) = scripted(Mode::Edge);
    let source = source(reactor, &listener);
    let (task, waker) = Counter::new();

    assert_eq!(poll(&source, Direction::Read, &waker), Poll::Pending);
    script.harvest(&[(source.key(), flags::IN)]);
    round(reactor);
    assert_eq!(task.wakes(), 1);
    assert_eq!(poll(&source, Direction::Read, &waker), Poll::Ready(()));
    source.remove();

    use std::os::linux::fs::MetadataExt;
    let path = format!("/proc/self/fd/{}", listener.as_raw_fd());
    let inode = std::fs::metadata(path).unwrap().st_ino();
    let port = listener.local_addr().unwrap().port();
    let lines = lines(&[
        (format!("fd={} ", listener.as_raw_fd()), "fd=4 "),
        (format!(":{port} "), ":PORT "),
        (format!("inode={inode}"), "inode=INODE"),
        (format!("task={:#x}", Arc::as_ptr(&task) as usize), "task=TASK"),
    ]);
    let expected = include_str!("golden.txt").lines().collect::<Vec<_>>();
    assert_eq!(lines, expected, "the lines are:\n{}", lines.join("\n"));
}

/// However many timers a round finds due, it tells of each that it fires, then that the round is over,
/// then of each that it is woken, in one order.
#[test]
fn many_timers() {
    const COUNT: usize = 600;
    capture();
    let (reactor, _script) = scripted(Mode::Edge);
    let (task, waker) = Counter::new();
    let ids: Vec<u64> = (0..COUNT).map(|_| reactor.insert_timer(1, waker.clone()).id()).collect();
    wait_until_ns(1);
    round(reactor);
    assert_eq!(task.wakes(), COUNT);

    let lines = lines(&[(format!("task={:#x}", Arc::as_ptr(&task) as usize), "task=TASK")]);
    let told: Vec<String> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("async_io::reactor "))
        .skip_while(|line| !line.starts_with("Timer::fire:+-"))
        .map(|line| line.split(" late=").next().unwrap_or_default().to_owned())
        .collect();
    let fires = ids.iter().map(|id| format!("Timer::fire:+- id={id} deadline=1ns"));
    let over = format!("ReactorLock::react:- tick=1 events=0 wakers={COUNT} duration=_");
    let wakes = ids.iter().map(|id| format!("Waker::wake:+- task=TASK by=timer timer={id}"));
    let expected: Vec<String> = fires.chain([over]).chain(wakes).collect();
    assert_eq!(told, expected, "the lines are:\n{}", lines.join("\n"));
}
