//! An example of the root package, as whoever reads of it builds it, with the lines that the README says to ask for: a
//! release build, if this is one.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds these examples, and returns the directory that they are in.
pub fn built(names: &[&str]) -> PathBuf {
    built_with("line-tables-only", names)
}

/// The same, with so much debug information.
pub fn built_with(debug: &str, names: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("examples-{debug}"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--offline", "--target-dir"]).arg(&target);
    cargo.args(names.iter().flat_map(|name| ["--example", name]));
    cargo
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"));
    let profile = match cfg!(debug_assertions) {
        true => "debug",
        false => {
            cargo.arg("--release");
            "release"
        }
    };
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", debug);
    cargo.env("CARGO_PROFILE_DEV_DEBUG", debug);
    for flags in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
        cargo.env_remove(flags);
    }
    assert!(cargo.status().expect("cargo runs").success());
    target.join(profile).join("examples")
}
