//! A program that uses `tracing` has no `log` logger, and async-io's feature of that name is what it turns
//! on to see the reactor beside its own spans. What it gets there must not be less than what a logger
//! gets: the same records, with the same text and the same fields, numbers as numbers. They are compared with
//! the flight recorder's: where a subscriber listens, a logger gets none.
//! Upstream's feature makes some of its steps visible as spans whose text is all there is, and none of
//! the poller's through this crate.

#![cfg(all(feature = "tracing", target_os = "linux"))]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::io;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;

use async_io::{block_on, Async};
use futures_lite::future;
use ticks_format::{FieldValue, What};
use tracing::field::{Field as Name, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::util::child::own_process;
use crate::util::exercise::{exercise, kind_of, KINDS, OPERATIONS};
use crate::util::recording;
use crate::util::records::{Field, Keeper, Line};

static LOGGED: Keeper = Keeper::new();
static TRACED: Keeper = Keeper::new();
/// The system's numbers of the threads of [`TRACED`], line by line; locked while one is added to both.
static TIDS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// What the subscriber does besides keeping the event.
static MANNERS: AtomicU8 = AtomicU8::new(KEEPS);
const KEEPS: u8 = 0;
const USES_THE_REACTOR: u8 = 1;
const PANICS: u8 = 2;

static MISBEHAVED: AtomicUsize = AtomicUsize::new(0);

struct Keeping;

impl Subscriber for Keeping {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("async_io")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        match MANNERS.load(Ordering::SeqCst) {
            KEEPS => {
                let mut tids = TIDS.lock().unwrap();
                tids.push(rustix::thread::gettid().as_raw_nonzero().get() as u64);
                TRACED.push(line(event));
            }
            USES_THE_REACTOR => {
                MISBEHAVED.fetch_add(1, Ordering::SeqCst);
                block_on(send_to_itself()).expect("the subscriber's I/O works");
            }
            _ => {
                MISBEHAVED.fetch_add(1, Ordering::SeqCst);
                std::panic::panic_any(Gone);
            }
        }
    }
}

/// What the subscriber panics with.
struct Gone;

async fn send_to_itself() -> io::Result<()> {
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    let mut buffer = [0; 4];
    let address = socket.get_ref().local_addr()?;
    let (received, sent) =
        future::zip(socket.recv_from(&mut buffer), socket.send_to(b"ping", address)).await;
    assert_eq!(received?.0, sent?);
    Ok(())
}

fn line(event: &Event<'_>) -> Line {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let metadata = event.metadata();
    Line {
        thread: thread::current().id(),
        level: metadata.level().to_string(),
        target: metadata.target().to_owned(),
        module: None,
        place: None,
        text: fields.message,
        fields: fields.others,
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: BTreeMap<String, Field>,
}

impl Fields {
    fn put(&mut self, name: &Name, value: Field) {
        let before = self.others.insert(name.name().to_owned(), value);
        assert_eq!(before, None, "{name} comes twice");
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, name: &Name, value: &dyn Debug) {
        match name.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.put(name, Field::Text(format!("{value:?}"))),
        }
    }

    fn record_str(&mut self, name: &Name, value: &str) {
        self.put(name, Field::Text(value.to_owned()));
    }

    fn record_u64(&mut self, name: &Name, value: u64) {
        self.put(name, Field::Number(value.into()));
    }

    fn record_i64(&mut self, name: &Name, value: i64) {
        self.put(name, Field::Number(value.into()));
    }

    fn record_bool(&mut self, name: &Name, value: bool) {
        self.put(name, Field::Bool(value));
    }
}

/// Has a logger and the subscriber listen, and the recorder record, before the reactor's first record.
fn listen(dir: &Path) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.payload().is::<Gone>() {
            hook(panic);
        }
    }));
    std::env::set_var("ASYNC_IO_TRACE", dir);
    std::env::remove_var("ASYNC_IO_TRACE_MIB");
    log::set_logger(&LOGGED).expect("no other logger");
    log::set_max_level(log::LevelFilter::Trace);
    tracing::subscriber::set_global_default(Keeping).expect("no other subscriber");
}

/// One test: logger, subscriber and recorder are the process's.
#[test]
fn a_subscriber_gets_what_a_logger_gets() -> io::Result<()> {
    let Some(_watchdog) = own_process("a_subscriber_gets_what_a_logger_gets") else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    listen(dir.path());
    compare(dir.path())?;
    assert_eq!(LOGGED.take(), [], "a bridge would make the events twice");
    a_subscriber_may(USES_THE_REACTOR)?;
    a_subscriber_may(PANICS)?;
    MANNERS.store(KEEPS, Ordering::SeqCst);
    TRACED.take();
    assert_eq!(exercise()?, OPERATIONS);
    assert!(TRACED.take().len() > OPERATIONS, "no events any more");
    Ok(())
}

/// What the recorder has of each thread, by the system's number.
fn recorded(dir: &Path) -> HashMap<u64, Vec<ticks_format::Record>> {
    let recording = recording::open(&recording::path(dir, std::process::id()));
    let mut threads: HashMap<_, Vec<_>> = HashMap::new();
    // A ring goes from one thread to another, and holds the records of both in their order.
    for stamped in recording::rings(&recording).into_iter().flat_map(|ring| ring.records) {
        if let (What::Record(record), Some(thread)) = (stamped.what, stamped.thread) {
            // What is known of tasks is for recordings alone.
            if record.kind().target() == "async_executor" {
                continue;
            }
            threads.entry(thread.tid).or_default().push(record);
        }
    }
    threads
}

/// The fields of a record as a subscriber is to get them: what a logger gets.
fn fields_of(record: &ticks_format::Record) -> BTreeMap<String, Field> {
    let mut fields = BTreeMap::new();
    record.visit(&mut |name, value| {
        let field = match value {
            FieldValue::Unsigned(number) => Field::Number(number.into()),
            FieldValue::Signed(number) => Field::Number(number.into()),
            FieldValue::Bool(yes) => Field::Bool(yes),
            FieldValue::Name(name) => Field::Text(name.to_owned()),
            FieldValue::Text(text) => Field::Text(text.to_string()),
        };
        fields.insert(name.to_owned(), field);
    });
    fields
}

fn compare(dir: &Path) -> io::Result<()> {
    let mut traced: Vec<(u64, Line)> = Vec::new();
    let missing = |traced: &[(u64, Line)]| {
        let mut missing = KINDS.to_vec();
        missing.retain(|kind| !traced.iter().any(|(_, line)| kind_of(&line.text) == Some(*kind)));
        missing
    };
    // Which thread parks and which drives is a matter of luck.
    for _ in 0..50 {
        assert_eq!(exercise()?, OPERATIONS);
        let mut tids = TIDS.lock().unwrap();
        traced.extend(tids.drain(..).zip(TRACED.take()));
        drop(tids);
        if missing(&traced).is_empty() {
            break;
        }
    }
    assert_eq!(missing(&traced), [], "the subscriber never got these");

    let mut recorded = recorded(dir);
    let mut compared = 0;
    let mut places: HashMap<u64, usize> = HashMap::new();
    for (tid, traced) in traced {
        let place = places.entry(tid).or_default();
        // The recorder is told first.
        let records = recorded.entry(tid).or_default();
        let record = records.get(*place).unwrap_or_else(|| panic!("{tid} has no more: {traced:?}"));
        *place += 1;
        assert_eq!(traced.text, record.to_string());
        assert_eq!(traced.fields, fields_of(record), "{traced:?}");
        assert_eq!(traced.target, record.kind().target());
        compared += 1;
    }
    assert!(compared > 10 * OPERATIONS, "{compared} records compared");
    Ok(())
}

/// What holds for a logger holds for a subscriber: it is called with nothing locked, what it does itself
/// leaves no events, its panics end at the hook.
fn a_subscriber_may(manners: u8) -> io::Result<()> {
    MANNERS.store(manners, Ordering::SeqCst);
    let before = MISBEHAVED.load(Ordering::SeqCst);
    assert_eq!(exercise()?, OPERATIONS);
    assert!(MISBEHAVED.load(Ordering::SeqCst) > before + OPERATIONS);
    Ok(())
}
