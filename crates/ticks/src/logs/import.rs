//! The one walk through a log.
//!
//! The forks' polls name no source. It is told by the `ctl` in their midst, on the same thread; so a thread's records
//! are held back from the beginning of such a poll until its source is known, or it ends.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};

use ticks_format::records::*;
use ticks_format::slot::{narrow, wide, Slot};
use ticks_format::{
    marks, Awaited, Direction, Key, Op, Reason, Record, Source, Ticks, Verdict, Waiter, WaiterId,
    WakerChange,
};

use super::head::{self, Line};
use super::parse::Message;
use super::write::Writer;
use super::{Escape, Log, Old, Quiet, KEPT_MAX};
use crate::progress::Progress;

/// The longest part of a line that is read.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// How many records of a thread are held back at most.
const HELD_MAX: usize = 256;

/// How long nothing must be logged to be worth a word.
const QUIET_NS: u64 = 5_000_000_000;

/// How many things after a quiet time are kept.
const AFTER_QUIET_MAX: usize = 8;

/// Stands for a source that no line names.
const UNKNOWN: Key = Key(u32::MAX as u64 - 1);

/// The key of the poller's own notification.
pub const NOTIFICATION: u64 = u64::MAX;

/// A poll of a fork's that has begun.
struct Open {
    dir: Direction,
    tick: u64,
    /// What the waiter remembered when the poll began.
    ticks_before: Option<Ticks>,
    ticks: Option<Ticks>,
    /// When the ticks were remembered in this poll.
    remembered_ns: Option<u64>,
    key: Option<Key>,
    fd: Option<i64>,
    held: Vec<(u64, Held)>,
}

enum Held {
    Begin,
    Slots(Vec<Slot>),
}

/// A direction that is waited for.
#[derive(Clone, Copy)]
struct Waits {
    ticks: Option<Ticks>,
    since_ns: u64,
    tid: u64,
    task: u64,
    /// Where the event that it takes for old is kept.
    old: Option<usize>,
}

struct Import {
    log: Log,
    writer: Writer,
    last_ns: u64,
    open: HashMap<u64, Open>,
    /// By thread: the descriptor that the next `ctl` is about.
    modifies: HashMap<u64, i64>,
    fds: HashMap<Key, i64>,
    /// Which source each descriptor was watched for last.
    keys: HashMap<i64, Key>,
    sources: BTreeMap<Key, Source>,
    waits: BTreeMap<WaiterId, Waits>,
}

/// Reads the log, and gives the recording of it.
pub fn import(mut file: File) -> anyhow::Result<(File, Log)> {
    let bytes = file.metadata()?.len();
    let mut import = Import {
        log: Log::default(),
        writer: Writer::new(bytes, "")?,
        last_ns: 0,
        open: HashMap::new(),
        modifies: HashMap::new(),
        fds: HashMap::new(),
        keys: HashMap::new(),
        sources: BTreeMap::new(),
        waits: BTreeMap::new(),
    };
    // On Windows a look at the file's beginning has moved its position.
    file.rewind()?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut progress = Progress::new(bytes, "reading the log");
    let mut line = Vec::new();
    let (mut at, mut tid) = (0, 0);
    loop {
        line.clear();
        let got = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if got == 0 {
            break;
        }
        at += got as u64;
        progress.set_beside(at);
        let text = String::from_utf8_lossy(&line);
        let text = head::plain(text.trim_end());
        if !text.is_empty() {
            import.log.lines += 1;
            tid = import.line(&text, tid)?;
        }
    }
    drop(progress);
    import.finish()
}

impl Import {
    /// Takes in a line, and says which thread's it is; one without a head stays with the line before it.
    fn line(&mut self, text: &str, last_tid: u64) -> anyhow::Result<u64> {
        let Some(line) = Line::of(text) else {
            if self.last_ns > 0 {
                let at = self.time(self.last_ns);
                self.push(last_tid, at, &marks::log_line("", "", 0, text, at))?;
            }
            return Ok(last_tid);
        };
        if self.last_ns == 0 {
            self.writer.begins_at(line.utc_ns);
        } else if line.utc_ns.saturating_sub(self.last_ns) >= QUIET_NS {
            self.quiet(line.utc_ns);
        }
        let at = self.time(line.utc_ns);
        let tid = line.tid;
        // Without a thread in the head, only some messages tell theirs.
        let caller = if line.line == 0 { 0 } else { tid };
        let message = match line.is_of_reactor() {
            true => Message::of(line.message),
            false => Message::Other,
        };
        let is_record =
            !matches!(message, Message::Other | Message::Modify { .. } | Message::Remembers { .. });
        if let Message::PollBegin { .. } = message {
            // The line's mark belongs to the poll that begins.
            self.close(tid, None)?;
        }
        if is_record && line.line != 0 {
            self.push(tid, at, &marks::log_at(line.line, at))?;
        }
        match message {
            Message::Record(record) => self.record(tid, at, &record)?,
            Message::PollBegin { dir, tick, ticks } => {
                self.log.of_upstream = true;
                self.log.records += 1;
                self.polled();
                let held = vec![(at, Held::Begin)];
                let (remembered_ns, key, fd) = (None, None, None);
                self.open.insert(
                    tid,
                    Open { dir, tick, ticks_before: ticks, ticks, remembered_ns, key, fd, held },
                );
            }
            Message::Remembers { dir, ticks, .. } => {
                if let Some(open) = self.open.get_mut(&tid).filter(|open| open.dir == dir) {
                    (open.ticks, open.remembered_ns) = (Some(ticks), Some(at));
                }
                self.other(&line, at)?;
            }
            Message::PollEnd { dir, result } => match self.open.get(&tid) {
                Some(open) if open.dir == dir => {
                    self.log.records += 1;
                    self.close(tid, Some((at, result)))?;
                }
                _ => self.other(&line, at)?,
            },
            Message::Modify { fd } => {
                self.modifies.insert(caller, fd);
                self.other(&line, at)?;
            }
            Message::CtlBegin { op, epoll_fd, fd, event_fd, flags, data } => {
                let fd = fd.or_else(|| self.modifies.get(&caller).copied());
                self.armed(fd, flags, data);
                if op == Some(Op::Add) {
                    self.replaces(fd, data);
                }
                self.names(tid, at, fd, data);
                let (op, fd) = (op.unwrap_or(Op::Mod), fd.unwrap_or(-1));
                self.record(tid, at, &CtlBegin { op, epoll_fd, fd, event_fd, flags, data }.into())?;
            }
            Message::CtlEnd { op, epoll_fd, fd, event_fd, res } => {
                let fd = fd.or_else(|| self.modifies.remove(&caller)).unwrap_or(-1);
                let op = op.unwrap_or(Op::Mod);
                self.record(tid, at, &CtlEnd { op, epoll_fd, fd, event_fd, res }.into())?;
            }
            Message::Other => self.other(&line, at)?,
        }
        Ok(tid)
    }

    /// The time, made later by as little as keeps lines of one moment in their order.
    fn time(&mut self, utc_ns: u64) -> u64 {
        const MOMENT_NS: u64 = 1_000;
        let is_same = utc_ns <= self.last_ns && self.last_ns - utc_ns < MOMENT_NS;
        let at = if is_same { self.last_ns + 1 } else { utc_ns };
        self.last_ns = at;
        self.log.end_ns = self.log.end_ns.max(at);
        at
    }

    fn other(&mut self, line: &Line<'_>, at: u64) -> anyhow::Result<()> {
        let Line { level, module, message, line: number, tid, .. } = *line;
        self.push(tid, at, &marks::log_line(level, module, number, message, at))
    }

    fn record(&mut self, tid: u64, at: u64, record: &Record) -> anyhow::Result<()> {
        self.log.records += 1;
        let mut record = record.clone();
        if let Record::ReactEvent(event) = &mut record {
            if event.fd < 0 {
                event.fd = self.fds.get(&event.key).copied().unwrap_or(-1);
            }
        }
        self.learn(tid, at, &record);
        self.push_record(tid, at, &record)
    }

    fn push_record(&mut self, tid: u64, at: u64, record: &Record) -> anyhow::Result<()> {
        match narrow(record, at) {
            Some(slot) => self.push(tid, at, &[slot]),
            None => self.push(tid, at, &wide(record, at)),
        }
    }

    fn push(&mut self, tid: u64, at: u64, slots: &[Slot]) -> anyhow::Result<()> {
        match self.open.get_mut(&tid) {
            Some(open) => {
                open.held.push((at, Held::Slots(slots.to_vec())));
                if open.held.len() >= HELD_MAX {
                    self.close(tid, None)?;
                }
                Ok(())
            }
            None => Ok(self.writer.push(tid, at, slots)?),
        }
    }

    /// A descriptor that is watched anew has another source now. The forks' logs tell no other end of one, and a log
    /// of any length must not fill the memory.
    fn replaces(&mut self, fd: Option<i64>, data: u64) {
        let (Some(fd), false) = (fd, data == NOTIFICATION) else { return };
        if let Some(before) = self.keys.insert(fd, Key(data)).filter(|before| *before != Key(data))
        {
            if self.fds.get(&before) == Some(&fd) {
                self.forget(before);
            }
        }
    }

    fn forget(&mut self, key: Key) {
        self.fds.remove(&key);
        self.sources.remove(&key);
        for dir in [Direction::Read, Direction::Write] {
            let first = WaiterId { key, dir, number: 0 };
            let ids = self.waits.range(first..).map(|(id, _)| *id);
            let ids: Vec<WaiterId> = ids.take_while(|id| id.key == key && id.dir == dir).collect();
            for id in ids {
                self.waits.remove(&id);
            }
        }
    }

    /// A `ctl` names the source of the poll in whose midst it is.
    fn names(&mut self, tid: u64, at: u64, fd: Option<i64>, data: u64) {
        if data == NOTIFICATION {
            return;
        }
        let key = Key(data);
        fd.map(|fd| self.fds.insert(key, fd));
        let Some(open) = self.open.get_mut(&tid) else { return };
        (open.key, open.fd) = (Some(key), fd);
        // It waits from now on: an event may come before the poll has ended.
        if let Some(ticks) = open.ticks {
            let (since_ns, dir) = (open.remembered_ns.unwrap_or(at), open.dir);
            let id = WaiterId { key, dir, number: WaiterId::SHARED };
            // Whether this poll refuses the event before it, its end tells.
            let old = self.waits.get(&id).and_then(|waits| waits.old);
            self.waits.insert(id, Waits { ticks: Some(ticks), since_ns, tid, task: 0, old });
        }
    }

    /// Ends a poll, or gives up waiting for its end; what was held back is written.
    fn close(&mut self, tid: u64, end: Option<(u64, Verdict)>) -> anyhow::Result<()> {
        let Some(open) = self.open.remove(&tid) else { return Ok(()) };
        let Open { dir, tick, ticks_before, ticks, remembered_ns, key, fd, held } = open;
        let source = key.unwrap_or(UNKNOWN);
        let fd = fd.or_else(|| self.fds.get(&source).copied()).unwrap_or(-1);
        let began = held.first().map_or(0, |(at, _)| *at);
        let waiter = WaiterId::SHARED;
        for (at, held) in held {
            match held {
                Held::Begin => {
                    let begin =
                        PollBegin { dir, tick, ticks: ticks_before, key: source, fd, waiter };
                    match narrow(&begin.clone().into(), at) {
                        Some(slot) => self.writer.push(tid, at, &[slot])?,
                        None => self.writer.push(tid, at, &wide(&begin.into(), at))?,
                    }
                }
                Held::Slots(slots) => self.writer.push(tid, at, &slots)?,
            }
        }
        let Some((at, result)) = end else { return Ok(()) };
        let id = WaiterId { key: source, dir, number: waiter };
        let is_new = ticks_before.is_some_and(|ticks| tick != ticks.a && tick != ticks.b);
        match (result, key) {
            (Verdict::Pending, Some(_)) => {
                let old = self.waits.get(&id).and_then(|waits| waits.old);
                if let Some(old) = old.and_then(|old| self.log.olds.get_mut(old)) {
                    old.refused |= began > old.event_ns;
                }
                let since_ns = remembered_ns.unwrap_or(began);
                self.waits.insert(id, Waits { ticks, since_ns, tid, task: 0, old });
            }
            (Verdict::Pending, None) => {}
            _ => {
                self.waits.remove(&id);
                if let Some(ticks) = ticks_before.filter(|_| is_new && result == Verdict::Ready) {
                    let escape = Escape { utc_ns: at, tick, ticks };
                    if self.log.escapes.len() < KEPT_MAX {
                        self.log.escapes.entry((key, dir)).or_insert(escape);
                    }
                }
            }
        }
        let reason = match result {
            Verdict::Pending => Reason::NoEvent,
            Verdict::Ready => Reason::LaterTick,
            Verdict::Failed => Reason::Error,
        };
        let ticks = ticks.filter(|_| result == Verdict::Pending);
        let end =
            PollEnd { dir, tick, ticks, result, key: source, fd, waiter, reason, upstream: None };
        self.push_record(tid, at, &end.into())
    }

    /// Keeps the tables as a recorder would.
    fn learn(&mut self, tid: u64, at: u64, record: &Record) {
        match record {
            Record::WaitEntry(entry) => self.entry(entry.flags, entry.data),
            Record::ReactEvent(event) => self.event(tid, at, event),
            Record::PollBegin(_) => self.polled(),
            Record::SourceNew(new) => {
                let SourceNew { key, fd, kind, local, peer, inode } = new.clone();
                self.fds.insert(key, fd);
                let source =
                    Source { key, registered: true, fd, kind, local, peer, inode, since: at };
                self.sources.insert(key, source);
            }
            Record::SourceDrop(gone) => self.forget(gone.key),
            Record::SourceWaker(waker) if waker.change == WakerChange::Dropped => {
                self.waits.remove(&waker.waiter_id());
            }
            Record::SourceWaker(waker) => {
                let fresh = Waits { ticks: None, since_ns: at, tid, task: 0, old: None };
                self.waits.entry(waker.waiter_id()).or_insert(fresh).task = waker.task;
            }
            Record::PollEnd(poll) if poll.result != Verdict::Pending => {
                self.waits.remove(&poll.waiter_id());
            }
            Record::PollEnd(poll) => {
                if let Some(waits) = self.waits.get_mut(&poll.waiter_id()) {
                    waits.ticks = poll.ticks;
                }
            }
            _ => {}
        }
    }

    /// By the rule of 2.6.0 an event counts only if its tick is neither of the two that the waiter remembers.
    fn event(&mut self, tid: u64, at: u64, event: &ReactEvent) {
        if !self.log.of_upstream {
            return;
        }
        let dirs = [(Direction::Read, event.readable), (Direction::Write, event.writable)];
        for (dir, _) in dirs.into_iter().filter(|(_, counts)| *counts) {
            let id = WaiterId { key: event.key, dir, number: WaiterId::SHARED };
            let Some(waits) = self.waits.get_mut(&id) else { continue };
            let Some(ticks) = waits.ticks.filter(|it| it.a == event.tick || it.b == event.tick)
            else {
                continue;
            };
            self.log.olds_count += 1;
            if self.log.olds.len() < KEPT_MAX {
                waits.old = Some(self.log.olds.len());
                self.log.olds.push(Old {
                    key: event.key,
                    fd: Some(event.fd).filter(|fd| *fd >= 0),
                    dir,
                    tick: event.tick,
                    ticks,
                    asked_ns: waits.since_ns,
                    asked_tid: waits.tid,
                    event_ns: at,
                    event_tid: tid,
                    refused: false,
                });
            }
        }
    }

    fn quiet(&mut self, to_ns: u64) {
        let from_ns = self.last_ns;
        let (entries, armed, polled) = (Vec::new(), Vec::new(), false);
        let quiet = Quiet { from_ns, to_ns, entries, armed, polled };
        if self.log.quiets.len() >= KEPT_MAX {
            // The shortest makes room, but not for a shorter one.
            let length = |quiet: &Quiet| quiet.to_ns - quiet.from_ns;
            let shortest = (0..KEPT_MAX).min_by_key(|at| length(&self.log.quiets[*at]));
            let Some(shortest) = shortest else { return };
            if length(&self.log.quiets[shortest]) >= length(&quiet) {
                return;
            }
            self.log.quiets.remove(shortest);
        }
        self.log.quiets.push(quiet);
    }

    fn entry(&mut self, flags: u32, data: u64) {
        if let Some(quiet) = self.log.quiets.last_mut() {
            if quiet.entries.len() < AFTER_QUIET_MAX {
                quiet.entries.push((flags, data));
            }
        }
    }

    fn armed(&mut self, fd: Option<i64>, flags: u32, data: u64) {
        if let Some(quiet) = self.log.quiets.last_mut() {
            if quiet.armed.len() < AFTER_QUIET_MAX {
                quiet.armed.push((fd, flags, data));
            }
        }
    }

    fn polled(&mut self) {
        self.log.quiets.iter_mut().rev().take(1).for_each(|quiet| quiet.polled = true);
    }

    fn finish(mut self) -> anyhow::Result<(File, Log)> {
        let open: Vec<u64> = self.open.keys().copied().collect();
        for tid in open {
            self.close(tid, None)?;
        }
        for (key, fd) in &self.fds {
            // Of a fork's source no more is told.
            self.sources.entry(*key).or_insert_with(|| Source {
                key: *key,
                registered: true,
                fd: *fd,
                kind: ticks_format::SourceKind::Other,
                local: ticks_format::Address::None,
                peer: ticks_format::Address::None,
                inode: 0,
                since: 0,
            });
        }
        let waiters = self.waits.iter().map(|(id, waits)| Waiter {
            awaited: Awaited::Source {
                key: id.key,
                fd: self.fds.get(&id.key).copied().unwrap_or(-1),
                dir: id.dir,
                waiter: id.number,
                ticks: waits.ticks,
            },
            task: waits.task,
            since: waits.since_ns,
            place: 0,
            tid: waits.tid,
            stack: 0,
            task_id: 0,
        });
        let file = self.writer.finish(self.sources.into_values(), waiters)?;
        Ok((file, self.log))
    }
}
