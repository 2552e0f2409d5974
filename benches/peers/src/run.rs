//! Measures: every peer in turn, several runs a row, so that what disturbs the machine disturbs
//! all of them.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::own_process;
use crate::peer;
use crate::row::{Peer, Row, Sample, Work};

/// Runs below which a median means nothing; the time budget does not go below them.
const RUNS_MIN: u32 = 3;

/// Runs of a full measurement, as far as the time budget allows.
const RUNS: u32 = 11;

/// A sample takes a second at most; one that takes this long has lost a wake-up.
const STUCK: Duration = Duration::from_secs(60);

/// How much to measure.
pub(crate) struct Plan {
    pub(crate) quick: bool,
    /// How often every peer does every row, if somebody has said so.
    pub(crate) runs: Option<u32>,
    /// For all rows together.
    pub(crate) budget: Duration,
}

impl Plan {
    /// How often every peer does the row: at least, and at most.
    fn runs(&self, row: &Row) -> (u32, u32) {
        match (self.runs, row.starts) {
            (Some(runs), _) => (RUNS_MIN.min(runs), runs),
            (None, _) if self.quick => (RUNS_MIN, RUNS_MIN),
            (None, Some(starts)) => (starts, starts),
            (None, None) => (RUNS_MIN, RUNS),
        }
    }
}

/// A row with every sample taken, by peer, in the order of the runs.
pub(crate) struct Measured<'a> {
    pub(crate) row: &'a Row,
    pub(crate) samples: BTreeMap<Peer, Vec<Sample>>,
}

impl Measured<'_> {
    /// A peer's values of a figure, one a run.
    pub(crate) fn values(&self, peer: Peer, figure: usize) -> Vec<f64> {
        let samples = self.samples.get(&peer).into_iter().flatten();
        samples.map(|sample| sample[figure]).collect()
    }
}

pub(crate) fn measure<'a>(rows: &'a [Row], plan: &Plan) -> Result<Vec<Measured<'a>>> {
    let watchdog = Watchdog::start();
    watchdog.next("starting the peers".into());
    on_its_own_thread(|| peer::start(rows));
    let started = Instant::now();
    let mut measured = Vec::with_capacity(rows.len());
    for (done, row) in rows.iter().enumerate() {
        // What the rows before have not used of their shares goes to those that follow.
        let left = plan.budget.saturating_sub(started.elapsed());
        let share = left / (rows.len() - done) as u32;
        measured.push(measure_row(row, plan, share, &watchdog)?);
    }
    Ok(measured)
}

fn measure_row<'a>(
    row: &'a Row,
    plan: &Plan,
    share: Duration,
    watchdog: &Watchdog,
) -> Result<Measured<'a>> {
    let ops = if plan.quick { row.quick_ops } else { row.ops };
    let work = Work { warm_up: ops / 10, ops, only: None };
    let started = Instant::now();
    let mut samples = BTreeMap::<Peer, Vec<Sample>>::new();
    let (fewest, most) = plan.runs(row);
    let mut runs = 0;
    while runs < most && (runs < fewest || started.elapsed() < share) {
        progress(&format!("{} {}/{most}", row.name, runs + 1));
        for turn in 0..row.cases.len() {
            // Another one begins each time: being first may mean a cold or a boosted core.
            let (peer, body) = row.cases[(turn + runs as usize) % row.cases.len()];
            watchdog.next(format!("row {}, peer {}", row.name, peer.name()));
            let sample = match row.starts {
                Some(_) => own_process::sample(row, peer, &work),
                None => on_its_own_thread(|| body(&work)),
            };
            let sample =
                sample.with_context(|| format!("row {}, peer {}", row.name, peer.name()))?;
            samples.entry(peer).or_default().push(sample);
        }
        runs += 1;
    }
    progress("");
    eprintln!("{:18} {runs} runs in {:.1} s", row.name, started.elapsed().as_secs_f64());
    Ok(Measured { row, samples })
}

/// What a library remembers of a thread, and does differently when there are more of them, shall not go
/// from one row to the next.
pub(crate) fn on_its_own_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    let ended = thread::scope(|scope| scope.spawn(body).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// One line that overwrites the last, where somebody watches.
fn progress(line: &str) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _nobody_reads_it = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
    }
}

/// Ends the process with a message when a sample does not end.
pub(crate) struct Watchdog(Sender<String>);

impl Watchdog {
    pub(crate) fn start() -> Watchdog {
        let (sender, receiver) = mpsc::channel::<String>();
        thread::spawn(move || {
            let mut current = String::from("start");
            loop {
                match receiver.recv_timeout(STUCK) {
                    Ok(next) => current = next,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        eprintln!("\npeers: {current}: no end after {} s", STUCK.as_secs());
                        process::exit(3);
                    }
                }
            }
        });
        Watchdog(sender)
    }

    /// The sample before has ended, and this one begins.
    pub(crate) fn next(&self, what: String) {
        // The thread lives as long as the sender.
        let _received = self.0.send(what);
    }
}
