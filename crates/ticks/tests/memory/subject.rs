//! A program of which everything is known: its sources, who waits for each, with which ticks and wakers, its timers, its
//! tasks. It notes the records of its own reactor, says what they come to, and stays as it is.
//!
//! With `churn` in SUBJECT other sockets, timers and tasks come and go meanwhile. With `fork` it forks, and the child
//! waits for one socket of its own.
//!
//! This file has unsafe code: `fork`.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::io::{ErrorKind, Write};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::{Executor, LocalExecutor, StaticExecutor};
use async_io::{block_on, Async, Timer};
use log::kv::{Key, Value, VisitSource};

const FAR: Duration = Duration::from_secs(36_000);
/// As long as the slowest machine takes.
const LIMIT: Duration = Duration::from_secs(120);

/// How many naps there are.
pub const NAPS: usize = 1_000;
/// Waits for sources: two readers, three who share, two with a waker in one wait, one who echoes, one who writes, two of
/// the executor of one thread, two of the one that is never dropped.
pub const WAITS: usize = 2 + 3 + 2 + 1 + 1 + 2 + 2;
/// How often the one who echoes is sent something.
const ECHOES: usize = 3;

type Socket = Arc<Async<UdpSocket>>;

// ---- What the reactor says of itself ----

/// A wait by descriptor, direction, waiter and waker, with its ticks.
type Waits = BTreeMap<(u64, u64, u64, u64), (u64, u64)>;

#[derive(Default)]
struct Notes {
    waits: Waits,
    timers: BTreeMap<u64, u64>,
}

impl Notes {
    fn record(&mut self, name: &str, fields: &BTreeMap<String, u64>) {
        let get = |field: &str| fields.get(field).copied().unwrap_or(0);
        let (fd, dir, waiter) = (get("fd"), get("dir"), get("waiter"));
        let is_it = |key: &(u64, u64, u64, u64)| (key.0, key.1, key.2) == (fd, dir, waiter);
        match name {
            "Source::waker:" => {
                self.waits.insert((fd, dir, waiter, get("task")), (0, 0));
            }
            "Source::poll_ready:-" if fields.contains_key("ticks_a") => {
                let ticks = (get("ticks_a"), get("ticks_b"));
                self.waits
                    .iter_mut()
                    .filter(|(key, _)| is_it(key))
                    .for_each(|(_, its)| *its = ticks);
            }
            "Source::poll_ready:-" => self.waits.retain(|key, _| !is_it(key)),
            "Timer::insert:+-" => {
                self.timers.insert(get("id"), get("deadline_ns"));
            }
            "Timer::remove:+-" | "Timer::fire:+-" => {
                self.timers.remove(&get("id"));
            }
            _ => {}
        }
    }
}

static NOTES: Mutex<Notes> = Mutex::new(Notes { waits: Waits::new(), timers: BTreeMap::new() });

struct Logger;

#[derive(Default)]
struct Fields(BTreeMap<String, u64>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        let number = value.to_u64().or_else(|| number(&value.to_string()));
        self.0.extend(number.map(|number| (key.to_string(), number)));
        Ok(())
    }
}

fn number(text: &str) -> Option<u64> {
    match text {
        "read" => Some(0),
        "write" => Some(1),
        _ => u64::from_str_radix(text.strip_prefix("0x")?, 16).ok(),
    }
}

impl log::Log for Logger {
    fn enabled(&self, about: &log::Metadata<'_>) -> bool {
        about.target() == "async_io::reactor"
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        let mut fields = Fields::default();
        if record.key_values().visit(&mut fields).is_ok() {
            let name = text.split(' ').next().unwrap_or_default();
            NOTES.lock().expect("nobody panics").record(name, &fields.0);
        }
    }

    fn flush(&self) {}
}

// ---- Its tasks ----

async fn read_one(socket: Socket) {
    socket.readable().await.expect("nothing comes");
}

async fn read_shared(socket: Socket) {
    poll_fn(|context| socket.poll_readable(context)).await.expect("nothing comes");
}

async fn local_read(socket: Socket) {
    socket.readable().await.expect("nothing comes");
}

async fn static_read(socket: Socket) {
    socket.readable().await.expect("nothing comes");
}

/// So that its direction has seen events.
async fn echo(socket: Socket, done: Arc<AtomicUsize>) {
    loop {
        let mut byte = [0];
        socket.recv_from(&mut byte).await.expect("a datagram");
        done.fetch_add(1, Ordering::Relaxed);
    }
}

async fn write_full(stream: Async<UnixStream>) {
    loop {
        match stream.get_ref().write(&[0; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    stream.writable().await.expect("nobody reads");
}

async fn nap() {
    Timer::after(FAR).await;
}

/// It waits, and nobody can wake it.
async fn forgotten() {
    poll_fn::<(), _>(|_| Poll::Pending).await;
}

async fn churned(socket: Socket) {
    futures_lite::future::or(
        async {
            socket.readable().await.expect("nothing comes");
        },
        async {
            Timer::after(Duration::from_micros(500)).await;
        },
    )
    .await;
}

// ---- The world ----

fn socket() -> Socket {
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).expect("a port");
    let address = socket.get_ref().local_addr().expect("it is bound");
    println!("source {} udp {address}", socket.as_raw_fd());
    Arc::new(socket)
}

fn drives(name: &str, work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.into()).spawn(work).expect("a thread");
}

fn say_thread() {
    // SAFETY: it takes nothing.
    println!("thread {}", unsafe { libc::gettid() });
}

fn world() -> &'static Executor<'static> {
    static STATIC: StaticExecutor = StaticExecutor::new();

    let executor: &'static Executor<'static> = Box::leak(Box::default());
    let keep = |task: async_executor::Task<()>| Box::leak(Box::new(task));
    for _ in 0..2 {
        keep(executor.spawn(read_one(socket())));
    }
    let shared = socket();
    for _ in 0..3 {
        keep(executor.spawn(read_one(shared.clone())));
    }
    for _ in 0..2 {
        keep(executor.spawn(read_shared(shared.clone())));
    }
    let (full, other_end) = UnixStream::pair().expect("a pair");
    let full = Async::new(full).expect("it is new");
    println!("source {} unix -", full.as_raw_fd());
    Box::leak(Box::new(other_end));
    keep(executor.spawn(write_full(full)));
    for _ in 0..NAPS {
        keep(executor.spawn(nap()));
    }
    keep(executor.spawn(forgotten()));
    let (echoes, done) = (socket(), Arc::new(AtomicUsize::new(0)));
    keep(executor.spawn(echo(echoes.clone(), done.clone())));
    for _ in 0..2 {
        keep(STATIC.spawn(static_read(socket())));
    }
    drives("runs", move || {
        say_thread();
        block_on(executor.run(pending::<()>()));
    });
    drives("static", || {
        say_thread();
        block_on(STATIC.run(pending::<()>()));
    });
    drives("local", || {
        say_thread();
        let local = LocalExecutor::new();
        let tasks: Vec<_> = (0..2).map(|_| local.spawn(local_read(socket()))).collect();
        block_on(local.run(pending::<()>()));
        drop(tasks);
    });
    drives("naps", || {
        say_thread();
        block_on(nap());
    });
    drives("pends", || {
        say_thread();
        block_on(pending::<()>());
    });
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = echoes.get_ref().local_addr().expect("it is bound");
    for sent in 1..=ECHOES {
        sender.send_to(&[0], address).expect("there is room");
        until(|| done.load(Ordering::Relaxed) == sent);
    }
    executor
}

fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "it never came");
        thread::sleep(Duration::from_millis(2));
    }
}

fn settled() {
    until(|| {
        let notes = NOTES.lock().expect("nobody panics");
        notes.waits.len() == WAITS && notes.timers.len() == NAPS + 1
    });
    // Who has stored a waker is about to return Pending, and then to sleep.
    thread::sleep(Duration::from_millis(50));
    log::set_max_level(log::LevelFilter::Off);
    let notes = NOTES.lock().expect("nobody panics");
    for ((fd, dir, waiter, task), (a, b)) in &notes.waits {
        println!("wait {fd} {dir} {waiter} {task} {a} {b}");
    }
    for (id, deadline_ns) in &notes.timers {
        println!("timer {id} {deadline_ns}");
    }
}

fn churn(executor: &'static Executor<'static>) {
    drives("churns", move || {
        let mut kept: Vec<Async<UdpSocket>> = Vec::new();
        for round in 0_usize.. {
            if round % 50 == 0 {
                kept.clear();
            }
            let socket = || Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).expect("a port");
            executor.spawn(churned(Arc::new(socket()))).detach();
            kept.push(socket());
            thread::sleep(Duration::from_micros(100));
        }
    });
}

/// The child has one thread, and all of the parent's memory.
fn fork() {
    // SAFETY: `fork` takes nothing. The child goes on with what it has of this thread.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: `prctl` with this argument takes a number.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).expect("a port");
        println!("child {} {}", std::process::id(), socket.as_raw_fd());
        block_on(read_one(Arc::new(socket)));
    }
    assert!(child > 0);
}

/// Until its standard input ends.
pub fn main() {
    println!();
    log::set_logger(&Logger).expect("the first");
    log::set_max_level(log::LevelFilter::Trace);
    let executor = world();
    settled();
    match std::env::var("SUBJECT").as_deref() {
        Ok("churn") => churn(executor),
        Ok("fork") => fork(),
        _ => {}
    }
    println!("waits");
    for _ in std::io::stdin().lines() {}
    std::process::exit(0);
}
