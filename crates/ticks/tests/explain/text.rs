//! What people read: 80 columns, the surest finding first, and of a program that is well what was looked for.

use crate::case::Program;
use crate::util::{path, ticks};

#[track_caller]
fn told(of: &str) -> String {
    String::from_utf8(ticks(["explain", of]).stdout).expect("UTF-8")
}

#[track_caller]
fn fits(text: &str) {
    // A path may be longer than a line.
    let mut lines = text.lines().filter(|line| line.split_whitespace().count() > 3);
    assert_eq!(
        lines.find(|line| line.chars().count() > 80 && !line.contains("$ ")),
        None,
        "{text}"
    );
}

#[test]
fn a_finding() {
    let mut program = Program::start("hangs", "unread_socket", 100);
    program.wait_until("hung").expect("it hangs");
    let text = told(&program.pid());
    fits(&text);
    assert!(
        text.starts_with("proven (unasked_data)\n  nobody reads what has come on fd "),
        "{text}"
    );
    let parts = ["\n  - ", "\n  $ ticks show ", "\n  → "];
    let places: Vec<Option<usize>> = parts.iter().map(|part| text.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    // Who has an answer is not told what else one could have looked at.
    assert!(!text.contains("cannot tell") && !text.contains("strace -f -ttt"), "{text}");
}

#[test]
fn nothing_wrong() {
    let mut program = Program::start("healthy", "ticker", 1);
    assert!(program.succeeds());
    let text = told(path(&program.file()));
    fits(&text);
    assert!(text.starts_with("nothing wrong found\nlooked for:\n- "), "{text}");
    assert!(text.contains("\ncannot tell:\n- "), "{text}");
    assert!(text.contains("\nnot looked at: system calls; "), "{text}");
}
