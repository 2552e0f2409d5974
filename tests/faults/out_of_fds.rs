//! A server under load has used up its descriptors when it first touches the reactor: `Async::new` is
//! the first call that needs an epoll and an eventfd. Upstream panics there ("cannot initialize I/O event
//! notification"), and the thread or the whole process goes down over a condition that passes and that
//! `Async::new` has a `Result` for. Ours returns the error, keeps no half of a poller behind, and
//! makes the reactor at the next call once there are descriptors again.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use async_io::{block_on, Async};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

use crate::util::{child, watchdog};

#[test]
fn no_descriptor_left() {
    check("no_descriptor_left", 0);
}

#[test]
fn one_descriptor_left() {
    check("one_descriptor_left", 1);
}

/// Runs the reactor's start with `spare` descriptors in a child process, which must then be well.
fn check(test: &str, spare: u64) {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return start_with(spare);
    }
    let output = child::command(test, "server", 0).output().unwrap();
    let shown = child::shown(&output);
    assert!(output.status.success(), "{shown}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "{shown}");
}

fn start_with(spare: u64) {
    // Each try consumes a socket and gives its number back, so that the limit moves.
    let sockets: Vec<_> = (0..4).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let before = getrlimit(Resource::Nofile);
    let open = open_descriptors();
    for socket in sockets {
        limit(before.current, before);
        limit(Some(first_free() + spare), before);
        let error = Async::new(socket).expect_err("there is no room for a reactor");
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
    }
    limit(before.current, before);
    assert_eq!(open_descriptors(), open - 4, "descriptors kept after a failed start");

    let receiver = Async::new(receiver).expect("there is room again");
    let address = receiver.get_ref().local_addr().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent = std::thread::spawn(move || sender.send_to(b"ping", address));
    assert_eq!(block_on(receiver.recv(&mut [0; 8])).unwrap(), 4);
    sent.join().unwrap().unwrap();
}

/// Sets the soft limit of descriptor numbers; `unchanged` has the hard one.
fn limit(current: Option<u64>, unchanged: Rlimit) {
    let limit = Rlimit { current, maximum: unchanged.maximum };
    setrlimit(Resource::Nofile, limit).expect("a soft limit within the hard one");
}

/// The number that the next descriptor would get.
fn first_free() -> u64 {
    fs::File::open("/dev/null").unwrap().as_raw_fd() as u64
}

fn open_descriptors() -> usize {
    // The listing itself holds one.
    fs::read_dir("/proc/self/fd").unwrap().count() - 1
}
