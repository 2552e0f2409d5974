//! Timers: made and cancelled beside many others, fired all at once, and how late they are.

use std::future::{poll_fn, Future};
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use anyhow::{bail, Result};
use rustix::time::{
    timerfd_create, timerfd_settime, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags,
    Timespec,
};

use crate::epoll::{events, Epoll, READ};
use crate::laps::Laps;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor};
use crate::row::{Body, Figure, Peer, Row, Sample, Target, Work};
use crate::stats::percentile;

pub(crate) fn rows() -> Vec<Row> {
    vec![cancel_row(), fire_row(), late_row()]
}

/// How many timers are held while others come and go, one figure each.
const HELD: [usize; 3] = [0, 100_000, 1_000_000];

fn cancel_row() -> Row {
    Row {
        name: "timer-cancel",
        about: "a timer of 30 to 90 s made, polled once and dropped, beside others held",
        ops: 100_000,
        quick_ops: 20_000,
        counted_ops: 2_000,
        starts: None,
        figures: vec![
            Figure::time("0 held"),
            Figure::time("100,000 held").uncounted(),
            Figure::time("1,000,000 held").and(Target::OfFigure(0, 1.3)).uncounted(),
        ],
        cases: one_thread!(cancel).to_vec(),
    }
}

fn fire_row() -> Row {
    Row {
        name: "timer-fire",
        about: "100,000 timers due within 1 ms, from the last deadline to the last wake",
        ops: 100_000,
        quick_ops: 100_000,
        counted_ops: 2_000,
        starts: None,
        figures: vec![Figure::time("a timer")],
        cases: one_thread!(fire).to_vec(),
    }
}

fn late_row() -> Row {
    let mut cases = vec![(Peer::Raw, raw_late as Body)];
    cases.extend(one_thread!(late));
    Row {
        name: "timer-late",
        about: "lateness of sleeps of 200 µs, one after another",
        ops: 400,
        quick_ops: 100,
        counted_ops: 200,
        starts: None,
        figures: vec![Figure::time("p50"), Figure::time("p99").uncounted()],
        cases,
    }
}

/// Deadlines 30 to 90 s ahead in an order that looks random and is the same for every peer.
struct Durations(u64);

impl Durations {
    fn next(&mut self) -> Duration {
        // The constants of Knuth's MMIX generator; the high bits are the random ones.
        self.0 = self.0.wrapping_mul(6364136223846793005);
        self.0 = self.0.wrapping_add(1442695040888963407);
        Duration::from_secs(30) + Duration::from_micros((self.0 >> 33) % 60_000_000)
    }
}

fn poll_once(timer: Pin<&mut impl Future>, cx: &mut Context<'_>) {
    assert!(timer.poll(cx).is_pending(), "a timer fired 30 s early");
}

fn cancel<E: Executor>(work: &Work) -> Result<Sample> {
    let sample = E::run(|_| {
        E::Reactor::unthrottled(async move {
            let mut durations = Durations(7);
            let mut held = Vec::new();
            let mut sample = vec![f64::NAN; HELD.len()];
            for (figure, count) in HELD.into_iter().enumerate() {
                if !work.wants(figure) {
                    continue;
                }
                hold::<E::Reactor>(&mut held, count, &mut durations).await;
                sample[figure] = make_and_cancel::<E::Reactor>(work, &mut durations).await;
            }
            sample
        })
    });
    Ok(sample)
}

/// Between two yields, in which the reactor gets its turn.
const BATCH: usize = 1_000;

async fn hold<R: Reactor>(
    held: &mut Vec<Pin<Box<R::Timer>>>,
    count: usize,
    durations: &mut Durations,
) {
    while held.len() < count {
        poll_fn(|cx| {
            for _ in 0..BATCH.min(count - held.len()) {
                let mut timer = Box::pin(R::sleep(durations.next()));
                poll_once(timer.as_mut(), cx);
                held.push(timer);
            }
            Poll::Ready(())
        })
        .await;
        R::yield_now().await;
    }
}

/// Nanoseconds a timer.
async fn make_and_cancel<R: Reactor>(work: &Work, durations: &mut Durations) -> f64 {
    let mut laps = Laps::start(work);
    let mut left = work.total() as usize;
    while left > 0 {
        let batch = BATCH.min(left);
        poll_fn(|cx| {
            for _ in 0..batch {
                poll_once(pin!(R::sleep(durations.next())), cx);
            }
            Poll::Ready(())
        })
        .await;
        left -= batch;
        R::yield_now().await;
        laps.ops(batch as u64);
    }
    laps.ns_per_op()
}

/// Counts wakes, and remembers when the last one came.
struct Fired {
    left: AtomicUsize,
    last: Mutex<(Option<Instant>, Option<Waker>)>,
}

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut last = self.last.lock().expect("no holder panics");
            last.0 = Some(Instant::now());
            if let Some(waker) = last.1.take() {
                waker.wake();
            }
        }
    }
}

/// How long making the timers that fire may take: several times what a peer needs, and more when
/// that was too little on a busy machine.
const MAKING: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(8)];

fn fire<E: Executor>(work: &Work) -> Result<Sample> {
    // A second attempt would be counted with the first, so counting begins with more time.
    let patience = &MAKING[usize::from(work.only.is_some())..];
    for &making in patience {
        let elapsed = E::run(|_| E::Reactor::unthrottled(fire_after::<E::Reactor>(work, making)));
        if let Some(elapsed) = elapsed {
            return Ok(vec![work.per_op(elapsed)]);
        }
    }
    bail!("making {} timers took longer than {:?}", work.ops, MAKING[2])
}

/// From the last deadline to the last wake; none if the timers were not made in time.
async fn fire_after<R: Reactor>(work: &Work, making: Duration) -> Option<Duration> {
    let count = work.ops as usize;
    let fired = Arc::new(Fired { left: AtomicUsize::new(count), last: Mutex::new((None, None)) });
    let waker = Waker::from(fired.clone());
    let due = Instant::now() + making;
    let mut timers = Vec::with_capacity(count);
    for number in 0..count {
        // Spread over the last millisecond, in no order.
        let early_ns = (number * 7_919) % 1_000_000;
        let mut timer = Box::pin(R::sleep_until(due - Duration::from_nanos(early_ns as u64)));
        if timer.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return None;
        }
        timers.push(timer);
    }
    if Instant::now() > due - Duration::from_millis(1) {
        return None;
    }
    let done = poll_fn(|cx| {
        let mut last = fired.last.lock().expect("no holder panics");
        match last.0 {
            Some(done) => Poll::Ready(done),
            None => {
                last.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    });
    Some(done.await.saturating_duration_since(due))
}

const SLEEP: Duration = Duration::from_micros(200);

fn lateness(late_ns: &[f64]) -> Sample {
    vec![percentile(late_ns, 0.5), percentile(late_ns, 0.99)]
}

fn late_by(start: Instant) -> f64 {
    start.elapsed().saturating_sub(SLEEP).as_nanos() as f64
}

fn late<E: Executor>(work: &Work) -> Result<Sample> {
    let late_ns = E::run(|_| async move {
        let mut late_ns = Vec::with_capacity(work.ops as usize);
        for _ in 0..work.ops {
            let start = Instant::now();
            E::Reactor::sleep(SLEEP).await;
            late_ns.push(late_by(start));
        }
        late_ns
    });
    Ok(lateness(&late_ns))
}

/// A timerfd, which the kernel does not delay by the thread's timer slack, as it does a timeout.
fn raw_late(work: &Work) -> Result<Sample> {
    let epoll = Epoll::new()?;
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    // Edge-triggered and so never read.
    epoll.add(&timer, READ, 0)?;
    let sleep =
        Itimerspec { it_interval: Timespec::default(), it_value: Timespec::try_from(SLEEP)? };
    let mut events = events();
    let mut late_ns = Vec::with_capacity(work.ops as usize);
    for _ in 0..work.ops {
        let start = Instant::now();
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &sleep)?;
        epoll.wait(&mut events, -1)?;
        late_ns.push(late_by(start));
    }
    Ok(lateness(&late_ns))
}
