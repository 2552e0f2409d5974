//! `Async<T>`: making, taking apart, readiness, operations, and its traits.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{
    AsRawSocket, AsSocket as AsFd, AsSocket, BorrowedSocket, OwnedSocket as OwnedFd, RawSocket,
};
use std::sync::Arc;
use std::task::{Context, Poll};

use async_io::{Async, IoSafe, Readable, ReadableOwned, Writable, WritableOwned};
use futures_io::{AsyncRead, AsyncWrite};

use crate::assert::{future2, Auto};

fn making<T: AsFd>() {
    let _: fn(T) -> io::Result<Async<T>> = Async::<T>::new;
    let _: fn(T) -> io::Result<Async<T>> = Async::<T>::new_nonblocking;
}

fn taking_apart<T>() {
    let _: fn(&Async<T>) -> &T = Async::<T>::get_ref;
    let _: unsafe fn(&mut Async<T>) -> &mut T = Async::<T>::get_mut;
    let _: fn(Async<T>) -> io::Result<T> = Async::<T>::into_inner;
}

fn readiness<T>() {
    let _: fn(&Async<T>) -> Readable<'_, T> = Async::<T>::readable;
    let _: fn(&Async<T>) -> Writable<'_, T> = Async::<T>::writable;
    let _: fn(Arc<Async<T>>) -> ReadableOwned<T> = Async::<T>::readable_owned;
    let _: fn(Arc<Async<T>>) -> WritableOwned<T> = Async::<T>::writable_owned;
    let _: fn(&Async<T>, &mut Context<'_>) -> Poll<io::Result<()>> = Async::<T>::poll_readable;
    let _: fn(&Async<T>, &mut Context<'_>) -> Poll<io::Result<()>> = Async::<T>::poll_writable;
}

fn readiness_borrows_the_source<'a, T: 'a>() {
    let _: fn(&'a Async<T>) -> Readable<'a, T> = Async::<T>::readable;
    let _: fn(&'a Async<T>) -> Writable<'a, T> = Async::<T>::writable;
}

/// `unused_unsafe` refuses the blocks if one of these becomes safe.
fn mutable_access_is_unsafe(mut stream: Async<TcpStream>) {
    // SAFETY: the stream inside is looked at and stays where it is.
    let _ = unsafe { stream.get_mut() };
    // SAFETY: as above; the future is dropped unpolled.
    drop(unsafe { stream.read_with_mut(|_| Ok(())) });
    // SAFETY: as above; the future is dropped unpolled.
    drop(unsafe { stream.write_with_mut(|_| Ok(())) });
}

/// All are methods, the owned ones by `Arc`.
fn method_syntax(stream: Arc<Async<TcpStream>>, cx: &mut Context<'_>) {
    let _: &TcpStream = stream.get_ref();
    let _: Readable<'_, TcpStream> = stream.readable();
    let _: Writable<'_, TcpStream> = stream.writable();
    let _ = stream.poll_readable(cx);
    let _ = stream.poll_writable(cx);
    let _: ReadableOwned<TcpStream> = stream.clone().readable_owned();
    let _: WritableOwned<TcpStream> = stream.clone().writable_owned();
    let _ = Arc::into_inner(stream).map(|stream| stream.into_inner());
}

/// The result's type is the one generic parameter that a caller can name.
fn operations<'a, T: Auto + 'a, R, Op>()
where
    Op: FnMut(&T) -> io::Result<R> + Auto,
{
    future2::<&'a Async<T>, Op, io::Result<R>, _>(Async::<T>::read_with::<R>);
    future2::<&'a Async<T>, Op, io::Result<R>, _>(Async::<T>::write_with::<R>);
}

fn operations_mut<'a, T: Auto + 'a, R, Op>()
where
    Op: FnMut(&mut T) -> io::Result<R> + Auto,
{
    future2::<&'a mut Async<T>, Op, io::Result<R>, _>(|io, op| {
        // SAFETY: compiled and never run.
        unsafe { io.read_with_mut::<R>(op) }
    });
    future2::<&'a mut Async<T>, Op, io::Result<R>, _>(|io, op| {
        // SAFETY: compiled and never run.
        unsafe { io.write_with_mut::<R>(op) }
    });
}

fn reads_if_the_source_does<T: IoSafe + Read>() {
    is!(Async<T>: AsyncRead);
}

fn writes_if_the_source_does<T: IoSafe + Write>() {
    is!(Async<T>: AsyncWrite);
}

/// A shared reference needs no `IoSafe`: it cannot replace the source.
fn reads_by_reference<'a, T: 'a>()
where
    for<'r> &'r T: Read,
{
    is!(&'a Async<T>: AsyncRead);
}

fn writes_by_reference<'a, T: 'a>()
where
    for<'r> &'r T: Write,
{
    is!(&'a Async<T>: AsyncWrite);
}

fn is_its_source_and_can_be_shown<T: Debug>() {
    let _: fn(&Async<T>) -> &T = AsRef::as_ref;
    is!(Async<T>: Debug);
}

/// `Async<T>` may be made with a shorter lifetime in the place of a longer one.
fn is_covariant<'short>(long: Async<&'static TcpStream>) -> Async<&'short TcpStream> {
    long
}

#[cfg(unix)]
fn is_a_file_descriptor<T: AsFd + AsRawFd>() {
    is!(Async<T>: AsFd);
    is!(Async<T>: AsRawFd);
    is!(Async<T>: polling::AsSource);
    let _: fn(&Async<T>) -> BorrowedFd<'_> = AsFd::as_fd;
    let _: fn(&Async<T>) -> RawFd = AsRawFd::as_raw_fd;
}

#[cfg(windows)]
fn is_a_socket<T: AsSocket + AsRawSocket>() {
    is!(Async<T>: AsSocket);
    is!(Async<T>: AsRawSocket);
    is!(Async<T>: polling::AsSource);
    let _: fn(&Async<T>) -> BorrowedSocket<'_> = AsSocket::as_socket;
    let _: fn(&Async<T>) -> RawSocket = AsRawSocket::as_raw_socket;
}

fn comes_from_an_owned_handle<T: AsFd + From<OwnedFd>>() {
    is!(Async<T>: TryFrom<OwnedFd, Error = io::Error>);
}

fn goes_back_to_an_owned_handle<T: Into<OwnedFd>>() {
    let _: fn(Async<T>) -> io::Result<OwnedFd> = OwnedFd::try_from;
}

/// Reads and writes as a `TcpStream` would, but is not marked as safe to do so.
struct NotIoSafe(TcpStream);

impl Read for NotIoSafe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for NotIoSafe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn needs_io_safe_to_read_and_write() {
    is_not!(Async<NotIoSafe>: AsyncRead);
    is_not!(Async<NotIoSafe>: AsyncWrite);
    is_not!(Async<std::net::TcpListener>: AsyncRead);
    is_not!(Async<std::net::TcpListener>: AsyncWrite);
}

#[test]
fn block_on_takes_any_future_and_names_its_output() {
    // The only generic parameter that a caller can name is the output.
    assert_eq!(async_io::block_on::<u8>(async { 7 }), 7);
    // Neither Send nor 'static nor Unpin is asked for.
    let local = std::rc::Rc::new(std::cell::Cell::new(1));
    let borrowed = &local;
    async_io::block_on(async { borrowed.set(borrowed.get() + 1) });
    assert_eq!(local.get(), 2);
}
