//! Two `Async` values share one descriptor, one after the other: `Async<Arc<UdpSocket>>`, dropped on one
//! thread while another one registers the same socket anew. The drop gave up the descriptor before it told
//! the kernel. The new value, which came in between, met `EEXIST`, took that for a registration of its own, and
//! then lost it to the first one's `EPOLL_CTL_DEL`: its reader slept for ever. Now the kernel is told first.
#![cfg(unix)]

use std::net::UdpSocket;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future;

use crate::util::child::own_process;

/// Each try meets the instant between the two steps with some luck.
const TRIES: usize = 4_000;

#[test]
fn a_registration_outlives_the_drop_of_the_one_before() {
    let test = "a_registration_outlives_the_drop_of_the_one_before";
    let Some(_watchdog) = own_process(test) else {
        return;
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(socket.local_addr().unwrap()).unwrap();
    let socket = Arc::new(socket);
    for n in 0..TRIES {
        let first = Async::new(socket.clone()).unwrap();
        let together = Barrier::new(2);
        let second = thread::scope(|scope| {
            scope.spawn(|| {
                together.wait();
                drop(first);
            });
            together.wait();
            // Refused for as long as the first one is registered.
            loop {
                if let Ok(second) = Async::new(socket.clone()) {
                    break second;
                }
            }
        });
        if n % 100 > 0 && !is_doubtful(&second) {
            continue;
        }
        receives(&second, &sender, n);
    }
}

/// Whether the kernel does not know the socket: then another registration of it would not be refused.
fn is_doubtful(second: &Async<Arc<UdpSocket>>) -> bool {
    Async::new(second.get_ref().clone()).is_ok()
}

/// The reader waits first, and is woken by what comes.
fn receives(socket: &Async<Arc<UdpSocket>>, sender: &UdpSocket, n: usize) {
    let received = block_on(async {
        let receives = async {
            let received = socket.read_with(|socket| socket.recv(&mut [0; 8])).await;
            Some(received.unwrap())
        };
        let sends = async {
            Timer::after(Duration::from_millis(1)).await;
            sender.send(b"wake").unwrap();
            Timer::after(Duration::from_secs(20)).await;
            None
        };
        future::or(receives, sends).await
    });
    assert_eq!(received, Some(4), "try {n}: the reader sleeps for ever");
}
