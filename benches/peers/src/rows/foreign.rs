//! A round trip of tasks under another crate's `block_on`: the peer's own threads drive the
//! reactor, and an idle `block_on` elsewhere should change nothing.

use std::io;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{ensure, Context, Result};

use crate::affinity::Together;
use crate::epoll::{events, Epoll, READ};
use crate::load::MESSAGE;
use crate::peer::foreign::Foreign;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor};
use crate::row::{Figure, Peer, Row, Sample, Target, Work};
use crate::rows::pingpong::{Bytes, Channel, RawChannel};
use crate::sockets::{tcp_pair, unix_pair};
use crate::stats::median;

const ALONE: usize = 0;
const BESIDE_IDLE: usize = 1;

pub(crate) fn row() -> Row {
    Row {
        name: "foreign",
        about: "TCP round trip of two tasks under another crate's block_on, one core, p50",
        ops: 4_000,
        quick_ops: 1_000,
        counted_ops: 500,
        figures: vec![
            Figure::time("alone", &[]),
            Figure::time("beside an idle block_on", &[Target::OfFigure(ALONE, 1.1)]),
        ],
        cases: vec![
            (Peer::Raw, raw),
            (Peer::Ours, |work| both::<ours::AsyncIo>(work, |body| ours::with_idle_block_on(body))),
            (Peer::Upstream, |work| {
                both::<upstream::AsyncIo>(work, |body| upstream::with_idle_block_on(body))
            }),
            (Peer::Tokio, |work| both::<tokio::Tokio>(work, |_| Ok(f64::NAN))),
        ],
    }
}

type Elsewhere = fn(&mut dyn FnMut() -> Result<f64>) -> Result<f64>;

fn both<R: Reactor>(work: &Work, beside_idle: Elsewhere) -> Result<Sample> {
    let mut sample = vec![f64::NAN; 2];
    if work.wants(ALONE) {
        sample[ALONE] = p50::<R>(work)?;
    }
    if work.wants(BESIDE_IDLE) {
        sample[BESIDE_IDLE] = beside_idle(&mut || p50::<R>(work))?;
    }
    Ok(sample)
}

/// The median round trip in nanoseconds.
fn p50<R: Reactor>(work: &Work) -> Result<f64> {
    let total = work.total();
    let _on_one_core = Together::new();
    let mut trips = Foreign::<R>::run(|executor| async move {
        let (client, server) = tcp_pair()?;
        let (mut client, mut server) = (Bytes(R::tcp(client)?), Bytes(R::tcp(server)?));
        let answering = executor.spawn(async move {
            let mut buf = [0; 1024];
            for _ in 0..total {
                server.receive(&mut buf).await?;
                server.send(&buf[..MESSAGE]).await?;
            }
            io::Result::Ok(())
        });
        let asking = executor.spawn(async move {
            let mut trips = Vec::with_capacity(total as usize);
            let mut buf = [7; 1024];
            for _ in 0..total {
                let start = Instant::now();
                client.send(&buf[..MESSAGE]).await?;
                client.receive(&mut buf).await?;
                trips.push(start.elapsed().as_nanos() as f64);
            }
            io::Result::Ok(trips)
        });
        let trips = asking.await?;
        answering.await?;
        io::Result::Ok(trips)
    })?;
    Ok(median(&trips.split_off(work.warm_up as usize)))
}

/// The token of the socket whose hang-up ends the driver.
const STOP: u64 = 2;

/// A thread in epoll hands every event to the thread that reads and writes.
fn raw(work: &Work) -> Result<Sample> {
    if !work.wants(ALONE) {
        return Ok(vec![f64::NAN; 2]);
    }
    let _on_one_core = Together::new();
    let (client, server) = tcp_pair()?;
    let (stop, stopped) = unix_pair()?;
    let epoll = Epoll::new()?;
    epoll.add(&client, READ, 0)?;
    epoll.add(&server, READ, 1)?;
    epoll.add(&stopped, READ, STOP)?;
    let (ready, wait) = mpsc::channel();
    let driver = thread::spawn(move || drive(&epoll, &ready));
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
    let p50 = median(&trips.split_off(work.warm_up as usize));
    Ok(vec![p50, f64::NAN])
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
