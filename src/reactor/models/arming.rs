//! Several threads want a source watched in another way at once.

use std::task::Waker;

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use ticks_format::{Direction, Key, Ticks};

use crate::reactor::readiness::{Begun, Displaced, Harvest, Readiness, WaiterId};
use crate::reactor::source::arming::Arming;

/// Each of three threads says what it wants and has the poller asked. Whoever does it, and in whatever
/// order: the last request asks for all that is wanted. A thread that began to ask again with a plain
/// store did not see what the third one had said before: that one had found it on the point of doing so.
#[test]
fn the_last_request_is_never_an_old_one() {
    let mut builder = loom::model::Builder::new();
    // Without a bound it takes minutes. The plain store fails with this one.
    builder.preemption_bound = Some(2);
    builder.check(|| {
        let arming = Arc::new(Arming::new());
        let wanted =
            Arc::new([AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false)]);
        // A system call: its own lock orders it. Nothing in a model checks that, so a bit for each.
        let asked = Arc::new(AtomicUsize::new(0));
        let want = |n: usize| {
            let (arming, wanted, asked) = (arming.clone(), wanted.clone(), asked.clone());
            move || {
                wanted[n].store(true, Ordering::Relaxed);
                let request = || {
                    let bit = |n: usize| usize::from(wanted[n].load(Ordering::Relaxed)) << n;
                    asked.store(bit(0) | bit(1) | bit(2), Ordering::Relaxed);
                    Ok(())
                };
                arming.request(request).unwrap();
            }
        };
        let others = [thread::spawn(want(2)), thread::spawn(want(1))];
        want(0)();
        others.into_iter().for_each(|other| other.join().unwrap());
        let asked = asked.load(Ordering::SeqCst);
        assert_eq!(asked, 0b111, "what one of them wanted was not asked for");
    });
}

/// An event finds nobody waiting, and the driver is about to end the watch, while a task begins to wait.
/// What the poller is asked last is to watch.
#[test]
fn a_wait_that_begins_is_watched_whatever_an_event_ended() {
    loom::model(|| {
        let shared = Arc::new((Readiness::new(), Arming::new(), AtomicUsize::new(2)));
        // As `Source::request` does it: 1 is to watch for reading, 0 not to.
        let request = |(readiness, arming, asked): &(Readiness, Arming, AtomicUsize)| {
            let request = || {
                asked.store(usize::from(readiness.watched().0), Ordering::Relaxed);
                Ok(())
            };
            arming.request(request).unwrap();
        };
        let driver = thread::spawn({
            let shared = shared.clone();
            move || {
                let (key, tick) = (Key(0), 1);
                let harvest =
                    Harvest { key, tick, readable: true, writable: false, hung_up: false };
                if shared.0.deliver(harvest, &mut Vec::new()).unwatched {
                    request(&shared);
                }
            }
        });
        let begun = Begun { ticks: Ticks { a: 1, b: 0 }, drained: false };
        let (mut id, mut displaced) = (WaiterId::NONE, Displaced::default());
        let waker = Waker::noop().clone();
        let status = shared.0.begin(Direction::Read, &mut id, begun, waker, None, &mut displaced);
        assert!(!status.ready, "the event is of a round before");
        if !status.watched {
            request(&shared);
        }
        driver.join().unwrap();
        assert_ne!(shared.2.load(Ordering::SeqCst), 0, "the waiter is not watched for");
    });
}
