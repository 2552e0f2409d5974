//! Who waits, on standard error: when a signal comes (`ASYNC_IO_DUMP_SIGNAL`), or now and then
//! (`ASYNC_IO_DUMP_EVERY`). No recording is needed.
//!
//! A thread of its own, `async-io-dump`, prints: so it does also when each thread of the program is blocked.
//! It is started with the process's reactor, and only if one of the two variables is set. It looks at the
//! reactor's own structures and changes nothing. It waits for no lock for long: what another thread holds it
//! says instead.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fmt, thread};

use crate::contain::contain;
use crate::fork;

mod every;
#[cfg(unix)]
mod names;
mod print;
#[cfg(unix)]
mod signal;
mod table;

use print::say;
use table::{Shape, Table};

#[cfg(unix)]
type Signal = signal::Signal;
#[cfg(not(unix))]
type Signal = std::convert::Infallible;

/// How often the thread looks whether the program has taken the signal over.
const CHECK: Duration = Duration::from_secs(1);

/// From one table to the next, at least: a storm of signals is answered by one table each time.
#[cfg(unix)]
const PAUSE: Duration = Duration::from_millis(100);

/// What the variables ask for.
#[derive(Debug)]
struct Settings {
    // Where there are no signals, it never has one.
    #[cfg_attr(not(unix), allow(dead_code))]
    signal: Option<Signal>,
    every: Option<Duration>,
}

/// Starts the thread if a variable asks for it. The reactor of this process has just been made.
pub(crate) fn start() {
    /// For which fork's process it was started, plus one. Relaxed: the thread that changes it starts it.
    static STARTED: AtomicU32 = AtomicU32::new(0);

    // Model checks make threads of their own only.
    if cfg!(loom) {
        return;
    }
    let Some(settings) = settings() else { return };
    let started = fork::count() + 1;
    if STARTED.swap(started, Ordering::Relaxed) == started {
        return;
    }
    // Counted from here: a signal may come before the thread begins.
    let watcher = Watcher::new(settings);
    let builder = thread::Builder::new().name("async-io-dump".to_owned());
    let spawned = builder.spawn(move || watch(watcher));
    if let Err(error) = &spawned {
        say(format_args!(
            "cannot start the thread that prints who waits ({error}): ASYNC_IO_DUMP_SIGNAL and \
             ASYNC_IO_DUMP_EVERY have no effect; raise the limit on threads (ulimit -u)"
        ));
    }
    // Last: from here on the signal finds somebody who answers.
    #[cfg(unix)]
    if let (Ok(_), Some(signal)) = (spawned, settings.signal) {
        signal::listen(signal);
    }
}

/// What the variables asked for when this process, or the one it was forked from, first looked. `None`:
/// nothing.
fn settings() -> Option<&'static Settings> {
    static SETTINGS: OnceLock<Option<Settings>> = OnceLock::new();
    if SETTINGS.get().is_none() {
        // Made before, then set at once: if a fork came meanwhile, the child would wait for ever. Two threads
        // may read and complain; a second complaint does no harm.
        let _ = SETTINGS.set(read());
    }
    SETTINGS.get().and_then(Option::as_ref)
}

fn read() -> Option<Settings> {
    let given = |name| env::var_os(name).filter(|value| !value.is_empty());
    let (signal, every) = (given("ASYNC_IO_DUMP_SIGNAL"), given("ASYNC_IO_DUMP_EVERY"));
    if signal.is_none() && every.is_none() {
        return None;
    }
    if ticks_recorder::has_foreign_rights() {
        say(format_args!(
            "ASYNC_IO_DUMP_SIGNAL and ASYNC_IO_DUMP_EVERY are ignored in a program that runs with another \
             user's rights"
        ));
        return None;
    }
    let signal = signal.and_then(|value| obeyed(parse_signal(&value.to_string_lossy())));
    let every = every.and_then(|value| obeyed(every::parse(&value.to_string_lossy())));
    (signal.is_some() || every.is_some()).then_some(Settings { signal, every })
}

fn obeyed<T>(parsed: Result<T, String>) -> Option<T> {
    parsed.map_err(|why| say(format_args!("{why}"))).ok()
}

#[cfg(unix)]
fn parse_signal(value: &str) -> Result<Signal, String> {
    names::parse(value)
}

#[cfg(not(unix))]
fn parse_signal(value: &str) -> Result<Signal, String> {
    Err(format!(
        "ASYNC_IO_DUMP_SIGNAL is {value:?}, and there are no such signals on this system; nothing is \
         printed on signals; ASYNC_IO_DUMP_EVERY=10s prints who waits every ten seconds"
    ))
}

/// Why a table is printed.
enum Why {
    #[cfg(unix)]
    Signal(Signal),
    Every(Duration),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(unix)]
            Why::Signal(signal) => write!(f, "ASYNC_IO_DUMP_SIGNAL={signal}"),
            Why::Every(period) => write!(f, "ASYNC_IO_DUMP_EVERY={period:?}"),
        }
    }
}

/// The thread.
fn watch(mut watcher: Watcher) {
    // The program's handlers run on its own threads, as they do without this one.
    #[cfg(unix)]
    signal::block_all();
    loop {
        contain(|| watcher.turn());
    }
}

struct Watcher {
    settings: &'static Settings,
    /// How many signals have been answered.
    #[cfg(unix)]
    answered: u32,
    #[cfg(unix)]
    has_warned: bool,
    /// When to look again whether anything has changed.
    due: Option<Instant>,
    /// What was printed last because it had changed.
    printed: Option<Shape>,
}

impl Watcher {
    fn new(settings: &'static Settings) -> Watcher {
        Watcher {
            settings,
            #[cfg(unix)]
            answered: signal::count(),
            #[cfg(unix)]
            has_warned: false,
            due: settings.every.map(|period| Instant::now() + period),
            printed: None,
        }
    }

    /// Waits for what comes next, and answers it.
    fn turn(&mut self) {
        let now = Instant::now();
        let left = self.due.map_or(CHECK, |due| due.saturating_duration_since(now));
        self.wait(left.min(CHECK));
        #[cfg(unix)]
        if let Some(signal) = self.settings.signal {
            self.look_after(signal);
        }
        if let (Some(period), Some(due)) = (self.settings.every, self.due) {
            let now = Instant::now();
            if now >= due {
                self.due = Some(now + period);
                self.print_changes(period);
            }
        }
    }

    #[cfg(unix)]
    fn wait(&self, limit: Duration) {
        match self.settings.signal {
            Some(_) => signal::wait(self.answered, limit),
            None => thread::sleep(limit),
        }
    }

    #[cfg(not(unix))]
    fn wait(&self, limit: Duration) {
        thread::sleep(limit);
    }

    #[cfg(unix)]
    fn look_after(&mut self, signal: Signal) {
        let count = signal::count();
        if count != self.answered {
            self.answered = count;
            print::table(&Why::Signal(signal), &Table::read());
            thread::sleep(PAUSE);
        }
        if !self.has_warned && signal::is_replaced(signal) {
            self.has_warned = true;
            say(format_args!(
                "the program has set a handler of its own for {signal} since ASYNC_IO_DUMP_SIGNAL was \
                 obeyed: unless that handler calls the one before it, {signal} prints nothing; choose \
                 another signal"
            ));
        }
    }

    fn print_changes(&mut self, period: Duration) {
        let table = Table::read();
        let shape = table.shape();
        if self.printed.as_ref() != Some(&shape) {
            print::table(&Why::Every(period), &table);
            self.printed = Some(shape);
        }
    }
}
