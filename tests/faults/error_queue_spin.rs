//! A UDP socket that asks for transmit timestamps gets each into its error queue, and until somebody
//! fetches it there the socket reports `POLLERR` (QUIC and PTP programs live with this all the time).
//! Upstream takes the error for readiness, tries to receive, is told `WouldBlock`, arms the source again
//! and is told of the same error at once: 470,000 receive calls a second and 95 % of a CPU, although
//! nothing has arrived. Ours takes an error for one edge: it is reported once when it comes, and a
//! standing `POLLERR` is no readiness when the kernel is asked.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::future::{poll_fn, Future};
use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::ptr;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::or;
use rustix::event::{poll, PollFd, PollFlags, Timespec};

use crate::util::child::own_process;
use crate::util::poller;

/// The standing error may be met once when it comes and once when asked, and each may cost a second try.
const TRIES_MAX: usize = 8;

/// A socket with a transmit timestamp in its error queue and nothing to read, and its peer.
fn with_a_timestamp_waiting() -> (Async<UdpSocket>, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let flags: libc::c_uint = libc::SOF_TIMESTAMPING_TX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
    // SAFETY: the option's value is an `unsigned int` that lives through the call, its size is passed
    // with it, and the descriptor is open, because `socket` is.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPING,
            ptr::addr_of!(flags).cast(),
            mem::size_of_val(&flags) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    socket.send_to(b"stamp me", peer.local_addr().unwrap()).unwrap();

    let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
    let mut asked = [PollFd::new(&socket, PollFlags::empty())];
    poll(&mut asked, Some(&patience)).unwrap();
    assert_eq!(asked[0].revents(), PollFlags::ERR, "no timestamp came");
    (Async::new(socket).unwrap(), peer)
}

/// Polls `wait` until a timer ends it, and returns how often it was polled.
fn polls_for_a_while(wait: impl Future<Output = io::Result<usize>>) -> usize {
    let mut wait = pin!(wait);
    let mut polls = 0;
    let counted = poll_fn(|cx| {
        polls += 1;
        wait.as_mut().poll(cx).map(Some)
    });
    let timeout = async {
        Timer::after(Duration::from_millis(300)).await;
        None
    };
    let result = block_on(or(counted, timeout));
    assert!(result.is_none(), "nothing was sent, yet {result:?}");
    polls
}

#[test]
fn receiving_does_not_spin() {
    let Some(_watchdog) = own_process("receiving_does_not_spin") else {
        return;
    };
    if !poller::is_edge_triggered("receiving_does_not_spin") {
        return;
    }
    let (socket, _peer) = with_a_timestamp_waiting();
    let mut buffer = [0; 16];
    let polls = polls_for_a_while(async {
        let (length, _from) = socket.recv_from(&mut buffer).await?;
        Ok(length)
    });
    assert!(polls <= TRIES_MAX, "{polls} polls while nothing arrived");
}

#[test]
fn a_closure_of_the_callers_is_not_called_in_a_loop() {
    let Some(_watchdog) = own_process("a_closure_of_the_callers_is_not_called_in_a_loop") else {
        return;
    };
    if !poller::is_edge_triggered("a_closure_of_the_callers_is_not_called_in_a_loop") {
        return;
    }
    let (socket, _peer) = with_a_timestamp_waiting();
    let calls = Cell::new(0);
    let polls = polls_for_a_while(socket.read_with(|socket| {
        calls.set(calls.get() + 1);
        socket.recv(&mut [0; 16])
    }));
    let calls = calls.get();
    assert!(
        calls <= TRIES_MAX && polls <= TRIES_MAX,
        "{calls} calls in {polls} polls while nothing arrived"
    );
}

#[test]
fn waiting_again_after_each_false_alarm_does_not_spin() {
    let Some(_watchdog) = own_process("waiting_again_after_each_false_alarm_does_not_spin") else {
        return;
    };
    if !poller::is_edge_triggered("waiting_again_after_each_false_alarm_does_not_spin") {
        return;
    }
    let (socket, _peer) = with_a_timestamp_waiting();
    let calls = Cell::new(0);
    // The loop that many programs write around `readable()`.
    polls_for_a_while(async {
        loop {
            socket.readable().await?;
            calls.set(calls.get() + 1);
            match socket.get_ref().recv(&mut [0; 16]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    });
    let calls = calls.get();
    assert!(calls <= TRIES_MAX, "{calls} false alarms");
}

#[test]
fn a_datagram_still_arrives() {
    let Some(_watchdog) = own_process("a_datagram_still_arrives") else {
        return;
    };
    let (socket, peer) = with_a_timestamp_waiting();
    let address = socket.get_ref().local_addr().unwrap();
    let send = async {
        Timer::after(Duration::from_millis(20)).await;
        peer.send_to(b"real", address)
    };
    let mut buffer = [0; 16];
    let (received, sent) = block_on(futures_lite::future::zip(socket.recv_from(&mut buffer), send));
    sent.unwrap();
    assert_eq!(received.unwrap().0, 4);
    assert_eq!(&buffer[..4], b"real");
}
