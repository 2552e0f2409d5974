//! Counts the round trips that two tasks of a foreign executor make over loopback.

use std::net::UdpSocket;

use async_io::Async;
use futures_lite::future::{block_on, or};

/// Two sockets that know each other, used by two tasks of one thread.
pub struct Partners {
    near: Async<UdpSocket>,
    far: Async<UdpSocket>,
}

impl Partners {
    pub fn new() -> Partners {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        near.connect(far.local_addr().unwrap()).unwrap();
        far.connect(near.local_addr().unwrap()).unwrap();
        Partners { near: Async::new(near).unwrap(), far: Async::new(far).unwrap() }
    }

    /// Goes to and fro while `goes_on`, and counts the round trips that are over before it ends. The
    /// executor is not this reactor's: it sleeps, and is woken by whoever drives.
    pub fn round_trips_while(&self, goes_on: impl Fn() -> bool) -> usize {
        let mut trips = 0;
        let ping = async {
            while goes_on() {
                self.near.send(&[1; 64]).await.unwrap();
                self.near.recv(&mut [0; 64]).await.unwrap();
                trips += usize::from(goes_on());
            }
        };
        let pong = async {
            let mut buffer = [0; 64];
            loop {
                let length = self.far.recv(&mut buffer).await.unwrap();
                self.far.send(&buffer[..length]).await.unwrap();
            }
        };
        block_on(or(ping, pong));
        trips
    }
}
