//! Looks at the process, again and again, on a thread of its own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use ticks_format::SourceKind;

use super::kernel;
use super::rings::Rings;
use super::shown::{Rates, Shown, Tone};
use super::sources::Parts;
use super::{tasks, threads, timers};
use crate::explain::{self, Sure};
use crate::input::{Input, Inputs};
use crate::sockets;
use crate::symbols::{Book, Options};
use crate::units;
use crate::who::account::{self, Account};
use crate::who::task_table;
use crate::who::view::View;

/// What the looking thread is told.
pub enum Ask {
    /// To look no more until it is told to go on.
    Pause,
    /// To look at once, and go on.
    Look,
}

/// The process that is looked at, and what is kept from look to look.
struct Watch {
    /// As it was given: a file or a number.
    target: PathBuf,
    options: Options,
    inputs: Option<Inputs>,
    /// By the recording's place among those of the process.
    kept: HashMap<usize, Kept>,
}

/// What is kept of one recording.
struct Kept {
    book: Option<Book>,
    rings: Rings,
    threads: kernel::Threads,
}

/// Begins to look. Each look's result goes to `tell`, until that says that nobody wants more. The process is looked
/// at again when `every` has passed since the last look was done, so that a slow look does not take all the time.
pub fn start(
    target: PathBuf,
    options: Options,
    every: Duration,
    tell: impl Fn(anyhow::Result<Shown>) -> bool + Send + 'static,
) -> std::io::Result<Sender<Ask>> {
    let (asks, asked) = mpsc::channel();
    let look = move || {
        let mut watch = Watch { target, options, inputs: None, kept: HashMap::new() };
        loop {
            let result = watch.look();
            // What has ended stays as it is.
            let is_over = result.as_ref().is_ok_and(|shown| !shown.is_live);
            if !tell(result) || is_over || !wait(&asked, every) {
                return;
            }
        }
    };
    thread::Builder::new().name("look".into()).spawn(look)?;
    Ok(asks)
}

/// Waits until it is time to look. Returns whether anybody still wants that.
fn wait(asked: &Receiver<Ask>, every: Duration) -> bool {
    let mut next = asked.recv_timeout(every);
    loop {
        next = match next {
            Ok(Ask::Look) | Err(RecvTimeoutError::Timeout) => return true,
            Ok(Ask::Pause) => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Err(RecvTimeoutError::Disconnected) => return false,
        };
    }
}

impl Watch {
    fn look(&mut self) -> anyhow::Result<Shown> {
        self.refresh()?;
        let mut shown = Shown::default();
        let inputs = self.inputs.iter().flat_map(|inputs| &inputs.all).enumerate();
        for (place, input) in inputs {
            let kept = self.kept.entry(place).or_insert_with(|| Kept {
                book: None,
                rings: Rings::default(),
                threads: kernel::Threads::default(),
            });
            add(&mut shown, place, input, kept, &self.options).with_context(|| input.place())?;
        }
        for rows in &mut shown.tabs {
            rows.shrink_to_fit();
        }
        Ok(shown)
    }

    /// Has what is looked at be of now. This is the one place where that is done.
    fn refresh(&mut self) -> anyhow::Result<()> {
        let found = Inputs::open(std::slice::from_ref(&self.target));
        match (found, &mut self.inputs) {
            (Ok(found), Some(known)) if !is_same_process(&found, known) => {
                refresh_clocks(known)?;
            }
            (Ok(found), _) => self.inputs = Some(found),
            // Of a process that has ended nothing is found by its number any more. Its recording is still open.
            (Err(_), Some(known)) => refresh_clocks(known)?,
            (Err(error), None) => return Err(error),
        }
        Ok(())
    }
}

/// Another process may have got the number.
fn is_same_process(found: &Inputs, known: &Inputs) -> bool {
    let start = |inputs: &Inputs| inputs.all.first().map(|it| it.recording.header().process_start);
    start(found) == start(known)
}

fn refresh_clocks(inputs: &mut Inputs) -> anyhow::Result<()> {
    for input in &mut inputs.all {
        let place = input.place();
        input.recording.refresh_clock().context(place)?;
    }
    Ok(())
}

/// Adds what one recording says.
fn add(
    shown: &mut Shown,
    place: usize,
    input: &Input,
    kept: &mut Kept,
    options: &Options,
) -> anyhow::Result<()> {
    let view = View::of(input)?;
    // What is read from memory is another recording each time.
    let book = kept.book.take().filter(|_| input.snapshot.is_none());
    let mut book = book.unwrap_or_else(|| Book::new(options));
    let accounts = account::of(&view, &mut book, options.full_names)?;
    let (rates, recorded) = kept.rings.look(input)?;
    let kernel = match view.state.is_live() {
        true => kept.threads.look(input.pid()),
        false => HashMap::new(),
    };
    let sockets = match view.state.is_live() && has_internet(&view) {
        true => sockets::of_process(input.pid()),
        false => HashMap::new(),
    };
    let parts = Parts { view: &view, accounts: &accounts, sockets, place };
    let [of_tasks, of_sources, of_timers, of_threads] = &mut shown.tabs;
    of_tasks.extend(tasks::rows(&view, &accounts, place)?);
    of_sources.extend(parts.rows(&mut book)?);
    of_timers.extend(timers::rows(&parts, &mut book)?);
    of_threads.extend(threads::rows(&view, &accounts, &recorded, &kernel, place));
    let seen = seen(&view, &accounts);
    add_head(shown, &view, rates);
    let (found, book) = explain::by_tables(view, book)?;
    kept.book = Some(book);
    let say = |(sure, sentence): (Sure, String)| {
        let tone = if sure > Sure::Possible { Tone::Wrong } else { Tone::Doubtful };
        (tone, format!("{}: {sentence}", sure.name()))
    };
    // What is only possible says less than a thread that is blocked.
    let (sure, possible) = match found {
        Some(found) if found.0 > Sure::Possible => (Some(found), None),
        found => (None, found),
    };
    let verdict = sure.map(say).or(seen).or(possible.map(say));
    if shown.verdict.is_none() {
        shown.verdict = verdict;
    }
    Ok(())
}

fn has_internet(view: &View<'_>) -> bool {
    let is_internet =
        |kind| matches!(kind, SourceKind::Tcp | SourceKind::TcpListener | SourceKind::Udp);
    view.sources.values().any(|source| source.registered && is_internet(source.kind))
}

/// What is to be seen at once beside the rules: a task that is polled for long.
fn seen(view: &View<'_>, accounts: &[Account<'_>]) -> Option<(Tone, String)> {
    let longest = accounts.iter().min_by_key(|account| {
        let is_long = task_table::long_poll(view, account).is_some();
        (!is_long, account.live.since_ns)
    });
    let text = longest.and_then(|account| task_table::long_poll(view, account))?;
    Some((Tone::Doubtful, text))
}

fn add_head(shown: &mut Shown, view: &View<'_>, rates: Option<Rates>) {
    let input = view.input;
    if shown.process.is_empty() {
        shown.process = input.process_name();
        shown.state = view.state.to_string();
        shown.file = view.has_times().then(|| input.path.clone());
        shown.time = units::time(view.at_ns).get(11..19).unwrap_or_default().to_owned();
        shown.note = match view.has_times() {
            true => "recorded".into(),
            false => "read from memory".into(),
        };
    }
    shown.is_live |= view.state.is_live();
    for (name, count, tone) in tasks::states(view) {
        match shown.states.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, sum, _)) => *sum += count,
            None => shown.states.push((name, count, tone)),
        }
    }
    if let Some(rates) = rates {
        let sum = shown.rates.get_or_insert_with(Rates::default);
        sum.polls += rates.polls;
        sum.rounds += rates.rounds;
        sum.wakes += rates.wakes;
        sum.is_at_least |= rates.is_at_least;
    }
}
