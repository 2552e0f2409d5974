//! `Timer`: making, setting again, a future, a stream.

use std::fmt::Debug;
use std::future::{Future, IntoFuture};
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::{FutureExt, Stream, StreamExt};

#[test]
fn functions() {
    let _: fn() -> Timer = Timer::never;
    let _: fn(Duration) -> Timer = Timer::after;
    let _: fn(Instant) -> Timer = Timer::at;
    let _: fn(Duration) -> Timer = Timer::interval;
    let _: fn(Instant, Duration) -> Timer = Timer::interval_at;
    let _: fn(&Timer) -> bool = Timer::will_fire;
    let _: fn(&mut Timer) = Timer::clear;
    let _: fn(&mut Timer, Duration) = Timer::set_after;
    let _: fn(&mut Timer, Instant) = Timer::set_at;
    let _: fn(&mut Timer, Duration) = Timer::set_interval;
    let _: fn(&mut Timer, Instant, Duration) = Timer::set_interval_at;
}

#[test]
fn traits() {
    is!(Timer: Debug);
    is!(Timer: Future<Output = Instant>);
    is!(Timer: IntoFuture<Output = Instant, IntoFuture = Timer>);
    is!(Timer: FutureExt);
    is!(Timer: Stream<Item = Instant>);
    is!(Timer: StreamExt);
    assert!(std::mem::needs_drop::<Timer>(), "Timer implements Drop");
}

/// 2.6.0 marks none of these `#[must_use]`: a program that denies warnings and sets a timer in a
/// field's initialiser, or drops one at once, compiles.
#[deny(unused_must_use)]
fn may_be_left_unused(timer: &mut Timer) {
    Timer::never();
    Timer::after(Duration::ZERO);
    timer.will_fire();
}
