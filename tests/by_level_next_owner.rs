//! A thread that drives has taken an event of a source that is watched by level, for nobody, and has the
//! poller watch it by edge. Meanwhile the source's owner takes the socket out of its `Async` and puts it
//! into a new one. The driver's system call then gave the new source's registration the old one's key:
//! each of its events was dropped as a stranger's, and whoever waited for one slept for ever.
//! A logger that takes its time makes the moment long enough to be met each time.
#![cfg(target_os = "linux")]

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Async};

mod util;
use util::singles::{one_at_a_time, udp_pair, HABITUAL};
use util::{bounded, poller, watchdog};

static WATCHED: AtomicI32 = AtomicI32::new(-1);
static MODIFIES: AtomicBool = AtomicBool::new(false);
static REPLACED: AtomicBool = AtomicBool::new(false);

struct Slow;

impl log::Log for Slow {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        let fd = format!("fd={} ", WATCHED.load(Ordering::SeqCst));
        if text.contains("ctl:+") && text.contains("MOD") && format!("{text} ").contains(&fd) {
            MODIFIES.store(true, Ordering::SeqCst);
            // Bounded: the owner may be made to wait until this is over.
            let until = Instant::now() + Duration::from_secs(1);
            while !REPLACED.load(Ordering::SeqCst) && Instant::now() < until {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn flush(&self) {}
}

#[test]
fn the_next_owner_is_told() -> io::Result<()> {
    let _watchdog = watchdog("the_next_owner_is_told");
    if !poller::is_epoll("the_next_owner_is_told") {
        return Ok(());
    }
    let (near, far) = udp_pair()?;
    let far = far.get_ref();
    let mut buf = [0; 16];
    WATCHED.store(near.get_ref().as_raw_fd(), Ordering::SeqCst);
    log::set_logger(&Slow).expect("no other logger");
    // Where the machine is so busy that the helper thread drives again and again, it takes longer until
    // the source is watched by level, and it may not be any more when nobody reads.
    while !MODIFIES.load(Ordering::SeqCst) {
        block_on(one_at_a_time(far, &near, HABITUAL))?;
        log::set_max_level(log::LevelFilter::Trace);
        far.send(b"for nobody")?;
        let until = Instant::now() + Duration::from_millis(50);
        while !MODIFIES.load(Ordering::SeqCst) && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        if !MODIFIES.load(Ordering::SeqCst) {
            log::set_max_level(log::LevelFilter::Off);
            assert_eq!(block_on(near.recv(&mut buf))?, 10);
        }
    }
    let near = Async::new(near.into_inner()?)?;
    REPLACED.store(true, Ordering::SeqCst);
    log::set_max_level(log::LevelFilter::Off);
    thread::sleep(Duration::from_millis(100));
    bounded::finish("the next owner", async {
        assert_eq!(near.recv(&mut buf).await?, 10);
        one_at_a_time(far, &near, 1).await
    })
}
