//! However it was built: with link-time optimisation, without debug information, without symbols.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::found::{Found, Known};
use crate::start::{shop_of, Program};

/// Its program that knows everything of itself.
pub const SUBJECT: &str = "memory-subject";

/// The programs, optimised over all crates, with their symbols and without debug information.
pub fn optimised(program: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).join(program)
}

fn build() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("optimised");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--offline", "--release", "-p", "memory-subject"]);
    for setting in ["lto=\"fat\"", "strip=\"debuginfo\"", "panic=\"abort\""] {
        cargo.arg("--config").arg(format!("profile.release.{setting}"));
    }
    cargo.arg("--target-dir").arg(&target).arg("--manifest-path");
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"));
    let flags = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"];
    for name in ["CARGO_PROFILE_RELEASE_DEBUG"].iter().chain(&flags) {
        cargo.env_remove(name);
    }
    assert!(cargo.status().expect("cargo runs").success());
    target.join("release")
}

#[track_caller]
fn is_found(path: &Path) {
    let program = Program::start(&mut Command::new(path), "waits");
    Found::at(&[&program.pid()]).holds(&Known::of(&program), false);
}

#[test]
fn with_link_time_optimisation() {
    is_found(&optimised(SUBJECT));
}

#[test]
fn without_symbols() {
    let dir = tempfile::tempdir().expect("a directory");
    let stripped = dir.path().join("subject");
    let mut strip = Command::new("strip");
    strip.args(["--strip-all", "-o"]).arg(&stripped).arg(optimised(SUBJECT));
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
    std::fs::copy(optimised(SUBJECT), &copy).expect("a copy");
    let program = Program::start(&mut Command::new(&copy), "waits");
    std::fs::remove_file(&copy).expect("it is ours");
    Found::at(&[&program.pid()]).holds(&Known::of(&program), false);
}

#[test]
fn the_shop_that_hangs() {
    let (_shop, shown) = shop_of(&mut Command::new(optimised("last_item")));
    let accepts = |line: &str| line.contains("last_item::accept") && line.contains("read fd 3");
    assert!(shown.lines().any(accepts), "{shown}");
}
