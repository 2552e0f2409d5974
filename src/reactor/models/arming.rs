//! Several threads want a source watched in another way at once.

use std::task::Waker;

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use ticks_format::{Direction, Key, Ticks};

use crate::poller::arming::Arming;
use crate::poller::Interest;
use crate::reactor::readiness::{Begun, Displaced, Harvest, Readiness, WaiterId, Watch};

/// Each of two threads says what it wants and has the poller asked. Whatever the order: the last request asks
/// for all that is wanted. Without the look afterwards, a thread that has read what is wanted before the other
/// one's change makes its request after it.
#[test]
fn the_last_request_is_never_an_old_one() {
    loom::model(|| {
        let arming = Arc::new(Arming::new());
        let wanted = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        // A system call: the arming's lock orders it.
        let asked = Arc::new(AtomicUsize::new(0));
        let want = |n: usize| {
            let (arming, wanted, asked) = (arming.clone(), wanted.clone(), asked.clone());
            move || {
                wanted[n].store(true, Ordering::Relaxed);
                let interest = || Interest {
                    readable: wanted[0].load(Ordering::Relaxed),
                    writable: wanted[1].load(Ordering::Relaxed),
                };
                let request = |interest: Interest| {
                    let bits = usize::from(interest.readable) | usize::from(interest.writable) << 1;
                    arming.call(|| {
                        asked.store(bits, Ordering::Relaxed);
                        Ok(())
                    })
                };
                arming.request(interest, request).unwrap();
            }
        };
        let other = thread::spawn(want(1));
        want(0)();
        other.join().unwrap();
        let asked = asked.load(Ordering::SeqCst);
        assert_eq!(asked, 0b11, "what one of them wanted was not asked for");
    });
}

/// A driver changes what is watched, by the descriptor's number, while the owner removes the source and closes
/// the descriptor. No call by the number is under way at the close, and none begins after it.
#[test]
fn no_call_by_the_number_outlives_the_arming() {
    loom::model(|| {
        let shared = Arc::new((Arming::new(), AtomicBool::new(false)));
        let driver = thread::spawn({
            let shared = shared.clone();
            move || {
                let (arming, closed) = &*shared;
                let call = || {
                    assert!(!closed.load(Ordering::Relaxed), "the number is another one's");
                    thread::yield_now();
                    assert!(!closed.load(Ordering::Relaxed), "it was closed under the call");
                    Ok(())
                };
                let _ = arming.call(call);
            }
        });
        let (arming, closed) = &*shared;
        assert!(arming.end(), "nobody has ended it before");
        closed.store(true, Ordering::Relaxed);
        driver.join().unwrap();
    });
}

/// An event finds nobody waiting, and the driver is about to end the watch, while a task begins to wait.
/// What the poller is asked last is to watch.
#[test]
fn a_wait_that_begins_is_watched_whatever_an_event_ended() {
    loom::model(|| {
        let shared = Arc::new((Readiness::new(), Arming::new(), AtomicUsize::new(2)));
        // As `Source::arm` does it: 1 is to watch for reading, 0 not to.
        let request = |(readiness, arming, asked): &(Readiness, Arming, AtomicUsize)| {
            let interest =
                || Interest { readable: readiness.watched()[0] == Watch::On, writable: false };
            let request = |interest: Interest| {
                arming.call(|| {
                    asked.store(usize::from(interest.readable), Ordering::Relaxed);
                    Ok(())
                })
            };
            arming.request(interest, request).unwrap();
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
        if status.watch != Watch::On {
            request(&shared);
        }
        driver.join().unwrap();
        assert_ne!(shared.2.load(Ordering::SeqCst), 0, "the waiter is not watched for");
    });
}
