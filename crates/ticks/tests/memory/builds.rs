//! However it was built: with link-time optimisation, without debug information, without symbols.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::found::{Found, Known};
use crate::start::Program;

/// The subject, optimised over all crates, with its symbols and without debug information.
fn optimised() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("subject");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--offline", "-p", "memory-subject", "--release"]);
        cargo.args(["--config", "profile.release.lto=\"fat\""]);
        cargo.args(["--config", "profile.release.strip=\"debuginfo\""]);
        cargo.args(["--config", "profile.release.panic=\"abort\""]);
        cargo.arg("--target-dir").arg(&target).arg("--manifest-path");
        cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"));
        for flags in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
            cargo.env_remove(flags);
        }
        assert!(cargo.status().expect("cargo runs").success());
        target.join("release/memory-subject")
    })
}

#[track_caller]
fn is_found(path: &Path) {
    let program = Program::start(&mut Command::new(path), "waits");
    Found::at(&[&program.pid()]).holds(&Known::of(&program), false);
}

#[test]
fn with_link_time_optimisation() {
    is_found(optimised());
}

#[test]
fn without_symbols() {
    let dir = tempfile::tempdir().expect("a directory");
    let stripped = dir.path().join("subject");
    let mut strip = Command::new("strip");
    strip.args(["--strip-all", "-o"]).arg(&stripped).arg(optimised());
    assert!(strip.status().expect("strip runs, which comes with the linker").success());
    let names = Command::new("nm").arg(&stripped).output().expect("nm runs");
    assert_eq!(names.stdout, b"", "it has symbols");
    is_found(&stripped);
}

/// As after an update: the file that runs is no longer there.
#[test]
fn deleted_while_it_runs() {
    let dir = tempfile::tempdir().expect("a directory");
    let copy = dir.path().join("subject");
    std::fs::copy(optimised(), &copy).expect("a copy");
    let program = Program::start(&mut Command::new(&copy), "waits");
    std::fs::remove_file(&copy).expect("it is ours");
    Found::at(&[&program.pid()]).holds(&Known::of(&program), false);
}
