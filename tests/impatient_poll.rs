//! A poll that does not come back: the only thread that uses the reactor tries a receive again and again, and
//! drops each wait that it begins, as code does that has a deadline of its own. It drives nobody's
//! reactor meanwhile, its own included. The helper thread leaves the only user alone while it begins one wait
//! after the other, because it may have many tasks to poll; were that without end, nobody would ever harvest
//! the event of this one.

mod util;

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async};
use futures_lite::future;
use util::watchdog;

/// Several of the helper's looks.
const SILENCE: Duration = Duration::from_millis(100);

#[test]
fn a_poll_that_tries_again_and_again_is_served() {
    let _watchdog = watchdog("a_poll_that_tries_again_and_again_is_served");
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
