//! A relay, built for debugging, left its callers waiting; built for release it did not. Its author laid two long
//! traces side by side, whose times and rounds differ in each line, and looked for days for the one poll that had
//! been answered otherwise. `ticks compare` finds it. Here a server is run twice in one manner, which must show
//! no difference, and then in others, which must.

mod util;

use std::future::{poll_fn, Future};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::{sleep, spawn};
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use serde_json::Value as Json;
use ticks_format::image::Image;
use ticks_format::records::{PollBegin, PollEnd, SourceNew};
use ticks_format::{Address, Direction, Reason, SourceKind, Ticks, Verdict};
use util::process::{role, wait, Process};
use util::{empty, path, record, stderr, stdout, ticks, Sample, KEY};

const BYTES: usize = 8;

/// Asks until it is ready. When it first has to wait, `go` lets the client go on, and never before: so each wait
/// is Pending and then Ready, however busy the machine is.
fn ready<T>(
    what: &Async<T>,
    cx: &mut Context<'_>,
    go: &mut Option<impl FnOnce()>,
    manner: &str,
) -> Poll<()> {
    if manner == "slow" {
        sleep(Duration::from_millis(30));
    }
    match what.poll_readable(cx) {
        Poll::Ready(ready) => {
            ready.expect("no error");
            Poll::Ready(())
        }
        Poll::Pending => {
            if let Some(go) = go.take() {
                go();
            }
            Poll::Pending
        }
    }
}

/// A server that takes one connection and reads a byte at a time.
fn serve(manner: &str) {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let address = listener.get_ref().local_addr().expect("an address");
    let (sender, may_go) = channel::<()>();
    let client = spawn(move || {
        may_go.recv().expect("the server waits");
        let mut stream = TcpStream::connect(address).expect("connected");
        for () in may_go {
            stream.write_all(b"x").expect("sent");
        }
    });
    let go = || Some(|| sender.send(()).expect("the client listens"));
    let bytes = if manner == "short" { BYTES / 2 } else { BYTES };
    block_on(async {
        let mut first = go();
        poll_fn(|cx| ready(&listener, cx, &mut first, manner)).await;
        let (stream, _) = listener.get_ref().accept().expect("accepted");
        let stream = Async::new(stream).expect("registered");
        for _ in 0..bytes {
            let mut next = go();
            if manner == "eager" {
                next.take().expect("not gone yet")();
                while stream.get_ref().peek(&mut [0]).is_err() {
                    sleep(Duration::from_millis(1));
                }
            }
            poll_fn(|cx| ready(&stream, cx, &mut next, manner)).await;
            stream.get_ref().read_exact(&mut [0]).expect("there is a byte");
        }
    });
    drop(sender);
    client.join().expect("the client ends");
    wait();
}

/// A caller that asks three times and waits for each answer, with a timeout. Its peer answers, or does not.
fn ask(manner: &str) {
    let (is_silent, unit) = (manner == "silent", if manner == "seconds" { 1000 } else { 1 });
    let timeout = Duration::from_millis(if is_silent { 30 } else { 60_000 });
    let (sender, questions) = channel::<(Waker, Arc<AtomicBool>)>();
    let peer = spawn(move || {
        for (asker, answered) in questions {
            answered.store(true, Ordering::Release);
            asker.wake();
        }
    });
    block_on(async {
        for question in 0..3 {
            Timer::after(Duration::from_micros(500 * unit)).await;
            let mut timer = Timer::after(timeout);
            let (mut asked, answered) = (false, Arc::new(AtomicBool::new(false)));
            poll_fn(|cx| {
                if answered.load(Ordering::Acquire) || Pin::new(&mut timer).poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let is_first = !std::mem::replace(&mut asked, true);
                if is_first && (!is_silent || question != 2) {
                    let question = (cx.waker().clone(), answered.clone());
                    sender.send(question).expect("the peer listens");
                }
                Poll::Pending
            })
            .await;
        }
    });
    drop(sender);
    peer.join().expect("the peer ends");
    wait();
}

/// Runs the server in these manners and compares, as a person and as a program.
fn compared(test: &str, manners: [&str; 2]) -> (String, Json, Option<i32>) {
    let mut processes = manners.map(|manner| Process::start(test, manner, true));
    processes.iter_mut().for_each(Process::end);
    let files = processes.each_ref().map(|process| process.file());
    let output = ticks(["compare", path(&files[0]), path(&files[1])]);
    assert_eq!(stderr(&output), "");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let object = ticks(["compare", "--json", path(&files[0]), path(&files[1])]).stdout;
    let object = serde_json::from_slice(&object).expect("JSON");
    (text, object, output.status.code())
}

/// Plays the part in a process of its own, in the manner that it was given.
fn plays(part: fn(&str)) -> bool {
    role().map(|manner| part(&manner)).is_some()
}

/// The release build's peer answered in time, and the debug build's did not. That a timeout had fired, and which of
/// many, was in both traces, and no comparison told it: only polls were compared.
#[test]
fn a_timeout_that_fired_in_one_alone_is_the_first_difference() {
    if plays(ask) {
        return;
    }
    let test = "a_timeout_that_fired_in_one_alone_is_the_first_difference";
    let (text, object, code) = compared(test, ["answered", "silent"]);
    assert_eq!(code, Some(1), "{text}");
    let first = &object["first"];
    let sentence = first["sentence"].as_str().expect("a sentence");
    assert!(sentence.starts_with("timer 6 of task "), "{text}");
    let says = "(no. 1) was disarmed before it was due in A and fired in B.";
    assert!(sentence.ends_with(says), "{text}");
    assert_eq!((&first["a"]["fired"], &first["b"]["fired"]), (&false.into(), &true.into()));
    // As long as it was armed for, less what the poll took until then.
    let armed_for_ns = ["a", "b"].map(|side| first[side]["armed_for_ns"].as_u64().expect("a time"));
    assert!(armed_for_ns[0] > 30_000_000_000 && armed_for_ns[1] <= 30_000_000, "{object}");
    assert!(first["b"]["late_ns"].is_u64() && first["a"]["late_ns"].is_null(), "{object}");
    let figures = object["figures"].as_array().expect("figures");
    let of_timers = |figure: &&Json| {
        let who = figure["who"].as_str().expect("a name");
        who.starts_with("timers of task ")
    };
    let of = |what: &str| figures.iter().filter(of_timers).find(|figure| figure["what"] == what);
    let counts = |what: &str| of(what).map(|figure| (figure["a"].as_u64(), figure["b"].as_u64()));
    assert_eq!(counts("fired"), Some((Some(3), Some(4))), "{object}");
    assert_eq!(counts("disarmed"), Some((Some(3), Some(2))), "{object}");
    assert!(of("armed for, longest").is_some(), "{object}");
}

/// Somebody took microseconds for milliseconds. All goes as before, and takes a thousand times as long.
#[test]
fn timers_that_are_further_away_are_told() {
    if plays(ask) {
        return;
    }
    let test = "timers_that_are_further_away_are_told";
    let (text, object, code) = compared(test, ["answered", "seconds"]);
    assert_eq!((code, &object["differs"]), (Some(0), &false.into()), "{text}");
    let apart = object["figures"].as_array().expect("figures").iter().any(|figure| {
        let topic = &figure["topic"];
        topic == "how far away timers were, and how late" && figure["what"] == "armed for, median"
    });
    assert!(apart, "{text}");
    let (text, _, code) = compared(test, ["answered", "answered"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("armed for, "), "{text}");
}

#[test]
fn two_runs_of_one_program_show_no_difference() {
    if plays(serve) {
        return;
    }
    let test = "two_runs_of_one_program_show_no_difference";
    let (text, object, code) = compared(test, ["calm", "calm"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!((&object["differs"], &object["first"]), (&false.into(), &Json::Null), "{object}");
    // Two polls for each wait, of the source and of the task; one poll of the task ends a wait and begins the next.
    let waits = BYTES as u64 + 1;
    assert_eq!(object["match"]["compared"], waits * 2 + waits + 1, "{object}");
    assert!(text.contains("No difference: the "), "{text}");
    assert!(text.contains("How sure the match is: sure\n"), "{text}");
}

#[test]
fn a_byte_that_came_before_the_wait_is_the_first_difference() {
    if plays(serve) {
        return;
    }
    let test = "a_byte_that_came_before_the_wait_is_the_first_difference";
    let (text, object, code) = compared(test, ["calm", "eager"]);
    assert_eq!(code, Some(1), "{text}");
    let sentence =
        "read of tcp, accepted (no. 1): poll 1 of wait 1 is Pending in A and Ready in B.";
    assert_eq!(object["first"]["sentence"], sentence, "{text}");
    assert!(text.contains(sentence), "{text}");
    assert_eq!(object["first"]["a"]["reason"], "no event", "{object}");
    // What the kernel was asked for, or what the reactor knew: either is no wait.
    assert_eq!(object["first"]["b"]["result"], "Ready", "{object}");
    assert!(text.contains("What differs: polls and waits"), "{text}");
    assert_eq!(object["match"]["unmatched"], serde_json::json!([]), "{object}");
}

#[test]
fn slower_polls_are_told_and_are_no_other_decision() {
    if plays(serve) {
        return;
    }
    let test = "slower_polls_are_told_and_are_no_other_decision";
    let (text, object, code) = compared(test, ["calm", "slow"]);
    // A length decides nothing, or a busy machine would be a difference.
    assert_eq!((code, &object["differs"]), (Some(0), &false.into()), "{text}");
    assert_eq!(object["first"], Json::Null, "{text}");
    assert!(text.contains("What differs: how long polls took"), "{text}");
    let figures = object["figures"].as_array().expect("figures");
    let slower = figures.iter().find(|figure| {
        let who = figure["who"].as_str().expect("a name");
        figure["topic"] == "how long polls took" && who.starts_with("task ")
    });
    let slower = slower.unwrap_or_else(|| panic!("{object}"));
    let ns = |side: &str| slower[side].as_u64().expect("nanoseconds");
    assert!(ns("b") >= 30_000_000 && ns("a") < ns("b"), "{object}");
}

#[test]
fn a_run_that_ends_early_parts_at_its_end() {
    if plays(serve) {
        return;
    }
    let test = "a_run_that_ends_early_parts_at_its_end";
    let (text, object, code) = compared(test, ["calm", "short"]);
    assert_eq!(code, Some(1), "{text}");
    // The task's poll in which the short run ends comes before the poll that it no longer makes of its source,
    // or after: both tell the truth.
    assert_ne!(object["first"], Json::Null, "{text}");
    assert!(object["first"]["alike_before"].as_u64().expect("a count") > 0, "{object}");
}

/// The seed's accept: the listener's waiter holds ticks, an event is harvested in round 3, and the poll that
/// follows takes it for an old one, or does not.
fn accept(pid: u64, held: Ticks, reason: Reason, result: Verdict) -> Image {
    let mut image = empty(pid, u64::MAX);
    let ring = image.claim(pid, "main", 0).expect("a ring");
    let local = Address::Ip(([127, 0, 0, 1], 4001).into());
    let (key, fd, kind, peer) = (KEY, 4, SourceKind::TcpListener, Address::None);
    record(&mut image, ring, 0, SourceNew { key, fd, kind, local, peer, inode: 1 });
    let (dir, waiter, upstream) = (Direction::Read, 0, None);
    let mut poll = |at: u64, tick: u64, before: Option<Ticks>, after, reason, result| {
        record(&mut image, ring, at, PollBegin { dir, tick, ticks: before, key, fd, waiter });
        let end = PollEnd { dir, tick, ticks: after, result, key, fd, waiter, reason, upstream };
        record(&mut image, ring, at + 2_000, end);
    };
    poll(1_000_000, 2, None, Some(held), Reason::NoEvent, Verdict::Pending);
    let after = Some(held).filter(|_| result == Verdict::Pending);
    poll(9_000_000, 3, Some(held), after, reason, result);
    image
}

#[test]
fn the_seeds_poll_in_words() {
    let debug = accept(4711, Ticks { a: 3, b: 2 }, Reason::SameTick, Verdict::Pending);
    let release = accept(4712, Ticks { a: 2, b: 2 }, Reason::LaterTick, Verdict::Ready);
    let [debug, release] = [debug, release].map(|image| Sample::new(&image));
    let args = ["compare", path(&debug.path), path(&release.path)];
    let output = ticks(args);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let text = text.split_once("\n\n").expect("a blank line below the names").1;
    let expected = "\
The first decision that differs
read of tcp-listener, port 4001 (no. 1): poll 2 of wait 1 is Pending in A and
Ready in B.
  A  Pending (same tick: harvested before the wait); its waiter held the ticks
     (3, 2), the last event was harvested in round 3; asking took 2.00 µs; 9.00
     ms after the beginning.
  B  Ready (later tick); its waiter held the ticks (2, 2), the last event was
     harvested in round 3; asking took 2.00 µs; 9.00 ms after the beginning.
The poll before was decided alike in both.

What differs: polls and waits
WHO                      WHAT              A  B
tcp-listener, port 4001  waits             0  1
tcp-listener, port 4001  waits that go on  1  0

How sure the match is: sure
1 sources and tasks were matched, of 1 in A and 1 in B; 2 polls and timers were
compared, and 1 of the matched parted.
";
    assert_eq!(text, expected);
    let same = stdout(["compare", path(&debug.path), path(&debug.path)]);
    assert!(
        same.contains("No difference: the 2 polls and timers of both were decided alike."),
        "{same}"
    );
}

#[test]
fn what_has_no_like_is_told() {
    let of = accept(4711, Ticks { a: 2, b: 2 }, Reason::LaterTick, Verdict::Ready);
    let [of, nothing] = [of, empty(4712, u64::MAX)].map(|image| Sample::new(&image));
    let output = ticks(["compare", path(&of.path), path(&nothing.path)]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("How sure the match is: nothing to match\n"), "{text}");
    assert!(text.contains("- tcp-listener, port 4001: A has 1, B has 0; what is more"), "{text}");
    let output = ticks(["compare", path(&of.path), "/nonexistent.ticks"]);
    assert_eq!(output.status.code(), Some(2));
}
