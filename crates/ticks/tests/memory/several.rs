//! More than one reactor: a forked child has its own and its parent's memory, and a plugin brings a second copy.

use std::process::Command;

use async_io::block_on;

use crate::found::{subject_of_this_build, Found};
use crate::start::{own, plays, Program};
use crate::util::{stderr, ticks};

#[test]
fn a_forked_child_has_its_own_and_nothing_of_its_parents() {
    let mut command = subject_of_this_build();
    let program = Program::start(command.env("SUBJECT", "fork"), "child ");
    let line = program.said.last().expect("it said it");
    let words: Vec<&str> = line.split(' ').collect();
    let (pid, fd) = (words[1], words[2].parse::<u64>().expect("a number"));
    let found = loop {
        let found = Found::at(&[pid]);
        // It says so just before it waits.
        if found.waits().count() > 0 {
            break found;
        }
    };
    let fds: Vec<u64> = found.sources().filter_map(|it| it["fd"].as_u64()).collect();
    assert_eq!(fds, [fd]);
    assert_eq!(found.waits().count(), 1);
    assert_eq!(found.timers().count(), 0);
    let tasks: Vec<_> = found.tasks().filter(|task| task["task_kind"] == "block_on").collect();
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    assert_eq!(tasks[0]["thread"].to_string(), pid);
}

#[test]
fn plays_two_copies() {
    use std::net::UdpSocket;

    if !plays() {
        return;
    }
    let socket = || UdpSocket::bind("127.0.0.1:0").expect("a port");
    std::thread::spawn(move || {
        let socket = async_io_second_copy::Async::new(socket()).expect("it is new");
        async_io_second_copy::block_on(socket.readable())
    });
    let socket = async_io::Async::new(socket()).expect("it is new");
    println!("\nwaits");
    block_on(socket.readable()).expect("nothing comes");
}

#[test]
fn two_copies_are_told_apart_and_neither_is_missing() {
    let program = Program::start(&mut own("several::plays_two_copies"), "waits");
    let found = loop {
        let found = Found::at(&[&program.pid()]);
        if found.waits().count() == 2 {
            break found;
        }
    };
    assert_eq!(found.sources().count(), 2);
    let mut threads: Vec<String> = found.tasks().map(|task| task["thread"].to_string()).collect();
    threads.sort();
    threads.dedup();
    assert_eq!(threads.len(), 2, "one thread waits in each: {threads:?}");
}

/// Nobody but root may look at everything.
#[test]
fn whose_process_it_is_decides_and_that_is_said() {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    if id.stdout != b"0\n" || !has_setpriv {
        eprintln!("left out: it takes root, and setpriv");
        return;
    }
    let program = Program::start(&mut subject_of_this_build(), "waits");
    // The tool is where nobody may read.
    let dir = tempfile::tempdir().expect("a directory");
    let tool = dir.path().join("ticks");
    std::fs::copy(env!("CARGO_BIN_EXE_ticks"), &tool).expect("a copy");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).expect("it is ours");
    let nobody = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&tool)
        .args(["who", &program.pid()])
        .output()
        .expect("setpriv runs");
    let said = stderr(&nobody);
    assert_eq!(nobody.status.code(), Some(2), "{said}");
    assert!(said.contains("it is another user's"), "{said}");
    assert!(said.contains(&format!("sudo ticks who {}", program.pid())), "{said}");
    assert_eq!(ticks(["who", &program.pid()]).status.code(), Some(0));
}
