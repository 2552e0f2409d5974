//! A client sends, and its session waits for something else. `ticks who` has no row for the socket, as nobody waits for
//! it, and in `ticks stat` it looked like any other. Both say now that something has come and nobody has asked since; of
//! sockets that are waited for they do not.

use serde_json::Value as Json;

use crate::case::Program;
use crate::util::{path, stdout};

const MARK: &str = "and nobody has asked since";

/// The objects of `ticks who --json` that have the mark.
#[track_caller]
fn marked(of: &str) -> Vec<Json> {
    let objects = stdout(["who", "--json", of]);
    let objects = objects.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    objects.filter(|object: &Json| object["kind"] == "unasked").collect()
}

#[track_caller]
fn has_the_mark(of: &str) {
    let marked = marked(of);
    assert_eq!(marked.len(), 1, "{marked:#?}");
    assert_eq!((&marked[0]["dir"], &marked[0]["source_kind"]), (&"read".into(), &"tcp".into()));
    let who = stdout(["who", of]);
    let line = who.split('\n').find(|line| line.contains("an event to read")).expect("a line");
    assert!(line.starts_with(&format!("fd {} (tcp ", marked[0]["fd"])), "{line}");
    assert!(who.contains(MARK), "{who}");
    let stat: Json = serde_json::from_str(&stdout(["stat", "--json", of])).expect("JSON");
    let sources = stat["sources"].as_array().expect("an array");
    assert!(sources.iter().any(|source| source["unasked_since"].is_string()), "{stat:#}");
    assert!(stdout(["stat", of]).contains("UNASKED"));
}

#[test]
fn what_nobody_asks_for_is_marked() {
    let mut program = Program::start("hangs", "unread_socket", 100);
    program.wait_until("hung").expect("it hangs");
    has_the_mark(&program.pid());
    program.kill();
    has_the_mark(path(&program.file()));
}

#[test]
fn what_is_waited_for_is_not() {
    let mut program = Program::start("hangs", "silent_peer", 100);
    program.wait_until("hung").expect("it hangs");
    for of in [program.pid(), path(&program.file()).to_owned()] {
        assert_eq!(marked(&of), [] as [Json; 0]);
        assert!(!stdout(["who", &of]).contains(MARK));
        assert!(!stdout(["stat", &of]).contains("UNASKED"));
    }
}
