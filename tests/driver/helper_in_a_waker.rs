//! A waker blocks the helper thread: it takes a lock that its owner holds for long. The helper watches over the
//! driver lock, and whoever leaves that to another thread relied on it to offer it again. A driver that left it
//! to a thread that was busy by then slept for as long as the waker took, whatever became of its own timers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Timer};
use futures_lite::future;

use crate::util::child::own_process;
use crate::util::{bounded, counting_waker, poll_with};

/// Takes a lock, and says before that it is about to.
struct Blocks {
    lock: Arc<Mutex<()>>,
    is_in: Arc<AtomicBool>,
}

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        self.is_in.store(true, Ordering::SeqCst);
        drop(self.lock.lock().unwrap());
    }
}

#[test]
fn a_driver_goes_on_while_a_waker_blocks_the_helper() {
    let test = "a_driver_goes_on_while_a_waker_blocks_the_helper";
    let Some(_watchdog) = own_process(test) else {
        return;
    };
    let (lock, is_in) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
    let held = lock.lock().unwrap();
    let blocks = Waker::from(Arc::new(Blocks { lock: lock.clone(), is_in: is_in.clone() }));
    // No thread is in `block_on`, so the helper wakes it.
    let mut timer = Timer::after(Duration::from_secs(3600));
    assert!(poll_with(&mut timer, &blocks).is_pending());
    timer.set_after(Duration::from_millis(1));
    bounded::until("the helper is in the waker", || is_in.load(Ordering::SeqCst));

    for _ in 0..5 {
        drive_beside_a_busy_thread();
    }
    drop(held);
}

/// The driver's round wakes another task first, and its own timer fires later.
fn drive_beside_a_busy_thread() {
    let driver_is_done = Arc::new(AtomicBool::new(false));
    let other = Arc::new(AtomicBool::new(false));
    let begin = Arc::new(Barrier::new(2));
    // Comes for the driver lock again and again, until the driver's first round wakes its task. Then it is
    // busy until the driver is done.
    let comer = thread::spawn({
        let (driver_is_done, other, begin) = (driver_is_done.clone(), other.clone(), begin.clone());
        move || {
            begin.wait();
            block_on(async {
                while !other.load(Ordering::SeqCst) {
                    future::yield_now().await;
                }
                bounded::until("the driver is done", || driver_is_done.load(Ordering::SeqCst));
            });
        }
    });
    let (waker, wakes) = counting_waker();
    let mut others_timer = Timer::after(Duration::from_millis(20));
    assert!(poll_with(&mut others_timer, &waker).is_pending());
    let watches = thread::spawn({
        let other = other.clone();
        move || {
            bounded::until("a timer of another task fires", || wakes.get() > 0);
            other.store(true, Ordering::SeqCst);
        }
    });
    begin.wait();
    block_on(Timer::after(Duration::from_millis(100)));
    driver_is_done.store(true, Ordering::SeqCst);
    comer.join().unwrap();
    watches.join().unwrap();
}
