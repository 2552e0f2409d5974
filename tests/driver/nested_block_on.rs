//! Tasks that block: under `async_io::block_on`, a thread waits in another crate's `block_on` for a message,
//! and so drives nobody's reactor, its own included. The helper thread does it for such a thread, which it
//! cannot tell from one that computes. It once looked every 10 ms only, and again for each message, when
//! there was a second thread that had ever used the reactor, and it once let go at each event of any socket that
//! nobody waited for: messages came 18 and up to 70 ms late.

use std::net::UdpSocket;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future;

use crate::util::child::own_process;
use crate::util::naps::Naps;
use crate::util::records::Keeper;
use crate::util::{poller, socket_and_peer};

static KEEPER: Keeper = Keeper::new();

const MS: Duration = Duration::from_millis(1);

/// During a quick message, where it was 16. As in faults/busy_block_on.rs, no clock is asked.
const NAPS_MAX: usize = 8;

/// Waits in another crate's `block_on` for a message that is about to be sent.
fn receive(socket: &Async<UdpSocket>) {
    assert_eq!(future::block_on(socket.recv(&mut [0; 8])).unwrap(), 1);
}

/// Once the helper has had to drive for the thread, it goes on with that.
#[test]
fn what_nobody_waits_for_does_not_end_the_helpers_drive() {
    let test = "what_nobody_waits_for_does_not_end_the_helpers_drive";
    let Some(_watchdog) = own_process(test) else {
        return;
    };
    if !poller::is_epoll(test) {
        return;
    }
    let (socket, peer) = socket_and_peer().unwrap();
    let (_unread, noise) = socket_and_peer().unwrap();
    let _logger = log::set_logger(&KEEPER);
    log::set_max_level(log::LevelFilter::Trace);
    let (next, wanted) = mpsc::channel();
    let sender = thread::spawn(move || {
        for number in wanted {
            for _ in 0..number {
                noise.send(b"-").unwrap();
                thread::sleep(MS);
            }
            peer.send(b"!").unwrap();
        }
    });
    let ask = |number| {
        next.send(number).unwrap();
        receive(&socket);
    };
    let drives = || KEEPER.take().iter().filter(|line| line.text.starts_with("drive:+")).count();
    block_on(async {
        ask(0);
        drives();
        for _ in 0..20 {
            ask(3);
        }
    });
    let drives = drives();
    log::set_max_level(log::LevelFilter::Off);
    drop(next);
    sender.join().unwrap();
    // A few until the first message, if the machine is slow; for each message it was three.
    assert!(drives <= 10, "the helper began to drive {drives} times for 20 messages");
}

/// How often another thread naps during each of the messages, in order.
fn naps_during_messages() -> Vec<usize> {
    let (socket, peer) = socket_and_peer().unwrap();
    let (next, wanted) = mpsc::channel();
    let sender = thread::spawn(move || {
        for () in wanted {
            thread::sleep(MS / 10);
            peer.send(b"!").unwrap();
        }
    });
    let mut all = Naps::beside(|naps| {
        block_on(async {
            let mut all = Vec::new();
            for _ in 0..60 {
                // The thread drives itself in between.
                Timer::after(2 * MS).await;
                all.push(naps.during(|| {
                    next.send(()).unwrap();
                    receive(&socket);
                }));
            }
            all
        })
    });
    drop(next);
    sender.join().unwrap();
    all.sort_unstable();
    all
}

/// A second thread, which has used the reactor and does nothing with it now, changes nothing.
#[test]
fn a_second_thread_does_not_make_messages_late() {
    let Some(_watchdog) = own_process("a_second_thread_does_not_make_messages_late") else {
        return;
    };
    let (end, ended) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let idle = thread::spawn(move || {
        block_on(Timer::after(MS));
        tell.send(()).unwrap();
        let _ = ended.recv();
    });
    told.recv().unwrap();
    let naps = naps_during_messages();
    drop(end);
    idle.join().unwrap();
    println!("naps during a message: {naps:?}");
    let quick = naps[naps.len() / 3];
    assert!(quick <= NAPS_MAX, "{quick} naps even during a quick message; in order: {naps:?}");
}
