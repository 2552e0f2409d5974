//! Assertions that are checked by compiling them.

use std::future::Future;
use std::panic::RefUnwindSafe;

use futures_lite::Stream;

/// What the futures and streams of 2.6.0 are, as long as their inputs are it too.
pub trait Auto: Send + Sync + RefUnwindSafe {}

impl<T: ?Sized + Send + Sync + RefUnwindSafe> Auto for T {}

/// `f` takes exactly `A` and returns a future of `O`.
pub fn future1<A, O, F>(_: impl FnOnce(A) -> F)
where
    F: Future<Output = O> + Auto,
{
}

/// `f` takes exactly `A` and `B` and returns a future of `O`.
pub fn future2<A, B, O, F>(_: impl FnOnce(A, B) -> F)
where
    F: Future<Output = O> + Auto,
{
}

/// `f` takes exactly `A`, `B` and `C` and returns a future of `O`.
pub fn future3<A, B, C, O, F>(_: impl FnOnce(A, B, C) -> F)
where
    F: Future<Output = O> + Auto,
{
}

/// `f` takes exactly `A` and returns a stream of `I`.
pub fn stream1<A, I, S>(_: impl FnOnce(A) -> S)
where
    S: Stream<Item = I> + Auto,
{
}

/// The type implements the traits.
macro_rules! is {
    ($type:ty: $($bound:tt)+) => {{
        fn is<T: ?Sized + $($bound)+>() {}
        is::<$type>();
    }};
}

/// The type does not implement the trait.
///
/// Both impls apply to a type that does, so that the path is ambiguous and does not compile.
macro_rules! is_not {
    ($type:ty: $($bound:tt)+) => {{
        trait AmbiguousIfImplemented<A> {
            fn item() {}
        }
        struct Implemented;
        impl<T: ?Sized> AmbiguousIfImplemented<()> for T {}
        impl<T: ?Sized + $($bound)+> AmbiguousIfImplemented<Implemented> for T {}
        <$type as AmbiguousIfImplemented<_>>::item();
    }};
}

/// The type has no interior mutability (`core::marker::Freeze`, which stable Rust cannot name).
///
/// A constant cannot refer to data with interior mutability; of an associated constant of a trait
/// the compiler looks at the type and not at the value.
macro_rules! is_freeze {
    ($type:ty) => {{
        trait Uninit: Sized {
            const UNINIT: std::mem::MaybeUninit<Self>;
        }
        impl Uninit for $type {
            const UNINIT: std::mem::MaybeUninit<Self> = std::mem::MaybeUninit::uninit();
        }
        const _: &std::mem::MaybeUninit<$type> = &<$type as Uninit>::UNINIT;
    }};
}
