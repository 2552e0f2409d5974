//! The accept repro, for a person: builds `tcp_accept` in debug and release, on this crate and on
//! async-io 2.6.0 from crates.io, runs the four at three costs per poll, and shows what their logs
//! say. It ends with what `ticks compare` says of debug and release on 2.6.0: the poll where they part.
//! `cargo test repro` is the same for a machine.
//!
//! ```text
//! cargo run --example repro
//! ```
//!
//! The exit code is 0 if this crate accepted every connection, 1 if not, 2 if the repro could not be
//! carried out.

use std::io::{self, Write};
use std::process::ExitCode;

use repro::case::Reactor;
use repro::Report;

fn main() -> ExitCode {
    let report = match repro::reproduce(&mut |step| eprintln!("{step}")) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("repro: {error}");
            return ExitCode::from(2);
        }
    };
    // Whoever closes stdout has read enough.
    let _ = show(&report, &mut io::stdout().lock());
    match repro::compare(&report, &mut |step| eprintln!("{step}")) {
        Ok(text) => {
            let mut out = io::stdout().lock();
            let title = "Debug (A) and release (B) on 2.6.0, at 1,000 µs a poll:";
            let _ = write!(out, "\n{title}\n\n{text}");
        }
        Err(error) => {
            eprintln!("repro: {error}");
            return ExitCode::from(2);
        }
    }
    let all = report.on(Reactor::Ours).all(|run| run.story.accepted() == run.story.clients());
    ExitCode::from(u8::from(!all))
}

fn show(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{report}")?;
    writeln!(out, "Logs:")?;
    for run in report.runs() {
        writeln!(out, "    {}", run.log.display())?;
    }
    writeln!(out)?;
    for sentence in report.sentences() {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}
