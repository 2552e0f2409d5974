//! A service hung that nobody had recorded. Its memory says what it waits for, and a page shows that. It has no times and
//! has counted nothing: a page that says 0 there would be wrong.

use serde_json::{json, Value as Json};

use crate::hidden::play;
use crate::seen::{data, report, rows};
use crate::util::process::{role, Process};

#[test]
fn what_a_memory_does_not_have_is_not_zero() {
    if role().is_some() {
        return play();
    }
    let test = "memory::what_a_memory_does_not_have_is_not_zero";
    let process = Process::start(test, "plays", false);
    let dir = tempfile::tempdir().expect("a directory");
    let page = data(&report(dir.path(), &process.pid(), &[]));
    let wait = rows(&page, "waits").iter().find(|row| row["kind"] == "tcp").expect("the stream");
    assert!(wait["address"].as_str().is_some_and(|it| it.contains("127.77.3.9:")), "{wait}");
    for unknown in ["since_ns", "events", "last_event_ns"] {
        assert_eq!(wait[unknown], Json::Null, "{unknown} of {wait}");
    }
    for source in rows(&page, "sources") {
        assert_eq!((&source["polls"], &source["events"]), (&Json::Null, &Json::Null), "{source}");
    }
    assert_eq!(page["picture"]["tracks"], json!([]), "there is nothing to draw");
}
