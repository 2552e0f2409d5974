//! One thread has the whole reactor to itself and receives a large file: each read finds the next bytes
//! there already, so that it does not wait for milliseconds. The helper thread cannot tell that from a thread
//! that is blocked, and drives for it. Each read lets the peer's next bytes in, which is an event; it woke
//! the helper, on the same core, held up the read that was under way, and told nobody, since nobody waited: two
//! switches of threads for each 64 KiB, and a transfer that took half as long again, for as long as it
//! lasted. A helper that harvests what nobody waits for now lets go.

use std::io::Write;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncReadExt};

use crate::util::child::own_process;
use crate::util::records::{Field, Keeper, Line};
use crate::util::{poller, tcp_pair};

static KEEPER: Keeper = Keeper::new();

/// So many drives of the helper for nobody are looked at.
const DRIVES: usize = 10;

/// A drive with so many rounds for nobody goes on for ever, if it is let.
const ROUNDS_MAX: usize = 5;

/// There may be some of those: a helper that has woken somebody, as it may have to on a loaded machine, goes on
/// for nobody for a while.
const LONG_MAX: usize = 60;

/// The helper's drives, as its records tell.
#[derive(Default)]
struct Drives {
    /// Rounds of the drive under way that harvested something and woke nobody.
    for_nobody: usize,
    /// Drives that ended after the first such round.
    short: usize,
    /// How often one had to be ended.
    long: usize,
    /// Whether the one under way had to be.
    is_long: bool,
}

impl Drives {
    fn count(&mut self, line: &Line) {
        let number = |name| match line.fields.get(name) {
            Some(Field::Number(number)) => *number,
            other => panic!("{name}: {other:?} in {line:#?}"),
        };
        let text = &line.text;
        if text.starts_with("drive:+") {
            (self.for_nobody, self.is_long) = (0, false);
        } else if text.starts_with("drive:-") {
            self.short += usize::from(self.for_nobody == 1 && !self.is_long);
        } else if text.starts_with("ReactorLock::react:-") {
            self.for_nobody += usize::from(number("events") > 0 && number("wakers") == 0);
        }
    }

    /// Whether the drive under way goes on for nobody, and must be ended.
    fn goes_on(&mut self) -> bool {
        let goes_on = self.for_nobody >= ROUNDS_MAX;
        if goes_on {
            self.long += 1;
            (self.for_nobody, self.is_long) = (0, true);
        }
        goes_on
    }
}

#[test]
fn who_reads_without_a_wait_is_not_held_up_by_the_helper() {
    let test = "who_reads_without_a_wait_is_not_held_up_by_the_helper";
    let Some(_watchdog) = own_process(test) else {
        return;
    };
    if !poller::is_epoll(test) {
        return;
    }
    log::set_logger(&KEEPER).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let (stream, mut peer) = tcp_pair().unwrap();
    let mut stream = Async::new(stream).unwrap();
    let mut drives = Drives::default();
    // Who waits, and is in line, ends the helper's drive. The helper thread comes with the first wait.
    let wait = || Timer::after(Duration::from_millis(1));
    block_on(async {
        wait().await;
        while drives.short < DRIVES {
            peer.write_all(b"!").unwrap();
            while future::poll_once(stream.read(&mut [0])).await.is_none() {}
            for line in KEEPER.take() {
                if line.thread != thread::current().id() {
                    drives.count(&line);
                }
            }
            if drives.goes_on() {
                let Drives { short, long, .. } = drives;
                assert!(long < LONG_MAX, "{long} drives went on, for nobody, and {short} did not");
                wait().await;
            }
        }
    });
}
