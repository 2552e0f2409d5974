//! A connection's idle timer begins as `never()`, is polled along with everything else, and is set when
//! the first request comes in. Upstream keeps a timer's waker together with its place in the reactor, and
//! an unarmed timer has no place: the waker of that poll is forgotten, `set_after` arms for nobody, and the
//! task is never woken. So it is after the timer fired and after `clear()`. And after `clear()` an older
//! waker may still be kept: the timer then wakes the task that once polled it, not the one that did last.
//! Ours remembers the waker of the last poll that was told `Pending`, armed or not, and arms for that.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::Timer;

use crate::util::{bounded, counting_waker, watchdog};

/// Long enough for the test to poll a timer before it fires. Nothing is asserted about it.
const SOON: Duration = Duration::from_millis(50);
const FAR: Duration = Duration::from_secs(3600);

/// A way to arm a timer, and its name.
type Arm = fn(&mut Timer);

const ARMS: [(&str, Arm); 4] = [
    ("set_after", |timer| timer.set_after(SOON)),
    ("set_at", |timer| timer.set_at(Instant::now() + SOON)),
    ("set_interval", |timer| timer.set_interval(SOON)),
    ("set_interval_at", |timer| timer.set_interval_at(Instant::now() + SOON, FAR)),
];

fn poll(timer: &mut Timer, waker: &Waker) -> Poll<Instant> {
    Pin::new(timer).poll(&mut Context::from_waker(waker))
}

fn pending(timer: &mut Timer, waker: &Waker) {
    bounded::pending("the timer", waker, |cx| Pin::new(timer).poll(cx));
}

/// For each way of arming: makes a timer that is not armed, lets a task poll it, arms it, and expects that
/// the task is woken and then finds the timer fired.
fn the_last_task_is_woken(mut unarmed: impl FnMut() -> Timer) {
    for (name, arm) in ARMS {
        let mut timer = unarmed();
        let (waker, wakes) = counting_waker();
        pending(&mut timer, &waker);
        arm(&mut timer);
        bounded::until(&format!("the task is woken after {name}"), || wakes.get() > 0);
        assert!(poll(&mut timer, &waker).is_ready(), "woken after {name}, and not fired");
    }
}

#[test]
fn a_timer_that_was_never_set_wakes_its_task() {
    let _watchdog = watchdog("a_timer_that_was_never_set_wakes_its_task");
    the_last_task_is_woken(Timer::never);
}

#[test]
fn a_timer_that_fired_wakes_its_task_when_set_again() {
    let _watchdog = watchdog("a_timer_that_fired_wakes_its_task_when_set_again");
    the_last_task_is_woken(|| {
        let mut timer = Timer::after(Duration::ZERO);
        bounded::finish("a timer without delay", &mut timer);
        assert!(!timer.will_fire());
        timer
    });
}

#[test]
fn a_cleared_timer_wakes_its_task_when_set_again() {
    let _watchdog = watchdog("a_cleared_timer_wakes_its_task_when_set_again");
    the_last_task_is_woken(|| {
        let mut timer = Timer::after(FAR);
        timer.clear();
        assert!(!timer.will_fire());
        timer
    });
}

#[test]
fn a_cleared_timer_wakes_the_task_that_polled_last() {
    let _watchdog = watchdog("a_cleared_timer_wakes_the_task_that_polled_last");
    for (name, arm) in ARMS {
        let mut timer = Timer::after(FAR);
        let (older, older_wakes) = counting_waker();
        let (last, last_wakes) = counting_waker();
        pending(&mut timer, &older);
        timer.clear();
        pending(&mut timer, &last);
        arm(&mut timer);
        bounded::until(&format!("a task is woken after {name}"), || {
            last_wakes.get() + older_wakes.get() > 0
        });
        assert_eq!(older_wakes.get(), 0, "wakes of the older task after {name}");
        assert!(poll(&mut timer, &last).is_ready(), "woken after {name}, and not fired");
    }
}

/// The timer moves to another task in between, unarmed: the task that it left is none of its business.
#[test]
fn a_timer_moved_while_unarmed_wakes_its_new_task() {
    let _watchdog = watchdog("a_timer_moved_while_unarmed_wakes_its_new_task");
    let mut timer = Timer::never();
    let (left, left_wakes) = counting_waker();
    pending(&mut timer, &left);
    bounded::elsewhere("the new task", move || {
        let (waker, wakes) = counting_waker();
        pending(&mut timer, &waker);
        timer.set_after(SOON);
        bounded::until("the new task is woken", || wakes.get() > 0);
        assert!(poll(&mut timer, &waker).is_ready(), "woken, and not fired");
    });
    assert_eq!(left_wakes.get(), 0, "wakes of the task that the timer left");
}

/// No poll comes between. Upstream keeps the waker here, and the repair must not lose it.
#[test]
fn a_timer_cleared_and_set_wakes_without_another_poll() {
    let _watchdog = watchdog("a_timer_cleared_and_set_wakes_without_another_poll");
    for (name, arm) in ARMS {
        let mut timer = Timer::after(FAR);
        let (waker, wakes) = counting_waker();
        pending(&mut timer, &waker);
        timer.clear();
        arm(&mut timer);
        bounded::until(&format!("the task is woken after {name}"), || wakes.get() > 0);
        assert!(poll(&mut timer, &waker).is_ready(), "woken after {name}, and not fired");
    }
}
