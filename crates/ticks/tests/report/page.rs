//! The page as a person reads it: in Chromium, in light and in dark, with no network, with a mouse and with keys.
//!
//! It needs Chromium and packages of PyPI, which `.ci/run viewer` installs before it runs this. The pictures stay in
//! `target/tmp/viewer`.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{json, Value as Json};

use crate::crowd::{crowd, COUNT};
use crate::seen::report;
use crate::util::example::built;
use crate::util::{path, ticks};

/// How many elements a page may have, however many tasks there are.
const NODES_MAX: u64 = 3_000;

/// Letters must stand out from what is behind them so far (WCAG 2, AA).
const CONTRAST_MIN: f64 = 4.5;

/// Opens the page, and does there what a person would.
fn look(page: &Path, look: &Json) -> Json {
    let python = env::var_os("TICKS_VIEWER_PYTHON")
        .expect("TICKS_VIEWER_PYTHON: a Python that has tests/viewer/requirements.txt");
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("viewer");
    fs::create_dir_all(&pictures).expect("a directory");
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/viewer/page.py");
    let mut command = Command::new(python);
    let command = command.arg(driver).args([page, &pictures]).arg(look.to_string());
    let output = command.env("PYTHONHASHSEED", "0").output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[track_caller]
fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name}: {value}"))
}

#[track_caller]
fn number(value: &Json) -> u64 {
    let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number.unwrap_or_else(|| panic!("no number: {value}"))
}

/// What holds of every page.
#[track_caller]
fn assert_sound(scheme: &str, seen: &Json) {
    let nothing = json!([]);
    assert_eq!(seen["said"], nothing, "{scheme}: the console");
    assert_eq!(seen["asked"], nothing, "{scheme}: nothing else is loaded");
    assert_eq!(seen["verdict_in_view"], true, "{scheme}");
    for contrast in ["contrast", "contrast_switched"] {
        for (selector, ratio) in seen[contrast].as_object().expect("ratios") {
            let ratio = ratio.as_f64().expect("a ratio");
            assert!(ratio >= CONTRAST_MIN, "{scheme}: {selector} {contrast} {ratio}");
        }
    }
    assert_eq!(seen["printed"]["begin"], "%PDF-");
    for nodes in ["nodes", "nodes_after"] {
        assert!(number(&seen[nodes]) < NODES_MAX, "{scheme}: {nodes} {}", seen[nodes]);
    }
    let roles = text(seen, "roles");
    for role in
        ["banner", "navigation", "main", "heading \"Verdict\" [level=2]", "searchbox", "grid"]
    {
        assert!(roles.contains(role), "{scheme}: no {role} in {roles}");
    }
    assert_table(&seen["tasks"]);
    assert_timeline(&seen["timeline"]);
}

/// The system chooses light or dark, and the switch the other one.
fn assert_schemes(found: &Json) {
    let ground = |scheme: &str, name: &str| text(&found[scheme], name).to_owned();
    assert_ne!(ground("light", "ground"), ground("dark", "ground"));
    assert_eq!(ground("light", "switched"), ground("dark", "ground"), "the switch");
    assert_eq!(ground("dark", "switched"), ground("light", "ground"), "the switch");
}

/// A click on the head sorts, and a key on it the other way round.
fn assert_table(tasks: &Json) {
    let numbers = |name: &str| -> Vec<u64> {
        tasks[name].as_array().expect("cells").iter().map(number).collect()
    };
    assert_eq!(tasks["sort"], "descending");
    assert!(numbers("down").windows(2).all(|two| two[0] > two[1]), "{tasks}");
    assert!(numbers("up").windows(2).all(|two| two[0] < two[1]), "{tasks}");
    assert_eq!(number(&tasks["end"]), numbers("down")[0], "the last one, by keys alone");
}

/// Each way to zoom shows another part, and each way back shows all.
fn assert_timeline(timeline: &Json) {
    let all = text(timeline, "all");
    for zoomed in ["wheel", "keys_in", "drag", "zoomed"] {
        assert_ne!(text(timeline, zoomed), all, "{zoomed}");
    }
    assert_ne!(timeline["keys_in"], timeline["keys_left"]);
    assert_eq!(text(timeline, "keys_all"), all);
    assert_eq!(text(timeline, "button_all"), all);
    assert_ne!(timeline["picture"], timeline["picture_zoomed"]);
    assert!(text(timeline, "hit").starts_with("1 of "), "{timeline}");
}

/// An example that hangs, until this is dropped.
struct Hung(Child);

impl Hung {
    /// Two tasks that wait for each other. On a machine with much to do one may be through before the other begins, and
    /// nothing hangs: it is begun anew then.
    fn start(dir: &Path) -> Hung {
        let examples = built(&["hangs"]);
        let mut program = Command::new(examples.join("hangs"));
        program.args(["--case", "two_locks", "--seconds", "100"]).current_dir(dir);
        program.env("ASYNC_IO_TRACE", "rec").stdout(Stdio::piped());
        for _ in 0..10 {
            let mut hung = Hung(program.spawn().expect("it runs"));
            let said = BufReader::new(hung.0.stdout.take().expect("a pipe"));
            let hangs = said.lines().any(|line| line.is_ok_and(|line| line == "hung"));
            assert!(hangs, "it ended and never said so");
            if ticks(["explain", &hung.0.id().to_string()]).status.code() == Some(1) {
                return hung;
            }
        }
        panic!("it never hung");
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs Chromium and packages of PyPI: .ci/run viewer"]
fn a_hang_is_seen_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Hung::start(dir.path());
    let pid = program.0.id();
    let mut tool = Command::new(env!("CARGO_BIN_EXE_ticks"));
    let recording = format!("rec/{pid}.ticks");
    tool.current_dir(dir.path()).args(["report", &recording, "-o", "hang.html"]);
    assert!(tool.status().expect("it runs").success());
    let page = dir.path().join("hang.html");
    let words = json!({
        "name": "two-locks",
        "schemes": ["light", "dark"],
        "filter": "transfer waiting",
        "stack": "two_locks::transfer",
        "timeline": "poll transfer",
        "picture": "report.png",
    });
    let found = look(&page, &words);
    assert_schemes(&found);
    for scheme in ["light", "dark"] {
        let seen = &found[scheme];
        assert_sound(scheme, seen);
        assert!(text(seen, "title").starts_with("hangs ("), "{}", seen["title"]);
        let verdict = text(seen, "verdict");
        for says in
            ["proven", "wait for each other", "hangs/two_locks.rs:19", "→ take locks", "ticks show"]
        {
            assert!(verdict.contains(says), "no {says} in {verdict}");
        }
        assert_eq!(seen["tasks"]["filtered"], "2 of 5 tasks");
        let details = text(&seen["tasks"], "details");
        assert!(
            details.contains("Mutex::lock (async-lock)") && details.contains("two_locks.rs:19"),
            "{details}"
        );
        // From the verdict to the task.
        assert!(text(seen, "linked").contains("hangs::two_locks::transfer"));
        let stacks = &seen["stacks"];
        assert_eq!(stacks["folded"], false, "what is folded is not seen");
        assert!(text(stacks, "unfolded").contains("two_locks.rs:19"), "{stacks}");
        assert!(number(&stacks["all_calls"]) > number(&stacks["calls"]), "{stacks}");
        let timeline = &seen["timeline"];
        assert!(
            // Which letter it has depends on which thread was first.
            text(timeline, "details").starts_with("what\npoll ")
                && text(timeline, "details").contains("hangs::two_locks::transfer"),
            "{timeline}"
        );
    }
}

#[test]
#[ignore = "needs Chromium and packages of PyPI: .ci/run viewer"]
fn ten_thousand_tasks_have_few_elements() {
    let process = crowd();
    let dir = tempfile::tempdir().expect("a directory");
    let page = report(dir.path(), path(&process.file()), &["--redact"]);
    let words = json!({
        "name": "crowd",
        "schemes": ["light"],
        "filter": "hoard forgotten",
        "stack": "hoard",
        "timeline": "poll hoard",
    });
    let found = look(&page, &words);
    let seen = &found["light"];
    assert_sound("light", seen);
    assert!(text(seen, "verdict").contains("crowd::hoard"), "{}", seen["verdict"]);
    let tasks = &seen["tasks"];
    assert!(number(&tasks["rows"]) > COUNT as u64, "{tasks}");
    assert!(number(&tasks["nodes_at_end"]) < NODES_MAX, "{tasks}");
    assert!(text(tasks, "filtered").starts_with("1 of 10,00"), "{tasks}");
    assert!(text(tasks, "details").contains("nothing can wake it"), "{tasks}");
    assert!(text(&seen["timeline"], "details").contains("crowd::hoard"));
}
