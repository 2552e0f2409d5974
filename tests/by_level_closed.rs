//! The descriptor of a source that is watched by level comes to stand for something else, while a duplicate
//! keeps what it stood for open: the poller goes on reporting that, and nothing can be said to it any more
//! by the number. By edge, that was an event now and then that nobody took. By level, every wait returned
//! at once from then on, and a thread was busy for ever.
#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

#[path = "util/poller.rs"]
mod poller;
mod util;

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::zip;
use util::watchdog;

static ROUNDS: AtomicUsize = AtomicUsize::new(0);

struct Counter;

impl log::Log for Counter {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.args().to_string().contains("Reactor::ticker") {
            ROUNDS.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

#[test]
fn what_cannot_be_unwatched_does_not_keep_the_reactor_turning() -> io::Result<()> {
    let _watchdog = watchdog("what_cannot_be_unwatched_does_not_keep_the_reactor_turning");
    let near = UdpSocket::bind("127.0.0.1:0")?;
    let far = UdpSocket::bind("127.0.0.1:0")?;
    far.connect(near.local_addr()?)?;
    let near = Async::new(near)?;
    let mut buf = [0; 16];
    block_on(async {
        for _ in 0..100 {
            let (received, sent) = zip(near.recv(&mut buf), async { far.send(b"x") }).await;
            received.and(sent)?;
        }
        io::Result::Ok(())
    })?;
    {
        let _keeps_it = near.get_ref().try_clone()?;
        let nothing = std::fs::File::open("/dev/null")?;
        // SAFETY: the number stays open and `near`'s.
        assert!(unsafe { libc::dup2(nothing.as_raw_fd(), near.get_ref().as_raw_fd()) } >= 0);
        far.send(b"for nobody")?;
        log::set_logger(&Counter).expect("no other logger");
        log::set_max_level(log::LevelFilter::Trace);
        block_on(Timer::after(Duration::from_millis(200)));
        let rounds = ROUNDS.load(Ordering::SeqCst);
        assert!(rounds < 100, "{rounds} rounds for one event");
    }
    Ok(())
}
