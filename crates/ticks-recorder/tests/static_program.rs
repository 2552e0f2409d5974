//! A program that was linked as one piece has no libraries, no loader, and its own idea of where its headers are;
//! with musl no descriptions of the C library's frames either. It is what runs in containers without anything
//! else in them. Built here for the C libraries that are at hand, it takes a stack and looks at it itself.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod util;

use std::fs;
use std::path::Path;
use std::process::Command;

use util::{child, watchdog};

const PROGRAM: &str = r#"
use std::hint::black_box;
use ticks_format::{Recording, StackEnd};
use ticks_recorder::{listens, stack_here, Client};

static CLIENT: Client = Client { version: "static 1.0", is_reactor: true, passes_on: |_| false };

#[inline(never)]
fn deep(levels: u32) -> u64 {
    let number = if levels == 0 { stack_here(1) } else { deep(levels - 1) };
    black_box(number)
}

fn main() {
    assert!(listens(&CLIENT));
    let numbers = [deep(30), std::thread::spawn(|| deep(30)).join().unwrap()];
    let dir = std::path::PathBuf::from(std::env::var_os("ASYNC_IO_TRACE").unwrap());
    let file = std::fs::File::open(dir.join(format!("{}.ticks", std::process::id()))).unwrap();
    let recording = Recording::open(file).unwrap();
    for number in numbers {
        let stack = recording.stack(number).unwrap().expect("a stack");
        let module = recording.module(stack.frames[30].module).unwrap().expect("a module");
        let path = recording.place(module.path).unwrap().unwrap();
        assert_eq!(path, std::env::current_exe().unwrap().to_str().unwrap());
        let end = if stack.end == StackEnd::Whole { "whole" } else { "unknown" };
        println!("frames={} end={end}", stack.frames.len());
    }
}
"#;

/// Builds and runs it with these flags. Returns what it printed.
fn run(target: &str, flags: &str) -> String {
    let recorder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = recorder.parent().unwrap().parent().unwrap();
    let format = recorder.parent().unwrap().join("ticks-format");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("static-{target}"));
    fs::create_dir_all(place.join("src")).unwrap();
    fs::write(place.join("src/main.rs"), PROGRAM).unwrap();
    let manifest = format!(
        "[package]\nname = \"static-program\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n\
         [dependencies]\nticks-format = {{ path = {format:?} }}\n\
         ticks-recorder = {{ path = {recorder:?} }}\n\n[workspace]\n"
    );
    fs::write(place.join("Cargo.toml"), manifest).unwrap();
    // The versions that are there already.
    fs::copy(root.join("Cargo.lock"), place.join("Cargo.lock")).unwrap();
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--offline", "--target", target])
        .current_dir(&place)
        .env("CARGO_TARGET_DIR", place.join("target"))
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", child::shown(&built));
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(place.join("target").join(target).join("debug/static-program"))
        .env("ASYNC_IO_TRACE", dir.path())
        .env_remove("ASYNC_IO_TRACE_STACKS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the standard library for the target is installed.
fn is_installed(target: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output();
    let place = asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    place.is_ok_and(|place| !place.is_empty() && Path::new(&place).exists())
}

#[test]
fn in_one_piece_with_the_c_library() {
    let _watchdog = watchdog("in_one_piece_with_the_c_library");
    for flags in [
        "-C target-feature=+crt-static",
        // Not to be put anywhere else, either.
        "-C target-feature=+crt-static -C relocation-model=static",
    ] {
        let said = run("x86_64-unknown-linux-gnu", flags);
        let frames = child::value(&said, "frames").expect(&said);
        assert!(frames.parse::<u32>().unwrap() > 33, "{said}");
        assert_eq!(said.matches("end=whole").count(), 2, "{said}");
    }
}

/// What called `main` is not described there.
#[test]
fn in_one_piece_with_musl() {
    let _watchdog = watchdog("in_one_piece_with_musl");
    let target = "x86_64-unknown-linux-musl";
    if !is_installed(target) {
        println!("skipped: Rust's library for {target} is not installed");
        return;
    }
    let said = run(target, "");
    let frames = child::value(&said, "frames").expect(&said);
    assert!(frames.parse::<u32>().unwrap() > 32, "{said}");
    assert_eq!(said.matches("end=unknown").count(), 2, "{said}");
}
