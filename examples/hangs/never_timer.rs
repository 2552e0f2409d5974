//! A lease is renewed by a timer, which is made with `Timer::never()` and set when the lease is known. Somebody
//! changed the order, and the timer is awaited before it is set.

use std::io;
use std::time::Duration;

use async_io::{block_on, Timer};

use crate::story::{executor, hangs_now};

async fn renew(lease: Duration) {
    let mut renewal = Timer::never();
    loop {
        (&mut renewal).await; // hangs here
        println!("renewed");
        renewal.set_after(lease / 2);
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    let renewing = executor.spawn(renew(Duration::from_millis(200)));
    hangs_now();
    block_on(executor.run(renewing));
    Ok(())
}
