//! A task hangs, and the question is what it waits for. From the records of an hour one can work that
//! out, if they are all there. The table of who waits says it at once, however long ago the wait began:
//! which source or timer, which direction, since when, which task, and where in the code. It must show
//! everybody who waits and nobody else: an entry that outlives its wait sends whoever reads it the wrong
//! way. Each test here is a child process that looks at its own recording, as any other process may.
#![cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows))]

use std::fs::File;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncRead, AsyncReadExt, StreamExt};
use ticks_format::layout::counter;
use ticks_format::{Awaited, Direction, Recording, SourceKind, Waiter};

use crate::util;
use crate::util::{child, counting_waker, eventually, recording, tcp_pair, watchdog};

const FAR: Duration = Duration::from_secs(3_600);

/// Runs `work` in a child that records.
fn recorded(test: &str, work: impl FnOnce()) {
    recorded_from_the_start(test, || {
        // Whoever waits before the recorder has started waits at an unknown place.
        block_on(async {});
        work();
    });
}

/// Runs `work` in a child that is going to record.
fn recorded_from_the_start(test: &str, work: impl FnOnce()) {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return work();
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = child::command(test, "recorded", 0);
    recording::into(&mut command, dir.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
    assert!(recording::path(dir.path(), child_id(&output.stdout)).exists());
}

/// The child says who it is, because its name is the file's.
fn child_id(stdout: &[u8]) -> u32 {
    let stdout = String::from_utf8_lossy(stdout);
    child::value(&stdout, "pid").expect("a process id").parse().unwrap()
}

/// This process's own recording.
fn own() -> Recording<File> {
    println!("\npid={}", std::process::id());
    let dir = std::env::var_os("ASYNC_IO_TRACE").expect("the parent sets it");
    recording::open(&recording::path(dir.as_ref(), std::process::id()))
}

fn waiting() -> Vec<Waiter> {
    let mut waiters = recording::waiters(&own());
    waiters.sort_by_key(|waiter| waiter.since);
    waiters
}

#[allow(clippy::incompatible_msrv)] // Older ones record no tasks.
fn task_of(waker: &Waker) -> u64 {
    waker.data() as usize as u64
}

fn place_of(waiter: &Waiter) -> String {
    own().place(waiter.place).unwrap().unwrap_or_default()
}

#[test]
fn a_wait_is_there_from_its_beginning_to_its_end() {
    recorded("a_wait_is_there_from_its_beginning_to_its_end", || {
        let (near, mut far) = tcp_pair().unwrap();
        let near = Async::new(near).unwrap();
        let (waker, wakes) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(waiting().is_empty());

        let line = line!() + 1;
        assert!(near.poll_readable(&mut cx).is_pending());
        let all = waiting();
        assert_eq!(all.len(), 1, "{all:?}");
        let Awaited::Source { key, fd, dir, waiter, ticks } = all[0].awaited else {
            panic!("{all:?}")
        };
        assert_eq!((dir, waiter), (Direction::Read, 0));
        assert!(ticks.is_some());
        assert_eq!(all[0].task, task_of(&waker));
        let place = place_of(&all[0]);
        assert!(place.starts_with(&format!("{}:{line}:", file!())), "{place}");
        let source = recording::sources(&own()).into_iter().find(|source| source.key == key);
        let source = source.expect("the source is described");
        assert!(source.registered);
        assert_eq!((source.kind, source.fd), (SourceKind::Tcp, fd));
        assert_eq!(source.peer.to_string(), far.local_addr().unwrap().to_string());
        assert_eq!(source.local.to_string(), far.peer_addr().unwrap().to_string());
        assert!(source.inode != 0 || cfg!(windows), "a socket has a number of its own");

        // Going on changes nothing but the task.
        let (other, _) = counting_waker();
        assert!(near.poll_readable(&mut Context::from_waker(&other)).is_pending());
        let still = waiting();
        assert_eq!(still.len(), 1, "{still:?}");
        assert_eq!((still[0].since, still[0].place), (all[0].since, all[0].place));
        assert_eq!(still[0].task, task_of(&other));

        far.write_all(b"x").unwrap();
        eventually(|| wakes.get() > 0);
        assert_eq!(waiting().len(), 1, "it was woken and has not looked yet");
        assert!(near.poll_readable(&mut cx).is_ready());
        assert!(waiting().is_empty());
    });
}

/// Two directions, two tasks of one direction, and an own waiter beside the shared one.
#[test]
fn waiters_of_one_source_are_told_apart() {
    recorded("waiters_of_one_source_are_told_apart", || {
        let (near, _far) = tcp_pair().unwrap();
        let near = Async::new(near).unwrap();
        util::fill(near.get_ref()).unwrap();
        let (waker, _) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(near.poll_readable(&mut cx).is_pending());
        assert!(near.poll_writable(&mut cx).is_pending());
        let line = line!() + 1;
        let mut own_waits: Vec<_> = (0..5).map(|_| near.readable()).collect();
        for wait in &mut own_waits {
            assert!(Pin::new(wait).poll(&mut cx).is_pending());
        }
        let all = waiting();
        assert_eq!(all.len(), 7, "{all:?}");
        let reads = |waiter: &&Waiter| {
            matches!(waiter.awaited, Awaited::Source { dir: Direction::Read, .. })
        };
        assert_eq!(all.iter().filter(reads).count(), 6, "{all:?}");
        let here = format!("{}:{line}:", file!());
        assert!(all[2..].iter().all(|waiter| place_of(waiter).starts_with(&here)), "{all:?}");
        own_waits.truncate(2);
        assert_eq!(waiting().len(), 4);
        drop(own_waits);
        assert_eq!(waiting().len(), 2);
    });
}

/// The shared waiter has no owner that could cancel it.
#[test]
fn nobody_waits_for_a_source_that_is_gone() {
    recorded("nobody_waits_for_a_source_that_is_gone", || {
        let (near, _far) = tcp_pair().unwrap();
        let near = Async::new(near).unwrap();
        util::fill(near.get_ref()).unwrap();
        let (waker, _) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(near.poll_readable(&mut cx).is_pending());
        assert!(near.poll_writable(&mut cx).is_pending());
        assert_eq!(waiting().len(), 2);
        drop(near);
        assert!(waiting().is_empty());
        let sources = recording::sources(&own());
        assert!(sources.iter().all(|source| !source.registered), "{sources:?}");
    });
}

/// An operation that is dropped between the event and its next poll has no waker any more that would be
/// taken back; it must not be forgotten in the table for that.
#[test]
fn a_wait_that_is_cancelled_after_its_event_is_over() {
    recorded("a_wait_that_is_cancelled_after_its_event_is_over", || {
        let (near, mut far) = tcp_pair().unwrap();
        let near = Async::new(near).unwrap();
        let (waker, wakes) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let mut wait = near.readable();
        assert!(Pin::new(&mut wait).poll(&mut cx).is_pending());
        far.write_all(b"x").unwrap();
        eventually(|| wakes.get() > 0);
        assert_eq!(waiting().len(), 1);
        drop(wait);
        assert!(waiting().is_empty());
    });
}

#[test]
fn timers_wait_with_their_deadlines() {
    recorded("timers_wait_with_their_deadlines", || {
        let (waker, wakes) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let mut far = Timer::after(FAR);
        assert!(Pin::new(&mut far).poll(&mut cx).is_pending());
        let armed = |all: &[Waiter]| all.len() == 1 && all[0].task == task_of(&waker);
        let all = waiting();
        assert!(armed(&all), "{all:?}");
        let Awaited::Timer { deadline_ns, .. } = all[0].awaited else { panic!("{all:?}") };
        let recording = own();
        let due = recording.clock().reactor_to_utc_ns(deadline_ns).expect("an anchor");
        let since = recording.clock().utc_ns(all[0].since);
        let ahead = Duration::from_nanos(due - since);
        // Two clocks are read one after the other, and the thread may be kept waiting in between.
        assert!(ahead > FAR / 2 && ahead < FAR * 2, "due in {ahead:?}");
        let place = place_of(&all[0]);
        assert!(place.starts_with(&format!("{}:", file!())), "{place}");

        let (other, _) = counting_waker();
        assert!(Pin::new(&mut far).poll(&mut Context::from_waker(&other)).is_pending());
        assert_eq!(waiting()[0].task, task_of(&other));
        far.set_after(FAR * 2);
        let later = waiting();
        assert!(
            matches!(later[0].awaited, Awaited::Timer { deadline_ns: set, .. } if set > deadline_ns)
        );
        drop(far);
        assert!(waiting().is_empty());

        let mut soon = Timer::after(FAR);
        assert!(Pin::new(&mut soon).poll(&mut cx).is_pending());
        soon.set_after(Duration::from_millis(1));
        eventually(|| wakes.get() > 0);
        assert!(waiting().is_empty(), "it has fired");
    });
}

/// A timer that is due already may fire before the thread that arms it has gone on: its entry is made
/// before that can happen, or it would never go away.
#[test]
fn timers_that_fire_at_once_leave_no_entries() {
    recorded("timers_that_fire_at_once_leave_no_entries", || {
        let work = || {
            for _ in 0..2_000 {
                future::block_on(async {
                    Timer::after(Duration::from_nanos(1)).await;
                    Timer::at(std::time::Instant::now() + Duration::from_micros(50)).await;
                });
            }
        };
        let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(work)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let left = waiting();
        assert!(left.is_empty(), "{left:?}");
    });
}

/// A connection has no peer yet when it is registered.
#[test]
fn a_connection_is_described_once_it_is_made() {
    recorded("a_connection_is_described_once_it_is_made", || {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stream = block_on(Async::<std::net::TcpStream>::connect(address)).unwrap();
        let sources = recording::sources(&own());
        let connected = sources.iter().find(|source| source.registered).unwrap();
        assert_eq!(connected.peer.to_string(), address.to_string());
        drop(stream);
    });
}

/// More waiters than the table has entries: the rest is counted, and the table is right again once they
/// are gone.
#[test]
fn what_finds_no_place_is_counted() {
    recorded("what_finds_no_place_is_counted", || {
        let (waker, _) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let mut timers: Vec<_> = (0..20_000).map(|_| Timer::after(FAR)).collect();
        for timer in &mut timers {
            assert!(Pin::new(timer).poll(&mut cx).is_pending());
        }
        let waiting_now = waiting().len();
        let left_out = own().counter(counter::WAITERS_LEFT_OUT).unwrap() as usize;
        assert!(left_out > 0 && waiting_now > 4_000, "{waiting_now} wait, {left_out} left out");
        assert_eq!(waiting_now + left_out, timers.len());
        drop(timers);
        assert!(waiting().is_empty());
    });
}

/// Of a server that hangs one wants to know at which of its waits. An `async fn` cannot note where it was
/// called from, so that all operations once waited at an unknown place.
#[test]
fn every_wait_names_its_place() {
    recorded("every_wait_names_its_place", || {
        let (waker, _) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let mut waits = |what: &str, line: u32, wait: &mut dyn PollOnce| {
            assert!(wait.poll_once(&mut cx), "{what} waits");
            let all = waiting();
            assert_eq!(all.len(), 1, "{what}: {all:?}");
            let place = place_of(&all[0]);
            assert!(place.starts_with(&format!("{}:{line}:", file!())), "{what} at {place:?}");
        };
        /// Polls each expression's future, which is made in the expression's line.
        macro_rules! waits {
            ($($made:expr;)*) => {
                $(waits(stringify!($made), line!(), &mut Box::pin($made));)*
            };
        }
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let (near, _far) = tcp_pair().unwrap();
        let mut near = Async::new(near).unwrap();
        let udp = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let mut bytes = [0; 8];
        waits! { listener.accept(); }
        waits! { listener.readable(); }
        waits! { near.peek(&mut bytes); }
        waits! { near.read_with(|mut stream| stream.read(&mut [0])); }
        // SAFETY: the stream is read from and stays where it is.
        waits! { unsafe { near.read_with_mut(|stream| stream.read(&mut [0])) }; }
        waits! { udp.recv_from(&mut bytes); }
        waits! { udp.recv(&mut bytes); }
        waits! { udp.peek(&mut bytes); }
        waits! { udp.peek_from(&mut bytes); }
        waits! { Timer::after(FAR); }
        // Whoever polls it, and though it is polled through a pointer to what it is.
        waits! { future::or(Timer::after(FAR), Timer::never()); }
        let boxed: Pin<Box<dyn Future<Output = _>>> = Box::pin(listener.accept());
        waits("boxed", line!() - 1, &mut Box::pin(boxed));
        let mut incoming = Box::pin(listener.incoming());
        waits("incoming", line!() - 1, &mut Box::pin(incoming.next()));
        drop(incoming);
        #[cfg(unix)] // TCP may find room in what was full.
        {
            let (near, _far) = UnixStream::pair().unwrap();
            let mut near = Async::new(near).unwrap();
            util::fill(near.get_ref()).unwrap();
            waits! { near.writable(); }
            waits! { near.write_with(|mut stream| stream.write(b"x")); }
            // SAFETY: as above.
            waits! { unsafe { near.write_with_mut(|stream| stream.write(b"x")) }; }
        }
        assert!(waiting().is_empty());
    });
}

/// A future whose output does not matter.
trait PollOnce {
    /// Whether it waits.
    fn poll_once(&mut self, cx: &mut Context<'_>) -> bool;
}

impl<F: Future> PollOnce for Pin<Box<F>> {
    fn poll_once(&mut self, cx: &mut Context<'_>) -> bool {
        self.as_mut().poll(cx).is_pending()
    }
}

/// Who reads a stream through `AsyncReadExt`, or through a trait object, is behind code that only passes
/// the poll on. The place of that says nothing, and none is better.
#[test]
fn a_place_that_says_nothing_is_left_out() {
    recorded("a_place_that_says_nothing_is_left_out", || {
        let (near, _far) = tcp_pair().unwrap();
        let mut near = Async::new(near).unwrap();
        let (waker, _) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        let mut bytes = [0; 8];
        let mut place = |stream: &mut dyn FnMut(&mut Context<'_>) -> bool| {
            assert!(stream(&mut cx), "it waits");
            let all = waiting();
            assert_eq!(all.len(), 1, "{all:?}");
            place_of(&all[0])
        };
        let line = line!() + 1;
        let direct = place(&mut |cx| Pin::new(&mut near).poll_read(cx, &mut bytes).is_pending());
        assert!(direct.starts_with(&format!("{}:{line}:", file!())), "{direct:?}");
        drop(near);
        let (near, _far) = tcp_pair().unwrap();
        let mut near = Async::new(near).unwrap();
        let through =
            place(&mut |cx| Box::pin(near.read(&mut bytes)).as_mut().poll(cx).is_pending());
        assert_eq!(through, "");
        drop(near);
        let (near, _far) = tcp_pair().unwrap();
        let mut boxed: Box<dyn AsyncRead + Unpin> = Box::new(Async::new(near).unwrap());
        let through = place(&mut |cx| Pin::new(&mut boxed).poll_read(cx, &mut bytes).is_pending());
        assert_eq!(through, "");
        drop(boxed);
        let (near, _far) = tcp_pair().unwrap();
        let mut borrowed = Async::new(near).unwrap();
        let mut borrowed = &mut borrowed;
        let through =
            place(&mut |cx| Pin::new(&mut borrowed).poll_read(cx, &mut bytes).is_pending());
        assert_eq!(through, "");
    });
}

/// A server starts with a thread each for several listeners, and they make the reactor together. Making
/// the file takes some milliseconds, and whoever began to wait by then was in no table, for as long as
/// nobody connected: just the one that is asked about.
#[test]
fn waits_that_begin_while_the_recorder_starts_are_there() {
    recorded_from_the_start("waits_that_begin_while_the_recorder_starts_are_there", || {
        let together = Arc::new(Barrier::new(4));
        let (waker, _) = counting_waker();
        let wait = move || {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            together.wait();
            let listener = Async::new(listener).unwrap();
            assert!(listener.poll_readable(&mut Context::from_waker(&waker)).is_pending());
            listener
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(wait.clone())).collect();
        let listeners = threads.into_iter().map(|thread| thread.join().unwrap());
        let listeners: Vec<_> = listeners.collect();
        let all = waiting();
        assert_eq!(all.len(), listeners.len(), "{all:?}");
        let sources = recording::sources(&own());
        assert_eq!(sources.len(), listeners.len(), "{sources:?}");
    });
}
