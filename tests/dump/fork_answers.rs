//! A forked child has its parent's handler and not its parent's threads. It prints a table of its own, once it uses the
//! reactor; before that the signal does nothing there, and nothing in its parent.

use std::thread;
use std::time::Duration;

use async_io::{block_on, Async};

use crate::program::{is_told, report, send, Program};
use crate::util::fork::Child;
use crate::util::{child, tcp_pair, use_reactor, watchdog};

#[test]
fn a_forked_child_answers_for_itself() {
    if child::role().is_some() {
        block_on(use_reactor()).unwrap();
        let forked = Child::start("a forked child", || {
            let pid = std::process::id();
            // Nobody prints here yet.
            send(pid, libc::SIGUSR1);
            let (near, far) = tcp_pair().unwrap();
            let near = Async::new(near).unwrap();
            report("peer", far.local_addr().unwrap());
            report("forked", pid);
            thread::spawn(move || block_on(near.readable()));
            // It is killed.
            loop {
                thread::sleep(Duration::from_millis(1));
            }
        });
        while is_told() {}
        drop(forked);
        return;
    }
    let _watchdog = watchdog("a_forked_child_answers_for_itself");
    let test = "a_forked_child_answers_for_itself";
    let mut program = Program::start(test, &[("ASYNC_IO_DUMP_SIGNAL", "SIGUSR1")]);
    let peer = program.value("peer");
    let forked: u32 = program.value("forked").parse().unwrap();
    let table = loop {
        send(forked, libc::SIGUSR1);
        let table = program.table();
        let own = format!("async-io: who waits in process {forked} (");
        assert!(table.starts_with(&own), "its parent was not asked\n{table}");
        if table.contains("to read: waiter") {
            break table;
        }
    };
    assert!(table.contains(&format!("→ {peer}")), "{table}");

    program.signal(libc::SIGUSR1);
    let own = format!("async-io: who waits in process {} (", program.pid());
    let table = program.table_with(&[&own]);
    assert!(!table.contains(&peer), "that source is its child's\n{table}");
    assert!(program.end().0.success(), "{:?}", program.said);
}
