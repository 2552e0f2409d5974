//! Captures and listings as they come: of each link and clock that tcpdump has, in both formats, cut off, and
//! something else altogether. Those in `tests/data` were made of one connection by tcpdump 4.99 and strace 6.1.

mod util;

use std::fs;
use std::path::Path;

use util::pcap::{capture, capture_ng, Segment};
use util::{path, stderr, stdout, ticks, BEGIN_NS};

fn data(name: &str) -> String {
    path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).to_owned()
}

/// What the lines say, without their times.
fn texts(shown: &str) -> Vec<&str> {
    shown.lines().map(|line| line.split_once("] ").expect("a line").1).collect()
}

#[test]
fn one_connection_in_all_kinds_of_captures() {
    let expected = [
        "127.0.0.1:58252 → 127.0.0.1:46000 SYN",
        "127.0.0.1:46000 → 127.0.0.1:58252 SYN ACK",
        "127.0.0.1:58252 → 127.0.0.1:46000 ACK",
        "127.0.0.1:58252 → 127.0.0.1:46000 PSH ACK, 5 bytes",
        "127.0.0.1:46000 → 127.0.0.1:58252 ACK",
        "127.0.0.1:46000 → 127.0.0.1:58252 PSH ACK, 12 bytes",
        "127.0.0.1:58252 → 127.0.0.1:46000 ACK",
        "127.0.0.1:58252 → 127.0.0.1:46000 FIN ACK",
        "127.0.0.1:46000 → 127.0.0.1:58252 ACK",
        "127.0.0.1:46000 → 127.0.0.1:58252 FIN ACK",
        "127.0.0.1:58252 → 127.0.0.1:46000 ACK",
    ];
    for name in ["ethernet.pcap", "nanoseconds-cut.pcap", "cooked.pcap", "cooked2.pcap"] {
        let shown = stdout(["show", "--pcap", &data(name)]);
        assert_eq!(texts(&shown), expected, "{name}");
        assert!(shown.starts_with("[2026-11-28T17:17:15.28250"), "{name}: {shown}");
    }
}

/// The listing and the capture of one connection: each call is before the segment that it sent, and each segment
/// before the call that took its bytes.
#[test]
fn calls_and_packets_in_their_order() {
    let (listing, pcap) = (data("loopback.strace"), data("ethernet.pcap"));
    let shown = stdout(["show", "--strace", &listing, "--pcap", &pcap]);
    let mut rest = shown.as_str();
    for wanted in [
        "strace 0 7507] connect(4<TCP:[21326205]>",
        " SYN\n",
        " SYN ACK\n",
        "accept4(3<TCP:[127.0.0.1:46000]>",
        "\"hello\", 5, 0, NULL, 0) = 5, 87.0 µs",
        "PSH ACK, 5 bytes",
        "\"hello\", 9, 0, NULL, NULL) = 5",
        "PSH ACK, 12 bytes",
        "\"good morning\", 20, 0",
        "close(4<",
        "58252 → 127.0.0.1:46000 FIN ACK",
        "\"\", 3, 0, NULL, NULL) = 0",
        "exited with 0",
    ] {
        let found = rest.find(wanted);
        rest = &rest
            [found.unwrap_or_else(|| panic!("{wanted:?} is not where it should be:\n{shown}"))..];
    }
    // Filters take calls and packets by what they name.
    let by_fd = stdout(["show", "--strace", &listing, "--fd", "4"]);
    assert_eq!(by_fd.lines().count(), 5, "{by_fd}");
    let by_peer = stdout(["show", "--strace", &listing, "--pcap", &pcap, "--peer", ":58252"]);
    assert!(by_peer.lines().count() > 11, "{by_peer}");
    let by_kind = stdout(["show", "--strace", &listing, "--pcap", &pcap, "--kind", "recvfrom"]);
    assert_eq!(by_kind.lines().count(), 3, "{by_kind}");
    let since = stdout(["show", "--pcap", &pcap, "--since", "2026-11-28T17:17:15.3Z"]);
    assert_eq!(since.lines().count(), 3, "{since}");
}

fn segments() -> Vec<Segment> {
    let at = |text: &str| text.parse().expect("an address");
    let there = |ms: u64, seq, bytes| Segment {
        utc_ns: BEGIN_NS + ms * 1_000_000 + 123,
        from: at("10.0.0.1:5000"),
        to: at("10.0.0.2:80"),
        seq,
        ack: Some(1),
        flags: "",
        bytes,
    };
    vec![there(0, 1, 5), there(1_500, 6, 7), there(86_400_000, 13, 1)]
}

/// pcapng has what pcap has. What it has of links that are not understood is counted.
#[test]
fn both_formats() {
    let dir = tempfile::tempdir().expect("a directory");
    let [old, new] = ["x.pcap", "x.pcapng"].map(|name| path(&dir.path().join(name)).to_owned());
    fs::write(&old, capture(&segments())).expect("written");
    fs::write(&new, capture_ng(&segments())).expect("written");
    let expected = stdout(["show", "--json", "--pcap", &old]);
    assert_eq!(expected.lines().count(), 3);
    assert!(expected.contains(&format!("\"utc_ns\":{}", BEGIN_NS + 1_500_000_123)), "{expected}");
    let output = ticks(["show", "--json", "--pcap", &new]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("left out: 1 packet of link type 147"), "{said}");
}

/// One that is cut off tells what it has; whatever else it is, nothing panics.
#[test]
fn damaged_captures() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("x");
    for whole in [capture(&segments()), capture_ng(&segments())] {
        for length in (0..whole.len()).step_by(7) {
            fs::write(&file, &whole[..length]).expect("written");
            let output = ticks(["show", "--pcap", path(&file)]);
            let (code, said) = (output.status.code(), stderr(&output));
            assert!(matches!(code, Some(0..=2)) && !said.contains("panicked"), "{length}: {said}");
            assert!(String::from_utf8_lossy(&output.stdout).lines().count() <= 3, "{length}");
        }
        for place in (0..whole.len()).step_by(5) {
            let mut bytes = whole.clone();
            bytes[place] ^= 0xff;
            fs::write(&file, bytes).expect("written");
            let output = ticks(["show", "--pcap", path(&file)]);
            let said = stderr(&output);
            assert!(
                matches!(output.status.code(), Some(0..=2)) && !said.contains("panicked"),
                "{place}: {said}"
            );
        }
    }
    fs::write(&file, "accept4(15) = 3\n").expect("written");
    let output = ticks(["show", "--pcap", path(&file)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is not a capture"), "{}", stderr(&output));
}

/// What is in a listing and is none of strace's is counted, with the first line; lines without a time are told apart.
#[test]
fn listings_with_other_things_in_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("x.strace");
    let text = "hello\nstrace: Process 12 attached\n12 1795886235.000001 close(3) = 0\n\nworld\n12 close(4) = 0\n";
    fs::write(&file, text).expect("written");
    let output = ticks(["show", "--strace", path(&file)]);
    assert_eq!(texts(&String::from_utf8_lossy(&output.stdout)), ["close(3) = 0"]);
    let said = stderr(&output);
    assert!(
        said.contains("2 lines that strace did not write") && said.contains("line 1 is \"hello\""),
        "{said}"
    );
    assert!(said.contains("1 line of strace without a time"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// A page about something else was taken for a listing without calls, and nothing was found wrong in it.
#[test]
fn what_is_no_listing_at_all_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("page.md");
    std::fs::write(&page, "# Alan debugs a hang\n\nHe is sad.\n").expect("written");
    for command in ["show", "explain"] {
        let output = util::ticks([command, "--strace", page.to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(2));
        let said = util::stderr(&output);
        let why = "page.md: no line is one that strace writes; expected what strace -f -ttt -T -yy";
        assert!(
            said.contains(why) && said.contains("line 1 is \"# Alan debugs a hang\""),
            "{said}"
        );
    }
}
