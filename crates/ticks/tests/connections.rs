//! Two ends of a connection wait for each other, or one has written more than the other reads: the table of who
//! waits had two rows far apart, or one, and nothing of what the kernel holds for either.
#![cfg(target_os = "linux")]

mod util;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use async_io::Async;
use serde_json::Value as Json;
use util::process::{role, wait, Process};
use util::stdout;

fn pair() -> (Async<TcpStream>, Async<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let far = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    let near = listener.accept().expect("accepted").0;
    (Async::new(near).expect("registered"), Async::new(far).expect("registered"))
}

/// Writes until the kernel takes no more.
fn fill(stream: &Async<TcpStream>) {
    while stream.get_ref().write(&[0; 1 << 16]).is_ok() {}
}

/// Three connections with both their ends: both wait to read; one waits to write, and the other waited to read
/// and has not looked since; one waits to write, and nobody waits at the other. And a listener that has not
/// accepted the one who called.
fn play() {
    let mut cx = Context::from_waker(Waker::noop());
    let idle = pair();
    assert!(idle.0.poll_readable(&mut cx).is_pending());
    assert!(idle.1.poll_readable(&mut cx).is_pending());
    let busy = pair();
    assert!(busy.1.poll_readable(&mut cx).is_pending());
    fill(&busy.0);
    assert!(busy.0.poll_writable(&mut cx).is_pending());
    let stuck = pair();
    fill(&stuck.0);
    assert!(stuck.0.poll_writable(&mut cx).is_pending());
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("bound");
    assert!(listener.poll_readable(&mut cx).is_pending());
    let _caller =
        TcpStream::connect(listener.get_ref().local_addr().expect("bound")).expect("called");
    wait();
}

#[test]
fn queues_and_both_ends_of_a_connection_are_shown() {
    if role().is_some() {
        return play();
    }
    let test = "queues_and_both_ends_of_a_connection_are_shown";
    let process = Process::start(test, "waits", true);
    let look = || -> Vec<Json> {
        let shown = stdout(["who", "--json", &process.pid()]);
        shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let waits = look();
    assert_eq!(waits.len(), 6, "{waits:?}");
    let [first, _, reader, writer, _, listener] = [0, 1, 2, 3, 4, 5].map(|at| &waits[at]["socket"]);
    assert_eq!((&first["state"], &first["to_read_bytes"]), (&"established".into(), &0.into()));
    assert!(writer["unconfirmed_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{writer}");
    assert!(reader["to_read_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{reader}");
    assert_eq!((&listener["state"], &listener["to_accept"]), (&"listen".into(), &1.into()));
    // The kernel finds out a moment after the last write.
    let limit = Instant::now() + Duration::from_secs(300);
    while look()[3]["socket"]["peer_has_no_room"] != true {
        assert!(Instant::now() < limit, "{}", look()[3]);
        std::thread::sleep(Duration::from_millis(20));
    }

    let shown = stdout(["who", &process.pid()]);
    assert!(shown.contains(" B unconfirmed"), "{shown}");
    assert!(shown.contains("the peer has no room"), "{shown}");
    assert!(shown.contains("  listen, 1 to accept"), "{shown}");
    let (_, ends) = shown.split_once("\nboth ends are known:\n").expect("a table");
    let rows: Vec<&str> = ends.lines().skip(1).collect();
    assert_eq!(rows.len(), 3, "{shown}");
    for wanted in [
        "both ends read, neither writes",
        "one end writes, the other reads",
        "one end writes, the other is not waited for",
    ] {
        let found = rows.iter().filter(|row| row.ends_with(&format!("  {wanted}")));
        assert_eq!(found.count(), 1, "{wanted}: {shown}");
    }
}
