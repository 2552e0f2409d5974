//! What a future keeps of the arguments it was made from.

/// A future that keeps `T`, or a part of it.
///
/// An `async fn` keeps all of its arguments. A function that notes where it was called from cannot be
/// one, because `#[track_caller]` on an `async fn` is not stable; its signature says `impl Future`, and
/// names here the lifetimes that an `async fn`'s would keep without saying. For callers both are the
/// same.
pub trait Captures<T: ?Sized> {}

impl<T: ?Sized, F: ?Sized> Captures<T> for F {}
