//! [`IoSafe`]: a promise about `Read` and `Write`.
//!
//! This file may contain `unsafe`: it makes the promise for std's types.

#![allow(unsafe_code)]
// `async_io_pipe` is set where the standard library has them.
#![allow(clippy::incompatible_msrv)]

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, LineWriter, Read, Write};
use std::net::TcpStream;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// Types whose [`Read`] and [`Write`] leave their descriptor what and where it is.
///
/// [`Async`](crate::Async) implements `AsyncRead` and `AsyncWrite` for what is `IoSafe`, because
/// these hand out the inner value to change.
///
/// # Safety
///
/// Implementations of `Read` and `Write` must not close the descriptor or put another one in its
/// place.
pub unsafe trait IoSafe {}

/// Each promise stands on the one fact in its doc.
macro_rules! io_safe {
    ($( $(#[$attr:meta])* $type:ty, )*) => { $(
        // SAFETY: std's implementations of `Read` and `Write` for this type use its descriptor,
        // and have no means to change it.
        $(#[$attr])* unsafe impl IoSafe for $type {}
    )* };
}

io_safe! {
    File,
    TcpStream,
    io::Stdin,
    io::StdinLock<'_>,
    io::Stdout,
    io::StdoutLock<'_>,
    io::Stderr,
    io::StderrLock<'_>,
    ChildStdin,
    ChildStdout,
    ChildStderr,
    #[cfg(unix)]
    std::os::unix::net::UnixStream,
    #[cfg(async_io_pipe)]
    io::PipeReader,
    #[cfg(async_io_pipe)]
    io::PipeWriter,
}

// SAFETY: only the inner type's own implementation is called, which makes the promise.
unsafe impl<T: IoSafe + Read> IoSafe for BufReader<T> {}
// SAFETY: only the inner type's own implementation is called, which makes the promise.
unsafe impl<T: IoSafe + Write> IoSafe for BufWriter<T> {}
// SAFETY: only the inner type's own implementation is called, which makes the promise.
unsafe impl<T: IoSafe + Write> IoSafe for LineWriter<T> {}
// SAFETY: only the inner type's own implementation is called, which makes the promise.
unsafe impl<T: IoSafe + ?Sized> IoSafe for &mut T {}
// SAFETY: only the inner type's own implementation is called, which makes the promise.
unsafe impl<T: IoSafe + ?Sized> IoSafe for Box<T> {}
// SAFETY: only the inner type's own implementation is called, which makes the promise.
unsafe impl<T: Clone + IoSafe> IoSafe for Cow<'_, T> {}
// SAFETY: a shared reference has no means to put another descriptor into its target.
unsafe impl<T: ?Sized> IoSafe for &T {}
