//! Timers of the system, beside the reactor's own.

use std::io;
use std::time::{Duration, Instant};

use async_io::os::windows::Waitable;
use async_io::{block_on, Timer};
use futures_lite::future;

use crate::handle::{Reset, SystemTimer};
use crate::util::watchdog;

/// The system's clock for timers goes by ticks of up to 16 ms, and a timer may be due at the begin of one.
const TICK: Duration = Duration::from_millis(16);

#[test]
fn a_timer_of_the_system_ends_a_wait_when_it_is_due() -> io::Result<()> {
    let _watchdog = watchdog("a_timer_of_the_system_ends_a_wait_when_it_is_due");
    for reset in [Reset::ByHand, Reset::ByWaiting] {
        let timer = Waitable::new(SystemTimer::new(reset)?)?;
        let after = Duration::from_millis(80);
        let begun = Instant::now();
        timer.get_ref().set(after, None)?;
        block_on(timer.ready())?;
        let passed = begun.elapsed();
        assert!(passed + TICK >= after, "{reset:?}: set to {after:?}, ready after {passed:?}");
    }
    Ok(())
}

#[test]
fn a_timer_with_a_period_is_ready_once_a_period() -> io::Result<()> {
    let _watchdog = watchdog("a_timer_with_a_period_is_ready_once_a_period");
    let period = Duration::from_millis(20);
    let timer = Waitable::new(SystemTimer::new(Reset::ByWaiting)?)?;
    let begun = Instant::now();
    timer.get_ref().set(period, Some(period))?;
    block_on(async {
        for _ in 0..5 {
            timer.ready().await?;
        }
        io::Result::Ok(())
    })?;
    let passed = begun.elapsed();
    assert!(passed + TICK >= period * 5, "five periods of {period:?} took {passed:?}");
    Ok(())
}

/// A wait for a handle is under way while the reactor's own timers are due, and is not ended by them.
#[test]
fn timers_of_the_reactor_go_on_beside_a_wait_for_a_handle() -> io::Result<()> {
    let _watchdog = watchdog("timers_of_the_reactor_go_on_beside_a_wait_for_a_handle");
    let timer = Waitable::new(SystemTimer::new(Reset::ByHand)?)?;
    let own = async {
        for _ in 0..10 {
            Timer::after(Duration::from_millis(2)).await;
        }
        timer.get_ref().set(Duration::from_millis(1), None)
    };
    let (waited, set) = block_on(future::zip(timer.ready(), own));
    set?;
    waited
}
