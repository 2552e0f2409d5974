//! What a record costs: to encode, to encode and store as a recorder does, and to decode.
//!
//! `cargo bench -p ticks-format`. The budget is 15 ns a record on the writing side, of which the
//! clock takes about 10, and 20 million records a second on the reading side.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ticks_format::image::Image;
use ticks_format::layout::{Layout, FILE_BYTES_DEFAULT};
use ticks_format::records::*;
use ticks_format::slot::narrow;
use ticks_format::*;

const ROUNDS: u64 = 200_000;
const REPEATS: usize = 7;

const KEY: Key = Key(9 << 32 | 3);
const DIR: Direction = Direction::Read;

fn poll_begin(tick: u64) -> PollBegin {
    PollBegin {
        dir: DIR,
        tick,
        ticks: Some(Ticks { a: tick, b: tick - 1 }),
        key: KEY,
        fd: 12,
        waiter: 0,
    }
}

fn poll_end(tick: u64) -> PollEnd {
    PollEnd {
        dir: DIR,
        tick,
        ticks: None,
        result: Verdict::Ready,
        key: KEY,
        fd: 12,
        waiter: 0,
        reason: Reason::LaterTick,
        upstream: None,
    }
}

fn wake(tick: u64) -> Wake {
    Wake {
        task: 0x5577_4859_cd90,
        by: WakeCause::Source,
        key: Some(KEY),
        dir: Some(DIR),
        tick: Some(tick),
        timer: None,
    }
}

/// One round of a reactor with one source, as its hooks report it.
fn round(tick: u64) -> [Record; 10] {
    let (epoll_fd, timeout_ns) = (5, Some(5_000_000));
    [
        ReactBegin { tick, timeout_ns: None, next_timer_ns: timeout_ns }.into(),
        WaitBegin { epoll_fd, timeout_ns }.into(),
        WaitReturn { epoll_fd, count: 1 }.into(),
        WaitEntry { index: 0, flags: 1, data: KEY.0 }.into(),
        WaitEnd { epoll_fd, res: 1 }.into(),
        Ticker { tick: tick + 1 }.into(),
        ReactEvent { tick, key: KEY, readable: true, writable: false, fd: 12, flags: 1, wakers: 1 }
            .into(),
        wake(tick).into(),
        poll_begin(tick).into(),
        poll_end(tick).into(),
    ]
}

/// The least time of some runs, a record.
fn least(name: &str, records: u64, mut run: impl FnMut()) -> f64 {
    let time = (0..REPEATS)
        .map(|_| {
            let begin = Instant::now();
            run();
            begin.elapsed()
        })
        .min()
        .unwrap_or(Duration::ZERO);
    let ns = time.as_nanos() as f64 / records as f64;
    let millions = 1_000.0 / ns;
    println!("{name:<44} {ns:>7.2} ns a record {millions:>8.1} million a second");
    ns
}

fn main() {
    encode("Ticker", |tick| Ticker { tick }.into());
    encode("WaitEnd", |tick| {
        let (epoll_fd, res) = (5, tick as i64);
        WaitEnd { epoll_fd, res }.into()
    });
    encode("PollBegin", |tick| poll_begin(tick).into());
    encode("PollEnd", |tick| poll_end(tick).into());
    encode("Wake", |tick| wake(tick).into());
    let records = ROUNDS * 10;
    let slot = round(7).map(|record| narrow(&record, 9).expect("it is narrow"));
    least("decoding slots alone", records, || {
        for _ in 0..ROUNDS {
            for slot in &slot {
                black_box(slot::decode_narrow(black_box(slot)));
            }
        }
    });
    decode_file();
}

/// One kind at one place in the code, as in a hook: the kind is known when compiling.
fn encode(kind: &str, make: impl Fn(u64) -> Record) {
    let count = 10 * ROUNDS;
    least(&format!("{kind}: making and encoding"), count, || {
        for tick in 1..=count {
            black_box(narrow(&make(black_box(tick)), tick));
        }
    });
    let ring: Vec<AtomicU64> = (0..4 << 13).map(|_| AtomicU64::new(0)).collect();
    let head = AtomicU64::new(0);
    least(&format!("{kind}: making, encoding and storing"), count, || {
        for tick in 1..=count {
            store(&ring, &head, &make(black_box(tick)), tick);
        }
    });
}

/// What a recorder does for a narrow record.
#[inline(always)]
fn store(ring: &[AtomicU64], head: &AtomicU64, record: &Record, time: u64) {
    if let Some(slot) = narrow(record, time) {
        let position = head.load(Ordering::Relaxed);
        let at = (position as usize * 4) & (ring.len() - 4);
        for (word, value) in ring[at..at + 4].iter().zip(slot) {
            word.store(value, Ordering::Relaxed);
        }
        head.store(position + 1, Ordering::Release);
    }
}

fn decode_file() {
    let layout = Layout::new(FILE_BYTES_DEFAULT);
    let header = Header::new(&layout, 1, 1);
    let mut image = Image::new(layout, &header, "");
    image.anchor(&Anchor::default());
    let ring = image.claim(1, "main", 0).expect("a ring");
    for tick in 1..=image.layout().rings[ring].slots / 10 + 1_000 {
        for record in round(tick) {
            image.record(ring, &record, tick);
        }
    }
    let bytes = image.to_bytes();
    let recording = Recording::open(bytes.as_slice()).expect("a recording");
    let ring = &recording.rings().expect("rings")[0];
    let count = |ring| recording.records(ring).expect("records").count() as u64;
    least("decoding a file's ring", count(ring), || {
        assert!(black_box(count(ring)) > 200_000);
    });
}
