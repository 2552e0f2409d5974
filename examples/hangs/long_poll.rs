//! Pictures are scaled between two awaits, 300 ms each, on the one thread. The heart beats each 20 ms, or should.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};

fn scale(picture: u64) -> u64 {
    let until = Instant::now() + Duration::from_millis(300);
    let mut sum = picture;
    while Instant::now() < until {
        sum = black_box(sum.wrapping_mul(31));
    }
    sum
}

async fn scale_all() {
    for picture in 0.. {
        Timer::after(Duration::from_millis(5)).await; // hangs here
        black_box(scale(picture));
        if picture == 4 {
            hangs_now();
        }
    }
}

async fn beat() {
    loop {
        Timer::after(Duration::from_millis(20)).await; // waits meanwhile
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    executor.spawn(beat()).detach();
    block_on(executor.run(executor.spawn(scale_all())));
    Ok(())
}
