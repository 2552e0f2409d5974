//! A page goes where somebody says, and nothing else that is there is lost by it.

use std::fs;

use crate::seen::{data, report, rows};
use crate::util::{accept, path, stderr, ticks, Sample};

#[test]
fn without_a_place_it_says_so() {
    let sample = Sample::new(&accept());
    let output = ticks(["report", path(&sample.path)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--output <OUT>"), "{}", stderr(&output));
}

#[test]
fn a_page_is_written_over_and_another_file_is_not() {
    let sample = Sample::new(&accept());
    let recording = path(&sample.path);
    let page = report(sample.dir.path(), recording, &[]);
    let first = fs::read_to_string(&page).expect("the page");
    assert!(first.starts_with("<!doctype html>") && first.trim_end().ends_with("</html>"));
    report(sample.dir.path(), recording, &[]);

    let notes = sample.dir.path().join("notes.html");
    fs::write(&notes, "<!doctype html>\nmine").expect("it can be written");
    let output = ticks(["report", recording, "-o", path(&notes)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&notes).expect("it is there"), "<!doctype html>\nmine");
    let output = ticks(["report", recording, "-o", path(&notes), "--force"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(fs::read_to_string(&notes).expect("it is there").starts_with("<!doctype html>\n<!--"));

    // The program that writes it would be killed.
    let before = fs::read(&sample.path).expect("the recording");
    let output = ticks(["report", recording, "-o", recording, "--force"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is a recording"), "{}", stderr(&output));
    assert_eq!(fs::read(&sample.path).expect("the recording"), before);

    let nowhere = sample.dir.path().join("nowhere/hang.html");
    for (place, says) in
        [(&*nowhere, "no such directory"), (sample.dir.path(), "found a directory")]
    {
        let output = ticks(["report", recording, "-o", path(place)]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
    let left = fs::read_dir(sample.dir.path()).expect("the directory").count();
    assert_eq!(left, 3, "nothing is left behind");
}

#[test]
fn standard_output_has_the_page_alone() {
    let sample = Sample::new(&accept());
    let output = ticks(["report", path(&sample.path), "-o", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stdout.starts_with(b"<!doctype html>") && output.stdout.ends_with(b"</html>\n"));
    assert_eq!(stderr(&output), "");
}

#[test]
fn logs_and_several_files_have_one_page() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/seeds");
    let logs = ["relay.debug.log", "relay.release.log"].map(|name| format!("{seeds}/{name}"));
    let dir = tempfile::tempdir().expect("a directory");
    let page = report(dir.path(), &logs[0], &[&logs[1]]);
    let data = data(&page);
    let processes = data["tables"]["processes"].as_array().expect("processes");
    let names: Vec<_> = processes.iter().map(|process| process["name"].as_str()).collect();
    assert_eq!(names, [Some("relay.debug.log"), Some("relay.release.log")]);
    let sure = &data["verdict"]["findings"][0]["sure"];
    assert_eq!(sure, "likely", "what explain says of them: {}", data["verdict"]);
    assert!(!rows(&data, "threads").is_empty());
}
