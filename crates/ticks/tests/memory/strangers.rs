//! Programs that have nothing to tell: what they are is said, so that whoever asked knows what to do.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::start::{own, plays, Program};
use crate::util::{stderr, ticks};

#[track_caller]
fn told(of: &str) -> String {
    let output = ticks(["who", of]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    // As one line, however wide the terminal is.
    stderr(&output).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_program_without_any_reactor() {
    let sleep = Program::start(Command::new("sh").args(["-c", "echo waits; cat"]), "waits");
    let said = told(&sleep.pid());
    assert!(said.contains("it has no async-io in it, as far as its files tell"), "{said}");
}

#[test]
fn nobody_is_there() {
    // Beyond the highest number that the kernel gives.
    let said = told("4194305");
    assert!(said.contains("there is no such process"), "{said}");
}

#[test]
fn plays_one_that_never_used_it() {
    if plays() {
        println!("\nwaits");
        for _ in std::io::stdin().lines() {}
        // So that it is linked.
        async_io::block_on(async {});
    }
}

#[test]
fn a_program_that_has_not_used_it() {
    let program = Program::start(&mut own("strangers::plays_one_that_never_used_it"), "waits");
    let said = told(&program.pid());
    assert!(said.contains("has not used it yet"), "{said}");
}

#[test]
fn async_io_of_crates_io_is_named() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples/upstream");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../repro/programs/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--bin", "accept_upstream", "--target-dir"]);
    cargo.arg(&target).arg("--manifest-path").arg(&manifest);
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env_remove("RUSTFLAGS");
    assert!(cargo.status().expect("cargo runs").success());
    // A client every half second, for minutes.
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "echo waits; exec \"$0\" --clients 1000 --spacing-ms 500 --deadline-ms 600000",
    ]);
    command.arg(target.join("debug/accept_upstream"));
    let program = Program::start(&mut command, "waits");
    let until = Instant::now() + Duration::from_secs(60);
    let said = loop {
        let said = told(&program.pid());
        // For a moment it is the shell still.
        if !said.contains("no async-io in it") || Instant::now() > until {
            break said;
        }
    };
    assert!(said.contains("it has async-io 2.6.0 of crates.io"), "{said}");
    assert!(said.contains("[patch.crates-io]"), "{said}");
}
