//! Sources that are watched by level: when they come to that, what it saves, what ends it.

use std::task::Poll;

use ticks_format::Direction::{Read, Write};

use super::*;
use crate::poller::{flags, Interest};

/// Reads messages from a source whose kernel queue is `queue`, and counts the reads.
struct Reader {
    source: Arc<Source>,
    task: Arc<Counter>,
    waker: Waker,
    queue: AtomicUsize,
    reads: AtomicUsize,
}

impl Reader {
    fn new(reactor: &'static Reactor, fd: &impl AsRawFd) -> Reader {
        let ((task, waker), source) = (Counter::new(), source(reactor, fd));
        Reader { source, task, waker, queue: AtomicUsize::new(0), reads: AtomicUsize::new(0) }
    }

    /// So many messages arrive, in one event.
    fn arrive(&self, script: &Scripted, count: usize, reactor: &'static Reactor) {
        self.queue.fetch_add(count, Ordering::SeqCst);
        script.harvest(&[(self.source.key(), flags::IN)]);
        round(reactor);
    }

    /// One message, with the shared waiter.
    fn read(&self) -> Poll<()> {
        self.read_as(&mut WaiterId::SHARED.clone())
    }

    fn read_as(&self, waiter: &mut WaiterId) -> Poll<()> {
        let op = || {
            self.reads.fetch_add(1, Ordering::SeqCst);
            let taken = |queue: usize| queue.checked_sub(1);
            let taken = self.queue.fetch_update(Ordering::SeqCst, Ordering::SeqCst, taken);
            taken.map(drop).map_err(|_| std::io::ErrorKind::WouldBlock.into())
        };
        let mut cx = Context::from_waker(&self.waker);
        let rest = |_: &()| Rest::PerhapsEmpty;
        let poll = self.source.poll_operation(Read, waiter, Nature::Plain, &mut cx, op, rest);
        poll.map(|result| result.expect("the script has no error here"))
    }

    /// Reads until it has to wait.
    fn read_all(&self) {
        while self.read().is_ready() {}
    }

    /// Messages come one at a time until the source is watched by level.
    fn get_used_to_singles(&self, script: &Scripted, reactor: &'static Reactor) {
        self.read_all();
        while !self.source.is_by_level() {
            self.arrive(script, 1, reactor);
            self.read_all();
        }
    }
}

/// By level, a message that is read is taken to be the last one, and the next wait tells if not.
#[test]
fn by_level_a_message_waits_without_another_read() {
    let (reactor, script) = scripted(Mode::Edge);
    let reader = Reader::new(reactor, &socket());
    reader.get_used_to_singles(script, reactor);
    let by_level = Interest { readable: true, writable: false, by_level: true };
    assert_eq!(*script.modified.lock().unwrap(), [(reader.source.key(), by_level)]);

    let (reads, wakes) = (reader.reads.load(Ordering::SeqCst), reader.task.wakes());
    reader.arrive(script, 2, reactor);
    reader.read_all();
    assert_eq!(reader.reads.load(Ordering::SeqCst), reads + 1, "one of two");
    reader.arrive(script, 0, reactor);
    reader.read_all();
    assert_eq!(reader.queue.load(Ordering::SeqCst), 0, "the kernel has told of the other one");
    assert_eq!(reader.reads.load(Ordering::SeqCst), reads + 2);
    assert_eq!(reader.task.wakes(), wakes + 2);
    assert_eq!(script.modified.lock().unwrap().len(), 1);
}

/// What a level reports again and again must be about to be read: else each round would bring it, and
/// none would sleep.
#[test]
fn by_level_an_event_for_nobody_ends_it() {
    let by_edge = Interest::in_changes(true, false);
    for hangs_up in [false, true] {
        let (reactor, script) = scripted(Mode::Edge);
        let reader = Reader::new(reactor, &socket());
        reader.get_used_to_singles(script, reactor);
        if hangs_up {
            script.harvest(&[(reader.source.key(), flags::IN | flags::HUP)]);
            round(reactor);
        } else {
            reader.arrive(script, 2, reactor);
            assert!(reader.read().is_ready());
            assert!(reader.source.is_by_level());
            reader.arrive(script, 0, reactor);
        }
        assert!(!reader.source.is_by_level());
        let last = script.modified.lock().unwrap().last().copied();
        assert_eq!(last, Some((reader.source.key(), by_edge)));
        reader.read_all();
        assert_eq!(reader.queue.load(Ordering::SeqCst), 0, "read on without another event");
    }
}

/// By level, room to write would be reported in each round.
#[test]
fn a_wait_to_write_ends_watching_by_level() {
    let (reactor, script) = scripted(Mode::Edge);
    let reader = Reader::new(reactor, &socket());
    reader.get_used_to_singles(script, reactor);
    assert_eq!(poll(&reader.source, Write, &reader.waker), Poll::Pending);
    let last = script.modified.lock().unwrap().last().copied();
    assert_eq!(last, Some((reader.source.key(), Interest::in_changes(true, true))));
    for _ in 0..200 {
        reader.arrive(script, 1, reactor);
        reader.read_all();
    }
    assert_eq!(script.modified.lock().unwrap().len(), 2, "for good");
}

/// The poller no longer has the source: whoever waits is woken to meet that, nobody for ever.
#[test]
fn a_change_over_that_fails_wakes_those_who_wait() {
    let (reactor, script) = scripted(Mode::Edge);
    let reader = Reader::new(reactor, &socket());
    reader.get_used_to_singles(script, reactor);
    let (other, waker) = Counter::new();
    assert_eq!(poll(&reader.source, Read, &waker), Poll::Pending);
    assert_eq!(reader.read(), Poll::Pending);
    *script.fails.lock().unwrap() = Some(std::io::ErrorKind::NotFound);
    script.harvest(&[(reader.source.key(), flags::IN | flags::ERR)]);
    round(reactor);
    assert_eq!((other.wakes(), reader.source.is_by_level()), (1, false));
    assert_eq!(reader.read(), Poll::Pending);
    reader.arrive(script, 1, reactor);
    reader.read_all();
    assert_eq!(reader.queue.load(Ordering::SeqCst), 0);
}

/// A driver has taken an event of a source that is watched by level, for nobody, and is about to have it
/// watched by edge when its owner, on another thread, takes the socket out of its `Async` and puts it into
/// a new one. The new source has the number of the old one's descriptor and the index of its key, by which
/// alone it was looked up: so the old source armed the new one's registration with its own key, and every
/// event of the new source was dropped as a stranger's.
#[test]
fn a_source_that_is_gone_does_not_arm_the_next_one_of_its_place() {
    let (reactor, script) = scripted(Mode::Edge);
    let fd = socket();
    let reader = Reader::new(reactor, &fd);
    reader.get_used_to_singles(script, reactor);
    let armed = script.modified.lock().unwrap().len();
    let old = reader.source.clone();
    reader.source.remove();
    let next = source(reactor, &fd);
    assert_eq!((next.key().index(), next.number()), (old.key().index(), old.number()));
    old.arm_again(reactor, &mut Vec::new());
    let modified = script.modified.lock().unwrap()[armed..].to_vec();
    assert_eq!(modified, [], "of {:?}, whose key is {:?}", old.key(), next.key());
}

/// Whoever looks at a queue now and then, without waiting, takes what is there in one go.
#[test]
fn a_cancelled_wait_ends_watching_by_level() {
    let (reactor, script) = scripted(Mode::Edge);
    let reader = Reader::new(reactor, &socket());
    for n in 0..1_000 {
        let mut waiter = WaiterId::NONE;
        while reader.read_as(&mut waiter).is_ready() {}
        assert!(!reader.source.is_by_level(), "after {n}");
        reader.source.cancel(Read, waiter);
        reader.arrive(script, 1, reactor);
    }

    reader.get_used_to_singles(script, reactor);
    let mut waiter = WaiterId::NONE;
    assert!(reader.read_as(&mut waiter).is_pending());
    reader.source.cancel(Read, waiter);
    assert!(!reader.source.is_by_level());
    reader.arrive(script, 3, reactor);
    reader.read_all();
    assert_eq!(reader.queue.load(Ordering::SeqCst), 0, "all three");
}
