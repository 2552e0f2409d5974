//! The other half of a descriptor closed twice: its number is soon given to the next socket. Upstream
//! arms by number at each wait and in each round where one direction still waits. So an event of the
//! old socket, whose registration a duplicate keeps alive, gives the stranger's registration the old
//! source's key: the stranger's task is never woken again, and the stranger's events go to the old source
//! or, when that is gone, to whoever was given its key.
//! And when the old source goes, it takes out what the number stands for now.
//! Ours knows whose registration a number is, and changes it for nobody else; and its keys have a generation,
//! so that what a removed source left behind in the kernel reaches nobody.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::os::unix::net::UnixStream;

use async_io::Async;

use crate::util::child::own_process;
use crate::util::lent_fd::LentSocket;
use crate::util::{bounded, counting_waker};

/// Returns when the reactor has gone through a round with an event that happened after this call.
fn wait_for_an_event() {
    let (source, mut peer) = UnixStream::pair().unwrap();
    let source = Async::new(source).unwrap();
    let (waker, wakes) = counting_waker();
    bounded::pending("a new source", &waker, |cx| source.poll_readable(cx));
    peer.write_all(b"x").unwrap();
    bounded::until("a reader is woken", || wakes.get() > 0);
}

#[test]
fn the_next_owner_of_a_number_is_woken() {
    let Some(_watchdog) = own_process("the_next_owner_of_a_number_is_woken") else {
        return;
    };
    for round in 0..5 {
        let (old, mut old_peer) = UnixStream::pair().unwrap();
        let old = Async::new(LentSocket::new(&old)).unwrap();
        let (reader, reads) = counting_waker();
        let (writer, _writes) = counting_waker();
        old.get_ref().fill();
        bounded::pending("the old source", &reader, |cx| old.poll_readable(cx));
        bounded::pending("the old source", &writer, |cx| old.poll_writable(cx));

        let _keeps_the_registration = old.get_ref().duplicate();
        let (next, mut next_peer) = UnixStream::pair().unwrap();
        let next = Async::new(old.get_ref().becomes(&next)).unwrap();
        let (next_reader, next_reads) = counting_waker();
        bounded::pending("the next source", &next_reader, |cx| next.poll_readable(cx));

        old_peer.write_all(b"x").unwrap();
        bounded::until("the old source's reader is woken", || reads.get() > 0);
        assert_eq!(next_reads.get(), 0, "the next owner woke for the old in round {round}");
        next_peer.write_all(b"x").unwrap();
        bounded::until("the next owner's reader is woken", || next_reads.get() > 0);
        bounded::finish("the next owner's wait", next.readable()).unwrap();
        assert_eq!(next.get_ref().read(&mut [0; 2]).unwrap(), 1);
    }
}

/// The old owner goes after its number was given away: what it takes out is not its own any more.
#[test]
fn the_end_of_the_old_source_leaves_the_next_owner() {
    let Some(_watchdog) = own_process("the_end_of_the_old_source_leaves_the_next_owner") else {
        return;
    };
    for _ in 0..5 {
        let (old, _old_peer) = UnixStream::pair().unwrap();
        let old = Async::new(LentSocket::new(&old)).unwrap();
        let (next, mut next_peer) = UnixStream::pair().unwrap();
        let next = Async::new(old.get_ref().becomes(&next)).unwrap();
        let (reader, reads) = counting_waker();
        bounded::pending("the next source", &reader, |cx| next.poll_readable(cx));

        drop(old);
        next_peer.write_all(b"x").unwrap();
        bounded::until("the next owner's reader is woken", || reads.get() > 0);
        bounded::finish("the next owner's wait", next.readable()).unwrap();
    }
}

#[test]
fn what_a_removed_source_left_behind_reaches_nobody() {
    let Some(_watchdog) = own_process("what_a_removed_source_left_behind_reaches_nobody") else {
        return;
    };
    for round in 0..5 {
        let (old, mut old_peer) = UnixStream::pair().unwrap();
        let old = Async::new(LentSocket::new(&old)).unwrap();
        let (reader, _reads) = counting_waker();
        bounded::pending("the old source", &reader, |cx| old.poll_readable(cx));
        let _keeps_the_registration = old.get_ref().duplicate();
        old.get_ref().close();
        drop(old);

        // One of them has the old source's place in the reactor.
        let (reader, reads) = counting_waker();
        let (newcomers, mut peers): (Vec<_>, Vec<_>) = (0..8)
            .map(|_| {
                let (newcomer, peer) = UnixStream::pair().unwrap();
                (Async::new(newcomer).unwrap(), peer)
            })
            .unzip();
        for newcomer in &newcomers {
            bounded::pending("a newcomer", &reader, |cx| newcomer.poll_readable(cx));
        }
        old_peer.write_all(b"x").unwrap();

        // The first may be harvested together with the removed source's event, the second comes later.
        for _ in 0..2 {
            wait_for_an_event();
        }
        assert_eq!(reads.get(), 0, "a newcomer was woken for the removed source in round {round}");

        for peer in &mut peers {
            peer.write_all(b"x").unwrap();
        }
        bounded::until("the newcomers are woken", || reads.get() >= newcomers.len());
        assert_eq!(reads.get(), newcomers.len(), "wakes of the newcomers in round {round}");
    }
}

/// The old source had lost its number before anybody waited for it. Its next wait relied on a registration
/// that was gone: its reader slept for ever. It is told now.
#[test]
fn a_wait_that_begins_after_the_number_was_lost_is_refused() {
    let test = "a_wait_that_begins_after_the_number_was_lost_is_refused";
    let Some(_watchdog) = own_process(test) else {
        return;
    };
    let (old, _old_peer) = UnixStream::pair().unwrap();
    let old = Async::new(LentSocket::new(&old)).unwrap();
    let (next, _next_peer) = UnixStream::pair().unwrap();
    let _next = Async::new(old.get_ref().becomes(&next)).unwrap();
    let error = bounded::finish("the old source's wait", old.readable()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
}
