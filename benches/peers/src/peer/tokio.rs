//! tokio as a peer: the current-thread runtime, and the multi-thread one with two workers.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::BorrowedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::pin::Pin;
use std::task::{ready, Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::reactor::{Datagram, Executor, Reactor, Stream};

/// The reactor of the runtime in whose context the calls are made.
pub(crate) struct Tokio;

fn current_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a current-thread runtime needs two file descriptors")
}

fn workers(count: usize) -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(count).enable_all().build();
    runtime.expect("a runtime needs two file descriptors and its threads")
}

macro_rules! tokio_stream {
    ($stream:ty) => {
        impl Stream for $stream {
            fn read<'a>(
                &'a mut self,
                buf: &'a mut [u8],
            ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
                AsyncReadExt::read(self, buf)
            }

            fn write_all<'a>(
                &'a mut self,
                buf: &'a [u8],
            ) -> impl Future<Output = io::Result<()>> + Send + 'a {
                AsyncWriteExt::write_all(self, buf)
            }

            fn poll_read(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let mut buf = ReadBuf::new(buf);
                ready!(AsyncRead::poll_read(Pin::new(self), cx, &mut buf))?;
                Poll::Ready(Ok(buf.filled().len()))
            }

            fn readable(&self) -> impl Future<Output = io::Result<()>> + Send + '_ {
                self.readable()
            }

            fn read_with<'a>(
                &'a self,
                buf: &'a mut [u8],
            ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
                self.async_io(Interest::READABLE, move || self.try_read(buf))
            }

            fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.try_read(buf)
            }
        }
    };
}

tokio_stream!(tokio::net::TcpStream);
tokio_stream!(tokio::net::UnixStream);

impl Datagram for tokio::net::UdpSocket {
    fn recv<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
        self.recv(buf)
    }

    fn send<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + Send + 'a {
        self.send(buf)
    }
}

impl Reactor for Tokio {
    type Tcp = tokio::net::TcpStream;
    type Unix = tokio::net::UnixStream;
    type Udp = tokio::net::UdpSocket;
    type Listener = tokio::net::TcpListener;
    type Idle = tokio::net::UnixDatagram;
    type Timer = tokio::time::Sleep;
    type Registration<'fd> = AsyncFd<BorrowedFd<'fd>>;

    fn tcp(stream: TcpStream) -> io::Result<Self::Tcp> {
        Self::Tcp::from_std(stream)
    }

    fn unix(stream: UnixStream) -> io::Result<Self::Unix> {
        Self::Unix::from_std(stream)
    }

    fn udp(socket: UdpSocket) -> io::Result<Self::Udp> {
        Self::Udp::from_std(socket)
    }

    fn listener(listener: TcpListener) -> io::Result<Self::Listener> {
        Self::Listener::from_std(listener)
    }

    fn idle(socket: UnixDatagram) -> io::Result<Self::Idle> {
        Self::Idle::from_std(socket)
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Tcp> {
        let (stream, _) = listener.accept().await?;
        Ok(stream)
    }

    fn connect(addr: SocketAddr) -> impl Future<Output = io::Result<Self::Tcp>> + Send {
        tokio::net::TcpStream::connect(addr)
    }

    fn wait_idle(source: &Self::Idle) -> impl Future<Output = io::Result<()>> + Send + '_ {
        source.readable()
    }

    fn register(fd: BorrowedFd<'_>) -> io::Result<Self::Registration<'_>> {
        rustix::io::ioctl_fionbio(fd, true)?;
        // SAFETY: the fd is open, and its lifetime keeps it open and the same until the AsyncFd,
        // which has that lifetime too, has gone.
        Ok(unsafe { AsyncFd::register(fd) }?)
    }

    fn sleep_until(deadline: Instant) -> Self::Timer {
        tokio::time::sleep_until(deadline.into())
    }

    fn sleep(duration: Duration) -> Self::Timer {
        tokio::time::sleep(duration)
    }

    async fn within<T: Send>(
        limit: Duration,
        operation: impl Future<Output = io::Result<T>> + Send,
    ) -> io::Result<T> {
        tokio::time::timeout(limit, operation).await?
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn unthrottled<F: Future>(future: F) -> impl Future<Output = F::Output> {
        tokio::task::unconstrained(future)
    }

    fn driven<T>(body: impl FnOnce() -> T) -> T {
        let runtime = current_thread();
        let (running, done) = async_channel::bounded::<()>(1);
        thread::scope(|scope| {
            scope.spawn(|| runtime.block_on(done.recv()));
            let _context = runtime.enter();
            let value = body();
            drop(running);
            value
        })
    }

    fn beside<T: Send + 'static>(
        busy: impl Future<Output = ()> + Send + 'static,
        others: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let runtime = workers(2);
        runtime.spawn(busy);
        let others = runtime.spawn(others);
        runtime.block_on(others).expect("the task does not panic")
    }
}

fn spawn<T: Send + 'static>(
    handle: &Handle,
    task: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send + 'static {
    let task = handle.spawn(task);
    async move { task.await.expect("the task does not panic") }
}

/// The current-thread runtime.
#[derive(Clone)]
pub(crate) struct OneThread(Handle);

impl Executor for OneThread {
    type Reactor = Tokio;

    fn run<T, F: Future<Output = T>>(main: impl FnOnce(Self) -> F) -> T {
        let runtime = current_thread();
        let main = main(OneThread(runtime.handle().clone()));
        runtime.block_on(main)
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        spawn(&self.0, task)
    }
}

/// The multi-thread runtime; the main future runs on one more thread.
macro_rules! multi_thread {
    ($(#[$about:meta])* $name:ident, $workers:literal) => {
        $(#[$about])*
        #[derive(Clone)]
        pub(crate) struct $name(Handle);

        impl Executor for $name {
            type Reactor = Tokio;

            fn run<T, F: Future<Output = T>>(main: impl FnOnce(Self) -> F) -> T {
                let runtime = workers($workers);
                let main = main($name(runtime.handle().clone()));
                runtime.block_on(main)
            }

            fn spawn<T: Send + 'static>(
                &self,
                task: impl Future<Output = T> + Send + 'static,
            ) -> impl Future<Output = T> + Send + 'static {
                spawn(&self.0, task)
            }
        }
    };
}

multi_thread! {
    /// Two workers, and an idle thread for the main future.
    TwoThreads, 2
}
multi_thread! {
    /// The tasks on one worker, the main future on this thread.
    Worker, 1
}
