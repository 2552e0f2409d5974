//! `clients/run` printed 51 records for a relay whose recording held 1,221: it took the number out of a table of
//! `ticks stat` by the column's place, and the table of a killed process has one column more. Scripts read JSON.
#![cfg(unix)]

mod util;

use std::path::Path;
use std::process::Command;

use ticks_format::records::{ParkBegin, Ticker};
use util::{accept, empty, path, record, stderr, Sample};

fn count(files: &[&Sample]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/run");
    let target = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("bash");
    command.arg(script).arg("count").args(files.iter().map(|sample| path(&sample.path)));
    // What it keeps is kept elsewhere than in the clients' folder.
    command.env("CARGO_TARGET_DIR", target.path()).env("TICKS", env!("CARGO_BIN_EXE_ticks"));
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

#[test]
fn the_clients_records_are_counted() {
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !has("bash") || !has("python3") {
        println!("skipped: bash or python3 is missing");
        return;
    }
    // A process that was killed, with a thread whose name looks like columns.
    let mut image = accept();
    let ring = image.claim(4715, "a 7 b 8", 20).expect("a ring");
    for at in 0..40 {
        record(&mut image, ring, 30 + at, ParkBegin { thread: 4715 });
    }
    let killed = Sample::new(&image);
    assert_eq!(count(&[&killed]), "58");
    assert_eq!(count(&[&killed, &killed]), "116");
    assert_eq!(count(&[]), "0");

    let mut image = empty(4711, 1);
    let ring = image.claim(1, "main", 0).expect("a ring");
    let slots = image.layout().rings[ring].slots;
    for tick in 0..slots {
        record(&mut image, ring, tick, Ticker { tick });
    }
    // The reader keeps clear of the twelve slots that the writer may be at.
    assert_eq!(count(&[&Sample::new(&image)]), format!("{}+", slots - 12));
}
