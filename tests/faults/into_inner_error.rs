//! `into_inner` gives the caller its handle back. Upstream first asks epoll to forget the descriptor and
//! returns the error if that fails, as it does after somebody put another file at the number (a
//! `dup2` over a standard stream, a sandbox that swaps its sockets): the handle is dropped with the
//! error, the file is closed, and whatever was still to be written to it is lost. For the caller the
//! failure means nothing, the poller has no such file either way. Ours returns the handle.
#![cfg(target_os = "linux")]

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use async_io::{block_on, Async};

use crate::util::watchdog;

/// A registered source at whose number there is another, unregistered file by now.
fn swapped() -> (Async<OwnedFd>, std::fs::File) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let source = Async::new(OwnedFd::from(socket)).unwrap();
    let file = tempfile::tempfile().unwrap();
    replace(file.as_fd(), source.as_fd());
    (source, file)
}

/// Puts `file` in the place of `target`, at its number.
fn replace(file: BorrowedFd<'_>, target: BorrowedFd<'_>) {
    // SAFETY: both numbers are open for the length of the call, and stay owned by whom they were.
    let result = unsafe { libc::dup2(file.as_raw_fd(), target.as_raw_fd()) };
    assert_eq!(result, target.as_raw_fd(), "{}", std::io::Error::last_os_error());
}

/// That `handle` is open and refers to `file`.
fn assert_is(handle: OwnedFd, file: &mut std::fs::File) {
    std::fs::File::from(handle).write_all(b"kept").unwrap();
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "kept");
}

#[test]
fn into_inner_returns_the_handle() {
    let _watchdog = watchdog("into_inner_returns_the_handle");
    let (source, mut file) = swapped();
    let number = source.as_raw_fd();
    let handle = source.into_inner().expect("the handle comes back");
    assert_eq!(handle.as_raw_fd(), number);
    assert_is(handle, &mut file);
}

#[test]
fn try_from_returns_the_handle() {
    let _watchdog = watchdog("try_from_returns_the_handle");
    let (source, mut file) = swapped();
    let handle = OwnedFd::try_from(source).expect("the handle comes back");
    assert_is(handle, &mut file);
}

#[test]
fn the_reactor_goes_on() {
    let _watchdog = watchdog("the_reactor_goes_on");
    for _ in 0..10 {
        let (source, _file) = swapped();
        source.into_inner().expect("the handle comes back");
        let receiver = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = receiver.get_ref().local_addr().unwrap();
        let sender = std::thread::spawn(move || {
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            sender.send_to(b"ping", address).unwrap();
        });
        let mut buffer = [0; 8];
        assert_eq!(block_on(receiver.recv(&mut buffer)).unwrap(), 4);
        sender.join().unwrap();
    }
}
