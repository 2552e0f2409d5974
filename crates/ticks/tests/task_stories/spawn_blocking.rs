//! A task has handed work to a thread for blocking calls, and that thread hangs in the file system. The task waits for
//! a join handle: it is to be found in `unblock`'s future, at the program's line, held by one waker.

use std::thread;

use crate::look::{goes_through, Look};
use crate::story::{executor, killed, run, seen, started, FAR};

async fn reads_a_file() {
    blocking::unblock(|| thread::sleep(FAR)).await;
}
const WAITS: u32 = line!() - 2;

fn judge(look: &Look) {
    let task = look.task("reads_a_file");
    assert_eq!((task.wakers, look.waits_of(task).count()), (1, 0), "{task:?}");
    let calls = look.asked_last(task);
    goes_through(&calls, "reads_a_file", WAITS);
    look.tells("::reads_a_file", "waiting", &[("", "reads_a_file", WAITS)]);
    assert!(calls.iter().any(|call| call.function.contains("async_task")), "{calls:#?}");
}

#[test]
fn it_waits_for_a_join_handle() {
    let process = started("spawn_blocking::it_waits_for_a_join_handle", || {
        let executor = executor();
        executor.spawn(reads_a_file()).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    judge(&seen(&process, "it waits", |look| look.waits("reads_a_file")));
    judge(&killed(&mut process));
}
