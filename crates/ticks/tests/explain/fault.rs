//! The reactor itself is at fault, which no program shows: an event comes, and whoever waits for it is not woken. A
//! recording is made by hand. The same recording with the wake, or cut off at once after the event, has no fault.

use ticks_format::image::Image;
use ticks_format::records::*;
use ticks_format::*;

use crate::util::{empty, path, poll, record, ticks, wait, Sample, KEY, TASK};

const MS: u64 = 1_000_000;

/// A task waits since 10 ms, and the event comes after a second, when it is woken, or not. The helper goes on for as
/// long.
fn recording(is_woken: bool, goes_on_ms: u64) -> Image {
    let mut image = empty(4711, u64::MAX);
    let main = image.claim(4711, "main", 0).expect("a ring");
    let helper = image.claim(4714, "async-io", 10).expect("a ring");
    let (fd, kind, inode) = (4, SourceKind::TcpListener, 88_001);
    let local: Address = "127.0.0.1:4001".parse().map(Address::Ip).expect("an address");
    let new = SourceNew { key: KEY, fd, kind, local: local.clone(), peer: Address::None, inode };
    record(&mut image, main, MS, new);
    wait(&mut image, helper, 3 * MS);
    poll(&mut image, main, 10 * MS, None, Verdict::Pending);
    let (key, tick) = (KEY, 2);
    record(&mut image, helper, 1_000 * MS, Ticker { tick });
    let (readable, writable, flags, wakers) = (true, false, 1, u64::from(is_woken));
    let event = ReactEvent { tick, key, readable, writable, fd, flags, wakers };
    record(&mut image, helper, 1_000 * MS + 1, event);
    let end = ReactEnd { tick, events: 1, wakers, duration_ns: 997 * MS };
    record(&mut image, helper, 1_000 * MS + 2, end);
    if is_woken {
        let (key, dir, tick, timer) = (Some(KEY), Some(Direction::Read), Some(tick), None);
        let wake = Wake { task: TASK, by: WakeCause::Source, key, dir, tick, timer };
        record(&mut image, helper, 1_000 * MS + 3, wake);
    }
    wait(&mut image, helper, (1_000 + goes_on_ms) * MS);
    let peer = Address::None;
    image.source(&Source { key, registered: true, fd, kind, local, peer, inode, since: MS });
    let (dir, waiter) = (Direction::Read, 0);
    let ticks = Some(Ticks { a: 1, b: 0 });
    let awaited = Awaited::Source { key, fd, dir, waiter, ticks };
    let (place, since) = (image.place("src/main.rs:76:9"), 10 * MS);
    let waiter = Waiter { awaited, task: TASK, since, place, tid: 4711, stack: 0, task_id: 0 };
    image.waiter(0, &waiter);
    image
}

#[track_caller]
fn told(image: &Image) -> (String, Option<i32>) {
    let sample = Sample::new(image);
    let output = ticks(["explain", path(&sample.path)]);
    (String::from_utf8(output.stdout).expect("UTF-8"), output.status.code())
}

#[test]
fn an_event_without_a_wake_is_our_fault() {
    let (text, code) = told(&recording(false, 2_000));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("proven (reactor_fault)\n"), "{text}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains(
            "async-io itself is at fault: fd 4 had an event to read 2.00 s before the end of"
        ),
        "{text}"
    );
    assert!(text.contains("tick 2, above both of ticks=Some((1, 0))"), "{text}");
    assert!(text.contains("please report it"), "{text}");
}

#[test]
fn a_wake_or_an_end_in_the_midst_of_it_is_none() {
    for (is_woken, goes_on_ms) in [(true, 2_000), (false, 1)] {
        let (text, code) = told(&recording(is_woken, goes_on_ms));
        assert!(!text.contains("reactor_fault"), "{is_woken}, {goes_on_ms} ms: {text}");
        assert_eq!(code, Some(0), "{text}");
    }
}
