//! Several threads want a source watched in another way at once.

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use crate::reactor::source::arming::Arming;
use crate::reactor::source::habit::{Habit, SINGLES_MIN};

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

/// A reader has found one message often enough, and has the source watched by level, while another task
/// begins the first wait to write, which rules that out. What the source is read as is what it is watched
/// as: read as if by level and watched by edge, the second of two messages in an event would stay unread.
#[test]
fn a_wait_to_write_rules_a_level_out_whenever_it_comes() {
    loom::model(|| {
        let (habit, arming) = (Arc::new(Habit::new()), Arc::new(Arming::new()));
        let (writes, watched) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for _ in 1..SINGLES_MIN {
            assert!(!habit.took_the_last());
        }
        let request = {
            let (habit, writes, watched) = (habit.clone(), writes.clone(), watched.clone());
            // As `Source::interest` does it.
            move || {
                let by_level = !writes.load(Ordering::Relaxed) && habit.by_level();
                watched.store(by_level, Ordering::Relaxed);
                Ok(())
            }
        };
        let writer = thread::spawn({
            let (habit, arming, request) = (habit.clone(), arming.clone(), request.clone());
            // As `Source::watch_writes` does it.
            move || {
                habit.rule_out_level();
                writes.store(true, Ordering::Relaxed);
                arming.request(request).unwrap();
            }
        });
        if habit.took_the_last() {
            habit.set_by_level();
            arming.request(request).unwrap();
        }
        writer.join().unwrap();
        assert_eq!(
            habit.by_level(),
            watched.load(Ordering::SeqCst),
            "read as one, watched as another"
        );
    });
}
