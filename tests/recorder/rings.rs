//! A ring keeps a thread's latest records, and a file has only so many rings. A program that starts a
//! thread for each request would use them up in a minute, if a thread did not give its ring back at its
//! end; and one that runs for a week overwrites all but the last seconds. Neither may go unseen: what was
//! lost is counted, and what is left is whole and of the thread that the ring says.
#![cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows))]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;

use async_io::block_on;
use ticks_format::layout::counter;
use ticks_format::slot::RECORD_SLOTS_MAX;
use ticks_format::What;

use crate::util::{child, recording, watchdog};

/// Runs this test in a child that records into `dir`, with a file of `mib`. Returns its number.
#[track_caller]
fn run(test: &str, dir: &Path, mib: u64) -> u32 {
    let mut command = child::command(test, "recorded", 0);
    recording::into(&mut command, dir);
    command.env("ASYNC_IO_TRACE_MIB", mib.to_string());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", child::shown(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    child::value(&stdout, "pid").expect("a process id").parse().unwrap()
}

fn is_child() -> bool {
    let is_child = child::role().is_some();
    if is_child {
        println!("\npid={}", std::process::id());
    }
    is_child
}

/// 10,000 threads, one after the other, share few rings, and each one's records are its own.
#[test]
fn threads_that_end_give_their_rings_back() {
    const THREADS: u64 = 10_000;
    let test = "threads_that_end_give_their_rings_back";
    let _watchdog = watchdog(test);
    if is_child() {
        for number in 0..THREADS {
            let name = format!("short-{number}");
            let thread = thread::Builder::new().name(name).spawn(|| block_on(async {}));
            thread.unwrap().join().unwrap();
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pid = run(test, dir.path(), 64);
    let recording = recording::open(&recording::path(dir.path(), pid));
    assert_eq!(recording.counter(counter::UNRECORDED).unwrap(), 0);
    let rings = recording::rings(&recording);
    assert!(recording.rings().unwrap().iter().filter(|ring| ring.owned).count() <= 2);
    let mut seen = BTreeSet::new();
    let (mut begun, mut ended) = (0, 0);
    for ring in &rings {
        for stamped in &ring.records {
            let thread = stamped.thread.as_ref().expect("nothing is overwritten");
            match &stamped.what {
                What::ThreadBegin(_) => begun += 1,
                What::ThreadEnd(_) => ended += 1,
                What::Record(record) => {
                    let text = record.to_string();
                    let own = text.contains(&format!("thread={}", thread.tid));
                    assert!(own || !text.starts_with("block_on"), "{text} of {thread:?}");
                }
                What::Foreign(record) => panic!("{record}"),
            }
            if thread.name.starts_with("short-") {
                seen.insert(thread.name.clone());
            }
        }
    }
    assert_eq!(seen.len() as u64, THREADS);
    assert!(begun >= THREADS && ended >= THREADS, "{begun} begun, {ended} ended");
}

/// More threads at the same time than there are rings: the further ones' records are counted, and there
/// are rings again when some have ended.
#[test]
fn threads_without_a_ring_are_counted() {
    const THREADS: usize = 400;
    let test = "threads_without_a_ring_are_counted";
    let _watchdog = watchdog(test);
    if is_child() {
        // Nobody waits for the recorder while it starts.
        block_on(async {});
        for _ in 0..2 {
            let meeting = Arc::new(Barrier::new(THREADS));
            let work = |meeting: Arc<Barrier>| {
                move || {
                    block_on(async {});
                    meeting.wait();
                }
            };
            let threads: Vec<_> =
                (0..THREADS).map(|_| thread::spawn(work(meeting.clone()))).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pid = run(test, dir.path(), 64);
    let recording = recording::open(&recording::path(dir.path(), pid));
    let lost = recording.counter(counter::UNRECORDED).unwrap();
    assert!(lost > 0);
    let rings = recording::rings(&recording);
    let kept: usize = rings.iter().map(|ring| recording::records(ring).count()).sum();
    assert!(rings.len() > 300 && kept > 2 * rings.len(), "{kept} records in {} rings", rings.len());
    // Its begin and its end, and of its future, which is a task, the spawn, a poll, and the end.
    let records = (1 + 2 * THREADS) * (2 + 4);
    assert_eq!(kept + lost as usize, records, "each is kept or counted");
}

/// The oldest records go, and the reader knows how many.
#[test]
fn what_is_overwritten_is_counted() {
    const CALLS: u64 = 100_000;
    let test = "what_is_overwritten_is_counted";
    let _watchdog = watchdog(test);
    if is_child() {
        (0..CALLS).for_each(|_| block_on(async {}));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pid = run(test, dir.path(), 1);
    let recording = recording::open(&recording::path(dir.path(), pid));
    let rings = recording::rings(&recording);
    let ring = rings.iter().max_by_key(|ring| ring.head).unwrap();
    assert!(ring.head >= 2 * CALLS, "{} slots", ring.head);
    assert!(ring.loss.overwritten > CALLS);
    let slots = recording.rings().unwrap().iter().map(|ring| ring.slots).max().unwrap();
    let kept_slots = slots - RECORD_SLOTS_MAX as u64;
    assert_eq!(ring.loss.overwritten + kept_slots, ring.head);
    // Each record takes a slot, and the mark of the thread's end a few.
    let kept = recording::records(ring).count() as u64;
    assert!(kept <= kept_slots && kept > kept_slots - RECORD_SLOTS_MAX as u64, "{kept} records");
    let lines = recording::records(ring).map(ToString::to_string);
    let lines: Vec<String> = lines.filter(|line| line.starts_with("block_on:")).collect();
    for pair in lines.windows(2) {
        let alternate = pair[0].starts_with("block_on:+") != pair[1].starts_with("block_on:+");
        assert!(alternate, "{pair:?}");
    }
    assert!(lines.last().unwrap().starts_with("block_on:-"));
    let times: Vec<u64> = ring.records.iter().map(|stamped| stamped.time).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "time goes on");
}
