//! At 80 columns the help texts were wrapped twice, once by hand and once by the terminal's width, so that every
//! other line was one word long. And at 60, beside an editor, the tables broke in the midst of their rows.

mod util;

use std::process::Command;

use util::{accept, path, Sample};

/// What the tool prints where the terminal is so wide.
fn shown(columns: usize, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticks"));
    let output = command.args(args).env("COLUMNS", columns.to_string()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// How wide a line is: all that is printed here takes a column a character.
fn width(line: &str) -> usize {
    line.chars().count()
}

#[test]
fn help_is_wrapped_once() {
    for command in ["record", "show", "stat", "who", "top", "export"] {
        for columns in [60, 80, 100] {
            let help = shown(columns, &[command, "--help"]);
            let prose = help.split("\nExamples:").next().expect("a help text");
            let lines: Vec<&str> = prose.lines().collect();
            for pair in lines.windows(2) {
                let (line, next) = (pair[0], pair[1]);
                if line.starts_with("Usage: ") {
                    continue;
                }
                assert!(width(line) <= columns, "{command}, {columns}: {line}");
                // Within a paragraph a line is as long as it can be.
                let goes_on = |text: &str| !text.trim().is_empty() && !text.trim().starts_with('-');
                let indent = |text: &str| text.len() - text.trim_start().len();
                if !goes_on(line) || !goes_on(next) || indent(line) != indent(next) {
                    continue;
                }
                let first = next.split_whitespace().next().expect("a word");
                let fits = width(line) + 1 + width(first) <= columns;
                assert!(!fits, "{command}, {columns}: {first:?} would have fitted behind {line:?}");
            }
        }
    }
}

#[test]
fn tables_fit() {
    let sample = Sample::new(&accept());
    let file = path(&sample.path);
    for args in
        [&["who", file][..], &["who", "--ticks", file], &["stat", file], &["stat", file, file]]
    {
        for columns in [60, 72, 100] {
            let shown = shown(columns, args);
            for line in shown.lines() {
                assert!(width(line) <= columns, "{args:?}, {columns}: {line}\n{shown}");
            }
            // What is waited for, and where, or who did how much, is left.
            for wanted in
                ["127.0.0.1:4001", if args[0] == "who" { "src/main.rs" } else { "EVENTS" }]
            {
                assert!(shown.contains(wanted), "{args:?}, {columns}: {shown}");
            }
        }
        assert!(shown(60, args).contains("no room for: "), "{args:?}");
        let whole = shown(1_000, args);
        assert!(!whole.contains("no room for: "), "{args:?}");
        // A pipe has no width.
        assert_eq!(whole, util::stdout(args), "{args:?}");
    }
}
