//! `cargo bench --bench executor`: builds the package `executor-peers` and runs it with the given options.
//!
//! The peers (tokio, the async-executor of crates.io) are dependencies of that package alone.

use std::env;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        println!("executor: nothing to test; measure with `cargo bench --bench executor`");
        return ExitCode::SUCCESS;
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(&cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["run", "--profile", "bench", "--package", "executor-peers", "--"])
        .args(args.iter().filter(|arg| *arg != "--bench"))
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("executor: cannot run {}: {error}", cargo.to_string_lossy());
            ExitCode::FAILURE
        }
    }
}
