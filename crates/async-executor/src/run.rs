//! The futures of `run` and `tick`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_task::Runnable;
use pin_project_lite::pin_project;
use ticks_recorder::Task;

use crate::signal::Signal;
use crate::sleepers::{Nap, Sleepers};
use crate::sync::full_fence;
use crate::trace;

/// The most tasks that one poll of a `run` future runs. Then it returns to its caller, to drive I/O for
/// example.
const TASKS_A_POLL: u32 = 128;

/// The most tasks that are run before a main future that was woken is polled. If the runner's own queue
/// has fewer, it is polled after those.
const TASKS_BEFORE_MAIN: u32 = 32;

/// What runs tasks: the state of an executor.
pub(crate) trait Core: 'static {
    /// What a `run` future has while it lives.
    type Hold;
    /// The time in which such a future is polled.
    type Turn<'a>;

    fn take_hold(&'static self) -> Self::Hold;
    fn give_back(&'static self, hold: Self::Hold);
    fn signal(hold: &Self::Hold) -> &'static Signal;
    fn enter<'a>(&'static self, hold: &'a mut Self::Hold) -> Self::Turn<'a>;

    /// Takes the task that is next in a turn.
    fn take(&'static self, turn: &Self::Turn<'_>) -> Option<Runnable>;

    /// Whether tasks lie in the runner's own queue.
    fn is_behind(&'static self, turn: &Self::Turn<'_>) -> bool;

    /// Takes any task.
    fn take_any(&'static self) -> Option<Runnable>;

    /// Whether there are tasks for a runner that has nothing to do. The caller has passed a full fence.
    fn has_tasks(&'static self) -> bool;

    /// Waits for a moment for tasks, or for the main future of the caller, whose signal it is, to be woken.
    /// Returns whether it is worth while to look for a task again.
    fn linger(&'static self, own: &'static Signal) -> bool;

    fn sleepers(&self) -> &Sleepers;

    /// The caller leaves tasks in its queue and does something else.
    fn offer(&self) {
        full_fence();
        self.sleepers().notify();
    }

    /// Runs a task for a caller that does not run tasks all the time.
    fn run_one(&'static self, task: Runnable);

    /// Runs one task, if there is one.
    fn try_tick(&'static self) -> bool {
        let task = self.take_any();
        task.map(|task| self.run_one(task)).is_some()
    }
}

/// Whether a runner sleeps.
struct Sleep<C: Core> {
    core: &'static C,
    /// We are in the list of sleepers. The thread that notifies us takes us out.
    nap: Option<Nap>,
    /// Was notified, and has neither found a task nor given up yet.
    searching: bool,
    /// May wait for a moment before it gives up: the others are at work all the time, and would wake us again
    /// at once.
    may_linger: bool,
}

impl<C: Core> Sleep<C> {
    /// Returns false if there is something to do after all.
    fn fall_asleep(&mut self, signal: &'static Signal, waker: &Waker) -> bool {
        if !signal.lie_down(waker) {
            return false;
        }
        self.nap = Some(self.core.sleepers().enter(signal));
        if self.core.has_tasks() {
            self.get_up(signal);
            return false;
        }
        true
    }

    fn get_up(&mut self, signal: &'static Signal) {
        if let Some(nap) = self.nap.take() {
            signal.rise();
            let rising = self.core.sleepers().leave(signal, nap);
            self.searching = rising.notified;
            self.may_linger = rising.notified && rising.others_are_awake;
        }
    }

    /// Our search is over. If there are more tasks, wake the next runner.
    fn end_search(&mut self) {
        if self.searching {
            self.searching = false;
            self.core.sleepers().end_search();
            full_fence();
            // Not if there is nobody to wake: a runner that falls asleep later looks for tasks itself.
            if self.core.sleepers().is_awaited() && self.core.has_tasks() {
                self.core.sleepers().wake_one();
            }
        }
    }
}

/// A place among the runners. Leaving it gives everything back and passes a notification on.
struct Seat<C: Core> {
    sleep: Sleep<C>,
    /// Taken when it is first needed.
    hold: Option<C::Hold>,
}

impl<C: Core> Seat<C> {
    fn new(core: &'static C) -> Seat<C> {
        Seat { sleep: Sleep { core, nap: None, searching: false, may_linger: false }, hold: None }
    }

    fn leave(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.sleep.get_up(C::signal(&hold));
            self.sleep.end_search();
            self.sleep.core.give_back(hold);
        }
    }
}

impl<C: Core> Drop for Seat<C> {
    fn drop(&mut self) {
        self.leave();
    }
}

pin_project! {
    /// Runs tasks until its main future is done.
    pub(crate) struct Run<C: Core, F> {
        #[pin]
        main: Task<F>,
        seat: Seat<C>,
    }
}

impl<C: Core, F: Future> Run<C, F> {
    pub(crate) fn new(core: &'static C, main: F) -> Run<C, F> {
        Run { main: trace::main(main), seat: Seat::new(core) }
    }
}

impl<C: Core, F: Future> Future for Run<C, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Seat { sleep, hold } = this.seat;
        let core = sleep.core;
        let hold = hold.get_or_insert_with(|| core.take_hold());
        let signal = C::signal(hold);
        sleep.get_up(signal);
        let turn = core.enter(hold);
        let polled = in_turn(core, sleep, signal, &turn, this.main, cx);
        drop(turn);
        if polled.is_ready() {
            this.seat.leave();
        }
        polled
    }
}

/// The loop: runs tasks and polls the main future. It ends when that is done, when nothing is left to do,
/// or when the caller should get its turn.
fn in_turn<C: Core, F: Future>(
    core: &'static C,
    sleep: &mut Sleep<C>,
    signal: &'static Signal,
    turn: &C::Turn<'_>,
    mut main: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    let main_waker = signal.waker();
    // It is polled whenever we are: the caller may poll us without having been woken.
    let mut main_is_due = true;
    let mut main_yields = false;
    let (mut tasks, mut tasks_since_main) = (0, 0);
    loop {
        // If we were notified we look for a task first: nobody else is notified until we have.
        if main_is_due && !sleep.searching {
            if main_yields {
                break;
            }
            signal.clear();
            if core.is_behind(turn) {
                core.offer();
            }
            if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&main_waker)) {
                return Poll::Ready(value);
            }
            main_yields = signal.is_woken();
            (main_is_due, tasks_since_main) = (false, 0);
        }
        if let Some(task) = core.take(turn) {
            sleep.end_search();
            task.run();
            tasks_since_main += 1;
            main_is_due |= signal.is_woken()
                && (tasks_since_main >= TASKS_BEFORE_MAIN || !core.is_behind(turn));
            tasks += 1;
            if tasks == TASKS_A_POLL {
                break;
            }
        } else if sleep.searching {
            if !std::mem::take(&mut sleep.may_linger) || !core.linger(signal) {
                sleep.end_search();
            }
        } else if signal.is_woken() {
            main_is_due = true;
        } else if sleep.fall_asleep(signal, cx.waker()) {
            return Poll::Pending;
        }
    }
    // We go on when we are polled again, which may take a while.
    if core.is_behind(turn) {
        core.offer();
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Runs one task, and waits for it if there is none.
pub(crate) struct Tick<C: Core> {
    seat: Seat<C>,
}

// No field is pinned.
impl<C: Core> Unpin for Tick<C> {}

impl<C: Core> Tick<C> {
    pub(crate) fn new(core: &'static C) -> Tick<C> {
        Tick { seat: Seat::new(core) }
    }
}

impl<C: Core> Future for Tick<C> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let core = self.seat.sleep.core;
        if let Some(task) = core.take_any() {
            // Before it is run: it may take long.
            self.seat.leave();
            core.run_one(task);
            return Poll::Ready(());
        }
        let Seat { sleep, hold } = &mut self.seat;
        let signal = C::signal(hold.get_or_insert_with(|| core.take_hold()));
        sleep.get_up(signal);
        loop {
            sleep.end_search();
            if let Some(task) = core.take_any() {
                self.seat.leave();
                core.run_one(task);
                return Poll::Ready(());
            }
            // The waker of a main future that had this signal before may have woken us.
            signal.clear();
            if sleep.fall_asleep(signal, cx.waker()) {
                return Poll::Pending;
            }
        }
    }
}
