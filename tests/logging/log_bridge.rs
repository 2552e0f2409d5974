//! With the feature `tracing`, a program that uses tracing-subscriber as people install it got each record twice:
//! as an event, and through `log`, whose records tracing-subscriber bridges to events by default. The second one
//! had its text and no fields. tracing's own feature `log` says nothing to `log` where a subscriber listens, and
//! so does this crate.

#![cfg(feature = "tracing")]

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::Mutex;

use async_io::{block_on, Async};

use crate::util::child::own_process;

static SHOWN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Shown;

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SHOWN.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_record_is_one_event_with_its_fields() {
    let Some(_watchdog) = own_process("each_record_is_one_event_with_its_fields") else {
        return;
    };
    let level = tracing::Level::TRACE;
    tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(|| Shown).init();
    assert_eq!(log::max_level(), log::LevelFilter::Trace, "the bridge is there");

    const LISTENERS: usize = 5;
    for _ in 0..LISTENERS {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let client =
            std::net::TcpStream::connect(listener.get_ref().local_addr().unwrap()).unwrap();
        block_on(listener.readable()).unwrap();
        drop(client);
    }

    let shown = String::from_utf8(std::mem::take(&mut *SHOWN.lock().unwrap())).unwrap();
    let is_new = |line: &&str| line.contains(" async_io::reactor: Source::new:+- ");
    let new: Vec<&str> = shown.lines().filter(is_new).collect();
    assert_eq!(new.len(), LISTENERS, "one line each:\n{}", new.join("\n"));
    for line in new {
        // In the text, and as a field.
        assert_eq!(line.matches(" kind=").count(), 2, "{line}");
    }
    // What a program says to `log` itself still comes.
    log::info!("as before");
    let shown = String::from_utf8(SHOWN.lock().unwrap().clone()).unwrap();
    assert_eq!(shown.matches("as before").count(), 1, "{shown}");
}
