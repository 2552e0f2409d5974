//! The last item of a shop is bought by two people at once, and the service hangs. What was recorded showed three
//! sockets, and not the two tasks that wait for each other's lock, for neither waits for a socket. So they
//! must be found by what is recorded of tasks: both, by name, each with the calls by which it came to its lock,
//! while the shop hangs and after somebody has lost patience and killed it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use ticks_format::{Task, TaskState};

use crate::look::{has_lines, Call, Look};
use crate::story::{eventually, killed, seen, started};
use crate::util::example::built;
use crate::util::{path, stdout};

#[path = "../../../../examples/last_item.rs"]
mod shop;

const SOURCE: &str = include_str!("../../../../examples/last_item.rs");

/// The line of the example that is this one, in this function.
fn line_of(function: &str, line: &str) -> u32 {
    let mut lines = (1..).zip(SOURCE.lines());
    let heading = format!("async fn {function}(");
    assert!(lines.any(|(_, text)| text.contains(&heading)), "no {function}");
    lines.find(|(_, text)| text.trim() == line).expect("the line").0
}

/// Two customers are served, and neither is done.
fn hangs(look: &Look) -> bool {
    let served: Vec<&Task> = look.named("serve").collect();
    let at_the_lock = |task: &&&Task| {
        task.state == TaskState::Waiting
            && look.waits_of(task).next().is_none()
            && !task.asked.is_empty()
    };
    served.len() == 2 && served.iter().filter(at_the_lock).count() == 2
}

/// Both tasks sit in the lock that the other one holds.
#[track_caller]
fn judge(look: &Look, lines: bool) {
    assert!(hangs(look), "{}", look.shown());
    let stacks: Vec<Vec<Call>> = look.named("serve").map(|task| look.asked_last(task)).collect();
    let numbers: Vec<u64> = look.named("serve").map(|task| task.asked[0].stack).collect();
    assert_ne!(numbers[0], numbers[1]);
    for task in look.named("serve") {
        assert_eq!((task.wakers, &task.last_wake.is_some()), (1, &true), "{task:?}");
        assert!(look
            .name(look.tasks.iter().find(|t| t.id == task.parent).unwrap())
            .contains("accept"));
    }
    // The customers, the one who accepts and the program itself wait for sockets, or for tasks that do.
    assert!(look.waits("accept"), "{}", look.shown());
    if !lines {
        return;
    }
    for [function, at, called_at] in HOLDS_ON {
        // Line tables do not name what has become part of another function.
        let is_at = |call: &Call, line: u32| {
            call.file.ends_with("examples/last_item.rs") && call.line == line
        };
        let (at, called_at) = (line_of(function, at), line_of("serve", called_at));
        let waits_there = |calls: &&Vec<Call>| calls.iter().any(|call| is_at(call, at));
        let found: Vec<_> = stacks.iter().filter(waits_there).collect();
        assert_eq!(found.len(), 1, "{function}: {stacks:#?}");
        let own = found[0].iter().position(|call| is_at(call, at)).expect("it is there");
        assert!(
            found[0][..own].iter().any(|call| call.file.contains("/async-lock-")),
            "{found:#?}"
        );
        assert!(found[0][own..].iter().any(|call| is_at(call, called_at)), "{found:#?}");
    }
}

/// What whoever looks after the shop reads, of the process or of its file.
#[track_caller]
fn told(at: &str) {
    let shown = stdout(["who", "--stacks", at]);
    let groups: Vec<&str> = shown.split("\n\n").collect();
    for [function, at, called_at] in HOLDS_ON {
        let lines = [line_of(function, at), line_of("serve", called_at)];
        let lines = lines.map(|line| format!("examples/last_item.rs:{line}\n"));
        let is_it = |group: &&&str| {
            group.starts_with("task ")
                && group.contains("::serve), waiting for ")
                && group.contains("\n  Mutex::lock (async-lock)\n")
                && lines.iter().all(|line| group.contains(line))
        };
        assert_eq!(groups.iter().filter(is_it).count(), 1, "{function}: {shown}");
    }
}

/// Where each of them waits, and who calls it.
const HOLDS_ON: [[&str; 3]; 2] = [
    ["sell", "let mut till = shop.till.lock().await;", "\"buy\" => sell(&shop).await,"],
    ["redeem", "let mut stock = shop.stock.lock().await;", "\"voucher\" => redeem(&shop).await,"],
];

#[test]
fn both_tasks_and_the_locks_they_wait_in() {
    let test = "last_item::both_tasks_and_the_locks_they_wait_in";
    let lines = crate::look::have_lines();
    for _ in 0..3 {
        let Some(mut process) = started(test, || shop::main().expect("it hangs")) else { return };
        judge(&seen(&process, "both wait", hangs), lines);
        judge(&killed(&mut process), lines);
    }
}

/// The example in a process of its own.
struct Shop(Child);

impl Drop for Shop {
    fn drop(&mut self) {
        // It may have been killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_build_with_lines_has_the_lines() {
    let program = built(&["last_item"]).join("last_item");
    assert!(has_lines(&program));
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(&program);
    command.env("ASYNC_IO_TRACE", dir.path()).env_remove("ASYNC_IO_TRACE_STACKS");
    let mut shop = Shop(command.stdout(Stdio::piped()).spawn().expect("it runs"));
    let mut lines = BufReader::new(shop.0.stdout.take().expect("a pipe")).lines();
    let said = lines.next().expect("it says something").expect("readable");
    assert!(said.contains("has one item left"), "{said}");
    let file = dir.path().join(format!("{}.ticks", shop.0.id()));
    let look = eventually("both wait", || Some(Look::at(&file)).filter(hangs));
    judge(&look, true);
    told(&shop.0.id().to_string());
    shop.0.kill().expect("it was there");
    shop.0.wait().expect("it was there");
    judge(&Look::at(&file), true);
    told(path(&file));
    fs::remove_file(file).expect("it was there");
}
