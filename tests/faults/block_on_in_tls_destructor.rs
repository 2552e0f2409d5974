//! A thread keeps a client in a thread-local; when the thread ends, the client's destructor says goodbye
//! over its socket with `block_on`. Thread-locals are destroyed one after the other, and `block_on` keeps
//! its parker and waker in thread-locals too. Upstream reaches for them when they are gone, panics
//! within a destructor, and the process aborts. Ours goes without the cache when it is gone.

use std::cell::RefCell;
use std::net::UdpSocket;
use std::sync::mpsc::{channel, Sender};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};

use crate::util::{child, watchdog};

/// Says goodbye when it is destroyed, and tells how that went.
struct Client {
    said: Sender<usize>,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.said.send(block_on(goodbye()));
    }
}

/// Waits for a timer and for a socket; the bytes received.
async fn goodbye() -> usize {
    Timer::after(Duration::from_millis(10)).await;
    let receiver = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = receiver.get_ref().local_addr().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = move || {
        thread::sleep(Duration::from_millis(20));
        sender.send_to(b"goodbye", address)
    };
    // Windows destroys thread-locals under a lock that each new thread takes first. A thread begun here would
    // not run before this one has ended.
    if cfg!(windows) {
        send().unwrap();
        return receiver.recv(&mut [0; 16]).await.unwrap();
    }
    let sent = thread::spawn(send);
    let received = receiver.recv(&mut [0; 16]).await.unwrap();
    sent.join().unwrap().unwrap();
    received
}

thread_local! {
    static CLIENT: RefCell<Option<Client>> = const { RefCell::new(None) };
}

/// Runs `live` in a thread that has a way to keep a client, in a child process, which must not abort.
fn check(test: &str, live: impl FnOnce(Sender<usize>) + Send + 'static) {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        let (said, heard) = channel();
        thread::spawn(|| live(said)).join().unwrap();
        assert_eq!(heard.recv(), Ok("goodbye".len()));
        println!(" said=goodbye");
        return;
    }
    let output = child::command(test, "client", 0).output().unwrap();
    let shown = child::shown(&output);
    assert!(output.status.success(), "{shown}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(child::value(&stdout, "said"), Some("goodbye"), "{shown}");
}

fn keep(said: Sender<usize>) {
    CLIENT.with(|client| *client.borrow_mut() = Some(Client { said }));
}

#[test]
fn block_on_used_before_the_client_came() {
    check("block_on_used_before_the_client_came", |said| {
        block_on(Timer::after(Duration::from_millis(1)));
        keep(said);
    });
}

#[test]
fn block_on_used_after_the_client_came() {
    check("block_on_used_after_the_client_came", |said| {
        keep(said);
        block_on(Timer::after(Duration::from_millis(1)));
    });
}

#[test]
fn block_on_never_used_before() {
    check("block_on_never_used_before", keep);
}
