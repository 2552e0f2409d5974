//! The public futures that only wait: [`Readable`], [`Writable`] and their owned twins.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ticks_format::Direction;

use crate::reactor::attempt::IoKind;
use crate::trace::Place;
use crate::waiting::Ready;
use crate::Async;

/// Declares a future over one kind of handle, in one direction.
macro_rules! waiting_future {
    ($(#[$doc:meta])* $name:ident $([$lifetime:lifetime])? over $handle:ty, $dir:expr) => {
        $(#[$doc])*
        #[must_use = "futures do nothing unless you `.await` or poll them"]
        pub struct $name<$($lifetime,)? T>(Ready<$handle>);

        impl<$($lifetime,)? T> $name<$($lifetime,)? T> {
            /// Asked for at `place`.
            pub(crate) fn new(handle: $handle, place: Place) -> Self {
                $name(Ready::new(handle, $dir, IoKind::of::<T>(), place))
            }
        }

        impl<$($lifetime,)? T> Unpin for $name<$($lifetime,)? T> {}

        impl<$($lifetime,)? T> Future for $name<$($lifetime,)? T> {
            type Output = io::Result<()>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                Pin::new(&mut self.0).poll(cx)
            }
        }

        impl<$($lifetime,)? T> fmt::Debug for $name<$($lifetime,)? T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }
    };
}

waiting_future! {
    /// Waits until an [`Async`] can be read without blocking; made by [`Async::readable`].
    Readable['a] over &'a Async<T>, Direction::Read
}

waiting_future! {
    /// Waits until an [`Async`] can be read without blocking; made by [`Async::readable_owned`].
    ReadableOwned over Arc<Async<T>>, Direction::Read
}

waiting_future! {
    /// Waits until an [`Async`] can be written without blocking; made by [`Async::writable`].
    Writable['a] over &'a Async<T>, Direction::Write
}

waiting_future! {
    /// Waits until an [`Async`] can be written without blocking; made by [`Async::writable_owned`].
    WritableOwned over Arc<Async<T>>, Direction::Write
}
