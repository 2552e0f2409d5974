//! A logger drops the last owner of a source when it gets the record of that source's arming: it kept the
//! connection in a table of its own, and cleans up. The removal of a source waits for a call that a driver is
//! about to make by the descriptor's number. It would wait for itself, if that call were under way while the
//! logger runs. And without the removal's word, the call would name a descriptor that is closed by then.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::thread;

use async_io::Async;
use futures_lite::future;

use crate::util::child::own_process;
use crate::util::{bounded, poller, use_reactor};

/// The connection that the logger owns.
static OWNED: Mutex<Option<Async<UnixStream>>> = Mutex::new(None);

/// The record of what came of arming it, once the logger has dropped it.
static ANSWER: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    static DROPPED: Cell<bool> = const { Cell::new(false) };
}

struct DroppingLogger;

impl log::Log for DroppingLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        if thread::current().name() != Some("async-io") {
            return;
        }
        if text.contains("ctl:+ MOD") {
            let mut owned = OWNED.lock().unwrap();
            let named = |it: &Async<UnixStream>| text.contains(&format!(" fd={} ", it.as_raw_fd()));
            if owned.as_ref().is_some_and(named) {
                let connection = owned.take();
                drop(owned);
                drop(connection);
                DROPPED.with(|dropped| dropped.set(true));
            }
        } else if text.contains("ctl:- MOD") && DROPPED.with(Cell::take) {
            *ANSWER.lock().unwrap() = Some(text);
        }
    }

    fn flush(&self) {}
}

#[test]
fn a_logger_may_drop_the_source_that_is_being_armed() {
    let test = "a_logger_may_drop_the_source_that_is_being_armed";
    let Some(_watchdog) = own_process(test) else {
        return;
    };
    if !poller::is_epoll(test) {
        return;
    }
    // The helper thread drives from here on.
    future::block_on(use_reactor()).unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    *OWNED.lock().unwrap() = Some(Async::new(near).unwrap());
    log::set_logger(&DroppingLogger).expect("no other logger");
    log::set_max_level(log::LevelFilter::Trace);

    // The reactor looks who listens when a source is registered.
    future::block_on(use_reactor()).unwrap();

    // Nobody waits for it: the driver ends the watch.
    far.write_all(b"x").unwrap();
    bounded::until("the driver goes on", || ANSWER.lock().unwrap().is_some());
    let answer = ANSWER.lock().unwrap().take().unwrap();
    assert!(!answer.contains("EBADF") && !answer.contains("Ok"), "{answer}");
    future::block_on(use_reactor()).unwrap();
}
