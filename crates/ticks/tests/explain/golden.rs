//! The sentences and the advice of each program's finding, as they are kept in `tests/data/explain`: whoever changes
//! a rule's words sees all of them. `UPDATE_GOLDEN=1` writes them anew.
//!
//! Numbers and times are left out, since they differ from run to run. A release build has other functions on its
//! stacks, so the words are held against a debug build's.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;

/// Whether the finding's words are those that are kept.
pub fn is_as_kept(name: &str, finding: &Json) -> Result<(), String> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    let text = |value: &Json| without_numbers(value.as_str().expect("a text"));
    let mut said = format!("{}\n{}\n", text(&finding["kind"]), text(&finding["sentence"]));
    for advice in finding["advice"].as_array().expect("an array") {
        writeln!(said, "→ {}", text(advice)).expect("a String takes all");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/explain/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return fs::write(&path, said).map_err(|error| format!("{}: {error}", path.display()));
    }
    match fs::read_to_string(&path) {
        Ok(kept) if kept == said => Ok(()),
        Ok(kept) => Err(format!("it says\n{said}\nand {} has\n{kept}", path.display())),
        Err(error) => Err(format!("{}: {error}; it says\n{said}", path.display())),
    }
}

/// The text with `#` for each number, and for each length of time, of several numbers with their units too.
fn without_numbers(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let bare = word.trim_end_matches([',', ';', ':', '.']);
        let rest = &word[bare.len()..];
        match words.last_mut().filter(|last| last.ends_with('#')) {
            Some(last) if is_unit(bare) || is_number_with_unit(bare) => last.push_str(rest),
            _ if is_number_with_unit(bare) => words.push(format!("#{rest}")),
            _ => words.push(without_digits(word)),
        }
    }
    words.join(" ")
}

fn is_unit(word: &str) -> bool {
    ["ns", "µs", "ms", "s", "m", "h", "day", "days"].contains(&word)
}

/// Such as `2m`.
fn is_number_with_unit(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < word.len() && is_unit(unit)
}

fn without_digits(word: &str) -> String {
    let mut new = String::new();
    let ends_in_digit = word.ends_with(|c: char| c.is_ascii_digit());
    for c in word.chars() {
        match c {
            '0'..='9' if new.ends_with('#') => {}
            '0'..='9' => new.push('#'),
            '.' if new.ends_with('#') && ends_in_digit => {}
            c => new.push(c),
        }
    }
    new
}

#[test]
fn numbers_and_times_are_left_out() {
    let text = "task 17 waits since 3.98 s, at a.rs:12, for 1m 5s; 14days 2h ago";
    assert_eq!(without_numbers(text), "task # waits since #, at a.rs:#, for #; # ago");
}
