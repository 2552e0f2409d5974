//! A recorder that changes what a program does hides what it was to show. A program that looks closely, at the order in
//! which its tasks are polled, at its wakers, and at what is dropped when, must see the same with the recorder and
//! without.

use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::{Poll, Waker};

use async_channel::bounded;
use async_executor::LocalExecutor;
use async_io::{block_on, trace};
use futures_lite::{future, FutureExt};

use crate::util::process::{role, Process};

/// What the program saw, in order.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    fn add(&self, note: impl Into<String>) {
        self.0.borrow_mut().push(note.into());
    }
}

/// Notes when it is dropped.
struct Dropped(Notes, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add(format!("{} is dropped", self.1));
    }
}

fn play() {
    let notes = Notes::default();
    let executor = LocalExecutor::new();
    let (sender, receiver) = bounded(1);
    let kept = Rc::new(RefCell::new(None::<Waker>));
    block_on(executor.run(async {
        let first = executor.spawn({
            let (notes, kept) = (notes.clone(), kept.clone());
            async move {
                let _guard = Dropped(notes.clone(), "first");
                let mut polls = 0;
                future::poll_fn(|cx| {
                    polls += 1;
                    let (again, other) = (cx.waker().clone(), Waker::noop());
                    notes.add(format!(
                        "first: poll {polls}, will wake: {} {}",
                        again.will_wake(cx.waker()),
                        again.will_wake(other),
                    ));
                    if let Some(known) = kept.replace(Some(again)) {
                        notes.add(format!("the same as before: {}", known.will_wake(cx.waker())));
                    }
                    if polls < 3 {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Poll::Ready(())
                })
                .await;
                sender.send(3).await.expect("somebody receives");
                polls
            }
        });
        let second = executor.spawn({
            let notes = notes.clone();
            async move {
                let _guard = Dropped(notes.clone(), "second");
                notes.add(format!("second received {:?}", receiver.recv().await));
                std::panic::resume_unwind(Box::new("second has enough"));
            }
        });
        let third = executor.spawn({
            let guard = Dropped(notes.clone(), "third");
            async move {
                let _guard = guard;
                future::pending::<()>().await;
            }
        });
        notes.add(format!("first gave {}", first.await));
        notes.add(format!(
            "second panics: {}",
            AssertUnwindSafe(second).catch_unwind().await.is_err()
        ));
        future::yield_now().await;
        notes.add(format!("third: {:?}", third.cancel().await));
        // A waker that is kept for longer than its task.
        kept.take().expect("it was kept").wake();
        let named = trace::task("named", async { future::yield_now().await });
        notes.add(format!("named: {:?}", named.await));
        let fused = trace::task("twice", future::poll_fn(|_| Poll::Ready(())));
        let mut fused = std::pin::pin!(fused);
        for _ in 0..2 {
            let polled = future::poll_fn(|cx| Poll::Ready(fused.as_mut().poll(cx))).await;
            notes.add(format!("twice: {polled:?}"));
        }
    }));
    drop(executor);
    println!("\nwaits");
    for note in notes.0.borrow().iter() {
        println!("{note}");
    }
    println!("end");
    for _ in std::io::stdin().lines() {}
}

/// What a process noted.
fn notes(records: bool) -> Vec<String> {
    let test = "unrecorded::a_program_sees_no_difference";
    let mut process = Process::start(test, "plays", records);
    assert_eq!(process.file().exists(), records);
    let lines = process.stdout.by_ref().map(|line| line.expect("readable"));
    lines.take_while(|line| line != "end").collect()
}

#[test]
fn a_program_sees_no_difference() {
    if role().is_some() {
        return play();
    }
    let with = notes(true);
    assert!(with.len() > 10, "{with:?}");
    assert_eq!(with, notes(false));
}
