//! What a recording alone cannot tell: a call that fails for ever, bytes that came and caused nothing, an end that
//! nobody read, a peer that is not there. A listing of strace or a capture has it among a hundred thousand lines.

mod util;

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;

use serde_json::Value as Json;
use ticks_format::image::Image;
use ticks_format::records::{ReactEvent, SourceNew, Ticker};
use ticks_format::{Address, Awaited, Direction, Key, Source, SourceKind, Waiter};
use util::pcap::{capture, Segment};
use util::{empty, path, record, ticks, Sample, BEGIN_NS};

const MS: u64 = 1_000_000;

/// The findings, and the exit code.
fn explain(args: &[&str]) -> (Vec<Json>, Option<i32>) {
    let output = ticks(["explain", "--json"].iter().chain(args));
    let answer: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    (answer["findings"].as_array().expect("findings").clone(), output.status.code())
}

/// The sentence of the only finding of that kind.
#[track_caller]
fn only<'a>(findings: &'a [Json], kind: &str) -> (&'a str, &'a str) {
    let of_kind: Vec<&Json> = findings.iter().filter(|finding| finding["kind"] == kind).collect();
    let [finding] = of_kind[..] else { panic!("expected one {kind}: {findings:#?}") };
    let text = |name: &str| finding[name].as_str().expect("text");
    (text("sure"), text("sentence"))
}

fn at(text: &str) -> SocketAddrV4 {
    text.parse().expect("an address")
}

const SERVER: &str = "10.0.0.2:80";
const CLIENT: &str = "10.0.0.1:5000";

/// A client that was connected at 10 ms, had an event of its connection at `event_ms`, and ends at 3 s.
fn client(event_ms: Option<u64>, waits: bool) -> Sample {
    let mut image = empty(4711, u64::MAX);
    let main = image.claim(4711, "main", 0).expect("a ring");
    let (key, fd, kind, inode) = (Key(3), 7, SourceKind::Tcp, 88_001);
    let address = |text: &str| Address::Ip(at(text).into());
    let (local, peer) = (address(CLIENT), address(SERVER));
    let new = SourceNew { key, fd, kind, local: local.clone(), peer: peer.clone(), inode };
    record(&mut image, main, 10 * MS, new);
    if let Some(event_ms) = event_ms {
        let (readable, writable, flags) = (true, false, 1);
        let event = ReactEvent { tick: 2, key, readable, writable, fd, flags, wakers: 0 };
        record(&mut image, main, event_ms * MS, event);
    }
    record(&mut image, main, 3_000 * MS, Ticker { tick: 3 });
    image.source(&Source { key, registered: true, fd, kind, local, peer, inode, since: 10 * MS });
    if waits {
        wait(&mut image, key, fd);
    }
    Sample::new(&image)
}

/// A task waits to read since 20 ms.
fn wait(image: &mut Image, key: Key, fd: i64) {
    let place = image.place("src/main.rs:76:9");
    let awaited = Awaited::Source { key, fd, dir: Direction::Read, waiter: 0, ticks: None };
    let (task, since, tid) = (0x55a8, 20 * MS, 4711);
    image.waiter(0, &Waiter { awaited, task, since, place, tid, stack: 0, task_id: 0 });
}

fn segment(
    ms: u64,
    from: &str,
    to: &str,
    seq: u32,
    ack: Option<u32>,
    flags: &'static str,
    bytes: usize,
) -> Segment {
    Segment { utc_ns: BEGIN_NS + ms * MS, from: at(from), to: at(to), seq, ack, flags, bytes }
}

/// The handshake, then five bytes from the server at 1 s, and its end at 1.5 s if asked for.
fn talk(ends: bool) -> Vec<Segment> {
    let mut all = vec![
        segment(9, CLIENT, SERVER, 100, None, "SYN", 0),
        segment(10, SERVER, CLIENT, 500, Some(101), "SYN", 0),
        segment(10, CLIENT, SERVER, 101, Some(501), "", 0),
        segment(1_000, SERVER, CLIENT, 501, Some(101), "", 5),
        segment(1_000, CLIENT, SERVER, 101, Some(506), "", 0),
    ];
    if ends {
        all.push(segment(1_500, SERVER, CLIENT, 506, Some(101), "FIN", 0));
        all.push(segment(1_500, CLIENT, SERVER, 101, Some(507), "", 0));
    }
    all
}

fn write(sample: &Sample, segments: &[Segment]) -> String {
    let file = sample.dir.path().join("x.pcap");
    fs::write(&file, capture(segments)).expect("written");
    path(&file).to_owned()
}

/// The listing of a server whose listener was shut down and closed, and whose loop accepted on. It was pasted into a
/// page on how to debug, which says that something went wrong.
#[test]
fn an_accept_loop_without_a_listener() {
    let listing = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/accept-loop.strace");
    let (findings, code) = explain(&["--strace", path(&listing)]);
    let (sure, sentence) = only(&findings, "same_error");
    assert_eq!((sure, code), ("proven", Some(1)));
    for wanted in
        ["accept4", "EBADF", "3 times in a row", "its listener was fd 15, which is closed"]
    {
        assert!(sentence.contains(wanted), "{sentence}");
    }
    let evidence = findings[0]["evidence"].to_string();
    for wanted in ["line 28 closes fd 15", "line 29 takes fd 15 out of the poller"] {
        assert!(evidence.contains(wanted), "{evidence}");
    }
    // Up to where all is well, nothing is found: that accept found nobody once, and recvfrom nothing twice.
    let text = fs::read_to_string(&listing).expect("read");
    let well: Vec<&str> = text.lines().take(26).collect();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("well.strace");
    fs::write(&file, well.join("\n")).expect("written");
    assert_eq!(explain(&["--strace", path(&file)]), (Vec::new(), Some(0)));
}

/// The capture has bytes for a task that waits to read, and two seconds later no event was recorded.
#[test]
fn bytes_that_caused_no_event() {
    let sample = client(None, true);
    let pcap = write(&sample, &talk(false));
    let (findings, code) = explain(&[path(&sample.path), "--pcap", &pcap]);
    let (sure, sentence) = only(&findings, "network");
    assert_eq!((sure, code), ("likely", Some(1)));
    for wanted in ["src/main.rs:76:9", "bytes from 10.0.0.2:80", "2.00 s before", "caused no event"]
    {
        assert!(sentence.contains(wanted), "{sentence}");
    }
    // With its event all is well; and without the bytes there is nothing to say.
    let told = client(Some(1_001), true);
    let pcap = write(&told, &talk(false));
    let is_network = |finding: &Json| finding["kind"] == "network";
    assert!(!explain(&[path(&told.path), "--pcap", &pcap]).0.iter().any(is_network));
    let silent = client(None, true);
    let pcap = write(&silent, &talk(false)[..3]);
    assert!(!explain(&[path(&silent.path), "--pcap", &pcap]).0.iter().any(is_network));
}

/// The server has ended the connection, and the client, which has it still, looks at other things.
#[test]
fn an_end_that_nobody_read() {
    let sample = client(Some(1_001), false);
    let pcap = write(&sample, &talk(true));
    let (findings, _) = explain(&[path(&sample.path), "--pcap", &pcap]);
    let (sure, sentence) = only(&findings, "network");
    assert_eq!(sure, "possible");
    assert!(sentence.contains("10.0.0.2:80 has ended its connection to fd 7"), "{sentence}");
    // Strace makes it sure, or tells who has read it.
    let listing = sample.dir.path().join("x.strace");
    let seconds = BEGIN_NS / 1_000_000_000 + 2;
    fs::write(&listing, format!("4711 {seconds}.0 getpid() = 4711\n")).expect("written");
    let args = [path(&sample.path), "--pcap", &pcap, "--strace", path(&listing)];
    let (findings, code) = explain(&args);
    assert_eq!((only(&findings, "network").0, code), ("likely", Some(1)));
    fs::write(&listing, format!("4711 {seconds}.9 recvfrom(7, \"\", 16, 0, NULL, NULL) = 0\n"))
        .expect("written");
    let (findings, code) = explain(&args);
    assert!(!findings.iter().any(|finding| finding["kind"] == "network"), "{findings:#?}");
    assert_eq!(code, Some(0));
}

/// What is sent again and again and never confirmed; and a connection that nobody answers.
#[test]
fn a_network_that_loses_what_is_sent() {
    let sample = client(None, false);
    let mut segments = talk(false);
    for ms in [1_100, 1_300, 1_700, 2_500] {
        segments.push(segment(ms, CLIENT, SERVER, 101, Some(506), "", 8));
    }
    let pcap = write(&sample, &segments);
    let (findings, code) = explain(&[path(&sample.path), "--pcap", &pcap]);
    let (sure, sentence) = only(&findings, "network");
    assert_eq!((sure, code), ("proven", Some(1)));
    assert!(
        sentence.contains("10.0.0.2:80 does not confirm what 10.0.0.1:5000 sends"),
        "{sentence}"
    );
    assert!(sentence.contains("4 times in 1.40 s"), "{sentence}");
    // One that was confirmed in the end is none.
    segments.push(segment(2_600, SERVER, CLIENT, 506, Some(109), "", 0));
    let pcap = write(&sample, &segments);
    let (findings, _) = explain(&[path(&sample.path), "--pcap", &pcap]);
    assert!(!findings.iter().any(|finding| finding["kind"] == "network"), "{findings:#?}");
    // A capture alone, of a client that nobody answers.
    let calls: Vec<Segment> = [0, 1_000, 3_000]
        .iter()
        .map(|ms| segment(*ms, CLIENT, SERVER, 100, None, "SYN", 0))
        .collect();
    let pcap = write(&sample, &calls);
    let (findings, _) = explain(&["--pcap", &pcap]);
    assert!(
        only(&findings, "network").1.contains("nobody answers: 3 attempts in 3.00 s"),
        "{findings:#?}"
    );
}
