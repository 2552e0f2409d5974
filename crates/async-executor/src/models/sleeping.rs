//! Falling asleep and being woken: whoever makes something findable and whoever stops looking for it.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{check, leak, Flag};
use crate::signal::Signal;
use crate::sleepers::{Nap, Sleepers};
use crate::sync::full_fence;

/// A counter stands for a queue: what is pushed is a task, and whoever takes it has found it.
struct Machine {
    tasks: AtomicUsize,
    sleepers: Sleepers,
}

impl Machine {
    fn new() -> &'static Machine {
        leak(Machine { tasks: AtomicUsize::new(0), sleepers: Sleepers::new() })
    }

    fn push(&self) {
        let tasks = self.tasks.load(Ordering::Relaxed);
        // As in a runner's queue: a plain store, which one thread does.
        self.tasks.store(tasks + 1, Ordering::Release);
        full_fence();
        self.sleepers.notify();
    }

    fn has_tasks(&self) -> bool {
        self.tasks.load(Ordering::Acquire) > 0
    }

    /// As a `run` future ends its search.
    fn end_search(&self) {
        self.sleepers.end_search();
        full_fence();
        if self.has_tasks() {
            self.sleepers.notify();
        }
    }

    /// As a `run` future falls asleep, if it does.
    fn fall_asleep(&self, signal: &'static Signal, waker: &std::task::Waker) -> Option<Nap> {
        assert!(signal.lie_down(waker));
        let nap = self.sleepers.enter(signal);
        if self.has_tasks() {
            self.get_up(signal, nap);
            return None;
        }
        Some(nap)
    }

    /// As it gets up, and has nothing to search for.
    fn get_up(&self, signal: &'static Signal, nap: Nap) {
        signal.rise();
        if self.sleepers.leave(signal, nap).notified {
            self.end_search();
        }
    }
}

#[test]
fn model_a_task_is_seen_or_wakes() {
    check(|| {
        let machine = Machine::new();
        let (flag, waker) = Flag::new();
        let signal = leak(Signal::new());
        let pusher = thread::spawn(|| machine.push());
        let asleep = machine.fall_asleep(signal, &waker);
        pusher.join().unwrap();
        assert!(asleep.is_none() || flag.get() == 1, "asleep, not woken, and there is a task");
        signal.reset();
    });
}

/// One is notified, and finds nothing: somebody else has taken the task. The next task must find whoever
/// sleeps then.
#[test]
fn model_a_search_in_vain_hides_no_task() {
    check(|| {
        let machine = Machine::new();
        let (flag, waker) = Flag::new();
        let signal = leak(Signal::new());
        let nap = machine.fall_asleep(signal, &waker).unwrap();
        machine.push();
        assert_eq!(flag.get(), 1);
        machine.tasks.store(0, Ordering::SeqCst);

        let pusher = thread::spawn(|| machine.push());
        // Polled: it finds nothing, or the new task, and falls asleep again if it does not.
        signal.rise();
        assert!(machine.sleepers.leave(signal, nap).notified);
        let mut found = machine.has_tasks();
        if !found {
            machine.end_search();
            found = machine.has_tasks() || machine.fall_asleep(signal, &waker).is_none();
        }
        pusher.join().unwrap();
        assert!(found || flag.get() == 2, "asleep, not woken, and there is a task");
        signal.reset();
    });
}

/// Two sleep. The one that was notified goes without looking, and passes it on.
#[test]
fn model_a_notification_is_passed_on() {
    check(|| {
        let machine = Machine::new();
        let (flags, wakers): (Vec<Arc<Flag>>, Vec<_>) =
            [(); 2].map(|()| Flag::new()).into_iter().unzip();
        let signals = [(); 2].map(|()| leak(Signal::new()));
        let naps = [0, 1].map(|n| machine.fall_asleep(signals[n], &wakers[n]).unwrap());
        let pusher = thread::spawn(|| machine.push());
        // As a `run` future is dropped, the second of them: it may have been notified or not.
        machine.get_up(signals[1], naps[1]);
        pusher.join().unwrap();
        assert_eq!(flags[0].get(), 1, "the first is left, and there is a task");
        signals.iter().for_each(|signal| signal.reset());
    });
}

/// The main future is woken while its `run` falls asleep, and there is a task at the same time.
#[test]
fn model_the_main_future_is_woken() {
    check(|| {
        let (flag, waker) = Flag::new();
        let signal = leak(Signal::new());
        let wakers = [(); 2].map(|()| signal.waker());
        let wakers = wakers.map(|waker| thread::spawn(move || waker.wake()));
        let asleep = signal.lie_down(&waker);
        wakers.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(signal.is_woken());
        // One of the two has woken whoever polls, and not both.
        assert_eq!(flag.get(), usize::from(asleep));
        signal.reset();
    });
}
