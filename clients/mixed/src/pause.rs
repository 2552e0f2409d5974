//! Timers that check themselves.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_io::Timer;

static FIRED: AtomicU64 = AtomicU64::new(0);

/// Waits so long by the reactor's timer.
///
/// # Errors
///
/// If the timer fires early, by the clock or by its own word.
pub async fn pause(length: Duration) -> io::Result<()> {
    let end = Instant::now() + length;
    let fired = Timer::at(end).await;
    let now = Instant::now();
    FIRED.fetch_add(1, Ordering::Relaxed);
    if now < end || fired < end {
        let early = end.saturating_duration_since(now.min(fired));
        return Err(io::Error::other(format!("a timer fired {early:?} early")));
    }
    Ok(())
}

/// How many there were.
pub fn summary() -> String {
    format!("{} timers fired, none early", FIRED.load(Ordering::Relaxed))
}
