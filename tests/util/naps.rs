//! A measure of time for machines with other things to do: how often another thread naps meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How long a nap is.
const NAP: Duration = Duration::from_millis(1);

/// The naps of another thread.
#[derive(Default)]
pub struct Naps {
    count: AtomicUsize,
    over: AtomicBool,
}

impl Naps {
    /// Does something while another thread naps again and again.
    pub fn beside<T>(act: impl FnOnce(&Naps) -> T) -> T {
        let naps = Naps::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !naps.over.load(Ordering::SeqCst) {
                    thread::sleep(NAP);
                    naps.count.fetch_add(1, Ordering::SeqCst);
                }
            });
            let result = act(&naps);
            naps.over.store(true, Ordering::SeqCst);
            result
        })
    }

    /// How many end during this.
    pub fn during(&self, act: impl FnOnce()) -> usize {
        let before = self.count.load(Ordering::SeqCst);
        act();
        self.count.load(Ordering::SeqCst) - before
    }
}
