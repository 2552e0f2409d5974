//! `Readable`, `Writable` and their owned twins: futures, shown, and not to be forgotten.

use std::fmt::Debug;
use std::future::{Future, IntoFuture};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use async_io::{Async, Readable, ReadableOwned, Writable, WritableOwned};
use futures_lite::FutureExt;

fn borrowed_ones_are_futures<'a, T: 'a>() {
    is!(Readable<'a, T>: Future<Output = io::Result<()>>);
    let _: fn(Readable<'a, T>) -> Readable<'a, T> = IntoFuture::into_future;
    is!(Readable<'a, T>: FutureExt);
    is!(Writable<'a, T>: Future<Output = io::Result<()>>);
    let _: fn(Writable<'a, T>) -> Writable<'a, T> = IntoFuture::into_future;
    is!(Writable<'a, T>: FutureExt);
}

fn owned_ones_are_futures<T>() {
    is!(ReadableOwned<T>: Future<Output = io::Result<()>>);
    let _: fn(ReadableOwned<T>) -> ReadableOwned<T> = IntoFuture::into_future;
    is!(ReadableOwned<T>: FutureExt);
    is!(WritableOwned<T>: Future<Output = io::Result<()>>);
    let _: fn(WritableOwned<T>) -> WritableOwned<T> = IntoFuture::into_future;
    is!(WritableOwned<T>: FutureExt);
}

/// Whatever the source is: it need not be `Debug` itself.
fn all_can_be_shown<'a, T: 'a>() {
    is!(Readable<'a, T>: Debug);
    is!(Writable<'a, T>: Debug);
    is!(ReadableOwned<T>: Debug);
    is!(WritableOwned<T>: Debug);
}

/// All may stand with a shorter lifetime in the place of a longer one.
fn all_are_covariant<'short>(
    readable: Readable<'static, &'static TcpStream>,
    writable: Writable<'static, &'static TcpStream>,
    readable_owned: ReadableOwned<&'static TcpStream>,
    writable_owned: WritableOwned<&'static TcpStream>,
) {
    let _: Readable<'short, &'short TcpStream> = readable;
    let _: Writable<'short, &'short TcpStream> = writable;
    let _: ReadableOwned<&'short TcpStream> = readable_owned;
    let _: WritableOwned<&'short TcpStream> = writable_owned;
}

/// `unfulfilled_lint_expectations` refuses the one that is no longer `#[must_use]`.
fn all_must_be_used(source: Arc<Async<TcpStream>>) {
    #[expect(unused_must_use)]
    {
        source.readable();
    }
    #[expect(unused_must_use)]
    {
        source.writable();
    }
    #[expect(unused_must_use)]
    {
        source.clone().readable_owned();
    }
    #[expect(unused_must_use)]
    {
        source.writable_owned();
    }
}
