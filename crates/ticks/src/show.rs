//! `ticks show`: the records as the log's text lines.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use crate::filter::Filter;
use crate::input::Input;
use crate::line;
use crate::merge::{Merge, Positions};
use crate::outcome::Outcome;

/// Show the records as the log's text lines, threads and files merged by time
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The recordings
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Go on with what is recorded from now on, until the programs have ended
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    filter: Filter,
}

const EXAMPLES: &str = "\
Examples:
  ticks show 4711.ticks --fd 9 --dir read
  ticks show 4711.ticks --kind PollEnd --since 1.5s --until 1.6s
  ticks show client.ticks server.ticks --peer 127.0.0.1:4001
  ticks show 4711.ticks --json | jq 'select(.record == \"Wake\").fields'
  ticks show 4711.ticks --follow";

/// How long to wait for more records of a live program.
const PAUSE: Duration = Duration::from_millis(100);

/// Shows the records.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut inputs = Input::open_all(&args.files)?;
    let mut filter = args.filter.ready(&inputs)?;
    let mut out = BufWriter::new(anstream::stdout().lock());
    let mut positions: Positions = vec![Default::default(); inputs.len()];
    let mut damaged = false;
    loop {
        // Asked first, so that what a program records last is shown before we stop.
        let live = args.follow && inputs.iter().any(Input::is_live);
        let mut merge = Merge::from(&inputs, &positions)?;
        while let Some(moment) = merge.advance()? {
            if !filter.passes(&moment) {
                continue;
            }
            if args.json {
                line::write_json(&mut out, &inputs, &moment)?;
            } else {
                line::write_text(&mut out, &inputs, &moment)?;
            }
        }
        out.flush()?;
        damaged |= merge.report_losses();
        positions = merge.positions();
        if !live {
            break;
        }
        sleep(PAUSE);
        for input in &mut inputs {
            input.recording.refresh_clock()?;
        }
    }
    for input in &inputs {
        damaged |= input.report_problems();
    }
    Ok(if damaged { Outcome::Partly } else { Outcome::Done })
}
