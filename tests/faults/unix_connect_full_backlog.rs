//! A client connects to a Unix socket whose server is slow to accept (a display server or a message bus
//! while a session starts). On `AF_UNIX` a non-blocking connect to a full backlog fails with `EAGAIN`,
//! which there means that nothing was begun. Upstream takes it for "in progress", waits until the socket
//! is writable, which an unconnected one is at once, and reports `NotConnected`, where a blocking
//! connect would have waited for its turn. Ours waits and connects, without spinning, and meets the
//! error when the server goes away.
#![cfg(target_os = "linux")]

use std::future::{poll_fn, Future};
use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::{or, try_zip, zip};
use futures_lite::AsyncWriteExt;
use rustix::net::{
    bind, connect, listen, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::util;
use crate::util::child::own_process;

/// A listener that accepts nobody until told to, with as many connections waiting as it holds.
struct FullListener {
    listener: UnixListener,
    waiting: Vec<UnixStream>,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

fn full_listener() -> FullListener {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let address = SocketAddrUnix::new(&path).unwrap();
    let flags = SocketFlags::CLOEXEC;
    let socket = || socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    let listener = socket();
    bind(&listener, &address).unwrap();
    listen(&listener, 1).unwrap();

    let mut waiting = Vec::new();
    loop {
        let client = UnixStream::from(socket());
        client.set_nonblocking(true).unwrap();
        match connect(&client, &address) {
            Ok(()) => waiting.push(client),
            Err(rustix::io::Errno::AGAIN) => break,
            Err(error) => panic!("filling the backlog: {error}"),
        }
    }
    assert!(!waiting.is_empty(), "a backlog that holds nobody");
    FullListener { listener: listener.into(), waiting, path, _dir: dir }
}

/// Lets some time go by.
async fn a_while() {
    Timer::after(Duration::from_millis(200)).await;
}

#[test]
fn waits_and_connects() {
    let Some(_watchdog) = own_process("waits_and_connects") else {
        return;
    };
    let full = full_listener();
    let listener = Async::new(full.listener).unwrap();
    let client = async {
        let mut stream = Async::<UnixStream>::connect(&full.path).await?;
        stream.write_all(b"here at last").await
    };
    let server = async {
        // The last to come is the last to be accepted.
        for _ in &full.waiting {
            a_while().await;
            listener.accept().await?;
        }
        listener.accept().await
    };
    let both = block_on(try_zip(client, server));
    let ((), (accepted, _)) = both.expect("a full backlog is no error");
    let mut accepted = accepted.into_inner().unwrap();
    accepted.set_nonblocking(false).unwrap();
    let mut text = String::new();
    accepted.read_to_string(&mut text).unwrap();
    assert_eq!(text, "here at last");
}

#[test]
fn waiting_does_not_spin() {
    let Some(_watchdog) = own_process("waiting_does_not_spin") else {
        return;
    };
    let full = full_listener();
    let mut connect = pin!(Async::<UnixStream>::connect(&full.path));
    let mut polls = 0;
    let counted = poll_fn(|cx| {
        polls += 1;
        connect.as_mut().poll(cx).map(Some)
    });
    let end = async {
        a_while().await;
        None
    };
    let result = block_on(or(counted, end));
    assert!(result.is_none(), "the backlog is full, yet {result:?}");
    // The wait is 200 ms long; the kernel tells nobody of room, so trying again now and then is fair.
    assert!(polls <= 500, "{polls} polls in 200 ms of waiting");
}

#[test]
fn several_wait_and_all_connect() {
    let Some(_watchdog) = own_process("several_wait_and_all_connect") else {
        return;
    };
    const CLIENTS: usize = 8;
    let full = full_listener();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| block_on(Async::<UnixStream>::connect(&full.path))))
            .collect();
        full.listener.set_nonblocking(true).unwrap();
        util::eventually(|| {
            while full.listener.accept().is_ok() {}
            clients.iter().all(|client| client.is_finished())
        });
        for client in clients {
            client.join().unwrap().expect("a full backlog is no error");
        }
    });
}

#[test]
fn the_server_goes_away() {
    let Some(_watchdog) = own_process("the_server_goes_away") else {
        return;
    };
    let full = full_listener();
    let path = full.path.clone();
    let close = async {
        a_while().await;
        drop(full.listener);
    };
    let (result, ()) = block_on(zip(Async::<UnixStream>::connect(&path), close));
    let error = result.expect_err("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{error}");
}
