//! The load on the echo servers: a raw epoll loop on a thread of its own, one message in flight
//! on every connection. The same for every peer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{bail, Context, Result};

use crate::affinity::Pinned;
use crate::epoll::{events, Epoll, READ};
use crate::laps::Laps;
use crate::row::Work;

/// Bytes of a message.
pub(crate) const MESSAGE: usize = 64;

/// Set in a process whose system calls are counted: the load then runs in the parent.
static IN_PARENT: AtomicBool = AtomicBool::new(false);

/// What the child writes, and the parent reads, to ask for a load.
const REQUEST: &str = "load";

/// How long the load waits before it answers a server whose calls are counted. strace makes the
/// server slow; without a pause it would never be seen to wait.
const THINKING: Duration = Duration::from_millis(2);

/// A load under way.
pub(crate) struct Load(Option<JoinHandle<io::Result<f64>>>);

/// Moves the loads of this process into its parent, which calls [`serve_request`].
pub(crate) fn run_in_parent() {
    IN_PARENT.store(true, Ordering::Relaxed);
}

/// Reads a child's request and does what it asks.
pub(crate) fn serve_request(line: &str) -> Result<()> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [REQUEST, addr, connections, ops] = words[..] else {
        bail!("expected `{REQUEST} <address> <connections> <messages>`, found {line:?}");
    };
    let addr = addr.parse().context("the load's address")?;
    let connections = connections.parse().context("the load's connections")?;
    let ops = ops.parse().context("the load's messages")?;
    let work = Work { warm_up: 0, ops, only: None };
    drive(addr, connections, &work, Some(THINKING))?;
    Ok(())
}

impl Load {
    /// Connects to the server at `addr`, which is listening, and starts sending.
    pub(crate) fn start(addr: SocketAddr, connections: usize, work: &Work) -> Load {
        if IN_PARENT.load(Ordering::Relaxed) {
            println!("{REQUEST} {addr} {connections} {}", work.total());
            return Load(None);
        }
        let work = *work;
        Load(Some(thread::spawn(move || {
            // Unless the server's thread, which starts this one, keeps to a core: then on the same.
            let _apart_from_the_server = Pinned::to(1);
            drive(addr, connections, &work, None)
        })))
    }

    /// Nanoseconds a message; 0 when the parent does the sending.
    pub(crate) fn finish(self) -> io::Result<f64> {
        match self.0 {
            Some(thread) => thread.join().expect("the load thread does not panic"),
            None => Ok(0.0),
        }
    }
}

fn drive(
    addr: SocketAddr,
    connections: usize,
    work: &Work,
    thinking: Option<Duration>,
) -> io::Result<f64> {
    let epoll = Epoll::new()?;
    let mut streams = Vec::with_capacity(connections);
    for token in 0..connections {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll.add(&stream, READ, token as u64)?;
        streams.push((stream, 0));
    }
    // Every connection speaks once, so that all are accepted before the clock starts.
    let once = connections as u64;
    burst(&epoll, &mut streams, once, thinking, || ())?;
    // Answers come in waves, one of every connection; a lap holds several.
    let mut laps = Laps::of(work, 4 * once);
    burst(&epoll, &mut streams, work.total(), thinking, || laps.op())?;
    Ok(laps.ns_per_op())
}

/// Sends `count` messages, the next on a connection when its last has come back. `streams` are
/// the connections with the bytes received of the message in flight.
fn burst(
    epoll: &Epoll,
    streams: &mut [(TcpStream, usize)],
    count: u64,
    thinking: Option<Duration>,
    mut on_answer: impl FnMut(),
) -> io::Result<()> {
    let (mut sent, mut received) = (0, 0);
    for (stream, _) in streams.iter_mut() {
        if sent < count {
            send(stream)?;
            sent += 1;
        }
    }
    let mut events = events();
    let mut buf = [0; 1024];
    while received < count {
        let ready = epoll.wait(&mut events, -1)?;
        if let Some(thinking) = thinking {
            thread::sleep(thinking);
        }
        for event in &events[..ready] {
            let (stream, partial) = &mut streams[event.u64 as usize];
            match stream.read(&mut buf) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => *partial += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if *partial == MESSAGE {
                *partial = 0;
                received += 1;
                on_answer();
                if sent < count {
                    send(stream)?;
                    sent += 1;
                }
            }
        }
    }
    Ok(())
}

fn send(stream: &mut TcpStream) -> io::Result<()> {
    // The send buffer is empty: there is one small message in flight at most.
    stream.write_all(&[7; MESSAGE])
}
