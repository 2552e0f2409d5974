//! One thread has the whole reactor to itself and receives a large file: each read finds the next bytes
//! there already, so that it does not wait for milliseconds. The helper thread cannot tell that from a thread
//! that is blocked, and drives for it. Each read lets the peer's next bytes in, which is an event; it woke
//! the helper, on the same core, held up the read that was under way, and told nobody, since nobody waited: two
//! switches of threads for each 64 KiB, and a transfer that took half as long again, for as long as it
//! lasted. A helper that harvests what nobody waits for now lets go.

#[path = "util/poller.rs"]
mod poller;
#[path = "util/records.rs"]
mod records;
mod util;

use std::io::Write;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncReadExt};
use records::{Field, Keeper, Line};
use util::{tcp_pair, watchdog};

static KEEPER: Keeper = Keeper::new();

/// So many rounds of the helper for nobody are looked at.
const ROUNDS: usize = 10;

/// Rounds that harvested something and woke nobody.
#[derive(Default)]
struct ForNobody {
    total: usize,
    /// Since the helper began to drive.
    in_a_row: usize,
}

impl ForNobody {
    fn count(&mut self, line: &Line) {
        let number = |name| match line.fields.get(name) {
            Some(Field::Number(number)) => *number,
            other => panic!("{name}: {other:?} in {line:#?}"),
        };
        if line.text.starts_with("drive:+") {
            self.in_a_row = 0;
        } else if line.text.starts_with("ReactorLock::react:-")
            && number("events") > 0
            && number("wakers") == 0
        {
            self.total += 1;
            self.in_a_row += 1;
        }
    }
}

#[test]
fn who_reads_without_a_wait_is_not_held_up_by_the_helper() {
    let test = "who_reads_without_a_wait_is_not_held_up_by_the_helper";
    let _watchdog = watchdog(test);
    if !poller::is_epoll(test) {
        return;
    }
    log::set_logger(&KEEPER).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let (stream, mut peer) = tcp_pair().unwrap();
    let mut stream = Async::new(stream).unwrap();
    let mut for_nobody = ForNobody::default();
    block_on(async {
        // The helper thread comes with the first wait.
        Timer::after(Duration::from_millis(1)).await;
        while for_nobody.total < ROUNDS {
            peer.write_all(b"!").unwrap();
            let read = future::poll_once(stream.read(&mut [0])).await;
            assert_eq!(read.expect("it was there").unwrap(), 1);
            for line in KEEPER.take() {
                if line.thread != thread::current().id() {
                    for_nobody.count(&line);
                    assert!(for_nobody.in_a_row <= 1, "the helper drives on, for nobody");
                }
            }
        }
    });
}
