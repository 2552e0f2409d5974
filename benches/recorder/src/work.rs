//! What is done while the records are made.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use async_executor::LocalExecutor;
use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncReadExt, AsyncWriteExt, FutureExt};

use crate::sink::Sink;

/// A work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    BlockOn,
    Poll,
    Timer,
    PingPong,
    Echo100,
    StackRecognised,
    StackUnwound,
}

/// Does a lap. Returns nanoseconds and operations.
pub(crate) type Lap = Box<dyn FnMut() -> Result<Figure>>;

/// What a lap took.
pub(crate) struct Figure {
    pub(crate) ns: u64,
    operations: u64,
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.ns, self.operations)
    }
}

impl Work {
    pub(crate) const ALL: [Work; 7] = [
        Work::BlockOn,
        Work::Poll,
        Work::Timer,
        Work::PingPong,
        Work::Echo100,
        Work::StackRecognised,
        Work::StackUnwound,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Work::BlockOn => "block_on",
            Work::Poll => "poll",
            Work::Timer => "timer",
            Work::PingPong => "pingpong",
            Work::Echo100 => "echo-100",
            Work::StackRecognised => "stack-recognised",
            Work::StackUnwound => "stack-unwound",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Work::BlockOn => "block_on of a future that is ready: no system call",
            Work::Poll => "poll_readable of a socket that is not readable: no system call",
            Work::Timer => "a timer armed and dropped: no system call",
            Work::PingPong => "a byte to and fro between two tasks of one thread over TCP",
            Work::Echo100 => "100 TCP connections echo 64 bytes, in turns, client in a thread",
            Work::StackRecognised => {
                "the stack of a wait, some 15 calls deep, from the same place as before"
            }
            Work::StackUnwound => "the same from many places in turns, of which few are remembered",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Work> {
        Work::ALL.into_iter().find(|work| work.name() == name)
    }

    /// Who may listen to it.
    pub(crate) fn sinks(self) -> &'static [Sink] {
        match self {
            Work::StackRecognised | Work::StackUnwound => &[Sink::Nobody, Sink::Recorder],
            _ => &Sink::ALL,
        }
    }

    pub(crate) fn prepare(self) -> Result<Lap> {
        match self {
            Work::BlockOn => Ok(Box::new(|| Ok(timed(20_000, || block_on(async {}))))),
            Work::Poll => poll(),
            Work::Timer => timer(),
            Work::PingPong => pingpong(),
            Work::Echo100 => echo_100(),
            Work::StackRecognised => Ok(stack(1)),
            Work::StackUnwound => Ok(stack(PLACES)),
        }
    }
}

pub(crate) fn timed(operations: u64, mut operation: impl FnMut()) -> Figure {
    let begun = Instant::now();
    (0..operations).for_each(|_| operation());
    figure(begun, operations)
}

fn figure(begun: Instant, operations: u64) -> Figure {
    Figure { ns: begun.elapsed().as_nanos() as u64, operations }
}

struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

/// Connected streams.
fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("a listener on loopback")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

fn poll() -> Result<Lap> {
    let (near, far) = pair()?;
    let near = Async::new(near)?;
    let waker = Waker::from(Arc::new(Nothing));
    Ok(Box::new(move || {
        let _open = &far;
        let mut cx = Context::from_waker(&waker);
        Ok(timed(20_000, || {
            assert!(matches!(near.poll_readable(&mut cx), Poll::Pending));
        }))
    }))
}

fn timer() -> Result<Lap> {
    let waker = Waker::from(Arc::new(Nothing));
    let far = std::time::Duration::from_secs(3_600);
    // Something that is due first, so that no thread need be told of the others.
    let mut first = Timer::after(far / 2);
    let mut cx = Context::from_waker(&waker);
    assert!(first.poll(&mut cx).is_pending());
    Ok(Box::new(move || {
        let _first = &first;
        let mut cx = Context::from_waker(&waker);
        Ok(timed(20_000, || assert!(Timer::after(far).poll(&mut cx).is_pending())))
    }))
}

/// From how many places a stack is taken in turns, more than a thread remembers of one depth.
const PLACES: usize = 8;

/// Takes the stack from the first so many places.
fn stack(places: usize) -> Lap {
    #[inline(never)]
    fn deep(levels: u32, innermost: &mut dyn FnMut()) {
        match levels {
            0 => innermost(),
            _ => deep(levels - 1, innermost),
        }
        std::hint::black_box(levels);
    }
    /// A function for each place.
    #[inline(never)]
    fn taken_at<const PLACE: u64>() -> u64 {
        std::hint::black_box(ticks_recorder::stack_here(1)) + PLACE
    }
    let all: [fn() -> u64; PLACES] = [
        taken_at::<0>,
        taken_at::<1>,
        taken_at::<2>,
        taken_at::<3>,
        taken_at::<4>,
        taken_at::<5>,
        taken_at::<6>,
        taken_at::<7>,
    ];
    // The recorder starts.
    block_on(async {});
    Box::new(move || {
        let mut figure = None;
        deep(6, &mut || {
            let mut place = 0;
            figure = Some(timed(20_000, || {
                place = (place + 1) % places;
                std::hint::black_box(all[place]());
            }));
        });
        figure.context("it was called")
    })
}

fn pingpong() -> Result<Lap> {
    let (near, far) = pair()?;
    let (mut near, mut far) = (Async::new(near)?, Async::new(far)?);
    Ok(Box::new(move || {
        const ROUND_TRIPS: u64 = 1_000;
        let begun = Instant::now();
        let ping = async {
            let mut byte = [1];
            for _ in 0..ROUND_TRIPS {
                near.write_all(&byte).await?;
                near.read_exact(&mut byte).await?;
            }
            std::io::Result::Ok(())
        };
        let pong = async {
            let mut byte = [0];
            for _ in 0..ROUND_TRIPS {
                far.read_exact(&mut byte).await?;
                far.write_all(&byte).await?;
            }
            std::io::Result::Ok(())
        };
        let (ping, pong) = block_on(future::zip(ping, pong));
        ping?;
        pong?;
        Ok(figure(begun, ROUND_TRIPS))
    }))
}

/// A server of 100 connections in one thread; the client writes to all of them and then reads.
fn echo_100() -> Result<Lap> {
    use std::io::{Read, Write};
    const LEN: usize = 64;
    let mut clients = Vec::new();
    let mut servers = Vec::new();
    for _ in 0..100 {
        let (near, far) = pair()?;
        clients.push(near);
        servers.push(Async::new(far)?);
    }
    thread::spawn(move || {
        let executor = LocalExecutor::new();
        for mut stream in servers {
            let serve = async move {
                let mut bytes = [0; 1024];
                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                    stream.write_all(&bytes[..count]).await?;
                }
                std::io::Result::Ok(())
            };
            executor.spawn(serve).detach();
        }
        block_on(executor.run(future::pending::<()>()))
    });
    Ok(Box::new(move || {
        const TURNS: u64 = 20;
        let begun = Instant::now();
        let mut bytes = [7; LEN];
        for _ in 0..TURNS {
            for client in &mut clients {
                client.write_all(&bytes)?;
            }
            for client in &mut clients {
                client.read_exact(&mut bytes)?;
            }
        }
        Ok(figure(begun, TURNS * 100))
    }))
}
