//! What the flight recorder costs.
//!
//! The program runs itself several times, once for each *sink* (nobody, the recorder, `log`, `tracing`),
//! and has the children work in turns, a short lap each, so that whatever else the machine does meets
//! all of them. A lap's time less the lap's time with nobody listening, by the number of records that
//! the operation leaves, is what a record costs; the ratio is what a program pays.
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
                Work::ALL.iter().for_each(|work| println!("{:10} {}", work.name(), work.about()));
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
        "{:10} {:9} {:>10} {:>9} {:>11} {:>7}",
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
    for sink in Sink::ALL {
        children.push((sink, Child::start(sink, work)?));
    }
    let mut laps: BTreeMap<Sink, Vec<f64>> = BTreeMap::new();
    for _ in 0..rounds {
        for (sink, child) in &mut children {
            laps.entry(*sink).or_default().push(child.lap()?);
        }
    }
    let records = children
        .iter_mut()
        .find(|(sink, _)| *sink == Sink::Recorder)
        .map_or(Ok(0.0), |(_, child)| child.records_per_operation())?;
    let nobody = quiet(laps[&Sink::Nobody].clone());
    for (sink, times) in laps {
        let time = quiet(times);
        let (ratio, extra) = (time / nobody, time - nobody);
        let name = if sink == Sink::Nobody { work.name() } else { "" };
        let (a_record, ratio) = match sink {
            Sink::Nobody => (String::new(), String::new()),
            _ => (format!("{:.1} ns", extra / records), format!("{ratio:.3} x")),
        };
        let count = if sink == Sink::Recorder { format!("{records:.2}") } else { String::new() };
        println!("{name:10} {:9} {time:>7.0} ns {count:>9} {a_record:>11} {ratio:>9}", sink.name());
    }
    println!();
    Ok(())
}

/// The lap that a tenth of the laps undercut: what else the machine does only ever adds to a lap.
fn quiet(mut laps: Vec<f64>) -> f64 {
    laps.sort_by(f64::total_cmp);
    laps[laps.len() / 10]
}
