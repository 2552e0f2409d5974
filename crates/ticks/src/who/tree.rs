//! The waits of all tasks as a tree of calls, the outermost first.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::account::{state_name, Account};
use super::calls::Frames;
use crate::table::pair;
use crate::units;

/// How many tasks are named at a leaf.
const NAMED: usize = 4;

/// A call with what it calls, or what is waited for.
#[derive(Default)]
struct Node {
    waits: u64,
    /// The tasks whose waits end here.
    tasks: Vec<u64>,
    /// By function and place.
    inner: BTreeMap<(String, String), Node>,
}

/// Tells it. Returns whether calls are left out.
pub fn write(out: &mut dyn Write, accounts: &[Account<'_>], frames: Frames) -> io::Result<bool> {
    let mut root = Node::default();
    let mut has_folded = false;
    for account in accounts {
        let id = account.live.task.id;
        if account.waits.is_empty() {
            let text = format!("{}: {}", state_name(account.live.task.state), account.note_kind);
            let text = text.trim_end_matches(": ").to_owned();
            root.add([(account.title.clone(), String::new()), (text, String::new())], id);
        }
        for wait in &account.waits {
            let calls = wait.place.as_ref().map_or(&[][..], |place| &place.calls);
            has_folded |= frames.leave_out_some(calls);
            let shown: Vec<_> = frames.of(calls).map(|it| (it.name(), it.line_text())).collect();
            // What is of no known place is told by the task's name.
            let begin = shown.is_empty().then(|| (account.title.clone(), String::new()));
            let leaf = (wait.kind.0.clone(), String::new());
            root.add(begin.into_iter().chain(shown.into_iter().rev()).chain([leaf]), id);
        }
    }
    if root.waits > 0 {
        writeln!(out)?;
    }
    root.write(out, 0)?;
    Ok(has_folded)
}

impl Node {
    fn add(&mut self, path: impl IntoIterator<Item = (String, String)>, task: u64) {
        let mut node = self;
        node.waits += 1;
        for step in path {
            node = node.inner.entry(step).or_default();
            node.waits += 1;
        }
        // One that waits for several of a kind is named once.
        if node.tasks.last() != Some(&task) {
            node.tasks.push(task);
        }
    }

    fn write(&self, out: &mut dyn Write, depth: usize) -> io::Result<()> {
        let mut inner: Vec<_> = self.inner.iter().collect();
        // The most first.
        inner.sort_by_key(|(_, node)| std::cmp::Reverse(node.waits));
        let begin = |(name, _): &(String, String), node: &Node| match node.waits {
            1 => name.clone(),
            waits => format!("{} × {name}", units::count(waits)),
        };
        let width = inner.iter().map(|(step, node)| begin(step, node).chars().count());
        let width = width.max().unwrap_or(0).min(48);
        for (step, node) in &inner {
            let end = match node.tasks.is_empty() {
                true => step.1.clone(),
                false => tasks(&node.tasks),
            };
            write!(out, "{}", pair(&begin(step, node), &end, 2 * depth, width))?;
            node.write(out, depth + 1)?;
        }
        Ok(())
    }
}

fn tasks(ids: &[u64]) -> String {
    let named: Vec<_> = ids.iter().take(NAMED).map(u64::to_string).collect();
    let more = match ids.len() - named.len() {
        0 => String::new(),
        more => format!(" and {} more", units::count(more as u64)),
    };
    let tasks = if ids.len() == 1 { "task" } else { "tasks" };
    format!("{tasks} {}{more}", named.join(", "))
}
