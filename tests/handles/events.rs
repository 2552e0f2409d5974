//! Events and semaphores, which this process signals itself.

use std::io;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use async_io::os::windows::Waitable;
use async_io::{block_on, Timer};
use futures_lite::future;

use crate::handle::{Event, Reset, Semaphore};
use crate::util::{counting_waker, eventually, finish, poll_with, watchdog};

/// How often two sides hand over to each other.
const ROUNDS: usize = 100;

#[test]
fn an_event_that_is_signalled_before_the_wait_ends_it() -> io::Result<()> {
    let _watchdog = watchdog("an_event_that_is_signalled_before_the_wait_ends_it");
    for reset in [Reset::ByHand, Reset::ByWaiting] {
        let event = Event::new(reset)?;
        event.signal()?;
        let waitable = Waitable::new(event)?;
        block_on(waitable.ready())?;
        if reset == Reset::ByHand {
            block_on(waitable.ready())?;
        }
    }
    Ok(())
}

#[test]
fn a_task_sleeps_until_the_event_is_signalled() -> io::Result<()> {
    let _watchdog = watchdog("a_task_sleeps_until_the_event_is_signalled");
    for reset in [Reset::ByHand, Reset::ByWaiting] {
        let waitable = Waitable::new(Event::new(reset)?)?;
        let (waker, woken) = counting_waker();
        let mut ready = waitable.ready();
        assert!(poll_with(&mut ready, &waker).is_pending(), "{reset:?}");
        // Time for a wake that nobody has asked for.
        block_on(Timer::after(Duration::from_millis(50)));
        assert_eq!(woken.get(), 0, "{reset:?}: nothing has happened");
        waitable.get_ref().signal()?;
        finish(&mut ready, &waker, &woken)?;
    }
    Ok(())
}

/// Each wait takes one signal away. A signal that is lost ends the test by its watchdog.
#[test]
fn a_thread_and_a_task_hand_over_to_each_other() -> io::Result<()> {
    let _watchdog = watchdog("a_thread_and_a_task_hand_over_to_each_other");
    let there = Event::new(Reset::ByWaiting)?;
    let back = Event::new(Reset::ByWaiting)?;
    let (hears, answers) = (there.try_clone()?, back.try_clone()?);
    let thread = thread::spawn(move || -> io::Result<usize> {
        let hears = Waitable::new(hears)?;
        let mut heard = 0;
        for _ in 0..ROUNDS {
            block_on(hears.ready())?;
            heard += 1;
            answers.signal()?;
        }
        Ok(heard)
    });
    let back = Waitable::new(back)?;
    block_on(async {
        for _ in 0..ROUNDS {
            there.signal()?;
            back.ready().await?;
        }
        io::Result::Ok(())
    })?;
    assert_eq!(thread.join().expect("the thread does not panic")?, ROUNDS);
    // All signals are taken: neither side is ready once more.
    let none = block_on(future::or(async { Some(back.ready().await) }, async {
        Timer::after(Duration::from_millis(50)).await;
        None
    }));
    assert!(none.is_none(), "a signal counts twice");
    Ok(())
}

#[test]
fn a_semaphore_lets_as_many_waits_pass_as_it_was_released() -> io::Result<()> {
    let _watchdog = watchdog("a_semaphore_lets_as_many_waits_pass_as_it_was_released");
    let semaphore = Semaphore::new()?;
    let waitable = Waitable::new(semaphore.try_clone()?)?;
    semaphore.release(3)?;
    let passed = block_on(async {
        let mut passed = 0;
        let passes = async {
            loop {
                waitable.ready().await?;
                passed += 1;
                if passed == 3 {
                    return io::Result::Ok(());
                }
            }
        };
        passes.await?;
        let more = async {
            waitable.ready().await?;
            io::Result::Ok(passed + 1)
        };
        let no_more = async {
            Timer::after(Duration::from_millis(50)).await;
            Ok(passed)
        };
        future::or(more, no_more).await
    })?;
    assert_eq!(passed, 3);
    Ok(())
}

/// A task that stopped waiting has not taken the signal from the one that waits next.
#[test]
fn a_wait_that_was_given_up_takes_no_signal_away() -> io::Result<()> {
    let _watchdog = watchdog("a_wait_that_was_given_up_takes_no_signal_away");
    let waitable = Waitable::new(Event::new(Reset::ByWaiting)?)?;
    let (waker, _woken) = counting_waker();
    let mut given_up = waitable.ready();
    assert!(poll_with(&mut given_up, &waker).is_pending());
    drop(given_up);
    waitable.get_ref().signal()?;
    // Time for the reactor to find that nobody waits.
    block_on(Timer::after(Duration::from_millis(20)));
    block_on(waitable.ready())
}

#[test]
fn all_tasks_that_poll_an_event_are_woken() -> io::Result<()> {
    let _watchdog = watchdog("all_tasks_that_poll_an_event_are_woken");
    let waitable = Waitable::new(Event::new(Reset::ByHand)?)?;
    let tasks: Vec<_> = (0..3).map(|_| counting_waker()).collect();
    for (waker, _) in &tasks {
        assert!(waitable.poll_ready(&mut Context::from_waker(waker)).is_pending());
    }
    waitable.get_ref().signal()?;
    eventually(|| tasks.iter().all(|(_, woken)| woken.get() > 0));
    let mut cx = Context::from_waker(&tasks[0].0);
    eventually(|| match waitable.poll_ready(&mut cx) {
        Poll::Ready(result) => {
            result.expect("it can be waited for");
            true
        }
        Poll::Pending => false,
    });
    Ok(())
}

/// What is left of a wait that is under way reaches nobody, and the handle is the caller's again.
#[test]
fn a_handle_can_be_taken_out_and_put_in_again() -> io::Result<()> {
    let _watchdog = watchdog("a_handle_can_be_taken_out_and_put_in_again");
    let mut event = Event::new(Reset::ByHand)?;
    for _ in 0..20 {
        let waitable = Waitable::new(event)?;
        let (waker, woken) = counting_waker();
        assert!(poll_with(&mut waitable.ready(), &waker).is_pending());
        event = waitable.into_inner()?;
        assert_eq!(woken.get(), 0, "nobody has signalled it");
    }
    let waitable = Waitable::new(event)?;
    waitable.get_ref().signal()?;
    block_on(waitable.ready())
}
