//! An async-io as a peer. The module that includes this file says which one, as `library`.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::library::{block_on, Async, IoSafe, Timer};
use crate::reactor::{Datagram, Executor, Reactor, Stream};
use crate::tasks::Tasks;

/// The process-wide reactor of this async-io.
pub(crate) struct AsyncIo;

/// A type of our own, because the traits are implemented once for each library.
pub(crate) struct Socket<T>(Async<T>);

impl<T: AsFd> Socket<T> {
    fn new(inner: T) -> io::Result<Self> {
        Async::new_nonblocking(inner).map(Socket)
    }
}

impl<T: AsFd> AsFd for Socket<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<T> Stream for Socket<T>
where
    T: IoSafe + Read + Write + AsFd + Send + Sync + 'static,
    for<'a> &'a T: Read,
{
    fn read<'a>(
        &'a mut self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
        AsyncReadExt::read(&mut self.0, buf)
    }

    fn write_all<'a>(
        &'a mut self,
        buf: &'a [u8],
    ) -> impl Future<Output = io::Result<()>> + Send + 'a {
        AsyncWriteExt::write_all(&mut self.0, buf)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send + '_ {
        self.0.readable()
    }

    fn read_with<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
        self.0.read_with(move |mut inner| inner.read(buf))
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.0.get_ref();
        inner.read(buf)
    }
}

impl Datagram for Socket<UdpSocket> {
    fn recv<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send + 'a {
        self.0.recv(buf)
    }

    fn send<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + Send + 'a {
        self.0.send(buf)
    }
}

impl Reactor for AsyncIo {
    type Tcp = Socket<TcpStream>;
    type Unix = Socket<UnixStream>;
    type Udp = Socket<UdpSocket>;
    type Listener = Async<TcpListener>;
    type Idle = Async<UnixDatagram>;
    type Timer = Timer;
    type Registration<'fd> = Async<BorrowedFd<'fd>>;

    fn tcp(stream: TcpStream) -> io::Result<Self::Tcp> {
        Socket::new(stream)
    }

    fn unix(stream: UnixStream) -> io::Result<Self::Unix> {
        Socket::new(stream)
    }

    fn udp(socket: UdpSocket) -> io::Result<Self::Udp> {
        Socket::new(socket)
    }

    fn listener(listener: TcpListener) -> io::Result<Self::Listener> {
        Async::new_nonblocking(listener)
    }

    fn idle(socket: UnixDatagram) -> io::Result<Self::Idle> {
        Async::new_nonblocking(socket)
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Tcp> {
        let (stream, _) = listener.accept().await?;
        Ok(Socket(stream))
    }

    async fn connect(addr: SocketAddr) -> io::Result<Self::Tcp> {
        Async::<TcpStream>::connect(addr).await.map(Socket)
    }

    fn wait_idle(source: &Self::Idle) -> impl Future<Output = io::Result<()>> + Send + '_ {
        source.readable()
    }

    fn register(fd: BorrowedFd<'_>) -> io::Result<Self::Registration<'_>> {
        Async::new(fd)
    }

    fn sleep_until(deadline: Instant) -> Timer {
        Timer::at(deadline)
    }

    fn sleep(duration: Duration) -> Timer {
        Timer::after(duration)
    }

    fn within<T: Send>(
        limit: Duration,
        operation: impl Future<Output = io::Result<T>> + Send,
    ) -> impl Future<Output = io::Result<T>> + Send {
        futures_lite::future::or(operation, async move {
            Timer::after(limit).await;
            Err(io::ErrorKind::TimedOut.into())
        })
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }

    fn unthrottled<F: Future>(future: F) -> impl Future<Output = F::Output> {
        future
    }

    fn driven<T>(body: impl FnOnce() -> T) -> T {
        body()
    }

    fn beside<T: Send + 'static>(
        busy: impl Future<Output = ()> + Send + 'static,
        others: impl Future<Output = T> + Send + 'static,
    ) -> T {
        thread::scope(|scope| {
            scope.spawn(|| block_on(busy));
            futures_lite::future::block_on(others)
        })
    }
}

/// Starts the helper thread, on whatever core it likes. The thread that asks first decides where
/// the helper may run, and some rows pin theirs.
pub(crate) fn start() {
    block_on(settled());
}

/// While nobody is in `block_on` the helper thread drives the reactor, and it may go on waiting in
/// it when somebody is again. Two timers make it let go, so that what is measured is the state
/// that lasts.
async fn settled() {
    for _ in 0..2 {
        Timer::after(Duration::from_millis(1)).await;
    }
}

/// `block_on` and tasks inside it.
#[derive(Clone)]
pub(crate) struct OneThread(Tasks);

impl Executor for OneThread {
    type Reactor = AsyncIo;

    fn run<T, F: Future<Output = T>>(main: impl FnOnce(Self) -> F) -> T {
        let tasks = Tasks::default();
        let main = main(OneThread(tasks.clone()));
        block_on(tasks.run(async {
            settled().await;
            main.await
        }))
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        self.0.spawn(task)
    }
}

/// `block_on` on two threads, one executor shared by both.
#[derive(Clone)]
pub(crate) struct TwoThreads(Arc<async_executor::Executor<'static>>);

impl Executor for TwoThreads {
    type Reactor = AsyncIo;

    fn run<T, F: Future<Output = T>>(main: impl FnOnce(Self) -> F) -> T {
        let executor = Arc::new(async_executor::Executor::new());
        // Closed, and so ready, when `_running` is dropped.
        let (_running, done) = async_channel::bounded::<()>(1);
        let second = thread::spawn({
            let executor = executor.clone();
            move || block_on(executor.run(done.recv()))
        });
        let main = main(TwoThreads(executor.clone()));
        let value = block_on(executor.run(async {
            settled().await;
            main.await
        }));
        drop(_running);
        let _closed = second.join().expect("the second thread does not panic");
        value
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        self.0.spawn(task)
    }
}

/// The tasks on one thread in `block_on`, the main future in this thread's: what smol does.
#[derive(Clone)]
pub(crate) struct Worker(Arc<async_executor::Executor<'static>>);

impl Executor for Worker {
    type Reactor = AsyncIo;

    fn run<T, F: Future<Output = T>>(main: impl FnOnce(Self) -> F) -> T {
        let executor = Arc::new(async_executor::Executor::new());
        // Closed, and so ready, when `_running` is dropped.
        let (_running, done) = async_channel::bounded::<()>(1);
        let worker = thread::spawn({
            let executor = executor.clone();
            move || block_on(executor.run(done.recv()))
        });
        let value = block_on(main(Worker(executor)));
        drop(_running);
        let _closed = worker.join().expect("the worker does not panic");
        value
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        self.0.spawn(task)
    }
}

/// Keeps a thread in this async-io's `block_on`, with nothing to do, while `body` runs.
pub(crate) fn with_idle_block_on<T>(body: impl FnOnce() -> T) -> T {
    let (running, done) = async_channel::bounded::<()>(1);
    let idle = thread::spawn(move || block_on(done.recv()));
    // Long enough for the thread to have gone to sleep in `block_on`.
    thread::sleep(Duration::from_millis(5));
    let value = body();
    drop(running);
    let _closed = idle.join().expect("an idle thread does not panic");
    value
}
