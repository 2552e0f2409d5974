//! A TCP server that accepts connections the way libp2p's transport did: it asks
//! `poll_readable` first and calls `accept` only once that says yes.
//!
//! This is the program of a bug report, finished. A relay built for debugging left its callers
//! waiting, the same relay built for release did not, and the trace of the two differed in one
//! place: `poll_readable` compares the reactor's ticks, a task that is polled slowly meets them in
//! another order than one that is polled fast, and so it was told "not yet" for ever.
//! What made the task slow was everything else it did in a poll; `--cost-us` stands for that here.
//!
//! The executor is the textbook kind: `spawn` returns nothing, so nobody can wait for a task.
//! What the server did travels over a channel instead, and the executor ends when its tasks have.
//!
//! ```text
//! cargo run --example tcp_accept -- --cost-us 1000
//! RUST_LOG=trace cargo run --example tcp_accept -- --cost-us 1000
//! ```
//!
//! The exit code is 0 if every connection was accepted, 1 if not, 2 for a bad argument.

use std::collections::HashMap;
use std::fmt;
use std::future::{poll_fn, Future};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::pin::{pin, Pin};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::Async;
use log::{debug, warn};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("tcp_accept: {message}\n(--help lists the options)");
            return ExitCode::from(2);
        }
    };
    init_logger();
    match run(&options) {
        Ok(summary) => {
            print!("{summary}");
            ExitCode::from(u8::from(summary.accepts.len() < summary.options.clients))
        }
        Err(error) => {
            eprintln!("tcp_accept: {error}");
            ExitCode::from(2)
        }
    }
}

/// Serves until every client is accepted or the deadline has passed.
fn run(options: &Options) -> io::Result<Summary> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.get_ref().local_addr()?;
    debug!("main: listening on {address} {options}");

    let start = Instant::now();
    let (accepts, accepted) = mpsc::channel();
    let (waits, waiting) = mpsc::channel();
    let (connects, connected) = mpsc::channel();
    let polls = Arc::new(AtomicUsize::new(0));
    let server = Server {
        listener,
        cost: options.cost,
        polls_all: polls.clone(),
        polls: 0,
        waits: Some(waits),
    };
    let (executor, spawner) = executor();
    spawner.spawn(server.serve(options.clients, accepts));
    drop(spawner);
    let clients = options.clients.saturating_sub(options.absent);
    let (spacing, limit) = (options.spacing, options.deadline);
    thread::Builder::new()
        .name("clients".into())
        .spawn(move || start_clients(address, clients, spacing, limit, &waiting, &connects))?;

    let done = executor.run(start + options.deadline);
    debug!("main: executor done={done}");
    let end = Instant::now();
    let accepts: Vec<_> = accepted.try_iter().collect();
    Ok(Summary {
        options: options.clone(),
        connects: connects_of(&accepts, &connected),
        polls: polls.load(Ordering::Relaxed),
        accepts,
        start,
        end,
    })
}

// The server.

/// One accepted connection, as the server reports it.
struct Accept {
    peer: SocketAddr,
    /// Calls of `poll_readable` since the accept before.
    polls: usize,
    at: Instant,
}

struct Server {
    listener: Async<TcpListener>,
    cost: Duration,
    /// All calls of `poll_readable`: what is left of a server that the deadline has cut off.
    polls_all: Arc<AtomicUsize>,
    /// Calls of `poll_readable` since the last accept.
    polls: usize,
    /// Taken and told when the server waits for the first time.
    waits: Option<Sender<()>>,
}

impl Server {
    async fn serve(mut self, clients: usize, accepts: Sender<Accept>) {
        // Kept open until the end: a connection that the server closes costs its client nothing
        // more, but one that the client has closed might be accepted as an error.
        let mut streams = Vec::with_capacity(clients);
        while streams.len() < clients {
            let (stream, peer) = match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(connection) => connection,
                Err(error) => {
                    warn!("serve: accept failed: {error}");
                    return;
                }
            };
            streams.push(stream);
            let polls = std::mem::take(&mut self.polls);
            debug!("serve: accepted n={} peer={peer} polls={polls}", streams.len());
            let at = Instant::now();
            if accepts.send(Accept { peer, polls, at }).is_err() {
                return;
            }
        }
    }

    /// One poll of the task that owns the listener: whatever else it has to do, and then libp2p's
    /// way to accept.
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Async<TcpStream>, SocketAddr)>> {
        debug!("poll_accept:+ cost_us={}", self.cost.as_micros());
        spin(self.cost);
        loop {
            self.polls += 1;
            self.polls_all.fetch_add(1, Ordering::Relaxed);
            debug!("poll_accept: call poll_readable poll={} cx={cx:?}", self.polls);
            let ready = self.listener.poll_readable(cx);
            debug!("poll_accept: retf poll_readable prr={ready:?}");
            match ready {
                Poll::Pending => {
                    if let Some(waits) = self.waits.take() {
                        // Nobody listens once the clients have started.
                        let _ = waits.send(());
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            let nobody = Waker::from(Arc::new(Nobody));
            match pin!(self.listener.accept()).poll(&mut Context::from_waker(&nobody)) {
                Poll::Ready(result) => return Poll::Ready(result),
                Poll::Pending => debug!("poll_accept: accept would block"),
            }
        }
    }
}

/// The task of an `accept` that is polled once and then dropped.
struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// Keeps the thread busy, as a task does that computes.
fn spin(cost: Duration) {
    let end = Instant::now() + cost;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

// The clients.

/// One client's call of `connect`: its own address and when it began.
struct Connect {
    local: SocketAddr,
    at: Instant,
}

/// Starts a thread a client, `spacing` apart. The first one waits until the server does, so that
/// the first accept always is one that the reactor has to report.
fn start_clients(
    address: SocketAddr,
    clients: usize,
    spacing: Duration,
    limit: Duration,
    waiting: &Receiver<()>,
    connects: &Sender<Connect>,
) {
    if waiting.recv_timeout(limit).is_err() {
        warn!("clients: the server never waited for a connection");
        return;
    }
    for n in 1..=clients {
        thread::sleep(spacing);
        let connects = connects.clone();
        let client = thread::Builder::new()
            .name(format!("client {n}"))
            .spawn(move || client(n, address, limit, &connects));
        if let Err(error) = client {
            warn!("clients: no thread for client {n}: {error}");
        }
    }
}

fn client(n: usize, address: SocketAddr, limit: Duration, connects: &Sender<Connect>) {
    debug!("client {n}: connect:+ {address}");
    let at = Instant::now();
    match TcpStream::connect_timeout(&address, limit).and_then(|s| Ok((s.local_addr()?, s))) {
        Ok((local, stream)) => {
            debug!("client {n}: connect:- local={local}");
            // The run may have ended in the meantime.
            let _ = connects.send(Connect { local, at });
            thread::sleep(limit);
            drop(stream);
        }
        Err(error) => warn!("client {n}: connect:- failed: {error}"),
    }
}

/// What the clients have told, after they had time to: the last one's connection may be accepted
/// before its thread comes back from `connect`.
fn connects_of(accepts: &[Accept], connected: &Receiver<Connect>) -> Vec<Connect> {
    let mut connects: Vec<_> = connected.try_iter().collect();
    let missing = |connects: &[Connect]| {
        let told = |accept: &Accept| connects.iter().any(|c| c.local == accept.peer);
        !accepts.iter().all(told)
    };
    while missing(&connects) {
        match connected.recv_timeout(Duration::from_secs(5)) {
            Ok(connect) => connects.push(connect),
            Err(_) => break,
        }
    }
    connects
}

// The executor.

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future and the queue that it goes back to when it is woken.
struct Task {
    future: Mutex<Option<BoxFuture>>,
    queue: Sender<Arc<Task>>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let queue = self.queue.clone();
        // The executor is gone once the deadline has passed.
        let _ = queue.send(self);
    }
}

/// Puts tasks into the executor's queue.
struct Spawner(Sender<Arc<Task>>);

impl Spawner {
    /// Returns nothing, as in the bug report: a task that has something to say needs a channel.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let task =
            Arc::new(Task { future: Mutex::new(Some(Box::pin(future))), queue: self.0.clone() });
        task.wake();
    }
}

/// Polls woken tasks, one after the other, on the thread that runs it.
struct Executor(Receiver<Arc<Task>>);

fn executor() -> (Executor, Spawner) {
    let (queue, tasks) = mpsc::channel();
    (Executor(tasks), Spawner(queue))
}

impl Executor {
    /// Runs until every task has ended (true) or the deadline has passed (false).
    fn run(&self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            match self.0.recv_timeout(left) {
                Ok(task) => Self::poll(&task),
                Err(RecvTimeoutError::Timeout) => return false,
                // Every task holds a sender and the spawner is gone: no task is left.
                Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
    }

    fn poll(task: &Arc<Task>) {
        let mut slot = task.future.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut future) = slot.take() {
            let waker = Waker::from(task.clone());
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                *slot = Some(future);
            }
        }
    }
}

// The summary.

struct Summary {
    options: Options,
    accepts: Vec<Accept>,
    connects: Vec<Connect>,
    /// All calls of `poll_readable`.
    polls: usize,
    start: Instant,
    end: Instant,
}

impl Summary {
    /// From each client's `connect` to its accept; for a client that was not accepted, to the end
    /// of the run.
    fn latencies(&self) -> Vec<Duration> {
        let accepted: HashMap<_, _> = self.accepts.iter().map(|a| (a.peer, a.at)).collect();
        let until = |c: &Connect| accepted.get(&c.local).copied().unwrap_or(self.end);
        let mut latencies: Vec<_> =
            self.connects.iter().map(|c| until(c).saturating_duration_since(c.at)).collect();
        latencies.sort();
        latencies
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { clients, cost, .. } = self.options;
        let accepted = self.accepts.len();
        let polls_all = self.polls;
        let mut polls: Vec<_> = self.accepts.iter().map(|a| a.polls).collect();
        polls.sort();
        let latencies = self.latencies();
        let late = clients - latencies.iter().filter(|l| l.as_secs() < 1).count();
        let middle = |len: usize| len / 2;
        let polls_median = polls.get(middle(polls.len())).copied().unwrap_or(0);
        let polls_max = polls.last().copied().unwrap_or(0);
        let median = latencies.get(middle(latencies.len())).copied().unwrap_or_default();
        let max = latencies.last().copied().unwrap_or_default();
        let elapsed = self.end - self.start;

        writeln!(f, "accepted: {accepted} of {clients}")?;
        writeln!(f, "not done after 1 s: {late} of {clients}")?;
        writeln!(f, "polls: {polls_all}; per accept: median {polls_median}, max {polls_max}")?;
        let cut = if accepted < clients { " (who still waits: until the end)" } else { "" };
        writeln!(f, "accept latency: median {median:.1?}, max {max:.1?}{cut}")?;
        writeln!(
            f,
            "summary accepted={accepted} clients={clients} late={late} polls={polls_all} \
             polls_median={polls_median} polls_max={polls_max} \
             latency_median_us={} latency_max_us={} cost_us={} elapsed_ms={}",
            median.as_micros(),
            max.as_micros(),
            cost.as_micros(),
            elapsed.as_millis(),
        )
    }
}

// The log.

/// The bug report's line: UTC to the microsecond, level, module, line, thread number.
fn init_logger() {
    env_logger::Builder::from_default_env()
        .format(|buf, record| {
            writeln!(
                buf,
                "[{} {:5} {} {} {:2}] {}",
                humantime::format_rfc3339_micros(std::time::SystemTime::now()),
                record.level(),
                record.module_path().unwrap_or(""),
                record.line().unwrap_or(0),
                thread_number(),
                record.args()
            )
        })
        .init();
}

/// The number in `ThreadId(7)`; 0 should it ever print otherwise.
fn thread_number() -> u64 {
    let id = format!("{:?}", thread::current().id());
    id.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)
}

// The arguments.

const HELP: &str = "\
Accepts connections as libp2p did, and says how that went.

  --clients <n>       connections to make, 1 to 1000 (default 30)
  --spacing-ms <ms>   from one client's start to the next's (default 5)
  --absent <n>        how many of them never call, the last ones (default 0)
  --cost-us <us>      what each poll of the server's task computes (default 1000)
  --deadline-ms <ms>  give up after this long (default 3000)

RUST_LOG=trace logs each step to stderr.
Exit code: 0 all accepted, 1 some not, 2 the run was not possible.
";

#[derive(Clone)]
struct Options {
    clients: usize,
    absent: usize,
    spacing: Duration,
    cost: Duration,
    deadline: Duration,
}

impl Options {
    /// None: help was asked for.
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut clients, mut absent) = (30, 0);
        let (mut spacing_ms, mut cost_us, mut deadline_ms) = (5, 1000, 3000);
        while let Some(name) = args.next() {
            let (value, range) = match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--clients" => (&mut clients, 1..=1000),
                "--absent" => (&mut absent, 0..=1000),
                "--spacing-ms" => (&mut spacing_ms, 0..=1000),
                "--cost-us" => (&mut cost_us, 0..=1_000_000),
                "--deadline-ms" => (&mut deadline_ms, 1..=600_000),
                _ => return Err(format!("unknown option {name:?}")),
            };
            let found = args.next().ok_or_else(|| format!("{name} wants a number after it"))?;
            *value = found.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| {
                let (low, high) = range.into_inner();
                format!("{name}: found {found:?}, expected a number from {low} to {high}")
            })?;
        }
        // Each client is watched for a second at least, or "not done after 1 s" means nothing.
        let least_ms = clients * spacing_ms + 1000;
        if deadline_ms < least_ms {
            return Err(format!(
                "--deadline-ms {deadline_ms}: {clients} clients {spacing_ms} ms apart, \
                 each watched for a second, need {least_ms} or more"
            ));
        }
        Ok(Some(Options {
            clients: clients as usize,
            absent: absent as usize,
            spacing: Duration::from_millis(spacing_ms),
            cost: Duration::from_micros(cost_us),
            deadline: Duration::from_millis(deadline_ms),
        }))
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "clients={} spacing_ms={} cost_us={} deadline_ms={}",
            self.clients,
            self.spacing.as_millis(),
            self.cost.as_micros(),
            self.deadline.as_millis()
        )
    }
}
