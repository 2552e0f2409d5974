//! libp2p's listener, a UDP sender under tokio and Slint's event loop met it: smol-rs/async-io #62,
//! #78, #156, #220 and slint #12962. Their tasks call `poll_readable` or `poll_writable` and come back
//! to it some time after they are woken. Upstream counts a reactor round before it waits, so the event
//! that woke the task bears the very tick that the task remembered, and is taken for old; and it takes
//! the ticks anew at every poll, so the next event is always too old as well. A socket that stays
//! readable is then polled for ever: 4,575 polls in a second at 100 µs a poll, and never ready.
//! Ours counts a round when the wait returns, takes a waiter's ticks once, when it begins to wait, and
//! asks the kernel then. So a socket that is ready is found ready at the first poll, and one that
//! becomes ready at the second; a message costs one wake and one poll.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Async};

use crate::util::child::own_process;
use crate::util::{bounded, counting_waker, tcp_pair};

/// What a poll of these tasks costs.
const COST: Duration = Duration::from_micros(100);

/// Where a test that counts polls gives up. Upstream gets here at once.
const POLLS_MAX: usize = 2_000;

/// How often each wait is tried: upstream gets through some of them.
const ROUNDS: usize = 20;

/// Keeps the processor busy, as a poll with work to do does; a sleep would take longer than asked.
fn work() {
    let end = Instant::now() + COST;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// Runs a task of one wait on a slow executor of its own. Returns how many polls the wait took, or
/// [`POLLS_MAX`]. `asleep` is called once, when the task has gone to sleep for the first time.
fn polls_until_ready(
    wait: impl Fn(&mut Context<'_>) -> Poll<io::Result<()>>,
    asleep: impl FnOnce(),
) -> usize {
    let mut asleep = Some(asleep);
    let mut polls = 0;
    bounded::finish(
        "the task that waits for a ready socket",
        poll_fn(|cx| {
            polls += 1;
            let ready = wait(cx);
            if ready.is_pending() {
                if let Some(asleep) = asleep.take() {
                    asleep();
                }
            }
            work();
            if polls < POLLS_MAX {
                ready
            } else {
                Poll::Ready(Ok(()))
            }
        }),
    )
    .expect("the wait succeeds");
    polls
}

#[test]
fn a_readable_socket_is_ready_at_once() {
    let Some(_watchdog) = own_process("a_readable_socket_is_ready_at_once") else {
        return;
    };
    let (near, mut far) = tcp_pair().unwrap();
    far.write_all(b"x").unwrap();
    near.peek(&mut [0]).unwrap();
    let near = Async::new(near).unwrap();
    let polls = [(); ROUNDS].map(|()| polls_until_ready(|cx| near.poll_readable(cx), || ()));
    assert_eq!(polls, [1; ROUNDS], "polls in each round");
}

#[test]
fn a_writable_socket_is_ready_at_once() {
    let Some(_watchdog) = own_process("a_writable_socket_is_ready_at_once") else {
        return;
    };
    let socket = Async::<UdpSocket>::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let polls = [(); ROUNDS].map(|()| polls_until_ready(|cx| socket.poll_writable(cx), || ()));
    assert_eq!(polls, [1; ROUNDS], "polls in each round");
}

#[test]
fn a_socket_that_becomes_readable_is_ready_at_the_second_poll() {
    let Some(_watchdog) = own_process("a_socket_that_becomes_readable_is_ready_at_the_second_poll")
    else {
        return;
    };
    let (near, mut far) = tcp_pair().unwrap();
    let near = Async::new(near).unwrap();
    let polls = [(); ROUNDS].map(|()| {
        let send = || far.write_all(b"x").expect("a byte is sent");
        let polls = polls_until_ready(|cx| near.poll_readable(cx), send);
        near.get_ref().read_exact(&mut [0]).expect("the byte is there");
        polls
    });
    assert_eq!(polls, [2; ROUNDS], "polls in each round");
}

#[test]
fn a_listener_accepts_in_two_polls() {
    let Some(_watchdog) = own_process("a_listener_accepts_in_two_polls") else {
        return;
    };
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let polls = [(); ROUNDS].map(|()| {
        let mut client = None;
        let connect = || client = Some(TcpStream::connect(address).expect("the listener is there"));
        let polls = polls_until_ready(|cx| listener.poll_readable(cx), connect);
        block_on(listener.accept()).expect("the client is accepted");
        polls
    });
    assert_eq!(polls, [2; ROUNDS], "polls for each accept");
}

/// The GUI loop: a wake posts a message to the loop, and the loop polls the task when it gets to it.
/// The sender waits for the reader to have gone to sleep, so every message must cost one wake and one
/// poll, and one more poll begins the first wait. Upstream has not received the first after 2,000 polls.
#[test]
fn a_message_costs_one_wake_and_one_poll() {
    let Some(_watchdog) = own_process("a_message_costs_one_wake_and_one_poll") else {
        return;
    };
    const MESSAGES: usize = 50;
    let (near, mut far) = tcp_pair().unwrap();
    let near = Async::new(near).unwrap();
    let (asleep, sleeps) = mpsc::channel();
    let sender = thread::spawn(move || {
        for message in 0..MESSAGES {
            sleeps.recv().expect("the reader goes to sleep");
            far.write_all(&[message as u8]).expect("a byte is sent");
        }
        far
    });

    let (waker, wakes) = counting_waker();
    let mut got = Vec::new();
    let mut polls = 0;
    while got.len() < MESSAGES {
        let before = wakes.get();
        polls += 1;
        assert!(polls < POLLS_MAX, "{} messages took {polls} polls", got.len());
        let mut slept = false;
        while near.poll_readable(&mut Context::from_waker(&waker)).is_ready() {
            let mut buffer = [0; 16];
            match near.get_ref().read(&mut buffer) {
                Ok(len) => got.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("the read failed: {error}"),
            }
            slept = true;
        }
        if got.len() < MESSAGES {
            if slept || polls == 1 {
                asleep.send(()).expect("the sender waits");
            }
            bounded::until("a message wakes the reader", || wakes.get() > before);
            work();
        }
    }
    // The end of the stream, which closing the sender's socket sends, would be one more wake.
    let _open = sender.join().unwrap();
    assert!(got.iter().enumerate().all(|(index, byte)| index == *byte as usize), "{got:?}");
    assert_eq!((polls, wakes.get()), (MESSAGES + 1, MESSAGES), "polls and wakes");
}
