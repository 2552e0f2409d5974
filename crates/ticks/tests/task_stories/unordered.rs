//! A task has a hundred connections in a `FuturesUnordered`, which gives each of them a waker of its own. By their wakers
//! they belonged to nobody. The task in whose poll a wait began is known, whatever the waker is.

use std::os::unix::net::UnixStream;

use async_io::{Async, Timer};
use futures_lite::{future, AsyncReadExt, StreamExt};
use futures_util::stream::FuturesUnordered;
use ticks_format::{Awaited, Waiter};

use crate::look::{goes_through, Look};
use crate::story::{executor, killed, run, seen, started, FAR};

const CONNECTIONS: usize = 100;

async fn connection(mut stream: Async<UnixStream>) {
    drop(stream.read(&mut [0]).await);
}
const READS: u32 = line!() - 2;

async fn crowd() {
    let (mut far_ends, mut all) = (Vec::new(), FuturesUnordered::new());
    for _ in 0..CONNECTIONS {
        let (near, far) = UnixStream::pair().expect("a pair");
        far_ends.push(far);
        all.push(connection(Async::new(near).expect("a source")));
    }
    let next = future::or(all.next(), async {
        Timer::after(FAR).await;
        None
    });
    next.await;
}
const NAPS: u32 = line!() - 5;

async fn other() {
    Timer::after(FAR).await;
}

fn judge(look: &Look) {
    let crowd = look.task("crowd");
    let waits: Vec<&Waiter> = look.waits_of(crowd).collect();
    let is_read = |wait: &&&Waiter| matches!(wait.awaited, Awaited::Source { .. });
    assert_eq!((waits.len(), waits.iter().filter(is_read).count()), (CONNECTIONS + 1, CONNECTIONS));
    let mut wakers: Vec<u64> = waits.iter().filter(is_read).map(|wait| wait.task).collect();
    wakers.sort_unstable();
    wakers.dedup();
    assert_eq!(wakers.len(), CONNECTIONS, "each has its own");
    assert!(!wakers.contains(&crowd.waker));
    for wait in waits.iter().filter(is_read) {
        goes_through(&look.calls(wait.stack), "connection", READS);
    }
    // The one waker that the set keeps, and the timer's.
    assert!((2..=3).contains(&crowd.wakers), "{crowd:?}");
    assert_eq!(look.waits_of(look.task("other")).count(), 1);
    look.tells("::crowd", "waiting", &[("timer", "crowd", NAPS)]);
}

#[test]
fn the_waits_are_its_tasks() {
    let process = started("unordered::the_waits_are_its_tasks", || {
        let executor = executor();
        executor.spawn(crowd()).detach();
        executor.spawn(other()).detach();
        run(executor);
    });
    let Some(mut process) = process else { return };
    judge(&seen(&process, "both wait", |look| look.waits("crowd") && look.waits("other")));
    judge(&killed(&mut process));
}
