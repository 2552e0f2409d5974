//! What a row may ask of a peer. Each method is the peer's own idiom and nothing more, so that
//! two peers differ in the calls they make and in no line of the work.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A byte stream.
pub(crate) trait Stream: AsFd + Send + Sync + Sized + 'static {
    fn read<'a>(
        &'a mut self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send + 'a;

    fn write_all<'a>(
        &'a mut self,
        buf: &'a [u8],
    ) -> impl Future<Output = io::Result<()>> + Send + 'a;

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send + '_;

    /// A read as a closure that is called until it does not say `WouldBlock`.
    fn read_with<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send + 'a;

    /// The plain non-blocking read that follows [`readable`](Stream::readable).
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;
}

/// A connected datagram socket.
pub(crate) trait Datagram: Send + Sync + 'static {
    fn recv<'a>(&'a self, buf: &'a mut [u8])
        -> impl Future<Output = io::Result<usize>> + Send + 'a;

    fn send<'a>(&'a self, buf: &'a [u8]) -> impl Future<Output = io::Result<usize>> + Send + 'a;
}

/// A peer's sockets, timers and registration. The std sockets given to it are non-blocking.
pub(crate) trait Reactor: Send + Sync + 'static {
    type Tcp: Stream;
    type Unix: Stream;
    type Udp: Datagram;
    type Listener: Send + Sync + 'static;
    /// A source that merely exists, and may be waited for.
    type Idle: Send + Sync + 'static;
    type Timer: Future<Output: Send> + Send + 'static;
    type Registration<'fd>;

    fn tcp(stream: TcpStream) -> io::Result<Self::Tcp>;
    fn unix(stream: UnixStream) -> io::Result<Self::Unix>;
    fn udp(socket: UdpSocket) -> io::Result<Self::Udp>;
    fn listener(listener: TcpListener) -> io::Result<Self::Listener>;
    fn idle(socket: UnixDatagram) -> io::Result<Self::Idle>;

    fn accept(listener: &Self::Listener)
        -> impl Future<Output = io::Result<Self::Tcp>> + Send + '_;
    fn connect(addr: SocketAddr) -> impl Future<Output = io::Result<Self::Tcp>> + Send;
    fn wait_idle(source: &Self::Idle) -> impl Future<Output = io::Result<()>> + Send + '_;

    /// Makes the fd non-blocking and registers it; dropping the result deregisters it.
    fn register(fd: BorrowedFd<'_>) -> io::Result<Self::Registration<'_>>;

    fn sleep_until(deadline: Instant) -> Self::Timer;
    fn sleep(duration: Duration) -> Self::Timer;
    /// The operation, or the error `TimedOut` when it takes longer than `limit`.
    fn within<T: Send>(
        limit: Duration,
        operation: impl Future<Output = io::Result<T>> + Send,
    ) -> impl Future<Output = io::Result<T>> + Send;

    fn yield_now() -> impl Future<Output = ()> + Send;
    /// Frees a task that makes many calls a poll from the peer's budget, if it has one.
    fn unthrottled<F: Future>(future: F) -> impl Future<Output = F::Output>;

    /// Runs `body` on this thread, outside the peer's `block_on`, while the peer's own threads
    /// drive the reactor.
    fn driven<T>(body: impl FnOnce() -> T) -> T;
    /// Runs `busy` in the peer's `block_on` (or on one of its workers) and, beside it, `others`
    /// on another thread. Ends with `others`; `busy` must end by itself soon after.
    fn beside<T: Send + 'static>(
        busy: impl Future<Output = ()> + Send + 'static,
        others: impl Future<Output = T> + Send + 'static,
    ) -> T;
}

/// A way to run tasks on a peer's reactor.
pub(crate) trait Executor: Clone + 'static {
    type Reactor: Reactor;

    /// Runs the future that `main` makes, and what it spawns, until the future is done.
    fn run<T, F: Future<Output = T>>(main: impl FnOnce(Self) -> F) -> T;

    /// The returned future is ready when the task is done.
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static;
}
