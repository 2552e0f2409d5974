//! Names every public item of async-io 2.6.0 with its exact type.
//!
//! A drop-in that lacks an item, or has it with another type, bound, auto trait or `#[must_use]`,
//! does not compile here: the assertions are function pointer coercions, trait bounds, ambiguous
//! trait paths (for what must *not* hold) and expected lints. The tests have nothing left to do
//! when they run.
//!
//! Where an assertion is generic over `T`, it holds for every `T` and not for the handful that
//! somebody thought of.

#![deny(
    // `unsafe { … }` around a function that has become safe.
    unused_unsafe,
    // `#[expect(unused_must_use)]` on an item that is no longer `#[must_use]`.
    unfulfilled_lint_expectations,
    // `cfg!(feature = "…")` of a feature that does not exist.
    unexpected_cfgs
)]
// The generic assertions are checked where they stand; nobody calls them. Their lifetimes are named
// in the bodies only, and no future in them is there to be polled.
#![allow(dead_code, clippy::extra_unused_lifetimes, clippy::let_underscore_future)]

#[macro_use]
mod assert;

mod async_io;
mod auto_traits;
mod io_safe;
mod net;
mod readiness;
mod timer;

#[cfg(unix)]
mod os_unix;
#[cfg(unix)]
mod unix;

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
))]
mod kqueue;
#[cfg(windows)]
mod windows;

#[test]
fn the_tracing_feature_exists() {
    // Both values compile; a feature that is not declared is refused by `unexpected_cfgs`.
    let _ = cfg!(feature = "tracing");
}
