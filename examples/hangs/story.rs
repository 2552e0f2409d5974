//! What all cases share: how long they go on, what they say, and the other ends of their connections.

use std::future::pending;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::exit;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_io::{block_on, Async};

/// From when a program hangs until it says so. What it does last has been done by then.
const SETTLE: Duration = Duration::from_secs(1);

static LIMIT: OnceLock<Duration> = OnceLock::new();

/// How long the program goes on at most.
pub fn limit() -> Duration {
    *LIMIT.get_or_init(|| Duration::from_secs(60))
}

/// Ends the program after that long. No reactor sees the thread, and it waits for another thread, as far as the kernel
/// knows: one that sleeps might have what a task waits for, and let it go when it wakes.
pub fn give_up_after(limit: Duration) {
    let _ = LIMIT.set(limit);
    thread::spawn(move || {
        let until = Instant::now() + limit;
        while Instant::now() < until {
            thread::park_timeout(until - Instant::now());
        }
        say("giving up");
        exit(1);
    });
}

/// Says that the program hangs, once it had the time to come to rest.
pub fn hangs_now() {
    thread::spawn(|| {
        thread::sleep(SETTLE);
        say("hung");
    });
}

/// As [`hangs_now`], when as many have come here.
pub struct Last(AtomicUsize);

impl Last {
    /// So many are to come.
    pub const fn of(count: usize) -> Last {
        Last(AtomicUsize::new(count))
    }

    /// One is about to hang.
    pub fn comes(&self) {
        // Nothing else is handed over.
        if self.0.fetch_sub(1, Ordering::Relaxed) == 1 {
            hangs_now();
        }
    }
}

/// Whoever started the program may not listen any more.
pub fn say(what: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{what}").and_then(|()| out.flush());
}

/// An executor that is there until the program ends.
pub fn executor() -> &'static Executor<'static> {
    Box::leak(Box::default())
}

/// Runs its tasks on threads of their own, beside the one that calls.
pub fn add_threads(executor: &'static Executor<'static>, count: usize) {
    for number in 0..count {
        let thread = thread::Builder::new().name(format!("worker-{number}"));
        let run = move || block_on(executor.run(pending::<()>()));
        thread.spawn(run).expect("a thread starts");
    }
}

/// A server that is not part of the story: a thread for each connection, and nothing recorded.
pub fn server(serve: fn(TcpStream)) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    Ok(address)
}

/// Both ends of a connection.
pub async fn connection() -> io::Result<(Async<TcpStream>, Async<TcpStream>)> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
    let (far, _) = listener.accept().await?;
    Ok((near, far))
}
