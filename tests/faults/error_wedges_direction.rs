//! A wait that fails must not spoil the waits after it. Upstream stores the waker first and arms then;
//! when arming fails, because somebody closed the descriptor's number, the caller gets the error, but its
//! waker stays behind. Every later poll finds a waker, concludes that the direction is armed, and says
//! `Pending`: the error is told once and never again, and when the number is good again (put back with
//! `dup2`, as a sandbox or a debugger does) there is still nobody to wake the task.
//! Ours asks the kernel each time that a wait begins, and a wait that failed is over: the next begins anew.
#![cfg(target_os = "linux")]

use std::future::Future;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_io::{block_on, Async};

use crate::util::child::own_process;
use crate::util::lent_fd::LentSocket;
use crate::util::{bounded, counting_waker};

/// The means to wait: each begins a wait at the first call after the one before was ready.
type Wait = fn(&Async<LentSocket>, &mut Context<'_>) -> Poll<io::Result<()>>;

const READ: [(&str, Wait); 2] = [
    ("poll_readable", |source, cx| source.poll_readable(cx)),
    ("readable", |source, cx| pin!(source.readable()).poll(cx)),
];

const WRITE: [(&str, Wait); 2] = [
    ("poll_writable", |source, cx| source.poll_writable(cx)),
    ("writable", |source, cx| pin!(source.writable()).poll(cx)),
];

/// A socket with nothing to read and no room to write, and its peer.
fn idle() -> (Async<LentSocket>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    let near = Async::new(LentSocket::new(&near)).unwrap();
    near.get_ref().fill();
    (near, far)
}

/// Polls a wait on a number that is closed. What it says is the caller's to find out by the operation, or
/// the operation's error, but it is not that there is something to wait for.
#[track_caller]
fn told(name: &str, wait: Wait, source: &Async<LentSocket>, waker: &Waker) {
    match wait(source, &mut Context::from_waker(waker)) {
        Poll::Ready(Ok(())) => {}
        Poll::Ready(Err(error)) => assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error}"),
        Poll::Pending => panic!("{name} waits for a closed number"),
    }
}

#[test]
fn a_closed_number_is_told_every_time() {
    let Some(_watchdog) = own_process("a_closed_number_is_told_every_time") else {
        return;
    };
    let (waker, _wakes) = counting_waker();
    for (name, wait) in READ.into_iter().chain(WRITE) {
        let (source, _peer) = idle();
        source.get_ref().close();
        for _ in 0..3 {
            told(name, wait, &source, &waker);
        }
        let read = block_on(source.read_with(|socket| socket.read(&mut [0])));
        assert_eq!(read.unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}

#[test]
fn a_reader_of_a_number_put_back_is_woken() {
    let Some(_watchdog) = own_process("a_reader_of_a_number_put_back_is_woken") else {
        return;
    };
    let (_, poll_readable) = READ[0];
    for (name, wait) in READ {
        let (source, mut peer) = idle();
        let (waker, wakes) = counting_waker();
        let saved = source.get_ref().duplicate();
        source.get_ref().close();
        told(name, wait, &source, &waker);
        source.get_ref().becomes(&saved);

        bounded::pending(name, &waker, |cx| poll_readable(&source, cx));
        let before = wakes.get();
        peer.write_all(b"x").unwrap();
        bounded::until("the reader is woken", || wakes.get() > before);
        bounded::finish("the reader's next wait", source.readable()).unwrap();
        assert_eq!(source.get_ref().read(&mut [0; 2]).unwrap(), 1);
    }
}

#[test]
fn a_writer_to_a_number_put_back_is_woken() {
    let Some(_watchdog) = own_process("a_writer_to_a_number_put_back_is_woken") else {
        return;
    };
    let (_, poll_writable) = WRITE[0];
    for (name, wait) in WRITE {
        let (source, mut peer) = idle();
        let (waker, wakes) = counting_waker();
        let saved = source.get_ref().duplicate();
        source.get_ref().close();
        told(name, wait, &source, &waker);
        source.get_ref().becomes(&saved);

        bounded::pending(name, &waker, |cx| poll_writable(&source, cx));
        let before = wakes.get();
        let queued = peer.read(&mut vec![0; 1 << 20]).unwrap();
        assert!(queued > 0, "the socket was full");
        bounded::until("the writer is woken", || wakes.get() > before);
        bounded::finish("the writer's next wait", source.writable()).unwrap();
        assert_eq!(source.get_ref().write(b"x").unwrap(), 1);
    }
}
