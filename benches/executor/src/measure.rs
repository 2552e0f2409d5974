//! Measures by the clock: every peer in turn, several runs a row, so that what disturbs the machine
//! disturbs all of them.

use std::collections::BTreeMap;
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::peer::Peer;
use crate::row::{Row, Work};

/// A sample takes a second at most; one that takes this long has lost a wake-up.
const STUCK: Duration = Duration::from_secs(60);

/// Nanoseconds an operation of each run, by row and peer.
pub(crate) type Samples = Vec<BTreeMap<Peer, Vec<f64>>>;

pub(crate) fn measure(rows: &[Row], runs: u32, quick: bool) -> Result<Samples> {
    let watchdog = watchdog();
    let mut all = Vec::new();
    for row in rows {
        let started = Instant::now();
        let ops = if quick { row.ops / 10 } else { row.ops };
        let work = Work { warm_up: ops / 10, ops };
        let mut samples = BTreeMap::<Peer, Vec<f64>>::new();
        for run in 0..runs as usize {
            for turn in 0..row.cases.len() {
                // Another one begins each time: being first may mean a cold or a boosted core.
                let (peer, body) = row.cases[(turn + run) % row.cases.len()];
                let what = format!("row {}, peer {}", row.name, peer.name());
                watchdog.send(what.clone()).expect("the watchdog lives as long as the process");
                let sample = on_its_own_thread(|| body(&work)).context(what)?;
                samples.entry(peer).or_default().push(sample);
            }
        }
        eprintln!("{:14} {runs} runs in {:.1} s", row.name, started.elapsed().as_secs_f64());
        all.push(samples);
    }
    Ok(all)
}

/// What a library remembers of a thread shall not go from one sample to the next.
fn on_its_own_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    let ended = thread::scope(|scope| scope.spawn(body).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Ends the process with a message when a sample does not end. It is told which one begins.
fn watchdog() -> Sender<String> {
    let (sender, receiver) = mpsc::channel::<String>();
    thread::spawn(move || {
        let mut current = String::from("start");
        loop {
            match receiver.recv_timeout(STUCK) {
                Ok(next) => current = next,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("\nexecutor-peers: {current}: no end after {} s", STUCK.as_secs());
                    process::exit(3);
                }
            }
        }
    });
    sender
}
