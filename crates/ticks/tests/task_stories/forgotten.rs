//! A future of one's own takes the waker and stores it where somebody wakes it; in one of its branches it does
//! not, and the task is never polled again. It looks like any other that waits. But nobody has a waker of it any
//! more, and that is known: at once, without a look at the future. One that hands its waker on is not accused,
//! however often it is woken and by whom.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_lite::future;
use ticks_format::{Record, TaskState};

use crate::look::{goes_through, Look};
use crate::story::{executor, killed, run, seen, started_with};

/// Has a waker, and no place for it.
struct Careless;

impl Future for Careless {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        drop(waker);
        Poll::Pending
    }
}
const TAKES: u32 = line!() - 5;

async fn careless() {
    Careless.await;
}
const CARELESS: u32 = line!() - 2;

/// Never asks for anything.
async fn silent() {
    future::poll_fn(|_| Poll::<()>::Pending).await;
}

/// How often a thread is asked to wake.
const ROUNDS: u64 = 2_000;

/// Asks a thread, which uses up the waker.
async fn careful(thread: mpsc::Sender<Waker>) {
    for _ in 0..ROUNDS {
        let mut asked = false;
        future::poll_fn(|cx| match std::mem::replace(&mut asked, true) {
            true => Poll::Ready(()),
            false => {
                thread.send(cx.waker().clone()).expect("the thread is there");
                Poll::Pending
            }
        })
        .await;
    }
    future::pending::<()>().await;
}

fn work() {
    let (thread, asked) = mpsc::channel::<Waker>();
    thread::spawn(move || asked.iter().for_each(Waker::wake));
    let executor = executor();
    executor.spawn(careless()).detach();
    executor.spawn(silent()).detach();
    executor.spawn(careful(thread)).detach();
    run(executor);
}

fn judge(look: &Look) {
    let (careless, silent) = (look.task("careless"), look.task("silent"));
    for task in [careless, silent] {
        assert_eq!((task.state, task.polls, task.wakers), (TaskState::Forgotten, 1, 0), "{task:?}");
    }
    let calls = look.asked_last(careless);
    goes_through(&calls, "Careless", TAKES);
    goes_through(&calls, "careless", CARELESS);
    for name in ["::careless", "::silent", "::careful"] {
        look.tells(name, "forgotten", &[]);
    }
    assert!(silent.asked.is_empty(), "{silent:?}");
    let told: Vec<(u64, u64)> = look
        .records()
        .into_iter()
        .filter_map(|record| match record {
            Record::TaskForgotten(it) => Some((it.task, it.stack)),
            _ => None,
        })
        .collect();
    let careful = look.task("careful");
    // It ends as one that asks for nothing.
    let expected = [(careless.id, careless.asked[0].stack), (silent.id, 0)];
    assert_eq!(told[..2], expected, "once each");
    assert!(matches!(told[2..], [(id, _)] if id == careful.id), "only at its end: {told:?}");
    assert_eq!(careful.wakes, ROUNDS);
}

#[test]
fn it_is_known_at_once() {
    let settings = ["ASYNC_IO_TRACE_MIB=64"];
    let process = started_with(&settings, "forgotten::it_is_known_at_once", work);
    let Some(mut process) = process else { return };
    let all = |look: &Look| {
        ["careless", "silent", "careful"].iter().all(|name| look.is(name, TaskState::Forgotten))
            && look.task("careful").wakes == ROUNDS
    };
    judge(&seen(&process, "all are forgotten", all));
    judge(&killed(&mut process));
}
