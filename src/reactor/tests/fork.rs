//! What a forked child does with a source that another thread was at work on.
//!
//! This file may contain `unsafe`: it forks.

#![allow(unsafe_code)]

use std::io::Write;
use std::os::unix::net::UnixStream;

use ticks_format::Direction::Read;

use super::*;
use crate::reactor::current;

/// Seconds after which the kernel ends a child that hangs.
const CHILD_LIMIT_S: u32 = 60;

/// Runs `work` in a forked child. Returns whether it came back with `true`.
fn in_a_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does its work and ends without returning to the test harness. It may allocate:
    // the C library takes the allocator's locks over.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: asks the kernel to end this process, should it hang.
        unsafe { libc::alarm(CHILD_LIMIT_S) };
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(false);
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(i32::from(!worked)) };
    }
    let mut status = 0;
    // SAFETY: `child` is not reaped yet, or fork's -1 for an error, and `status` outlives the call.
    let reaped = unsafe { libc::waitpid(child, &mut status, 0) };
    assert!(child > 0 && reaped == child, "{}", std::io::Error::last_os_error());
    status == 0
}

/// A thread of the parent polled a source at the instant of the fork. The child has what that thread held
/// locked, and not the thread: its first use of the source waited for ever. 3 of some thousand forks hung.
/// The child gives up what it cannot know, who waited, and makes it anew.
#[test]
fn a_child_uses_a_source_that_another_thread_was_at_work_on() {
    let (near, mut far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let source = source(current::get(), &near);
    let (_, waker) = Counter::new();
    let mut parents = WaiterId::NONE;
    let ask = |waiter: &mut WaiterId, waker: &Waker| {
        let mut cx = Context::from_waker(waker);
        source.wait(Read, waiter, &mut cx, &mut Question(IoKind::Stream))
    };
    assert!(ask(&mut parents, &waker).is_pending());

    let other_thread = source.readiness().lock();
    let in_child = || {
        // What a future of the parent's does when it is dropped: it names nobody here.
        source.cancel(Read, parents);
        let ((task, waker), mut own) = (Counter::new(), WaiterId::NONE);
        assert!(ask(&mut own, &waker).is_pending());
        source.cancel(Read, parents);
        far.write_all(b"!").unwrap();
        let reactor = current::get();
        while task.wakes() == 0 {
            if let Some(lock) = reactor.lock().try_lock(Holder::BlockOn) {
                reactor.react(lock, &mut crate::reactor::Round::default(), None, &Alone);
            }
        }
        ask(&mut own, &waker).is_ready()
    };
    // The other thread is in the midst of an `epoll_ctl` as well.
    let used = source.arming().call(|| Ok(in_a_child(in_child))).unwrap();
    drop(other_thread);
    assert!(used, "the child hung, or lost its own waiter");
    source.cancel(Read, parents);
    source.remove();
}

/// A task of another crate's executor waits, and forks. Its wait was counted with the parent's reactor. The
/// child's helper thread saw no outsider there, and let it wait for ten milliseconds and more, each time
/// somebody had stopped to drive.
#[test]
fn a_wait_that_a_child_inherits_is_counted_there() {
    let (near, _far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let source = source(current::get(), &near);
    let (_, waker) = Counter::new();
    let (mut own, mut shared) = (WaiterId::NONE, WaiterId::SHARED);
    let ask = |waiter: &mut WaiterId| {
        let mut cx = Context::from_waker(&waker);
        source.wait(Read, waiter, &mut cx, &mut Question(IoKind::Stream))
    };
    assert!(ask(&mut own).is_pending() && ask(&mut shared).is_pending());
    assert!(current::get().has_outsiders());
    let mut childs = own;
    let counted = in_a_child(|| {
        if current::get().has_outsiders() || ask(&mut childs).is_ready() {
            return false;
        }
        let counted = current::get().has_outsiders();
        source.cancel(Read, childs);
        let still = current::get().has_outsiders();
        source.cancel(Read, WaiterId::SHARED);
        counted && still && !current::get().has_outsiders()
    });
    assert!(counted, "the child's reactor does not know of the wait, or knows of it for ever");
    source.cancel(Read, own);
    source.cancel(Read, WaiterId::SHARED);
    source.remove();
}
