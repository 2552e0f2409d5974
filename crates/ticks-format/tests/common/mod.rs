//! One or more records of every kind, with the text that each must have.

use ticks_format::records::*;
use ticks_format::*;

fn key(index: u32) -> Key {
    Key::new(index, 0)
}

fn ip(text: &str) -> Address {
    Address::Ip(text.parse().expect("a socket address"))
}

/// Records as they occur, each with its line.
pub fn samples() -> Vec<(Record, &'static str)> {
    let mut all = reactor();
    all.extend(sources());
    all.extend(polls());
    all.extend(wakers_and_timers());
    all.extend(poller());
    all.extend(driver());
    all.extend(tasks());
    all
}

fn reactor() -> Vec<(Record, &'static str)> {
    vec![
        (Ticker { tick: 3 }.into(), "Reactor::ticker:+- val=3"),
        (
            ReactBegin { tick: 2, timeout_ns: None, next_timer_ns: Some(1_500_000) }.into(),
            "ReactorLock::react:+ tick=2 timeout=None next_timer=Some(1.5ms)",
        ),
        (ReactEvents { tick: 3, events: 1 }.into(), "ReactorLock::react: tick=3 1 I/O events+"),
        (
            ReactEvent {
                tick: 3,
                key: key(0),
                readable: true,
                writable: false,
                fd: 4,
                flags: 0x4000_201b,
                wakers: 1,
            }
            .into(),
            "ReactorLock::react: tick=3 ev=Event { key: 0, readable: true, writable: false } \
             fd=4 events: 4000201b (IN|PRI|ERR|HUP|RDHUP|ONESHOT) wakers=1",
        ),
        (
            ReactStale { tick: 4, key: Key::new(0, 2), readable: false, writable: true, flags: 4 }
                .into(),
            "ReactorLock::react: tick=4 ev=Event { key: 0#2, readable: false, writable: true } \
             events: 4 (OUT) dropped (stale key)",
        ),
        (
            ReactEnd { tick: 3, events: 1, wakers: 2, duration_ns: 12_345 }.into(),
            "ReactorLock::react:- tick=3 events=1 wakers=2 duration=12.345µs",
        ),
    ]
}

fn sources() -> Vec<(Record, &'static str)> {
    vec![
        (
            SourceNew {
                key: key(1),
                fd: 7,
                kind: SourceKind::Tcp,
                local: ip("127.0.0.1:4001"),
                peer: ip("[fe80::1]:53584"),
                inode: 88_001,
            }
            .into(),
            "Source::new:+- key=1 fd=7 kind=tcp local=127.0.0.1:4001 peer=[fe80::1]:53584 \
             inode=88001",
        ),
        (
            SourceDrop {
                key: Key::new(1, 1),
                fd: 7,
                kind: SourceKind::UnixListener,
                local: Address::Unix("@bus".into()),
                peer: Address::None,
                inode: 9,
            }
            .into(),
            "Source::drop:+- key=1#1 fd=7 kind=unix-listener local=@bus peer=- inode=9",
        ),
    ]
}

fn poll_end(result: Verdict, tick: u64, ticks: Option<Ticks>) -> PollEnd {
    PollEnd {
        dir: Direction::Read,
        tick,
        ticks,
        result,
        key: key(0),
        fd: 4,
        waiter: 0,
        reason: Reason::LaterTick,
        upstream: None,
    }
}

fn polls() -> Vec<(Record, &'static str)> {
    vec![
        (
            PollBegin {
                dir: Direction::Read,
                tick: 3,
                ticks: Some(Ticks { a: 2, b: 2 }),
                key: key(0),
                fd: 4,
                waiter: 0,
            }
            .into(),
            "Source::poll_ready:+ dir=0 tick=3 ticks=Some((2, 2)) key=0 fd=4 waiter=0",
        ),
        (
            PollBegin {
                dir: Direction::Write,
                tick: 0,
                ticks: None,
                key: key(5),
                fd: 9,
                waiter: 12,
            }
            .into(),
            "Source::poll_ready:+ dir=1 tick=0 ticks=None key=5 fd=9 waiter=12",
        ),
        (
            PollBegin {
                dir: Direction::Read,
                tick: 0,
                ticks: None,
                key: Key::new(5, 3),
                fd: 9,
                waiter: WaiterId::NEW,
            }
            .into(),
            "Source::poll_ready:+ dir=0 tick=0 ticks=None key=5#3 fd=9 waiter=new",
        ),
        (
            poll_end(Verdict::Ready, 3, None).into(),
            "Source::poll_ready:- dir=0 tick=3 ticks=None Poll::Ready(Ok(())) key=0 fd=4 \
             waiter=0 reason=\"later tick\"",
        ),
        (
            PollEnd {
                reason: Reason::SameTick,
                upstream: Some(Verdict::Ready),
                ..poll_end(Verdict::Pending, 2, Some(Ticks { a: 2, b: 0 }))
            }
            .into(),
            "Source::poll_ready:- dir=0 Poll::Pending at bottom tick=2 ticks=Some((2, 0)) key=0 \
             fd=4 waiter=0 reason=\"same tick: harvested before the wait\" upstream=Ready",
        ),
        (
            PollEnd { reason: Reason::Error, ..poll_end(Verdict::Failed, 2, None) }.into(),
            "Source::poll_ready:- dir=0 tick=2 ticks=None Poll::Ready(Err(_)) key=0 fd=4 \
             waiter=0 reason=\"error\"",
        ),
    ]
}

fn wakers_and_timers() -> Vec<(Record, &'static str)> {
    vec![
        (
            SourceWaker {
                change: WakerChange::Stored,
                dir: Direction::Read,
                key: key(0),
                fd: 4,
                waiter: 0,
                task: 0x5577_4859_cd90,
            }
            .into(),
            "Source::waker: stored dir=0 key=0 fd=4 waiter=0 task=0x55774859cd90",
        ),
        (
            SourceWaker {
                change: WakerChange::Dropped,
                dir: Direction::Write,
                key: key(0),
                fd: 4,
                waiter: 7,
                task: 0,
            }
            .into(),
            "Source::waker: dropped dir=1 key=0 fd=4 waiter=7",
        ),
        (
            Wake {
                task: 0x5577_4859_cd90,
                by: WakeCause::Source,
                key: Some(key(0)),
                dir: Some(Direction::Read),
                tick: Some(3),
                timer: None,
            }
            .into(),
            "Waker::wake:+- task=0x55774859cd90 by=source key=0 dir=0 tick=3",
        ),
        (
            Wake {
                task: 16,
                by: WakeCause::Timer,
                key: None,
                dir: None,
                tick: None,
                timer: Some(42),
            }
            .into(),
            "Waker::wake:+- task=0x10 by=timer timer=42",
        ),
        (
            TimerInsert { id: 42, deadline_ns: 2_000_000_000, in_ns: 1_000 }.into(),
            "Timer::insert:+- id=42 deadline=2s in=1µs",
        ),
        (
            TimerRemove { id: 42, deadline_ns: 2_000_000_001 }.into(),
            "Timer::remove:+- id=42 deadline=2.000000001s",
        ),
        (
            TimerFire { id: 42, deadline_ns: 2_000_000_000, late_ns: 57_000 }.into(),
            "Timer::fire:+- id=42 deadline=2s late=57µs",
        ),
    ]
}

fn poller() -> Vec<(Record, &'static str)> {
    vec![
        (
            WaitBegin { epoll_fd: 5, timeout_ns: Some(0) }.into(),
            "wait:+ epoll_fd=5, timeout=Some(0ns)",
        ),
        (
            WaitReturn { epoll_fd: 5, count: 1 }.into(),
            "wait: running epoll_fd=5, events.len=1 events.list:",
        ),
        (
            WaitEntry { index: 0, flags: 1, data: 0 }.into(),
            "wait: list[0] { events: 1 u64: 0 } events: 1 (IN)",
        ),
        (WaitEnd { epoll_fd: 5, res: 1 }.into(), "wait:- epoll_fd=5, res=1"),
        (
            CtlBegin { op: Op::Mod, epoll_fd: 5, fd: 4, event_fd: 6, flags: 0x4000_201b, data: 0 }
                .into(),
            "ctl:+ MOD epoll_fd=5, fd=4 event_fd=6 { events: 4000201b u64: 0 } \
             events: 4000201b (IN|PRI|ERR|HUP|RDHUP|ONESHOT)",
        ),
        (
            CtlEnd { op: Op::Mod, epoll_fd: 5, fd: 4, event_fd: 6, res: 0 }.into(),
            "ctl:- MOD epoll_fd=5, fd=4 event_fd=6 res=Ok(0)",
        ),
        (
            CtlEnd { op: Op::Add, epoll_fd: 5, fd: -1, event_fd: 6, res: -9 }.into(),
            "ctl:- ADD epoll_fd=5, fd=-1 event_fd=6 res=Err(os error 9)",
        ),
        (
            Notify { epoll_fd: 5, event_fd: 6, thread: 4 }.into(),
            "notify:+- epoll_fd=5, event_fd=6 thread=4",
        ),
    ]
}

fn driver() -> Vec<(Record, &'static str)> {
    let (thread, target, duration_ns) = (4711, 4712, 10_000_000);
    vec![
        (BlockOnBegin { thread }.into(), "block_on:+ thread=4711"),
        (BlockOnEnd { thread, duration_ns }.into(), "block_on:- thread=4711 duration=10ms"),
        (ParkBegin { thread }.into(), "park:+ thread=4711"),
        (ParkEnd { thread, duration_ns }.into(), "park:- thread=4711 duration=10ms"),
        (Unpark { thread, target }.into(), "unpark:+- thread=4711 target=4712"),
        (DriveBegin { thread }.into(), "drive:+ thread=4711"),
        (DriveEnd { thread, duration_ns }.into(), "drive:- thread=4711 duration=10ms"),
        (Handover { thread, target }.into(), "handover:+- thread=4711 target=4712"),
    ]
}

fn tasks() -> Vec<(Record, &'static str)> {
    let (task, stack) = (17, 33);
    let wake = TaskWake {
        task,
        by: WokenBy::Source,
        from: 4,
        dir: Some(Direction::Write),
        first: true,
        stack: 0,
    };
    let (polls, age_ns) = (3, 1_500);
    vec![
        (
            TaskSpawn { task, kind: TaskKind::Spawned, waker: 0x7f00, parent: 2, name: 8, stack }
                .into(),
            "Task::spawn:+- task=17 kind=spawned waker=0x7f00 parent=2 name=8 stack=33",
        ),
        (TaskPollBegin { task }.into(), "Task::poll:+ task=17"),
        (
            TaskPollEnd { task, result: Verdict::Pending, duration_ns: 1_500, stack }.into(),
            "Task::poll:- task=17 Pending duration=1.5µs stack=33",
        ),
        (TaskWait { task, stack }.into(), "Task::wait:+- task=17 stack=33"),
        (wake.clone().into(), "Task::wake:+- task=17 by=source from=4 dir=1 first=true stack=0"),
        (
            TaskWake { by: WokenBy::Itself, from: 17, dir: None, first: false, stack, ..wake }
                .into(),
            "Task::wake:+- task=17 by=itself from=17 first=false stack=33",
        ),
        (TaskForgotten { task, stack }.into(), "Task::forgotten:+- task=17 stack=33"),
        (TaskDone { task, polls, age_ns }.into(), "Task::done:+- task=17 polls=3 age=1.5µs"),
        (
            TaskCancelled { task, polls, age_ns }.into(),
            "Task::cancelled:+- task=17 polls=3 age=1.5µs",
        ),
        (
            TaskPanicked { task, polls, age_ns }.into(),
            "Task::panicked:+- task=17 polls=3 age=1.5µs",
        ),
    ]
}

/// Numbers of all sizes, the same at each run.
#[allow(dead_code)] // Not every test binary needs it.
pub struct Random(u64);

#[allow(dead_code)] // Not every test binary needs it.
impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// As likely a small number as a large one.
    pub fn number(&mut self) -> u64 {
        let bits = self.next() % 65;
        match bits {
            0 => 0,
            bits => self.next() >> (64 - bits),
        }
    }

    pub fn maybe(&mut self) -> Option<u64> {
        (self.next() % 2 == 0).then(|| self.number())
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
