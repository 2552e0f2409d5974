//! The shadow, by records as they come in.

use super::*;
use crate::records::{ReactBegin, SourceDrop, SourceNew, SourceWaker, Ticker, WaitBegin};
use crate::{Address, Reason, SourceKind};

const KEY: Key = Key(0);

/// A shadow that has seen the source come.
fn shadow() -> Shadow {
    let mut shadow = Shadow::new();
    comes(&mut shadow, KEY);
    shadow
}

fn comes(shadow: &mut Shadow, key: Key) {
    let (kind, local, peer) = (SourceKind::Tcp, Address::None, Address::None);
    assert_eq!(shadow.observe(&SourceNew { key, fd: 4, kind, local, peer, inode: 0 }.into()), None);
}

fn wait_begins(shadow: &mut Shadow, tick: u64) {
    let begin = ReactBegin { tick, timeout_ns: None, next_timer_ns: None };
    assert_eq!(shadow.observe(&begin.into()), None);
    let wait = WaitBegin { epoll_fd: 5, timeout_ns: None };
    assert_eq!(shadow.observe(&wait.into()), None);
}

fn wait_returns(shadow: &mut Shadow, tick: u64) {
    assert_eq!(shadow.observe(&Ticker { tick }.into()), None);
}

fn poll_begins(shadow: &mut Shadow, waiter: u64, tick: u64, ticks: Option<Ticks>) {
    let begin = PollBegin { dir: Direction::Read, tick, ticks, key: KEY, fd: 4, waiter };
    assert_eq!(shadow.observe(&begin.into()), None);
}

fn poll_ends(shadow: &mut Shadow, waiter: u64, result: Verdict) -> Option<Verdict> {
    let end = PollEnd {
        dir: Direction::Read,
        tick: 0,
        ticks: None,
        result,
        key: KEY,
        fd: 4,
        waiter,
        reason: Reason::NoEvent,
        upstream: None,
    };
    shadow.observe(&end.into())
}

/// What 2.6.0 says to a poll that this reactor answered with `ours`, where that is known.
fn asked(shadow: &mut Shadow, waiter: u64, tick: u64, ours: Verdict) -> Option<Verdict> {
    // One of its own remembers something here as well, once it has begun to wait.
    let waits = waiter != WaiterId::SHARED && remembered(shadow, waiter).is_some();
    poll_begins(shadow, waiter, tick, waits.then_some(Ticks::default()));
    poll_ends(shadow, waiter, ours)
}

fn poll(shadow: &mut Shadow, waiter: u64, tick: u64, ours: Verdict) -> Verdict {
    asked(shadow, waiter, tick, ours).expect("it is known")
}

fn id(number: u64) -> WaiterId {
    WaiterId { key: KEY, dir: Direction::Read, number }
}

fn remembered(shadow: &mut Shadow, waiter: u64) -> Option<Ticks> {
    match shadow.known(id(waiter))?.memory {
        Memory::Known(ticks) => ticks,
        Memory::Unknown | Memory::Either(_) => None,
    }
}

/// The seed's release build, 2022-05-03T18:37:52: the waiter remembered `(2, 2)` while nothing
/// waited for events, the next wait brought one with tick 3, and 2.6.0 said Ready.
#[test]
fn release_build_of_2022_is_ready() {
    let mut shadow = shadow();
    wait_returns(&mut shadow, 2);
    assert_eq!(
        poll(&mut shadow, 0, 2, Verdict::Pending),
        Verdict::Pending,
        "the first poll never is ready there"
    );
    assert_eq!(remembered(&mut shadow, 0), Some(Ticks { a: 2, b: 2 }));
    wait_begins(&mut shadow, 2);
    wait_returns(&mut shadow, 3);
    assert_eq!(poll(&mut shadow, 0, 3, Verdict::Ready), Verdict::Ready);
    assert_eq!(remembered(&mut shadow, 0), None);
}

/// The seed's debug build, 2022-05-03T18:39:43: the waiter began while the wait was under way
/// that brought its event, so that it remembered `(2, 0)` and took tick 2 for old. It then
/// remembered `(3, 2)`, again during a wait, and so for ever: the hang.
#[test]
fn debug_build_of_2022_hangs() {
    let mut shadow = shadow();
    wait_returns(&mut shadow, 1);
    wait_begins(&mut shadow, 1);
    assert_eq!(poll(&mut shadow, 0, 0, Verdict::Pending), Verdict::Pending);
    assert_eq!(remembered(&mut shadow, 0), Some(Ticks { a: 2, b: 0 }));
    wait_returns(&mut shadow, 2);
    for tick in 2..1_000 {
        wait_begins(&mut shadow, tick);
        assert_eq!(poll(&mut shadow, 0, tick, Verdict::Ready), Verdict::Pending);
        let again = Ticks { a: tick + 1, b: tick };
        assert_eq!(remembered(&mut shadow, 0), Some(again));
        wait_returns(&mut shadow, tick + 1);
    }
}

/// A waiter of its own (`readable().await`) records once: it loses the event of the wait under
/// way, but not the next one.
#[test]
fn other_waiters_record_once() {
    let mut shadow = shadow();
    wait_returns(&mut shadow, 1);
    wait_begins(&mut shadow, 1);
    assert_eq!(poll(&mut shadow, 7, 0, Verdict::Pending), Verdict::Pending);
    wait_returns(&mut shadow, 2);
    wait_begins(&mut shadow, 2);
    assert_eq!(poll(&mut shadow, 7, 2, Verdict::Pending), Verdict::Pending);
    assert_eq!(remembered(&mut shadow, 7), Some(Ticks { a: 2, b: 0 }));
    wait_returns(&mut shadow, 3);
    assert_eq!(poll(&mut shadow, 7, 3, Verdict::Ready), Verdict::Ready);
}

/// 2.6.0 does not ask the kernel: it registers, and says Pending.
#[test]
fn ready_when_asked_would_have_waited() {
    let mut shadow = shadow();
    wait_returns(&mut shadow, 1);
    assert_eq!(poll(&mut shadow, 0, 0, Verdict::Ready), Verdict::Pending);
    // The shared slot still remembers, so the event of the next wait makes it ready there.
    wait_begins(&mut shadow, 1);
    wait_returns(&mut shadow, 2);
    assert_eq!(poll(&mut shadow, 0, 2, Verdict::Pending), Verdict::Ready);
    // A future that became ready here polls no more.
    assert_eq!(poll(&mut shadow, 9, 2, Verdict::Ready), Verdict::Pending);
    assert_eq!(remembered(&mut shadow, 9), None);
}

#[test]
fn a_failed_registration_fails_there_too() {
    let mut shadow = shadow();
    assert_eq!(poll(&mut shadow, 0, 0, Verdict::Failed), Verdict::Failed);
}

/// A round that only begins with the poller's own record is a wait under way all the same.
#[test]
fn a_wait_without_its_round_counts() {
    let mut shadow = shadow();
    wait_returns(&mut shadow, 1);
    let wait = WaitBegin { epoll_fd: 5, timeout_ns: None };
    shadow.observe(&wait.into());
    poll(&mut shadow, 0, 0, Verdict::Pending);
    assert_eq!(remembered(&mut shadow, 0), Some(Ticks { a: 2, b: 0 }));
}

/// A future asks under no number, and gets one of its own when it begins to wait. As the shared waiter's,
/// which such a poll was taken for, its answer was looked for in vain, and the shared one's was wrong.
#[test]
fn a_future_gets_its_number_while_it_is_polled() {
    let mut shadow = shadow();
    wait_returns(&mut shadow, 1);
    assert_eq!(poll(&mut shadow, 0, 0, Verdict::Pending), Verdict::Pending);
    let shared = remembered(&mut shadow, 0);
    wait_begins(&mut shadow, 1);
    poll_begins(&mut shadow, WaiterId::NEW, 0, None);
    assert_eq!(poll_ends(&mut shadow, 7, Verdict::Pending), Some(Verdict::Pending));
    assert_eq!(remembered(&mut shadow, 7), Some(Ticks { a: 2, b: 0 }));
    assert_eq!(remembered(&mut shadow, 0), shared);
    // It takes the event of the wait under way for old.
    wait_returns(&mut shadow, 2);
    assert_eq!(poll(&mut shadow, 7, 2, Verdict::Ready), Verdict::Pending);
    // Ready at once, it never gets a number; another one begins anew.
    for _ in 0..3 {
        assert_eq!(poll(&mut shadow, WaiterId::NEW, 2, Verdict::Ready), Verdict::Pending);
    }
    assert_eq!(remembered(&mut shadow, 0), shared);
}

/// As recorders of before have it: the poll begins as the shared waiter's and ends as another's.
#[test]
fn an_older_future_is_left_alone() {
    let mut shadow = shadow();
    wait_returns(&mut shadow, 1);
    poll_begins(&mut shadow, 0, 0, None);
    assert_eq!(poll_ends(&mut shadow, 7, Verdict::Pending), None);
    assert_eq!(asked(&mut shadow, 0, 1, Verdict::Ready), None, "it is not known what it remembers");
}

#[test]
fn nothing_is_said_of_an_end_without_its_beginning() {
    let mut shadow = shadow();
    assert_eq!(poll_ends(&mut shadow, 0, Verdict::Ready), None);
    poll_begins(&mut shadow, 0, 1, None);
    assert_eq!(poll_ends(&mut shadow, 0, Verdict::Ready), Some(Verdict::Pending));
    assert_eq!(poll_ends(&mut shadow, 0, Verdict::Ready), None);
}

/// A source that is older than the records, and records that are missing: what a waiter remembers is not
/// known, and nothing is said until it is.
#[test]
fn nothing_is_said_of_what_is_not_known() {
    let mut shadow = shadow();
    wait_returns(&mut shadow, 5);
    shadow.forget();
    assert_eq!(
        asked(&mut shadow, 0, 4, Verdict::Ready),
        None,
        "neither its ticks nor the reactor's"
    );
    wait_begins(&mut shadow, 6);
    // If that was Ready there, it remembers nothing now, else (7, 4): an event since tells them apart.
    assert_eq!(asked(&mut shadow, 0, 4, Verdict::Pending), None);
    wait_returns(&mut shadow, 7);
    assert_eq!(asked(&mut shadow, 0, 4, Verdict::Pending), Some(Verdict::Pending));
    assert_eq!(remembered(&mut shadow, 0), Some(Ticks { a: 7, b: 4 }));
    wait_begins(&mut shadow, 7);
    wait_returns(&mut shadow, 8);
    assert_eq!(asked(&mut shadow, 0, 8, Verdict::Ready), Some(Verdict::Ready));

    // One of its own that began before is never known; one that begins now is.
    poll_begins(&mut shadow, 7, 8, Some(Ticks::default()));
    assert_eq!(poll_ends(&mut shadow, 7, Verdict::Ready), None);
    assert_eq!(asked(&mut shadow, 7, 8, Verdict::Ready), Some(Verdict::Pending));
    shadow.forget();
    assert_eq!(asked(&mut shadow, WaiterId::NEW, 8, Verdict::Ready), Some(Verdict::Pending));
}

#[test]
fn dropped_waiters_and_sources_are_forgotten() {
    let mut shadow = shadow();
    for waiter in 0..4 {
        poll(&mut shadow, waiter, 0, Verdict::Pending);
    }
    let dropped = SourceWaker {
        change: WakerChange::Dropped,
        dir: Direction::Read,
        key: KEY,
        fd: 4,
        waiter: 2,
        task: 1,
    };
    shadow.observe(&dropped.into());
    assert_eq!(remembered(&mut shadow, 2), None);
    assert!(remembered(&mut shadow, 0).is_some());
    let gone = SourceDrop {
        key: KEY,
        fd: 4,
        kind: SourceKind::Tcp,
        local: Address::None,
        peer: Address::None,
        inode: 0,
    };
    shadow.observe(&gone.into());
    assert!(shadow.recent.is_empty() && shadow.older.is_empty());
}

#[test]
fn memory_is_bounded_and_the_active_are_kept() {
    let mut shadow = shadow();
    shadow.waiters_min = 10;
    for index in 1..10_000 {
        poll(&mut shadow, 0, 0, Verdict::Pending);
        comes(&mut shadow, Key::new(index, 0));
        assert!(shadow.recent.len() + shadow.older.len() <= 20);
    }
    assert!(remembered(&mut shadow, 0).is_some());
}
