//! Descriptors that somebody closes behind their owner's back, and numbers that are used again.

use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};

/// The first number given to a lent socket: above those that the kernel hands out by itself, so that a
/// closed one is used again only when a test says so.
const NUMBER_MIN: RawFd = 200;

static NUMBER_NEXT: AtomicI32 = AtomicI32::new(NUMBER_MIN);

/// A socket known by its descriptor's number alone: dropping it closes nothing, and the descriptor may
/// be closed, or stand for another file, while it is in use. Every use may therefore fail.
#[derive(Debug)]
pub struct LentSocket(RawFd);

impl LentSocket {
    /// Moves the socket to a number that nothing else uses. It stays open until [`close`](Self::close).
    pub fn new(socket: &UnixStream) -> LentSocket {
        let number = NUMBER_NEXT.fetch_add(1, Ordering::SeqCst);
        put(socket, number);
        LentSocket(number)
    }

    /// Another descriptor for the same open socket, which keeps the socket, and any registration of it
    /// with an epoll instance, alive.
    pub fn duplicate(&self) -> UnixStream {
        self.socket().try_clone().expect("the number is open")
    }

    /// Closes the descriptor, as a stranger would.
    pub fn close(&self) {
        // SAFETY: nothing else owns the number: `new` took it from the numbers that are free.
        drop(unsafe { OwnedFd::from_raw_fd(self.0) });
    }

    /// Makes the number stand for another socket, closing what it stood for, and lends that.
    pub fn becomes(&self, socket: &UnixStream) -> LentSocket {
        put(socket, self.0);
        LentSocket(self.0)
    }

    /// Writes until nothing more fits. The socket must not block.
    pub fn fill(&self) {
        let error = loop {
            if let Err(error) = self.write(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
    }

    /// Reads what is there.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket().read(buffer)
    }

    /// Writes what fits.
    pub fn write(&self, buffer: &[u8]) -> io::Result<usize> {
        self.socket().write(buffer)
    }

    fn socket(&self) -> ManuallyDrop<UnixStream> {
        // SAFETY: the stream is never dropped, so it closes nothing. The number may be closed, and then
        // the system call says so, or stand for another socket of the same test.
        ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(self.0) })
    }
}

impl AsFd for LentSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the number is not -1. That it may be closed while it is borrowed breaks the promise of
        // `BorrowedFd` on purpose, as a program in which someone closes a descriptor twice does.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

fn put(socket: &UnixStream, number: RawFd) {
    // SAFETY: a system call without memory, and `number` is one that only `LentSocket` uses.
    let put = unsafe { libc::dup3(socket.as_raw_fd(), number, libc::O_CLOEXEC) };
    assert_eq!(put, number, "dup3: {}", io::Error::last_os_error());
}
