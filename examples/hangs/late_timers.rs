//! Two hundred sensors are asked 100 ms after their last answer, and an answer costs 2 ms of the only thread. That is
//! four times what the thread can do. Each poll is short, and yet each sensor is asked 300 ms late.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};

const SENSORS: u32 = 200;

fn smooth(mut value: u32) -> u32 {
    let until = Instant::now() + Duration::from_millis(2);
    while Instant::now() < until {
        value = black_box(value.wrapping_mul(31));
    }
    value
}

async fn sensor(number: u32) {
    for round in 0.. {
        Timer::after(Duration::from_millis(100)).await; // hangs here
        black_box(smooth(number));
        if (number, round) == (0, 2) {
            hangs_now();
        }
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    (1..SENSORS).for_each(|number| executor.spawn(sensor(number)).detach());
    block_on(executor.run(executor.spawn(sensor(0))));
    Ok(())
}
