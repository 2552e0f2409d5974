//! [`Timer`]: a point in time, or one after another, to wait for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_lite::stream::Stream;

use crate::reactor::timers::TimerKey;
use crate::reactor::{clock, current, wakes};
use crate::trace::{self, Place};
use crate::{driver, fork};

/// A future that completes at an instant, or a stream that yields at intervals.
///
/// It yields the instant it was due. A timer that is cleared, has fired without an interval, or lies
/// beyond what [`Instant`] can hold is unarmed and waits for ever, until it is set again: the task
/// that polled it last is then woken when it fires.
///
/// Timers never fire early. Of timers that are due at the same instant the one that began to wait
/// first fires first.
///
/// # Cancel safety
///
/// A timer that is dropped is disarmed at once, and its task's waker with it.
///
/// # Examples
///
/// ```
/// use async_io::Timer;
/// use futures_lite::StreamExt;
/// use std::time::Duration;
///
/// # futures_lite::future::block_on(async {
/// Timer::after(Duration::from_millis(1)).await;
///
/// let ticks: Vec<_> = Timer::interval(Duration::from_millis(1)).take(3).collect().await;
/// assert_eq!(ticks[2] - ticks[1], Duration::from_millis(1));
/// # });
/// ```
#[derive(Debug)]
pub struct Timer {
    /// When it is due; `None`: never.
    when: Option<Instant>,
    /// The interval between two firings.
    period: Period,
    /// The task that polled it last. It is woken when the timer fires, also if the timer is set anew
    /// before the next poll. `None`: nobody has polled it since it last yielded.
    waker: Option<Waker>,
    /// Where it is armed, with the reactor of this fork.
    armed: Option<TimerKey>,
    /// Where it was made.
    place: Place,
}

/// The interval between two firings, in nanoseconds. It is half the size of a [`Duration`], and every
/// timer has one. An interval that does not fit is longer than 584 years, which is never.
#[derive(Clone, Copy, Debug)]
struct Period(u64);

impl Period {
    const NEVER: Period = Period(u64::MAX);

    fn of(duration: Duration) -> Period {
        Period(u64::try_from(duration.as_nanos()).unwrap_or(Period::NEVER.0))
    }

    fn after(self, when: Instant) -> Option<Instant> {
        match self.0 {
            u64::MAX => None,
            ns => when.checked_add(Duration::from_nanos(ns)),
        }
    }
}

impl Timer {
    /// A timer that never fires, until it is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::Duration;
    ///
    /// # futures_lite::future::block_on(async {
    /// let mut timer = Timer::never();
    /// assert!(!timer.will_fire());
    /// timer.set_after(Duration::from_millis(1));
    /// timer.await;
    /// # });
    /// ```
    #[track_caller]
    pub fn never() -> Timer {
        Timer::new(None, Period::NEVER, Place::here())
    }

    /// A timer that fires once, after a duration. One that [`Instant`] cannot hold never passes.
    #[track_caller]
    pub fn after(duration: Duration) -> Timer {
        Timer::after_at(duration, Place::here())
    }

    /// A timer that fires once, at an instant; at once if that has passed.
    #[track_caller]
    pub fn at(instant: Instant) -> Timer {
        Timer::new(Some(instant), Period::NEVER, Place::here())
    }

    /// A timer that fires again and again, for the first time after one period.
    #[track_caller]
    pub fn interval(period: Duration) -> Timer {
        Timer::new(Instant::now().checked_add(period), Period::of(period), Place::here())
    }

    /// A timer that fires at an instant, and again after each period.
    #[track_caller]
    pub fn interval_at(start: Instant, period: Duration) -> Timer {
        Timer::new(Some(start), Period::of(period), Place::here())
    }

    /// As [`after`](Self::after), asked for at `place`.
    pub(crate) fn after_at(duration: Duration, place: Place) -> Timer {
        Timer::new(Instant::now().checked_add(duration), Period::NEVER, place)
    }

    fn new(when: Option<Instant>, period: Period, place: Place) -> Timer {
        Timer { when, period, waker: None, armed: None, place }
    }

    /// Whether the timer is going to fire: it is set, and has not fired for the last time.
    pub fn will_fire(&self) -> bool {
        self.when.is_some()
    }

    /// Sets when the timer fires next, a duration from now. An interval keeps its period, and the
    /// task that waits goes on waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// # futures_lite::future::block_on(async {
    /// let start = Instant::now();
    /// let mut timer = Timer::after(Duration::from_secs(3_600));
    /// timer.set_after(Duration::from_millis(1));
    /// assert!(timer.await < start + Duration::from_secs(60));
    /// # });
    /// ```
    pub fn set_after(&mut self, duration: Duration) {
        self.set(Instant::now().checked_add(duration), self.period);
    }

    /// Sets when the timer fires next. An interval keeps its period, and the task that waits goes on
    /// waiting.
    pub fn set_at(&mut self, instant: Instant) {
        self.set(Some(instant), self.period);
    }

    /// Sets the timer to fire again and again, for the first time after one period.
    pub fn set_interval(&mut self, period: Duration) {
        self.set(Instant::now().checked_add(period), Period::of(period));
    }

    /// Sets the timer to fire at an instant, and again after each period.
    pub fn set_interval_at(&mut self, start: Instant, period: Duration) {
        self.set(Some(start), Period::of(period));
    }

    /// Unsets the timer: it will not fire until it is set again.
    pub fn clear(&mut self) {
        self.set(None, self.period);
    }

    fn set(&mut self, when: Option<Instant>, period: Period) {
        self.disarm();
        (self.when, self.period) = (when, period);
        if let Some(waker) = self.waker.clone() {
            self.arm(self.deadline_ns(), waker);
        }
    }

    #[inline]
    fn disarm(&mut self) {
        let Some(key) = self.armed() else { return };
        self.armed = None;
        if let Some((waker, deadline_ns)) = current::get().timers().remove(key) {
            trace::timer_remove(key.id(), deadline_ns);
            wakes::drop_contained(Some(waker));
        }
    }

    /// Where it is armed. In a forked child the parent's reactor is left alone.
    #[inline]
    fn armed(&self) -> Option<TimerKey> {
        self.armed.filter(|key| key.forks == fork::count())
    }

    #[inline]
    fn deadline_ns(&self) -> Option<u64> {
        self.when.and_then(clock::ns_of)
    }

    /// Has the task woken when the timer is due, if it ever is.
    #[inline]
    fn arm(&mut self, deadline_ns: Option<u64>, waker: Waker) {
        match deadline_ns {
            Some(deadline_ns) => {
                trace::timer_begins(self.place);
                self.armed = Some(current::get().insert_timer(deadline_ns, waker));
                driver::ensure_helper();
            }
            None => wakes::drop_contained(Some(waker)),
        }
    }

    /// Waits, or goes on waiting, for the polling task.
    fn wait(&mut self, deadline_ns: Option<u64>, cx: &mut Context<'_>) {
        let _asks = trace::asks_timer(deadline_ns);
        let same_task = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if !same_task {
            let other = self.waker.replace(cx.waker().clone());
            wakes::drop_contained(other);
        }
        let timers = current::get().timers();
        match self.armed() {
            Some(key) if same_task && timers.is_armed(key) => {}
            Some(key) => match timers.replace(key, cx.waker().clone()) {
                Ok(other) => {
                    trace::timer_task(key.id(), cx.waker());
                    wakes::drop_contained(other);
                }
                // It has fired just now: this task is the one to be woken.
                Err(waker) => waker.wake(),
            },
            None => self.arm(deadline_ns, cx.waker().clone()),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
        wakes::drop_contained(self.waker.take());
    }
}

impl Future for Timer {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        match self.as_mut().poll_next(cx) {
            Poll::Ready(Some(when)) => Poll::Ready(when),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Stream for Timer {
    type Item = Instant;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        let this = self.get_mut();
        let deadline_ns = this.deadline_ns();
        match this.when {
            Some(when) if !clock::is_far(deadline_ns) && when <= Instant::now() => {
                this.disarm();
                wakes::drop_contained(this.waker.take());
                this.when = this.period.after(when);
                Poll::Ready(Some(when))
            }
            _ => {
                this.wait(deadline_ns, cx);
                Poll::Pending
            }
        }
    }
}
