//! What the flight recorder costs.
//!
//! The program runs itself several times, once for each *sink* (nobody, the recorder, `log`, `tracing`),
//! and has the children work in turns, a short lap each, so that whatever else the machine does meets
//! all of them. A lap's time less the lap's time with nobody listening, by the number of records that
//! the operation leaves, is what a record costs; the ratio is what a program pays.
//!
//! A stack is measured by itself: one that is recognised, and one that is unwound because the same place in the code was
//! reached by another way the last time. Nobody listening takes none.
//!
//! `recorder-cost [--quick] [WORK…]`, where a work is one of those listed by `--list`.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use anyhow::{bail, Result};

mod child;
mod clock;
mod sink;
mod work;

use child::Child;
use sink::Sink;
use work::Work;

fn main() -> ExitCode {
    let result = match child::role() {
        Some((sink, work)) => child::serve(sink, work),
        None => measure(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("recorder-cost: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    let mut works = Vec::new();
    let mut rounds = 101;
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--quick" => rounds = 21,
            "--list" => {
                Work::ALL.iter().for_each(|work| println!("{:16} {}", work.name(), work.about()));
                return Ok(());
            }
            name => match Work::from_name(name) {
                Some(work) => works.push(work),
                None => bail!("{name:?} is not a work; --list names them"),
            },
        }
    }
    if works.is_empty() {
        works = Work::ALL.to_vec();
    }
    println!("a reading of the clock: {:.1} ns\n", clock::reading_ns());
    println!(
        "{:16} {:9} {:>10} {:>9} {:>11} {:>7}",
        "", "", "operation", "records", "a record", ""
    );
    for work in works {
        compare(work, rounds)?;
    }
    Ok(())
}

/// One work with every sink, in turns.
fn compare(work: Work, rounds: u32) -> Result<()> {
    let mut children = Vec::new();
    for &sink in work.sinks() {
        children.push((sink, Child::start(sink, work)?));
    }
    let mut laps: BTreeMap<Sink, Vec<f64>> = BTreeMap::new();
    for _ in 0..rounds {
        for (sink, child) in &mut children {
            laps.entry(*sink).or_default().push(child.lap()?);
        }
    }
    let mut records = BTreeMap::new();
    for (sink, child) in children.iter_mut().filter(|(sink, _)| sink.is_recorder()) {
        records.insert(*sink, child.records_per_operation()?);
    }
    let nobody = quiet(laps[&Sink::Nobody].clone());
    for (sink, times) in laps {
        let time = quiet(times);
        let (ratio, extra) = (time / nobody, time - nobody);
        let name = if sink == Sink::Nobody { work.name() } else { "" };
        // The other listeners get as many as the recorder.
        let made = records.get(&sink).or(records.get(&Sink::Recorder)).copied().unwrap_or(0.0);
        let is_quiet = sink == Sink::Nobody || made == 0.0;
        let a_record = if is_quiet { String::new() } else { format!("{:.1} ns", extra / made) };
        let ratio = if is_quiet { String::new() } else { format!("{ratio:.3} x") };
        let count = records.get(&sink).filter(|count| **count > 0.0);
        let count = count.map(|count| format!("{count:.2}")).unwrap_or_default();
        println!("{name:16} {:9} {time:>7.0} ns {count:>9} {a_record:>11} {ratio:>9}", sink.name());
    }
    println!();
    Ok(())
}

/// The lap that a tenth of the laps undercut: what else the machine does only ever adds to a lap.
fn quiet(mut laps: Vec<f64>) -> f64 {
    laps.sort_by(f64::total_cmp);
    laps[laps.len() / 10]
}
