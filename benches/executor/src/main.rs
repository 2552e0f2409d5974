//! The same tasks run by this repository's async-executor, that of crates.io, and tokio, in turns, in one
//! process.
//!
//! `row.rs` says what a row is, `peer.rs` what a row may ask of a peer, `rows/` has the work, `measure.rs`
//! the measuring by the clock, `count.rs` that by instructions, `report.rs` the tables.

mod count;
mod laps;
mod measure;
mod options;
mod peer;
mod report;
mod row;
mod rows;
mod stats;

fn main() -> std::process::ExitCode {
    match options::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("executor-peers: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
