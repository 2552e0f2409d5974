//! A round trip of two tasks under another crate's `block_on`: the peer's own threads drive the
//! reactor, and an idle `block_on` elsewhere should change nothing.
//!
//! Each hop wakes a driving thread, which wakes the tasks' thread. The kernel leaves a woken thread on the
//! core where it ran last, so chance decides, when the process starts, whether the two share one; a wake
//! across two cores takes several times as long. So each sample is a process of its own, and beside the
//! figure as the threads land there are those of both cases.

use std::io;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};

use crate::affinity::{Place, Placed};
use crate::epoll::{events, Epoll, READ};
use crate::load::MESSAGE;
use crate::peer::foreign::Foreign;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor};
use crate::row::{Figure, Peer, Row, Sample, Target, Work};
use crate::rows::pingpong::{Bytes, Channel, RawChannel};
use crate::sockets::{tcp_pair, unix_pair};
use crate::stats::median;

/// Where the threads are in each figure, and whether another thread is idle in the peer's `block_on`.
const FIGURES: [(Place, bool); 5] = [
    (Place::Anywhere, false),
    (Place::OneCore, false),
    (Place::TwoCores, false),
    // These come last, since the idle thread is not forgotten.
    (Place::Anywhere, true),
    (Place::OneCore, true),
];
const ALONE_ON_ONE_CORE: usize = 1;

/// How many processes a full run starts for each peer.
pub(crate) const STARTS: u32 = 15;

/// Long enough for the threads to be there that are started when somebody first waits.
pub(crate) const STARTED: Duration = Duration::from_millis(1);

pub(crate) fn row() -> Row {
    Row {
        name: "foreign",
        about: "TCP round trip of two tasks under another crate's block_on, p50 of a process",
        ops: 2_000,
        quick_ops: 1_000,
        counted_ops: 500,
        starts: Some(STARTS),
        figures: vec![
            Figure::time("alone").told(),
            Figure::time("alone, on one core").uncounted(),
            Figure::time("alone, on two cores").uncounted(),
            Figure::time("beside an idle block_on").told(),
            Figure::time("the same, on one core")
                .and(Target::OfFigure(ALONE_ON_ONE_CORE, 1.1))
                .uncounted(),
        ],
        cases: vec![
            (Peer::Raw, raw),
            (Peer::Ours, |work| all::<ours::AsyncIo>(work, |body| ours::with_idle_block_on(body))),
            (Peer::Upstream, |work| {
                all::<upstream::AsyncIo>(work, |body| upstream::with_idle_block_on(body))
            }),
            (Peer::Tokio, |work| all::<tokio::Tokio>(work, |_| Ok(f64::NAN))),
        ],
    }
}

type Elsewhere = fn(&mut dyn FnMut() -> Result<f64>) -> Result<f64>;

fn all<R: Reactor>(work: &Work, beside_idle: Elsewhere) -> Result<Sample> {
    each_figure(work, |place, idle| match idle {
        false => p50::<R>(work, place),
        true => beside_idle(&mut || p50::<R>(work, place)),
    })
}

/// Measures the figures that are wanted.
fn each_figure(work: &Work, measure: impl Fn(Place, bool) -> Result<f64>) -> Result<Sample> {
    let figures = FIGURES.into_iter().enumerate();
    let measured = figures.map(|(figure, (place, idle))| match work.wants(figure) {
        true => measure(place, idle),
        false => Ok(f64::NAN),
    });
    measured.collect()
}

/// The median round trip in nanoseconds.
fn p50<R: Reactor>(work: &Work, place: Place) -> Result<f64> {
    let total = work.total();
    let mut trips = Foreign::<R>::run(|executor| async move {
        R::sleep(STARTED).await;
        let _placed = Placed::new(place);
        let (client, server) = tcp_pair()?;
        let (mut client, mut server) = (Bytes(R::tcp(client)?), Bytes(R::tcp(server)?));
        let answering = executor.spawn(async move { answer(&mut server, total).await });
        let asking = executor.spawn(async move { ask(&mut client, total).await });
        let trips = asking.await?;
        answering.await?;
        io::Result::Ok(trips)
    })?;
    Ok(median(&trips.split_off(work.warm_up as usize)))
}

/// One end: sends, and times what it takes until the answer is there. Nanoseconds, a trip each.
pub(crate) async fn ask(channel: &mut impl Channel, trips: u64) -> io::Result<Vec<f64>> {
    let mut trips_ns = Vec::with_capacity(trips as usize);
    let mut buf = [7; 1024];
    for _ in 0..trips {
        let start = Instant::now();
        channel.send(&buf[..MESSAGE]).await?;
        channel.receive(&mut buf).await?;
        trips_ns.push(start.elapsed().as_nanos() as f64);
    }
    Ok(trips_ns)
}

/// The other end: sends back what it receives.
pub(crate) async fn answer(channel: &mut impl Channel, trips: u64) -> io::Result<()> {
    let mut buf = [0; 1024];
    for _ in 0..trips {
        channel.receive(&mut buf).await?;
        channel.send(&buf[..MESSAGE]).await?;
    }
    Ok(())
}

/// The token of the socket whose hang-up ends the driver.
const STOP: u64 = 2;

/// A thread in epoll hands every event to the thread that reads and writes.
fn raw(work: &Work) -> Result<Sample> {
    each_figure(work, |place, idle| if idle { Ok(f64::NAN) } else { raw_p50(work, place) })
}

fn raw_p50(work: &Work, place: Place) -> Result<f64> {
    let (client, server) = tcp_pair()?;
    let (stop, stopped) = unix_pair()?;
    let epoll = Epoll::new()?;
    epoll.add(&client, READ, 0)?;
    epoll.add(&server, READ, 1)?;
    epoll.add(&stopped, READ, STOP)?;
    let (ready, wait) = mpsc::channel();
    let driver = thread::spawn(move || drive(&epoll, &ready));
    let _placed = Placed::new(place);
    let mut trips = Vec::with_capacity(work.total() as usize);
    let mut message = [7; MESSAGE];
    for _ in 0..work.total() {
        let start = Instant::now();
        client.send(&message)?;
        hop(&wait, 1, &server, &mut message)?;
        server.send(&message)?;
        hop(&wait, 0, &client, &mut message)?;
        trips.push(start.elapsed().as_nanos() as f64);
    }
    drop(stop);
    driver.join().expect("the driver does not panic")?;
    Ok(median(&trips.split_off(work.warm_up as usize)))
}

fn drive(epoll: &Epoll, ready: &mpsc::Sender<u64>) -> io::Result<()> {
    let mut events = events();
    loop {
        let count = epoll.wait(&mut events, -1)?;
        for event in &events[..count] {
            let token = event.u64;
            if token == STOP || ready.send(token).is_err() {
                return Ok(());
            }
        }
    }
}

/// Waits until the driver reports this end, then reads the message.
fn hop(
    wait: &mpsc::Receiver<u64>,
    end: u64,
    stream: &TcpStream,
    message: &mut [u8; MESSAGE],
) -> Result<()> {
    let reported = wait.recv().context("the driver has ended early")?;
    ensure!(reported == end, "an event of end {reported}, expected {end}");
    let filled = stream.receive(message)?;
    ensure!(filled == MESSAGE, "{filled} bytes of a message of {MESSAGE}");
    Ok(())
}
