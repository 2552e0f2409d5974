//! A service of a hundred processes leaves a hundred recordings, and one wants to see all of them at once.
//! `ticks who` and `ticks stat` took one; `ticks show` took several, and one empty file among them, as a full
//! disk leaves it, silenced all the others.

mod util;

use std::fs;

use serde_json::Value as Json;
use tempfile::TempDir;
use ticks_format::image::Image;
use util::{accept, empty, path, stderr, stdout, ticks};

/// Recordings of three processes: one where nobody waits, two with the same two waits.
fn recordings() -> (TempDir, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, image: &Image| {
        let file = dir.path().join(name);
        fs::write(&file, image.to_bytes()).expect("written");
        path(&file).to_owned()
    };
    let files = vec![
        write("1.ticks", &accept()),
        write("2.ticks", &empty(4712, 1)),
        write("3.ticks", &accept()),
    ];
    (dir, files)
}

fn args<'a>(command: &[&'a str], files: &'a [String]) -> Vec<&'a str> {
    command.iter().copied().chain(files.iter().map(String::as_str)).collect()
}

#[test]
fn all_are_shown() {
    let (_dir, files) = recordings();
    let who = stdout(args(&["who"], &files));
    assert_eq!(who.matches("tcp-listener").count(), 2, "{who}");
    assert!(who.contains("relay (4712)"), "{who}");
    assert!(who.ends_with("\n3 recordings, 4 waiting\n"), "{who}");

    let stat = stdout(args(&["stat"], &files));
    let overview: Vec<&str> = stat.lines().take_while(|line| !line.is_empty()).collect();
    assert!(overview[0].starts_with("PROCESS"), "{stat}");
    assert_eq!(overview.len(), 4, "{stat}");
    // Of the first: threads, records, rounds, events, wakes.
    // Only on Linux, where the recordings are from, can their processes be looked for.
    let ended = match cfg!(target_os = "linux") {
        true => "was killed or ended without exit",
        false => "may have ended",
    };
    assert!(overview[1].starts_with(&format!("relay (4711)  {ended}")), "{stat}");
    // How long ago the last record was comes behind, in several words.
    let words = 2 + ended.split(' ').count();
    let counts: Vec<_> = overview[1].split_whitespace().skip(words).take(5).collect();
    assert_eq!(counts, ["2", "18", "1", "1", "1"], "{stat}");
    assert_eq!(stat.matches("\nTHREAD ").count(), 3, "{stat}");
}

/// What can be read is shown, what cannot is named, and the exit code says that it is not all.
#[test]
fn one_that_cannot_be_read_hides_none() {
    let (dir, mut files) = recordings();
    let [broken, missing] = ["0.ticks", "missing.ticks"].map(|name| dir.path().join(name));
    fs::write(&broken, "").expect("written");
    files.insert(0, path(&broken).to_owned());
    files.push(path(&missing).to_owned());
    for (command, wanted) in [
        (&["who"][..], "3 recordings, 4 waiting"),
        (&["who", "--json"], "\"fd\":4"),
        (&["stat"], "relay (4712)"),
        (&["stat", "--json"], "\"pid\":4712"),
        (&["show"], " 4711/4714] Reactor::ticker:+- val=2"),
        (&["export", "--chrome", "-o", "-"], "\"traceEvents\""),
    ] {
        let output = ticks(args(command, &files));
        let (shown, said) = (String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(shown.contains(wanted), "{command:?}: {shown}");
        assert!(said.contains(&format!("ticks: {}: ", broken.display())), "{command:?}: {said}");
        // Each system has its own words.
        let words = if cfg!(windows) { "" } else { "No such file" };
        let wanted = format!("ticks: {}: {words}", missing.display());
        assert!(said.contains(&wanted), "{command:?}: {said}");
        // With nothing else, nothing is done.
        let nothing = [files[0].clone(), files[files.len() - 1].clone()];
        let output = ticks(args(command, &nothing));
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert_eq!(stderr(&output).lines().count(), 2, "{}", stderr(&output));
    }
}

/// Scripts had to take the numbers out of the tables, by the places of columns that come and go.
#[test]
fn stat_as_json() {
    let (_dir, files) = recordings();
    let shown = stdout(args(&["stat", "--json"], &files));
    let objects: Vec<Json> =
        shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects.len(), 3);
    let first = &objects[0];
    assert_eq!(first["file"], files[0].as_str());
    assert_eq!((&first["pid"], &first["program"]), (&4711.into(), &"/usr/bin/relay".into()));
    let state = if cfg!(target_os = "linux") { "gone" } else { "unknown" };
    assert_eq!((&first["state"], &first["records"]), (&state.into(), &18.into()));
    assert_eq!(first["begin"], "2022-05-03T18:37:51.139518Z");
    assert_eq!(first["end_utc_ns"], util::BEGIN_NS + 1_003_000_200);
    let helper = &first["threads"][1];
    assert_eq!((&helper["thread"], &helper["thread_name"]), (&4714.into(), &"async-io".into()));
    let counts =
        ["records", "rounds", "events", "wakes", "parks"].map(|name| helper[name].as_u64());
    assert_eq!(counts, [8, 1, 1, 1, 0].map(Some));
    assert_eq!(helper["last_utc_ns"], util::BEGIN_NS + 1_002_000_000);
    let source = &first["sources"][0];
    assert_eq!((&source["key"], &source["fd"]), (&3.into(), &4.into()));
    assert_eq!(
        (&source["kind"], &source["local"]),
        (&"tcp-listener".into(), &"127.0.0.1:4001".into())
    );
    let counts = ["events", "wakes", "spurious", "polls", "upstream_known", "upstream_differs"];
    assert_eq!(counts.map(|name| source[name].as_u64()), [1, 1, 0, 3, 3, 1].map(Some));
    assert_eq!(source["waits"]["count"], 1);
    assert_eq!(source["waits"]["max_ns"], 991_000_000);
    assert_eq!(
        (&first["timers"]["fired"], &first["timers"]["late"]["p50_ns"]),
        (&1.into(), &1_000_000.into())
    );
    assert_eq!(first["rings"][0]["slots_kept"], 12);
    let nothing = &objects[1];
    assert_eq!((&nothing["records"], &nothing["last_ago_ns"]), (&0.into(), &Json::Null));
    assert_eq!(nothing["timers"]["late"]["p99_ns"], Json::Null);
}

/// Every name that the JSON has.
fn names(value: &Json, into: &mut Vec<String>) {
    match value {
        Json::Object(object) => {
            for (name, value) in object {
                into.push(name.clone());
                // A record's fields are SPEC.md's.
                if name != "fields" {
                    names(value, into);
                }
            }
        }
        Json::Array(values) => values.iter().for_each(|value| names(value, into)),
        _ => {}
    }
}

/// The page that describes the JSON describes all of it.
#[test]
fn the_json_is_described() {
    let page = include_str!("../JSON.md");
    let durations = page.lines().find(|line| line.contains("are durations:")).expect("a line");
    let (_dir, files) = recordings();
    for command in ["show", "stat", "who"] {
        let heading = format!("`ticks {command} --json`:");
        let section = page.split("\n## ").find(|section| section.starts_with(&heading));
        let section = section.unwrap_or_else(|| panic!("{command} has no section"));
        let shown = stdout(args(&[command, "--json"], &files));
        let mut found = Vec::new();
        for line in shown.lines() {
            names(&serde_json::from_str(line).expect("JSON"), &mut found);
        }
        assert!(!found.is_empty());
        for name in found {
            let name = format!("`{name}`");
            let is_described = section.contains(&name) || durations.contains(&name);
            assert!(is_described, "{command}: JSON.md does not say what {name} is");
        }
    }
}
