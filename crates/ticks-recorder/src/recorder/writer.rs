//! The writer of this thread: its ring, claimed with its first record and given back at its end.

use std::cell::{Cell, RefCell};

use ticks_format::marks::{thread_begin, thread_end};
use ticks_format::slot::{wide, Slot};
use ticks_format::Direct;

use super::current::{self, Recorder};
use super::ring::{RingWriter, Rings};
use super::{stamp, system};
use crate::thread::thread_number;

thread_local! {
    static WRITER: RingWriter<'static> = const { RingWriter::idle() };
    /// This thread's last reading of the counter.
    static LAST: Cell<u64> = const { Cell::new(0) };
    /// When this thread looks next whether an anchor is due, by the counter.
    static LOOK_AT: Cell<u64> = const { Cell::new(0) };
    /// How many records to count as lost before looking for a ring again.
    static PATIENCE: Cell<u32> = const { Cell::new(0) };
    /// Dropped when the thread ends.
    static OWNER: Owner = const { Owner { name: RefCell::new(String::new()) } };
}

/// How many records of a thread without a ring are counted before it looks for one again.
const PATIENCE_RECORDS: u32 = 1024;

/// The thread as the owner of its ring.
struct Owner {
    /// Its name when it claimed the ring.
    name: RefCell<String>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        WRITER.with(|writer| {
            let Some(recorder) = current::get() else { return };
            if writer.is_idle() {
                return;
            }
            let time = stamp::now();
            let mark = thread_end(thread_number(), &self.name.borrow(), time);
            writer.append(&mark, &mut |offset, len| recorder.map.reserve(offset, len));
            writer.give_back(time);
        });
    }
}

/// Forgets the ring that this thread has, which is the parent's.
#[cfg(unix)]
pub(super) fn forget_ring() {
    WRITER.with(RingWriter::drop_ring);
}

/// The counter as it was at this thread's last reading, or now if there is none.
#[inline(always)]
pub fn now_or_just_now() -> u64 {
    match LAST.with(Cell::get) {
        0 => stamp::now(),
        last => last,
    }
}

/// The counter now, for the hook that follows at once too.
#[inline(always)]
pub fn now_and_just_now() -> u64 {
    let now = stamp::now();
    LAST.with(|last| last.set(now));
    now
}

/// Stores a record in this thread's ring.
#[inline(always)]
pub fn record<R: Direct>(record: &R, time: u64) {
    match record.narrow(time) {
        // Small, because it is inlined into each hook.
        Some(slot) => {
            if !WRITER.with(|writer| writer.push(&slot)) {
                append_narrow(slot, time);
            }
        }
        None => append_wide(record.clone(), time),
    }
    LAST.with(|last| last.set(time));
    if time >= LOOK_AT.with(Cell::get) {
        keep_time(time);
    }
}

#[cold]
#[inline(never)]
fn keep_time(time: u64) {
    if let Some(recorder) = current::get() {
        let due = recorder.anchors.keep_up(&recorder.map, time);
        LOOK_AT.with(|look_at| look_at.set(due));
    }
}

#[cold]
#[inline(never)]
fn append_narrow(slot: Slot, time: u64) {
    append(&[slot], time);
}

#[cold]
#[inline(never)]
fn append_wide<R: Direct>(record: R, time: u64) {
    append(&wide(&record.into(), time), time);
}

fn append(slots: &[Slot], time: u64) {
    let Some(recorder) = current::get() else { return };
    WRITER.with(|writer| {
        let mut reserve = |offset, len| recorder.map.reserve(offset, len);
        if writer.is_idle() && !claim(recorder, writer, time) {
            return recorder.lost_record();
        }
        if !writer.append(slots, &mut reserve) {
            // There is no room at all. The ring is free for a thread that comes when there is room.
            writer.give_back(time);
            PATIENCE.with(|patience| patience.set(PATIENCE_RECORDS));
            recorder.lost_record();
        }
    });
}

/// Takes a ring for this thread. `false`: there is none, or it is not the time to look for one.
fn claim(recorder: &'static Recorder, writer: &RingWriter<'static>, time: u64) -> bool {
    let patience = PATIENCE.with(Cell::get);
    if patience > 0 {
        PATIENCE.with(|cell| cell.set(patience - 1));
        return false;
    }
    let section = &recorder.rings;
    let rings = Rings(recorder.map.words(section.offset as usize, section.len as usize));
    let (tid, name) = (thread_number(), thread_name());
    // It fails in the last destructors of the thread, after it has given its ring back: nobody would
    // give a second ring back.
    if OWNER.try_with(|owner| owner.name.replace(name.clone())).is_err() {
        return false;
    }
    let Some(entry) = rings.claim(tid, &name) else {
        PATIENCE.with(|patience| patience.set(PATIENCE_RECORDS));
        return false;
    };
    let (offset, len) = RingWriter::place(entry);
    writer.take_up(entry, recorder.map.words(offset, len));
    system::tell_end_of_thread();
    let mark = thread_begin(tid, &name, time);
    writer.append(&mark, &mut |offset, len| recorder.map.reserve(offset, len));
    true
}

/// The name by which tools know this thread.
fn thread_name() -> String {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(name) = rustix::thread::name() {
        return name.to_string_lossy().into_owned();
    }
    let current = std::thread::current();
    current.name().unwrap_or_default().to_owned()
}
