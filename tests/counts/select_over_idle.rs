//! One task watches a hundred connections (a chat room, a monitor, a proxy's control loop) by polling
//! them all whenever it is woken. Each message on one of them makes upstream receive on all the idle
//! ones again, to be told `WouldBlock` as before, and arm each of them again: 200 receive calls and
//! 200 `epoll_ctl` a message. Ours asks each of them once a poll, as it must, or a poll would not see what
//! has come; and it has nothing to arm.
#![cfg(target_os = "linux")]

use std::future::{poll_fn, Future};
use std::io;
use std::net::{TcpStream, UdpSocket};
use std::pin::{pin, Pin};
use std::task::{Context, Poll};

use async_io::{block_on, Async};
use futures_lite::future::zip;
use futures_lite::AsyncRead;

use crate::util;
use crate::util::strace::PerOperation;
use crate::util::{child, poller, strace, watchdog};

const IDLE: usize = 100;

/// One for each idle socket whenever the task is polled, which is twice a message at the most: for the
/// message and for the answer. And some for the two sockets that are not idle.
const RECEIVES_MAX: f64 = 2.0 * IDLE as f64 + 12.0;

/// Runs `work` in a child with N and 2N messages under strace; what one costs, where it can be counted.
fn cost(test: &str, work: impl FnOnce(usize)) -> Option<PerOperation> {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        work(child::count());
        return None;
    }
    if !poller::is_epoll(test) {
        return None;
    }
    strace::per_operation(test, "counted", 50)
}

fn assert_one_receive_a_poll(cost: &PerOperation) {
    let receives = cost.of(&["recvfrom", "recvmsg", "read", "readv", "poll", "ppoll"]);
    assert!(receives <= RECEIVES_MAX, "idle sockets are asked more than once a poll: {cost}");
    let arms = cost.of(&["epoll_ctl"]);
    // A busy machine has another thread drive now and then, whose events find nobody.
    assert!(arms <= 1.0, "idle sockets are armed: {cost}");
}

/// `IDLE` sockets that nobody sends to, one that gets the messages, and the sender's.
struct Sockets {
    all: Vec<Async<UdpSocket>>,
    sender: Async<UdpSocket>,
}

fn sockets() -> Sockets {
    let bind = || Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let all: Vec<_> = (0..=IDLE).map(|_| bind()).collect();
    let sender = bind();
    let active = all[IDLE].get_ref().local_addr().unwrap();
    sender.get_ref().connect(active).unwrap();
    all[IDLE].get_ref().connect(sender.get_ref().local_addr().unwrap()).unwrap();
    Sockets { all, sender }
}

/// Sends one message after the other, each when the one before has been answered.
async fn send(sender: &Async<UdpSocket>, count: usize) -> io::Result<()> {
    for _ in 0..count {
        sender.send(b"message").await?;
        sender.recv(&mut [0; 8]).await?;
    }
    Ok(())
}

#[test]
fn futures_made_anew_for_each_message() {
    let cost = cost("futures_made_anew_for_each_message", |count| {
        let Sockets { all, sender } = sockets();
        let select = async {
            for _ in 0..count {
                let mut buffers = vec![[0; 8]; all.len()];
                let mut receives: Vec<_> = all
                    .iter()
                    .zip(&mut buffers)
                    .map(|(socket, buffer)| Box::pin(socket.recv(buffer)))
                    .collect();
                poll_fn(|cx| first(&mut receives, cx)).await?;
                all[IDLE].send(b"answer").await?;
            }
            io::Result::Ok(())
        };
        let (sent, selected) = block_on(zip(send(&sender, count), select));
        sent.and(selected).unwrap();
    });
    if let Some(cost) = cost {
        assert_one_receive_a_poll(&cost);
    }
}

/// The first of `futures` to be ready; all of them are polled.
fn first<F: Future<Output = io::Result<usize>>>(
    futures: &mut [Pin<Box<F>>],
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut result = Poll::Pending;
    for future in futures {
        if let Poll::Ready(length) = future.as_mut().poll(cx) {
            result = Poll::Ready(length);
        }
    }
    result
}

#[test]
fn a_task_for_each_within_one_future() {
    let cost = cost("a_task_for_each_within_one_future", |count| {
        let Sockets { all, sender } = sockets();
        let tasks = all.iter().map(|socket| async move {
            let mut messages = 0;
            while messages < count {
                messages += 1;
                socket.recv(&mut [0; 8]).await?;
                socket.send(b"answer").await?;
            }
            Ok(messages)
        });
        let mut tasks: Vec<_> = tasks.map(Box::pin).collect();
        let select = poll_fn(|cx| first(&mut tasks, cx));
        let (sent, selected) = block_on(zip(send(&sender, count), select));
        sent.unwrap();
        assert_eq!(selected.unwrap(), count);
    });
    if let Some(cost) = cost {
        assert_one_receive_a_poll(&cost);
    }
}

#[test]
fn streams_read_again_whenever_the_task_is_polled() {
    let cost = cost("streams_read_again_whenever_the_task_is_polled", |count| {
        let pairs: Vec<_> = (0..=IDLE).map(|_| util::tcp_pair().unwrap()).collect();
        let (mut all, mut peers): (Vec<_>, Vec<_>) = pairs
            .into_iter()
            .map(|(near, far)| (Async::new(near).unwrap(), Async::new(far).unwrap()))
            .unzip();
        let sender: Async<TcpStream> = peers.pop().unwrap();
        let mut messages = 0;
        let select = poll_fn(|cx| {
            for stream in &mut all {
                let mut buffer = [0; 8];
                while let Poll::Ready(length) = Pin::new(&mut *stream).poll_read(cx, &mut buffer)? {
                    assert_eq!(length, 8);
                    messages += 1;
                    io::Write::write_all(&mut stream.get_ref(), b"answered")?;
                }
            }
            if messages < count {
                Poll::Pending
            } else {
                Poll::Ready(io::Result::Ok(()))
            }
        });
        let send = async {
            for _ in 0..count {
                sender.write_with(|mut tcp| io::Write::write(&mut tcp, b"question")).await?;
                sender.read_with(|mut tcp| io::Read::read(&mut tcp, &mut [0; 8])).await?;
            }
            io::Result::Ok(())
        };
        let (sent, selected) = block_on(zip(pin!(send), select));
        sent.and(selected).unwrap();
    });
    if let Some(cost) = cost {
        assert_one_receive_a_poll(&cost);
    }
}
