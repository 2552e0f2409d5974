//! The accept repro, for a person: builds `tcp_accept` in debug and release, on this crate and on
//! async-io 2.6.0 from crates.io, runs the four at three costs per poll, and shows what their logs
//! say. `cargo test repro` is the same for a machine.
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
