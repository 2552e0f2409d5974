//! Tasks that are always busy keep nobody waiting for ever: no task that was spawned or woken, here or
//! elsewhere, not the main future, and not the I/O of whoever polls `run`.
//!
//! What is counted are the polls of the busy ones, not time.

mod util;

use std::future::Future;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_executor::{Executor, LocalExecutor};
use async_io::{Async, Timer};
use futures_lite::future::{block_on, pending, yield_now};
use futures_lite::AsyncReadExt;
use util::{poll_once, watchdog, Gate};

/// Tasks that yield for ever.
const CROWD: usize = 1_000;

/// Rounds of the crowd after which everybody else has had a turn.
const ROUNDS: usize = 3;

fn crowd(spawn: impl Fn(Arc<AtomicUsize>)) -> Arc<AtomicUsize> {
    let polls = Arc::new(AtomicUsize::new(0));
    (0..CROWD).for_each(|_| spawn(polls.clone()));
    polls
}

/// Polls `run` until the condition holds. Returns how often the crowd was polled meanwhile.
fn polls_until<F: Future>(
    run: &mut std::pin::Pin<Box<F>>,
    crowd: &AtomicUsize,
    condition: impl Fn() -> bool,
) -> usize {
    let before = crowd.load(Ordering::SeqCst);
    while !condition() {
        let _pending = poll_once(run);
        let polls = crowd.load(Ordering::SeqCst) - before;
        assert!(polls <= ROUNDS * CROWD, "{polls} polls of the crowd, and no turn for the other");
    }
    crowd.load(Ordering::SeqCst) - before
}

#[test]
fn a_new_task_has_its_turn() {
    let done = AtomicBool::new(false);
    let ex = Executor::new();
    let polls = crowd(|count| ex.spawn(util::yield_for_ever(count)).detach());
    let mut run = Box::pin(ex.run(pending::<()>()));
    let _ = polls_until(&mut run, &polls, || polls.load(Ordering::SeqCst) > CROWD);
    for _ in 0..10 {
        done.store(false, Ordering::SeqCst);
        ex.spawn(async { done.store(true, Ordering::SeqCst) }).detach();
        polls_until(&mut run, &polls, || done.load(Ordering::SeqCst));
    }
}

#[test]
fn a_woken_task_has_its_turn() {
    let ex = Executor::new();
    let gate = Gate::new();
    ex.spawn(gate.clone()).detach();
    let polls = crowd(|count| ex.spawn(util::yield_for_ever(count)).detach());
    let mut run = Box::pin(ex.run(pending::<()>()));
    polls_until(&mut run, &polls, || gate.polls() == 1);
    for wakes in 1..10 {
        let gate = gate.clone();
        let waking = gate.clone();
        thread::spawn(move || waking.nudge()).join().unwrap();
        polls_until(&mut run, &polls, || gate.polls() == wakes + 1);
    }
}

#[test]
fn everybody_in_the_crowd_has_a_turn_in_each_round() {
    let counts: Vec<_> = (0..CROWD).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let ex = Executor::new();
    counts.iter().for_each(|count| ex.spawn(util::yield_for_ever(count.clone())).detach());
    let mut run = Box::pin(ex.run(pending::<()>()));
    let total = || counts.iter().map(|count| count.load(Ordering::SeqCst)).sum::<usize>();
    while total() < 100 * CROWD {
        let _pending = poll_once(&mut run);
    }
    let least = counts.iter().map(|count| count.load(Ordering::SeqCst)).min().unwrap();
    // Those that came from outside are taken over bit by bit, while the first are polled again.
    assert!(least >= 80, "100 rounds on average, and one task had {least}");
}

#[test]
fn a_task_that_yields_alone_does_not_starve_those_spawned_outside() {
    let done = Arc::new(AtomicUsize::new(0));
    let ex = Executor::new();
    let polls = Arc::new(AtomicUsize::new(0));
    ex.spawn(util::yield_for_ever(polls.clone())).detach();
    for _ in 0..1_000 {
        let done = done.clone();
        ex.spawn(async move {
            for _ in 0..10 {
                yield_now().await;
            }
            done.fetch_add(1, Ordering::SeqCst);
        })
        .detach();
    }
    let mut run = Box::pin(ex.run(pending::<()>()));
    while done.load(Ordering::SeqCst) < 1_000 {
        let _pending = poll_once(&mut run);
    }
    let polls = polls.load(Ordering::SeqCst);
    assert!(polls <= 1_000, "11 rounds, and the one that yields had {polls} polls");
}

#[test]
fn the_main_future_has_its_turn() {
    let ex = Executor::new();
    let polls = crowd(|count| ex.spawn(util::yield_for_ever(count)).detach());
    let gate = Gate::new();
    let mut run = Box::pin(ex.run(gate.clone()));
    polls_until(&mut run, &polls, || polls.load(Ordering::SeqCst) > CROWD);
    thread::spawn({
        let gate = gate.clone();
        move || gate.open()
    })
    .join()
    .unwrap();
    // One more poll is enough: it is looked after first.
    assert!(poll_once(&mut run).is_ready());
}

#[test]
fn a_main_future_that_yields_for_ever_does_not_starve_tasks() {
    let done = AtomicUsize::new(0);
    let ex = Executor::new();
    for _ in 0..100 {
        ex.spawn(async {
            for _ in 0..100 {
                yield_now().await;
            }
            done.fetch_add(1, Ordering::SeqCst);
        })
        .detach();
    }
    let mut yields = 0;
    block_on(ex.run(async {
        while done.load(Ordering::SeqCst) < 100 {
            yields += 1;
            assert!(yields < 100_000, "tasks have no turn beside the main future");
            yield_now().await;
        }
    }));
}

/// Whoever polls `run` has other things to do: each poll ends after some tasks.
#[test]
fn each_poll_of_run_ends() {
    let ex = Executor::new();
    let polls = crowd(|count| ex.spawn(util::yield_for_ever(count)).detach());
    let mut run = Box::pin(ex.run(pending::<()>()));
    for _ in 0..10 {
        let before = polls.load(Ordering::SeqCst);
        assert!(poll_once(&mut run).is_pending());
        let polls = polls.load(Ordering::SeqCst) - before;
        assert!((1..=1_000).contains(&polls), "{polls} polls in one of `run`");
    }
    // And a main future that wakes itself does not keep it either.
    let mut run = Box::pin(ex.run(util::yield_for_ever(Arc::default())));
    assert!(poll_once(&mut run).is_pending());
    let idle = Executor::new();
    let mut run = Box::pin(idle.run(util::yield_for_ever(Arc::default())));
    assert!(poll_once(&mut run).is_pending());
}

#[test]
fn io_and_timers_go_on_beside_a_crowd() {
    let _watchdog = watchdog("io_and_timers_go_on_beside_a_crowd");
    let ex = Executor::new();
    let _polls = crowd(|count| ex.spawn(util::yield_for_ever(count)).detach());
    async_io::block_on(ex.run(async {
        Timer::after(Duration::from_millis(1)).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let writer = thread::spawn(move || {
            let mut stream = TcpStream::connect(addr).unwrap();
            stream.write_all(b"hello").unwrap();
        });
        let listener = Async::new(listener).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
        writer.join().unwrap();
    }));
}

#[test]
fn a_local_crowd_starves_nobody() {
    let ex = LocalExecutor::new();
    let gate = Gate::new();
    ex.spawn(gate.clone()).detach();
    let polls = crowd(|count| ex.spawn(util::yield_for_ever(count)).detach());
    let mut run = Box::pin(ex.run(pending::<()>()));
    polls_until(&mut run, &polls, || gate.polls() == 1);
    for wakes in 1..10 {
        let waking = gate.clone();
        thread::spawn(move || waking.nudge()).join().unwrap();
        polls_until(&mut run, &polls, || gate.polls() == wakes + 1);
    }
    let done = std::rc::Rc::new(std::cell::Cell::new(false));
    let doing = done.clone();
    ex.spawn(async move { doing.set(true) }).detach();
    polls_until(&mut run, &polls, || done.get());
}

/// A thread that is stuck in a task has others in its queue. Those are run by a thread that is never
/// without work of its own.
#[test]
fn busy_threads_take_over_from_a_stuck_one() {
    let _watchdog = watchdog("busy_threads_take_over_from_a_stuck_one");
    let left = Arc::new(AtomicUsize::new(0));
    let ex = Executor::new();
    let (stop, stopped) = async_channel::bounded::<()>(1);
    thread::scope(|scope| {
        // It never has an empty queue.
        scope.spawn(|| {
            block_on(ex.run(async {
                for _ in 0..10 {
                    ex.spawn(util::yield_for_ever(Arc::default())).detach();
                }
                let _closed = stopped.recv().await;
            }))
        });
        scope.spawn(|| {
            block_on(ex.run(async {
                for _ in 0..100 {
                    let left = left.clone();
                    ex.spawn(async move {
                        left.fetch_add(1, Ordering::SeqCst);
                    })
                    .detach();
                }
                // Stuck until the other thread has run them all.
                util::eventually(|| left.load(Ordering::SeqCst) == 100);
                drop(stop);
            }))
        });
    });
}
