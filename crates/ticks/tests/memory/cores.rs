//! The service has died, and a core dump is left: as the kernel writes it, as gdb does, as systemd-coredump keeps it, and
//! with less in it than it could have.
//!
//! The kernel writes a dump into a file where `kernel.core_pattern` says so; where it says otherwise, gdb's is what
//! there is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::builds::{optimised, SUBJECT};
use crate::debuggers::gdb;
use crate::found::{subject_of_this_build, Found, Known};
use crate::start::{examples, own_path, shop, shop_of, shop_path, Program};
use crate::util::{path, stderr, stdout, ticks};

/// A core dump in a directory of its own.
pub struct Dump {
    dir: TempDir,
    pub path: PathBuf,
}

impl Dump {
    /// The kernel writes it, with what `filter` says (`core(5)`), and the process is gone.
    fn of_kernel(program: &mut Program, dir: TempDir, filter: &str) -> Option<Dump> {
        let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("Linux has it");
        if pattern.starts_with(['|', '/']) {
            eprintln!("left out: this system's core dumps go to {pattern}");
            return None;
        }
        let proc = PathBuf::from(format!("/proc/{}", program.pid()));
        fs::write(proc.join("coredump_filter"), filter).expect("it is ours");
        let mut kill = Command::new("prlimit");
        kill.args(["--core=unlimited:unlimited", "--pid", &program.pid()]);
        if !kill.status().is_ok_and(|status| status.success()) {
            eprintln!("left out: prlimit may not let it leave a core dump");
            return None;
        }
        let abort = Command::new("kill").args(["-ABRT", &program.pid()]).status();
        assert!(abort.expect("kill runs").success());
        program.child.wait().expect("it was there");
        let mut files = fs::read_dir(dir.path()).expect("it is ours");
        let path = files.next().expect("it has left one").expect("readable").path();
        Some(Dump { dir, path })
    }

    /// gdb writes it, and the process goes on.
    pub fn of_gdb(program: &Program) -> Option<Dump> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("core");
        let write = format!("generate-core-file {}", path.display());
        gdb(&["-p", &program.pid(), "-ex", &write])?;
        assert!(path.exists(), "gdb has written none");
        Some(Dump { dir, path })
    }

    /// With another name.
    fn written(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).expect("there is room");
        path
    }
}

/// The subject, which dies where its dump goes.
fn dead_subject(filter: &str) -> Option<(Known, Dump)> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut program = Program::start(subject_of_this_build().current_dir(dir.path()), "waits");
    let known = Known::of(&program);
    Some((known, Dump::of_kernel(&mut program, dir, filter)?))
}

#[track_caller]
fn is_found(known: &Known, of: &[&str]) {
    Found::at(of).holds_but_addresses(known);
}

#[test]
fn as_the_kernel_writes_it() {
    let Some((known, dump)) = dead_subject("0x33") else { return };
    is_found(&known, &["--core", path(&dump.path)]);
    // It is known by its beginning too.
    is_found(&known, &[path(&dump.path)]);
    let shown = stdout(["who", path(&dump.path)]);
    assert!(shown.contains("has left a core dump; as it was, "), "{shown}");
}

#[test]
fn as_gdb_writes_it() {
    let program = Program::start(&mut Command::new(optimised(SUBJECT)), "waits");
    let Some(dump) = Dump::of_gdb(&program) else { return };
    is_found(&Known::of(&program), &["--core", path(&dump.path)]);
    let shop = shop();
    let Some(dump) = Dump::of_gdb(&shop) else { return };
    let shown = stdout(["who", "--core", path(&dump.path)]);
    assert!(shown.contains("last_item::accept") && shown.contains("last_item::serve"), "{shown}");
}

#[test]
fn packed_as_it_is_kept() {
    let Some((known, dump)) = dead_subject("0x33") else { return };
    let bytes = fs::read(&dump.path).expect("it is there");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zst = ruzstd::encoding::compress_to_vec(&bytes[..], level);
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&bytes).expect("in memory");
    let mut xz = Vec::new();
    lzma_rs::xz_compress(&mut &bytes[..], &mut xz).expect("in memory");
    let packed =
        [("core.zst", zst), ("core.lz4", lz4.finish().expect("in memory")), ("core.xz", xz)];
    for (name, bytes) in packed {
        let packed = dump.written(name, &bytes);
        is_found(&known, &["--core", path(&packed)]);
        let cut = dump.written(&format!("cut-{name}"), &bytes[..bytes.len() / 2]);
        let output = ticks(["who", "--core", path(&cut)]);
        let said = stderr(&output);
        assert!(!said.is_empty(), "{name} is cut off, and nothing is said of it");
        assert!(!said.contains("panicked"), "{said}");
    }
}

/// A service that was recorded has died. Its recording has more than its memory: it is read instead, and that is said.
#[test]
fn the_recording_is_read_if_it_is_still_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let recordings = tempfile::tempdir().expect("a directory");
    let mut program = Command::new(shop_path());
    // `Program::start` takes the setting away.
    let mut with_recorder = Command::new("env");
    with_recorder.arg(format!("ASYNC_IO_TRACE={}", path(recordings.path())));
    with_recorder.arg(program.get_program()).current_dir(dir.path());
    program = with_recorder;
    // It dies while it hangs, and not before.
    let (mut program, _) = shop_of(&mut program);
    let pid = program.pid();
    let Some(dump) = Dump::of_kernel(&mut program, dir, "0x33") else { return };
    let recording = recordings.path().join(format!("{pid}.ticks"));
    let output = ticks(["who", "--core", path(&dump.path)]);
    assert!(stderr(&output).contains(&format!("its recording {} is read", path(&recording))));
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(shown.contains("Mutex::lock (async-lock)") && shown.contains("SINCE"), "{shown}");
    // It may lie beside the dump, as when both were copied from another machine.
    fs::rename(&recording, dump.path.with_file_name(format!("{pid}.ticks"))).expect("one system");
    let output = ticks(["who", "--core", path(&dump.path)]);
    assert!(stderr(&output).contains("its recording"), "{}", stderr(&output));
    fs::remove_file(dump.path.with_file_name(format!("{pid}.ticks"))).expect("it is there");
    let shown = stdout(["who", "--core", path(&dump.path)]);
    assert!(shown.contains("it is not recorded, and this is read from its memory"), "{shown}");
}

/// `ticks explain` says of a dump what can be told without knowing since when.
#[test]
fn it_is_explained() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(examples().join("hangs"));
    command.args(["--case", "two_locks", "--seconds", "100"]).current_dir(dir.path());
    let mut program = Program::start(&mut command, "hung");
    let Some(dump) = Dump::of_kernel(&mut program, dir, "0x33") else { return };
    let output = ticks(["explain", "--core", path(&dump.path)]);
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(said.starts_with("likely (deadlock)\n"), "{said}");
    assert!(said.contains("examples/hangs/two_locks.rs:"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// `coredump_filter` may leave out all that has a file, also the beginnings of these files.
#[test]
fn without_what_has_a_file() {
    let Some((known, dump)) = dead_subject("0x01") else { return };
    is_found(&known, &["--core", path(&dump.path)]);
    is_found(&known, &["--core", path(&dump.path), "--exe", path(&own_path())]);
}

/// Nobody says then which file was where, so that constants are not to be had: types' names.
#[test]
fn without_the_names_of_the_files() {
    let Some((known, dump)) = dead_subject("0x33") else { return };
    let mut bytes = fs::read(&dump.path).expect("it is there");
    // The note's type, which is a word of letters.
    let places: Vec<usize> = bytes
        .windows(12)
        .enumerate()
        .filter(|it| it.1 == b"ELIFCORE\0\0\0\0")
        .map(|it| it.0)
        .collect();
    assert_eq!(places.len(), 1, "a dump has one such note");
    bytes[places[0]] = b'?';
    let nameless = dump.written("nameless", &bytes);
    let found = Found::at(&["--core", path(&nameless)]);
    found.holds_but_names(&known);
}

#[test]
fn a_dump_that_is_cut_off_says_so() {
    let Some((_, dump)) = dead_subject("0x33") else { return };
    let bytes = fs::read(&dump.path).expect("it is there");
    for part in [2, 3, 8, 1_000] {
        let cut = dump.written("cut", &bytes[..bytes.len() / part]);
        let output = ticks(["who", "--core", path(&cut)]);
        let said = stderr(&output);
        assert!(said.contains("cut off") || output.status.code() == Some(2), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn what_is_no_dump_is_refused() {
    let program = own_path();
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    for (file, why) in
        [(program.as_path(), "is a program and no core dump"), (text.as_path(), "is no core dump")]
    {
        let output = ticks(["who", "--core", path(file)]);
        let said = stderr(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let narrow = dir.path().join("core");
    fs::write(&narrow, b"\x7fELF\x01\x01\x01").expect("there is room");
    let said = stderr(&ticks(["who", "--core", path(&narrow)]));
    assert!(said.contains("is of a 32-bit process"), "{said}");
}
