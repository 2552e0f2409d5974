//! `ticks export` of records in any order: of rings of which the oldest records are gone, of tasks that
//! share a number, of clocks that disagree. Whatever the records say, the timeline is sound.

mod util;

use serde_json::Value as Json;
use ticks_format::image::Image;
use ticks_format::records::*;
use ticks_format::*;
use util::{chrome, empty, path, record, stdout, Sample};

/// Numbers that look random, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// A record about few sources, tasks and rounds, so that they often have to do with each other.
    fn record(&mut self) -> Record {
        let key = Key(self.below(3));
        let (fd, waiter) = (4 + key.0 as i64, self.below(2));
        let (tick, task) = (self.below(4), 0x10 * (1 + self.below(3)));
        let (dir, flag) = (self.of(Direction::ALL), self.below(2) == 0);
        let (kind, local, peer) = (SourceKind::Tcp, Address::None, Address::None);
        let ticks = flag.then_some(Ticks { a: tick, b: self.below(4) });
        let (epoll_fd, event_fd, flags, thread) = (9, 10, 1, 1);
        match self.below(24) {
            0 => ReactBegin { tick, timeout_ns: None, next_timer_ns: None }.into(),
            1 => ReactEnd { tick, events: 1, wakers: 1, duration_ns: 1 }.into(),
            2 => WaitBegin { epoll_fd, timeout_ns: None }.into(),
            3 => WaitEnd { epoll_fd, res: 1 }.into(),
            4 => WaitEntry { index: 0, flags, data: self.of(&[0, u64::MAX]) }.into(),
            5 => Notify { epoll_fd, event_fd, thread }.into(),
            6 => CtlBegin { op: Op::Add, epoll_fd, fd, event_fd, flags, data: 0 }.into(),
            7 => CtlEnd { op: Op::Add, epoll_fd, fd, event_fd, res: 0 }.into(),
            8 => SourceNew { key, fd, kind, local, peer, inode: 1 }.into(),
            9 => SourceDrop { key, fd, kind, local, peer, inode: 1 }.into(),
            10 => TimerFire { id: self.below(2), deadline_ns: 1, late_ns: 1 }.into(),
            11 => ParkBegin { thread }.into(),
            12 => ParkEnd { thread, duration_ns: 1 }.into(),
            13 | 14 => {
                SourceWaker { change: self.of(WakerChange::ALL), dir, key, fd, waiter, task }.into()
            }
            15 | 16 => {
                let (readable, writable) = (flag, self.below(2) == 0);
                ReactEvent { tick, key, readable, writable, fd, flags, wakers: 1 }.into()
            }
            17 | 18 => {
                let (by, timer) = (self.of(WakeCause::ALL), Some(self.below(2)));
                Wake { task, by, key: Some(key), dir: Some(dir), tick: Some(tick), timer }.into()
            }
            19 | 20 => PollBegin { dir, tick, ticks, key, fd, waiter }.into(),
            _ => {
                let (result, reason) = (self.of(Verdict::ALL), self.of(Reason::ALL));
                PollEnd { dir, tick, ticks, result, key, fd, waiter, reason, upstream: None }.into()
            }
        }
    }

    fn image(&mut self) -> Image {
        let mut image = empty(1, 1);
        let rings: Vec<usize> = (1..=3)
            .filter_map(|tid| image.claim(tid, ["", "a", "b"][tid as usize % 3], 0))
            .collect();
        let mut time = 10;
        for _ in 0..300 {
            // Some at the same time, some after a while.
            time += self.below(3) * self.below(1_000);
            let (ring, new) = (self.of(&rings), self.record());
            record(&mut image, ring, time, new);
        }
        let (key, dir) = (Key(self.below(4)), self.of(Direction::ALL));
        let awaited = Awaited::Source { key, fd: 4, dir, waiter: self.below(3), ticks: None };
        let since = self.below(2 * time);
        image.waiter(
            0,
            &Waiter { awaited, task: 0x10, since, place: 0, tid: 1, stack: 0, task_id: 0 },
        );
        image
    }
}

#[test]
fn any_records_make_a_sound_timeline() {
    let mut numbers = Numbers(1);
    for _ in 0..30 {
        let sample = Sample::new(&numbers.image());
        let export = |format| stdout(["export", format, path(&sample.path), "-o", "-"]);
        let text = export("--chrome");
        let trace: Json = serde_json::from_str(&text).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("events");
        chrome::check(events);
        assert!(events.iter().filter(|event| event["ph"] == "B").count() > 100);
        // The same file gives the same letters, colours and numbers.
        assert!(export("--chrome") == text, "two exports differ");
    }
}
