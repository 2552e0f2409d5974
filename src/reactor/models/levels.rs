//! A source that is watched by level, and comes to be watched by edge, while it is read.

use std::task::Waker;

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;
use ticks_format::{Direction, Key};

use super::flag;
use crate::reactor::readiness::{Displaced, Harvest, Readiness, WaiterId};
use crate::reactor::source::habit::Habit;

/// A source that is watched by level, with two messages in its queue, and its kernel.
struct Levels {
    readiness: Readiness,
    ticker: AtomicU64,
    habit: Habit,
    kernel: Mutex<Queue>,
}

struct Queue {
    messages: usize,
    by_level: bool,
    /// An edge that nobody has harvested yet.
    edge: bool,
}

impl Levels {
    fn new() -> Arc<Levels> {
        let habit = Habit::new();
        habit.set_by_level();
        Arc::new(Levels {
            readiness: Readiness::new(),
            ticker: AtomicU64::new(0),
            habit,
            kernel: Mutex::new(Queue { messages: 2, by_level: true, edge: false }),
        })
    }

    /// Reads until it waits, as `Source::poll_plain` does it.
    fn read_all(&self, waker: &Waker) {
        let (dir, mut id) = (Direction::Read, WaiterId::SHARED);
        loop {
            let mut displaced = Displaced::default();
            let look = self.readiness.look(dir, id, waker, &mut displaced);
            if look.is_some_and(|look| !look.ready) {
                return;
            }
            let now = self.ticker.load(Ordering::Acquire);
            let again = waker.clone();
            let begun = self.readiness.begin_blocked(dir, &mut id, now, again, &mut displaced);
            if begun.is_some() {
                return;
            }
            let ticks = self.readiness.ticks(&self.ticker, dir);
            let found = {
                let mut kernel = self.kernel.lock().unwrap();
                let found = kernel.messages > 0;
                kernel.messages -= usize::from(found);
                found
            };
            if !found {
                let waker = waker.clone();
                let look = self.readiness.begin(dir, &mut id, ticks, true, waker, &mut displaced);
                if !look.ready {
                    return;
                }
            } else if self.habit.by_level() {
                self.readiness.taken_for_empty(dir, ticks);
            }
        }
    }

    /// A round, as `Source::deliver` and what follows it do it. `reports`: a source that changes over
    /// is reported if it is ready then.
    fn round(&self, reports: bool) {
        let harvested = {
            let mut kernel = self.kernel.lock().unwrap();
            match kernel.by_level {
                true => kernel.messages > 0,
                false => std::mem::take(&mut kernel.edge),
            }
        };
        let tick = self.ticker.load(Ordering::Relaxed) + 1;
        self.ticker.store(tick, Ordering::Release);
        if !harvested {
            return;
        }
        let (key, readable, writable, hung_up) = (Key(0), true, false, false);
        let harvest = Harvest { key, tick, readable, writable, hung_up };
        let mut wakers = Vec::new();
        if self.readiness.deliver(harvest, &mut wakers) == 0 && self.habit.by_level() {
            self.habit.set_by_edge();
            let mut kernel = self.kernel.lock().unwrap();
            kernel.by_level = false;
            kernel.edge = reports && kernel.messages > 0;
        }
        wakers.into_iter().for_each(|woken| woken.waker.wake());
    }
}

/// A task takes one of two messages, and takes it for the last one, while the reactor turns and, having
/// found nobody to wake, has the source watched by edge again. When all is quiet both were read.
fn a_message_taken_for_the_last(reports: bool) {
    loom::model(move || {
        let source = Levels::new();
        let (task, waker) = flag();
        let reactor = thread::spawn({
            let source = source.clone();
            move || source.round(reports)
        });
        source.read_all(&waker);
        reactor.join().unwrap();
        for _ in 0..4 {
            source.round(reports);
            if task.0.swap(0, Ordering::SeqCst) > 0 {
                source.read_all(&waker);
            }
        }
        assert_eq!(source.kernel.lock().unwrap().messages, 0, "the wake-up was lost");
    });
}

#[test]
fn a_message_taken_for_the_last_hides_no_other() {
    a_message_taken_for_the_last(true);
}

/// That the kernel reports at the change-over what is ready then is what it takes.
#[test]
#[should_panic(expected = "the wake-up was lost")]
fn a_silent_change_over_hides_a_message() {
    a_message_taken_for_the_last(false);
}
