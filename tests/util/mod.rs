//! What the tests share: a bound on every wait, wakers that count, connected sockets; and a module for each
//! larger subject.
//!
//! Each test binary has it as its module `util`. No test here or elsewhere asserts on elapsed time; a wait
//! that never ends is ended by the [`Watchdog`].

// Each test binary compiles its own copy and uses part of it.
#![allow(dead_code)]

pub mod alive;
#[cfg(target_os = "linux")]
pub mod asleep;
pub mod bounded;
pub mod child;
pub mod exercise;
pub mod foreign_waker;
#[cfg(unix)]
pub mod fork;
#[cfg(unix)]
pub mod head_and_tail;
#[cfg(target_os = "linux")]
pub mod lent_fd;
pub mod naps;
#[cfg(target_os = "linux")]
pub mod perf_ring;
pub mod poller;
pub mod recording;
pub mod records;
pub mod strace;

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::future;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

/// How long a test may take before its watchdog ends the process. Far more than any test needs,
/// so that a loaded machine or a sanitizer does not reach it.
pub const WATCHDOG_S: u64 = 300;

/// Holding it grants what tests of one process share: its reactor, its helper thread, its logger.
#[must_use = "it grants that until it is dropped"]
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process with a message that names the test unless it is dropped in time.
#[must_use = "dropping the watchdog stops it"]
pub struct Watchdog {
    // Dropped with the watchdog; the watching thread sees the disconnection and ends.
    _alive: mpsc::Sender<()>,
}

/// Starts a watchdog of [`WATCHDOG_S`] seconds for the test called `name`.
pub fn watchdog(name: &str) -> Watchdog {
    watchdog_for(name, WATCHDOG_S)
}

/// Starts a watchdog of `limit_s` seconds for the test called `name`.
pub fn watchdog_for(name: &str, limit_s: u64) -> Watchdog {
    let (alive, ended) = mpsc::channel();
    let name = name.to_owned();
    thread::Builder::new()
        .name(format!("watchdog {name}"))
        .spawn(move || {
            if ended.recv_timeout(Duration::from_secs(limit_s)) == Err(RecvTimeoutError::Timeout) {
                // Not eprintln!: the test harness would capture it and lose it in the abort.
                let _ = writeln!(
                    io::stderr(),
                    "watchdog: test `{name}` still runs after {limit_s} s; aborting the process"
                );
                std::process::abort();
            }
        })
        .expect("the watchdog's thread starts");
    Watchdog { _alive: alive }
}

/// Waits until `condition` holds. Bounded only by the test's watchdog.
pub fn eventually(mut condition: impl FnMut() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Counts how often its wakers were woken.
#[derive(Debug, Default)]
pub struct WakeCount(AtomicUsize);

impl WakeCount {
    /// The wakes so far.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waker of its own task (no two will wake the same) and the count of its wakes.
pub fn counting_waker() -> (Waker, Arc<WakeCount>) {
    let count = Arc::new(WakeCount::default());
    (Waker::from(count.clone()), count)
}

/// A socket, and one that is connected to it.
pub fn socket_and_peer() -> io::Result<(Async<UdpSocket>, UdpSocket)> {
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    peer.connect(socket.get_ref().local_addr()?)?;
    Ok((socket, peer))
}

/// Two connected TCP sockets on loopback, in blocking mode.
pub fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let local = near.local_addr()?;
    // Another process may connect first; its connection is not ours.
    loop {
        let (far, peer) = listener.accept()?;
        if peer == local {
            return Ok((near, far));
        }
    }
}

/// Whether a wait for what the caller has taken before is told to wait. The reactor's thread may be about
/// to deliver the event of just that, which then counts as new; once, and no more.
pub async fn waits<F: Future>(mut begin: impl FnMut() -> F) -> bool {
    future::poll_once(begin()).await.is_none() || future::poll_once(begin()).await.is_none()
}

/// Polls `future` once in the task of `waker`.
pub fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Polls `future` in the task of `waker`, which was polled before, whenever `woken` says so.
pub fn finish<F: Future + Unpin>(future: &mut F, waker: &Waker, woken: &WakeCount) -> F::Output {
    let mut seen = 0;
    loop {
        eventually(|| woken.get() > seen);
        seen = woken.get();
        if let Poll::Ready(output) = poll_with(future, waker) {
            return output;
        }
    }
}

/// Waits for a timer and for a socket: ends only if the reactor works and somebody drives it.
pub async fn use_reactor() -> io::Result<()> {
    let (near, far) = tcp_pair()?;
    let (mut near, mut far) = (Async::new(near)?, Async::new(far)?);
    let mut buf = [0; 4];
    let answer = async {
        Timer::after(Duration::from_millis(1)).await;
        far.write_all(b"pong").await
    };
    let (read, written) = future::zip(near.read_exact(&mut buf), answer).await;
    written?;
    read?;
    assert_eq!(&buf, b"pong");
    Ok(())
}

/// Writes to a non-blocking stream until there is no room left, and says how much went in.
pub fn fill<T>(stream: &T) -> io::Result<usize>
where
    for<'a> &'a T: Write,
{
    let mut total = 0;
    // The kernel counts its own overhead too: where a page no longer fits, a byte may.
    for len in [4096, 1] {
        loop {
            match (&*stream).write(&[0; 4096][..len]) {
                Ok(count) => total += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(total)
}

/// Reads from a non-blocking stream until nothing is left, and says how much came out.
pub fn drain<T>(stream: &T) -> io::Result<usize>
where
    for<'a> &'a T: Read,
{
    let mut total = 0;
    loop {
        match (&*stream).read(&mut [0; 4096]) {
            Ok(0) => return Ok(total),
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(total),
            Err(error) => return Err(error),
        }
    }
}
