//! A job for a thread that may block takes the lock with it, and two tasks wait for that lock. No other task is left that
//! could release it: the thread will.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_executor::Executor;
use async_lock::Mutex;

/// As long as the program goes on, and longer.
const JOB: Duration = Duration::from_secs(20);

async fn add(sum: Arc<Mutex<u64>>) {
    *sum.lock().await += 1;
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let sum = Arc::new(Mutex::new(0));
    let guard = sum.lock_arc().await;
    thread::spawn(move || {
        let mut guard = guard;
        thread::sleep(JOB);
        *guard += 1;
    });
    let one = executor.spawn(add(sum.clone()));
    let other = executor.spawn(add(sum.clone()));
    one.await;
    other.await;
    Ok(())
}
