//! One thread has the whole reactor to itself and receives a large file: each read finds the next bytes
//! there already, so that it does not wait for milliseconds. The helper thread cannot tell that from a thread
//! that is blocked, and drives for it. Each read lets the peer's next bytes in, which is an event; it woke
//! the helper, on the same core, held up the read that was under way, and told nobody, since nobody waited: two
//! switches of threads for each 64 KiB, and a transfer that took half as long again, for as long as it
//! lasted. Now an event that finds nobody waiting is the last one until somebody waits.

use std::io::Write;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::AsyncReadExt;

use crate::util::child::own_process;
use crate::util::records::{Field, Keeper, Line};
use crate::util::{poller, tcp_pair};

static KEEPER: Keeper = Keeper::new();

/// Messages that are read after the helper has begun to drive.
const MESSAGES: usize = 1_000;

/// Rounds for nobody: one, and as many again for each wait that the test did not want.
const FOR_NOBODY_MAX: usize = 20;

/// Whether a round harvested something and woke nobody.
fn is_for_nobody(line: &Line) -> bool {
    let number = |name| match line.fields.get(name) {
        Some(Field::Number(number)) => *number,
        other => panic!("{name}: {other:?} in {line:#?}"),
    };
    line.text.starts_with("ReactorLock::react:-") && number("events") > 0 && number("wakers") == 0
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
    let helpers = |line: &Line| line.thread != thread::current().id();
    block_on(async {
        // The helper thread comes with the first wait.
        Timer::after(Duration::from_millis(1)).await;
        let mut read_one = async || {
            peer.write_all(b"!").unwrap();
            // The byte is there, and the read is no short one.
            stream.read_exact(&mut [0]).await.unwrap();
        };
        let drives = |line: &Line| helpers(line) && line.text.starts_with("drive:+");
        while !KEEPER.take().iter().any(drives) {
            read_one().await;
        }
        let mut for_nobody = 0;
        for _ in 0..MESSAGES {
            read_one().await;
            let lines = KEEPER.take();
            for_nobody += lines.iter().filter(|line| helpers(line) && is_for_nobody(line)).count();
        }
        assert!(
            for_nobody <= FOR_NOBODY_MAX,
            "{for_nobody} of {MESSAGES} messages woke the helper"
        );
    });
}
