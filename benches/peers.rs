//! `cargo bench --bench peers`: builds the package `peers` and runs it with the given options.
//!
//! The peers (tokio, the async-io of crates.io) are dependencies of that package alone, so that
//! neither a user of this crate nor its tests compile them, and no feature they ask for is
//! unified into this crate's own dependencies.

use std::env;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("peers: nothing to test; measure with `cargo bench --bench peers`");
        return ExitCode::SUCCESS;
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(&cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["run", "--profile", "bench"])
        .args(["--package", "peers", "--bin", "peers", "--"])
        .args(args.iter().filter(|arg| *arg != "--bench"))
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("peers: cannot run {}: {error}", cargo.to_string_lossy());
            ExitCode::FAILURE
        }
    }
}
