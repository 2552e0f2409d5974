//! A poll that does not come back: the only thread that uses the reactor tries a receive again and again, and
//! drops each wait that it begins, as code does that has a deadline of its own. It drives nobody's
//! reactor meanwhile, its own included. The helper thread leaves the only user alone while it begins one wait
//! after the other, because it may have many tasks to poll; were that without end, nobody would ever harvest
//! the event of this one.

use std::io::Write;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncReadExt};

use crate::util::child::own_process;
use crate::util::{socket_and_peer, tcp_pair};

/// Looks in vain after a message was sent, with a nap of a millisecond after each. It took up to 130.
const LOOKS_MAX: usize = 6;

/// Several of the helper's looks.
const SILENCE: Duration = Duration::from_millis(100);

#[test]
fn a_poll_that_tries_again_and_again_is_served() {
    let Some(_watchdog) = own_process("a_poll_that_tries_again_and_again_is_served") else {
        return;
    };
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = socket.get_ref().local_addr().unwrap();
    let sender = thread::spawn(move || {
        thread::sleep(SILENCE);
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"at last", address).unwrap();
    });
    let received = block_on(async {
        let mut buffer = [0; 16];
        loop {
            // Ready or not, this does not leave the poll.
            if let Some(received) = future::poll_once(socket.recv(&mut buffer)).await {
                return received.map(|len| buffer[..len].to_vec());
            }
            thread::sleep(Duration::from_micros(50));
        }
    });
    assert_eq!(received.unwrap(), b"at last");
    sender.join().unwrap();
}

/// A game's loop: in each frame the thread sleeps by a timer, then looks whether a message has come, and does
/// not wait for one. A look that had found nothing left the socket known to be empty, and as nobody did a
/// round until the helper thread came by, the looks that followed found nothing either, though the message
/// was there.
fn looks_in_vain(mut look: impl FnMut() -> bool, mut send: impl FnMut()) -> usize {
    let looks = (0..6).map(|_| {
        // Longer than the helper thread looks closely after it has found something to do.
        block_on(Timer::after(Duration::from_millis(80)));
        assert!(!look(), "nothing was sent");
        send();
        let mut vain = 0;
        while !look() {
            vain += 1;
            thread::sleep(Duration::from_millis(1));
        }
        vain
    });
    looks.max().expect("there are some")
}

#[test]
fn a_thread_that_looks_once_a_frame_sees_what_has_come() {
    let Some(_watchdog) = own_process("a_thread_that_looks_once_a_frame_sees_what_has_come") else {
        return;
    };
    let (socket, sender) = socket_and_peer().unwrap();
    let look = || {
        let looked = block_on(future::poll_once(socket.recv(&mut [0; 8])));
        looked.map(|received| assert_eq!(received.unwrap(), 5)).is_some()
    };
    let vain = looks_in_vain(look, || assert_eq!(sender.send(b"frame").unwrap(), 5));
    assert!(vain <= LOOKS_MAX, "{vain} looks in vain");
}

/// The same through the poll functions, where nothing tells that nobody waits any longer.
#[test]
fn a_thread_that_looks_at_a_stream_once_a_frame_sees_what_has_come() {
    let Some(_watchdog) =
        own_process("a_thread_that_looks_at_a_stream_once_a_frame_sees_what_has_come")
    else {
        return;
    };
    let (stream, mut peer) = tcp_pair().unwrap();
    let mut stream = Async::new(stream).unwrap();
    let look = || {
        let looked = block_on(future::poll_once(stream.read(&mut [0; 8])));
        looked.map(|read| assert_eq!(read.unwrap(), 5)).is_some()
    };
    let vain = looks_in_vain(look, || peer.write_all(b"frame").unwrap());
    assert!(vain <= LOOKS_MAX, "{vain} looks in vain");
}

/// A wait that was given up after the reactor had turned left the socket known to be empty, and the looks that
/// followed, in the same turn, all relied on that.
#[test]
fn looks_after_a_timeout_see_what_has_come() {
    let Some(_watchdog) = own_process("looks_after_a_timeout_see_what_has_come") else {
        return;
    };
    let (socket, sender) = socket_and_peer().unwrap();
    let vain = block_on(async {
        let timeout = async {
            Timer::after(Duration::from_millis(20)).await;
            None
        };
        let mut buffer = [0; 8];
        let received = async { Some(socket.recv(&mut buffer).await) };
        assert!(future::or(received, timeout).await.is_none(), "nothing was sent");
        sender.send(b"late").unwrap();
        let mut vain = 0;
        while future::poll_once(socket.recv(&mut [0; 8])).await.is_none() {
            vain += 1;
            thread::sleep(Duration::from_millis(1));
        }
        vain
    });
    assert!(vain <= 1, "{vain} looks in vain");
}
