//! What a round does to those who wait: the rule, isolation, stale keys, arming.

use ticks_format::Direction::{Read, Write};

use super::*;
use crate::poller::{flags, Interest, Level};

const BOTH: Interest = Interest { readable: true, writable: true };

/// An event harvested before the wait began is old news, even when it is delivered after: the
/// operation or the question to the kernel has seen what it stands for.
#[test]
fn an_event_from_before_the_wait_is_not_ready() {
    let (reactor, script) = scripted(Mode::Edge);
    let (fd, (task, waker)) = (socket(), Counter::new());
    let source = source(reactor, &fd);

    script.harvest(&[(source.key(), flags::IN)]);
    round(reactor);
    assert_eq!(poll(&source, Read, &waker), Poll::Pending, "the kernel's answer stands alone");
    round(reactor);
    assert_eq!((poll(&source, Read, &waker), task.wakes()), (Poll::Pending, 0));

    script.harvest(&[(source.key(), flags::IN)]);
    round(reactor);
    assert_eq!((task.wakes(), poll(&source, Read, &waker)), (1, Poll::Ready(())));
}

/// The other direction's events leave a waiter alone, and a hang-up is for both.
#[test]
fn directions_are_apart_until_the_end() {
    let (reactor, script) = scripted(Mode::Edge);
    let (fd, (reader, read), (writer, write)) = (socket(), Counter::new(), Counter::new());
    let source = source(reactor, &fd);
    assert_eq!(poll(&source, Read, &read), Poll::Pending);
    assert_eq!(poll(&source, Write, &write), Poll::Pending);

    script.harvest(&[(source.key(), flags::OUT)]);
    round(reactor);
    assert_eq!((reader.wakes(), writer.wakes()), (0, 1));
    assert_eq!(poll(&source, Write, &write), Poll::Ready(()));
    assert_eq!(poll(&source, Write, &write), Poll::Pending);

    script.harvest(&[(source.key(), flags::HUP)]);
    round(reactor);
    assert_eq!((reader.wakes(), writer.wakes()), (1, 2));
}

/// I5: an event that comes when its source is gone reaches nobody, even if the place was given to
/// another one.
#[test]
fn a_stale_event_is_dropped() {
    let (reactor, script) = scripted(Mode::Edge);
    let (first_fd, second_fd, (task, waker)) = (socket(), socket(), Counter::new());
    let first = source(reactor, &first_fd);
    let stale = first.key();
    first.remove();
    let second = source(reactor, &second_fd);
    assert_eq!(second.key().index(), stale.index());
    assert_ne!(second.key(), stale);
    assert_eq!(poll(&second, Read, &waker), Poll::Pending);

    script.harvest(&[(stale, flags::IN)]);
    round(reactor);
    assert_eq!((task.wakes(), poll(&second, Read, &waker)), (0, Poll::Pending));
}

/// I4: every waker that a round took is woken, whatever the others do.
#[test]
fn a_panic_in_a_waker_costs_the_others_nothing() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a panic that this test wants");
        }
    }
    let (reactor, script) = scripted(Mode::Edge);
    let fds = [socket(), socket(), socket()];
    let sources = fds.each_ref().map(|fd| source(reactor, fd));
    let (task, waker) = Counter::new();
    let wakers = [waker.clone(), Waker::from(Arc::new(Panics)), waker.clone()];
    for (source, waker) in sources.iter().zip(&wakers) {
        assert_eq!(poll(source, Read, waker), Poll::Pending);
    }
    script.harvest(&sources.each_ref().map(|source| (source.key(), flags::IN)));
    round(reactor);
    assert_eq!(task.wakes(), 2);
}

/// Where each wait is armed, the last request is for all who wait, and a failure wakes them all so
/// that they meet the error themselves; the next poll tries again.
#[test]
fn one_shot_arms_for_all_who_wait_and_fails_for_all() {
    let (reactor, script) = scripted(Mode::OneShot);
    let (fd, (reader, read), (_, write)) = (socket(), Counter::new(), Counter::new());
    let source = source(reactor, &fd);
    assert_eq!(poll(&source, Read, &read), Poll::Pending);
    assert_eq!(poll(&source, Write, &write), Poll::Pending);
    let last = |script: &Scripted| script.modified.lock().unwrap().last().copied();
    assert_eq!(last(script), Some((source.key(), BOTH)));

    script.harvest(&[(source.key(), flags::OUT)]);
    round(reactor);
    let still = Interest { readable: true, writable: false };
    assert_eq!(last(script), Some((source.key(), still)), "the reader still waits");

    *script.fails.lock().unwrap() = Some(std::io::ErrorKind::NotFound);
    assert_eq!(poll(&source, Write, &write), Poll::Ready(()), "of the event");
    let mut cx = Context::from_waker(&write);
    let (waiter, mut question) = (&mut WaiterId::SHARED.clone(), Question(IoKind::Plain));
    let failed = source.wait(Write, waiter, &mut cx, &mut question);
    assert!(matches!(failed, Poll::Ready(Err(_))), "{failed:?}");
    assert_eq!(reader.wakes(), 1);

    *script.fails.lock().unwrap() = None;
    assert_eq!(poll(&source, Read, &read), Poll::Ready(()), "to meet the error");
    assert_eq!(poll(&source, Read, &read), Poll::Pending, "and to wait anew");
    assert_eq!(last(script), Some((source.key(), still)));
}

/// A request that the kernel grants needs no event; a pending error counts once, as an event does.
#[test]
fn a_request_asks_the_kernel() {
    let (reactor, script) = scripted(Mode::Edge);
    let (fd, (_, waker)) = (socket(), Counter::new());
    let source = source(reactor, &fd);
    script.set_level(Level::Ready);
    assert_eq!(poll(&source, Read, &waker), Poll::Ready(()));
    assert_eq!(poll(&source, Read, &waker), Poll::Ready(()));

    script.set_level(Level::ErrorAlone);
    assert_eq!(poll(&source, Read, &waker), Poll::Pending, "an error queue is no news");
    script.harvest(&[(source.key(), flags::ERR)]);
    round(reactor);
    assert_eq!(poll(&source, Read, &waker), Poll::Ready(()), "as an event");
    assert_eq!(poll(&source, Read, &waker), Poll::Pending, "once");
    script.harvest(&[(source.key(), flags::ERR)]);
    round(reactor);
    assert_eq!(poll(&source, Read, &waker), Poll::Ready(()));
    script.harvest(&[(source.key(), flags::ERR)]);
    round(reactor);
    assert_eq!(poll(&source, Read, &waker), Poll::Ready(()), "that came while nobody waited");
    assert_eq!(poll(&source, Read, &waker), Poll::Pending, "once");
}

/// A short read has emptied the queue: nothing more is read until an event comes. What comes with
/// the end of the stream in the same harvest is not lost by that.
#[test]
fn a_short_read_waits_without_another_read() {
    let (reactor, script) = scripted(Mode::Edge);
    let (fd, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let (task, waker) = Counter::new();
    let source = source(reactor, &fd);
    let reads = AtomicUsize::new(0);
    let read = |bytes: usize| {
        let mut cx = Context::from_waker(&waker);
        let op = |_| {
            reads.fetch_add(1, Ordering::SeqCst);
            match bytes {
                0 => Err(std::io::ErrorKind::WouldBlock.into()),
                _ => Ok((bytes, bytes < 8)),
            }
        };
        let waiter = &mut WaiterId::SHARED.clone();
        source.wait(Read, waiter, &mut cx, &mut StreamRead(op))
    };
    assert!(read(8).is_ready() && read(5).is_ready());
    assert_eq!(reads.load(Ordering::SeqCst), 2);
    assert!(read(5).is_pending());
    assert_eq!(reads.load(Ordering::SeqCst), 2, "the queue is empty");
    assert!(read(0).is_pending());
    assert_eq!(reads.load(Ordering::SeqCst), 3, "that serves one poll");

    script.harvest(&[(source.key(), flags::IN | flags::RDHUP)]);
    round(reactor);
    assert_eq!(task.wakes(), 1);
    assert!(read(5).is_ready());
    assert!(read(6).is_ready(), "the end of the stream must be looked for");
}

/// What a short read says is said to the task that read, in its next poll, and to nobody else.
#[test]
fn a_short_read_spares_its_own_task_one_read() {
    let (reactor, _script) = scripted(Mode::Edge);
    let (fd, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let source = source(reactor, &fd);
    let (own, other) = (Counter::new().1, Counter::new().1);
    let reads = AtomicUsize::new(0);
    let read = |waker: &Waker| {
        let op = |_| {
            reads.fetch_add(1, Ordering::SeqCst);
            Ok((5, true))
        };
        let waiter = &mut WaiterId::SHARED.clone();
        let mut cx = Context::from_waker(waker);
        source.wait(Read, waiter, &mut cx, &mut StreamRead(op)).is_ready()
    };
    assert!(read(&own) && read(&other), "another task reads");
    assert!(read(&own), "and whoever has read in between, the first one reads again");
    assert_eq!(poll(&source, Read, &own), Poll::Pending, "a question is a look as well");
    assert!(read(&own), "after which nothing is known");
    assert_eq!(reads.load(Ordering::SeqCst), 4);
}

/// A flood: a peer writes to a socket again and again whose task has been woken and is busy. Each of
/// these events ended the driver's wait, for nobody. Now the first of them ends the watch, and the next
/// wait begins it anew: what has come by then is reported to it.
#[test]
fn what_nobody_waits_for_is_not_watched() {
    let (reactor, script) = scripted(Mode::Edge);
    let (fd, (task, waker)) = (socket(), Counter::new());
    let source = source(reactor, &fd);
    let asked = |script: &Scripted| std::mem::take(&mut *script.modified.lock().unwrap());
    let event = || {
        script.harvest(&[(source.key(), flags::IN)]);
        round(reactor);
        asked(script)
    };
    assert_eq!(poll(&source, Read, &waker), Poll::Pending);
    assert_eq!(asked(script), [], "it is watched from the beginning");
    assert_eq!((event(), task.wakes()), (vec![], 1));
    assert_eq!(poll(&source, Read, &waker), Poll::Ready(()));

    assert_eq!(event(), [(source.key(), Interest::NONE)], "nobody waits");
    assert_eq!(event(), [], "one that was under way already");
    assert_eq!(poll(&source, Read, &waker), Poll::Pending);
    let reads = Interest { readable: true, writable: false };
    assert_eq!(asked(script), [(source.key(), reads)]);
    assert_eq!((event(), task.wakes()), (vec![], 2));

    // A reader's events are watched for as long as it waits, whatever becomes of the writer's.
    assert_eq!(poll(&source, Read, &waker), Poll::Ready(()));
    assert_eq!(poll(&source, Read, &waker), Poll::Pending);
    assert_eq!(poll(&source, Write, &waker), Poll::Pending);
    assert_eq!(asked(script), [(source.key(), BOTH)]);
    script.harvest(&[(source.key(), flags::OUT)]);
    round(reactor);
    assert_eq!((asked(script), task.wakes()), (vec![], 3));
    assert_eq!(poll(&source, Write, &waker), Poll::Ready(()));
    script.harvest(&[(source.key(), flags::OUT)]);
    round(reactor);
    assert_eq!((asked(script), task.wakes()), (vec![(source.key(), reads)], 3));
}

/// The same where the busy task has not been polled since it was woken: it waits still, but there is nobody to
/// wake. In the flood nearly all events were of this kind, and 97 rounds in a hundred woke nobody.
#[test]
fn who_is_woken_already_is_not_watched_for() {
    let (reactor, script) = scripted(Mode::Edge);
    let (fd, (task, waker)) = (socket(), Counter::new());
    let source = source(reactor, &fd);
    let asked = |script: &Scripted| std::mem::take(&mut *script.modified.lock().unwrap());
    let event = || {
        script.harvest(&[(source.key(), flags::IN)]);
        round(reactor);
        asked(script)
    };
    assert_eq!(poll(&source, Read, &waker), Poll::Pending);
    assert_eq!((event(), task.wakes()), (vec![], 1));
    assert_eq!(event(), [(source.key(), Interest::NONE)], "it has been woken");
    assert_eq!(event(), [], "one that was under way already");
    assert_eq!(poll(&source, Read, &waker), Poll::Ready(()));
    assert_eq!(asked(script), [], "its wait is over");

    assert_eq!(poll(&source, Read, &waker), Poll::Pending);
    let reads = Interest { readable: true, writable: false };
    assert_eq!(asked(script), [(source.key(), reads)]);
    assert_eq!((event(), task.wakes()), (vec![], 2));

    // Beside it another one waits.
    let (other, other_waker) = Counter::new();
    let mut waiter = WaiterId::NONE;
    let mut cx = Context::from_waker(&other_waker);
    let question = &mut Question(IoKind::Plain);
    assert!(source.wait(Read, &mut waiter, &mut cx, question).is_pending());
    assert_eq!((event(), task.wakes(), other.wakes()), (vec![], 2, 1));
    assert_eq!(event(), [(source.key(), Interest::NONE)], "both have been woken");
}

/// Timers are taken out of the table of wakers some hundred at a time. Each is woken once and in its
/// order, also behind one whose waker panics, and whatever is armed and disarmed meanwhile.
#[test]
fn many_timers_are_woken_in_order_in_one_round() {
    const COUNT: u64 = 1_000;
    /// Tells its number, and then does what a task may do: panic, or arm another timer.
    struct Tells(u64, Arc<Mutex<Vec<u64>>>, &'static Reactor);
    impl Wake for Tells {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
            if self.0 % 2 == 0 {
                self.2.insert_timer(u64::MAX - 1, Waker::noop().clone());
            }
            assert!(self.0 % 300 > 0, "a panic that this test wants");
        }
    }
    let (reactor, _script) = scripted(Mode::Edge);
    let told = Arc::new(Mutex::new(Vec::new()));
    // In no order, two and two together.
    for number in (0..COUNT).map(|n| n * 7 % COUNT) {
        let tells = Tells(number, told.clone(), reactor);
        reactor.insert_timer(number / 2, Waker::from(Arc::new(tells)));
    }
    wait_until_ns(COUNT);
    round(reactor);

    let deadlines: Vec<u64> = told.lock().unwrap().iter().map(|number| number / 2).collect();
    assert_eq!(deadlines, (0..COUNT).map(|n| n / 2).collect::<Vec<_>>());
    told.lock().unwrap().clear();
    round(reactor);
    assert_eq!(*told.lock().unwrap(), [0; 0], "each fires once");
}
