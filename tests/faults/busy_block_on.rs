//! A thread computes for a while within a task under `async_io::block_on`, decoding an image, say. It was
//! the one that drove the reactor, and until it comes back nobody does: upstream's helper thread, which
//! had nothing to do before, looks after it every 10 ms and takes over at the second look, so that
//! the events of all other tasks wait 17.5 ms (median, 25 at worst). Ours lets somebody else drive within
//! a millisecond.
//!
//! A machine with other things to do lets everybody wait, so no clock is asked: another thread naps for
//! a millisecond again and again, and what is counted is how often it does while others' tasks make a
//! round trip. In the median, upstream lets it nap 8 or 9 times and ours once. A machine that runs other
//! programs in between adds naps to some round trips, so that the quickest tenth is what counts: no nap
//! there with ours, be the machine idle, loaded or throttled to a fraction of a core, and 5 to 7 upstream.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future;

use crate::util::child::own_process;
use crate::util::naps::Naps;
use crate::util::{eventually, socket_and_peer};

const MS: Duration = Duration::from_millis(1);

const COMPUTATIONS: usize = 50;

/// The naps during a tenth of the round trips are no more than these.
const NAPS_MAX: usize = 3;

/// The number of the computation under way if odd, of the driving before it if even.
struct Phase(AtomicUsize);

impl Phase {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Goes on to the next, and returns its number.
    fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// Under `block_on`, drives the reactor for a while and then computes until it is told to go on, again
/// and again. `soon` is called a few rounds before each computation.
fn drive_and_compute(phase: &Phase, soon: impl Fn()) {
    block_on(async {
        for _ in 0..COMPUTATIONS {
            for round in 0..40 {
                Timer::after(MS).await;
                if round == 36 {
                    soon();
                }
            }
            let computing = phase.next();
            while phase.get() == computing {
                std::hint::spin_loop();
            }
        }
    });
}

/// Two sockets that know each other, used by two tasks of a foreign executor.
struct Partners {
    near: Async<UdpSocket>,
    far: Async<UdpSocket>,
}

impl Partners {
    fn new() -> Partners {
        let bind = || Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let (near, far) = (bind(), bind());
        near.get_ref().connect(far.get_ref().local_addr().unwrap()).unwrap();
        far.get_ref().connect(near.get_ref().local_addr().unwrap()).unwrap();
        Partners { near, far }
    }

    fn round_trip(&self) {
        let ping = async {
            self.near.send(b"ping").await.unwrap();
            self.near.recv(&mut [0; 8]).await.unwrap();
        };
        let pong = async {
            self.far.recv(&mut [0; 8]).await.unwrap();
            self.far.send(b"pong").await.unwrap();
        };
        future::block_on(future::zip(ping, pong));
    }
}

/// A socket that a thread in `block_on` echoes to, and a blocking one that asks it.
struct Echo {
    asks: UdpSocket,
    echoes: Async<UdpSocket>,
}

impl Echo {
    fn new() -> Echo {
        let (echoes, asks) = socket_and_peer().unwrap();
        echoes.get_ref().connect(asks.local_addr().unwrap()).unwrap();
        Echo { asks, echoes }
    }

    /// Echoes once, again and again. `wanted` returns when it is to begin to wait.
    fn serve(&self, wanted: impl Fn(usize)) {
        for number in 0..COMPUTATIONS {
            wanted(number);
            block_on(async {
                let mut buf = [0; 8];
                let len = self.echoes.recv(&mut buf).await.unwrap();
                self.echoes.send(&buf[..len]).await.unwrap();
            });
        }
    }

    fn round_trip(&self) {
        self.asks.send(b"ping").unwrap();
        self.asks.recv(&mut [0; 8]).unwrap();
    }
}

/// How often another thread naps during a round trip of others in each computation, in order.
fn naps_in_each_computation(soon: impl Fn() + Sync, round_trip: impl Fn()) -> Vec<usize> {
    let phase = Phase(AtomicUsize::new(0));
    let mut all: Vec<_> = Naps::beside(|naps| {
        thread::scope(|scope| {
            scope.spawn(|| drive_and_compute(&phase, &soon));
            let computations = (0..COMPUTATIONS).map(|number| {
                eventually(|| phase.get() == 2 * number + 1);
                let during = naps.during(&round_trip);
                phase.next();
                during
            });
            computations.collect()
        })
    });
    all.sort_unstable();
    all
}

fn assert_few(naps: &[usize]) {
    println!("naps during a round trip: {naps:?}");
    let quick = naps[COMPUTATIONS / 10];
    assert!(quick <= NAPS_MAX, "{quick} naps even during a quick round trip; in order: {naps:?}");
}

#[test]
fn others_go_on_while_the_driver_computes() {
    let Some(_watchdog) = own_process("others_go_on_while_the_driver_computes") else {
        return;
    };
    let partners = Partners::new();
    assert_few(&naps_in_each_computation(|| {}, || partners.round_trip()));
}

/// The same where the other one waits in a `block_on` of its own, parked since a moment ago: it takes over.
#[test]
fn a_parked_thread_goes_on_while_the_driver_computes() {
    let Some(_watchdog) = own_process("a_parked_thread_goes_on_while_the_driver_computes") else {
        return;
    };
    let echo = Echo::new();
    let wanted = AtomicUsize::new(0);
    let want = || {
        wanted.fetch_add(1, Ordering::SeqCst);
    };
    thread::scope(|scope| {
        scope.spawn(|| echo.serve(|number| eventually(|| wanted.load(Ordering::SeqCst) > number)));
        assert_few(&naps_in_each_computation(want, || echo.round_trip()));
    });
}
