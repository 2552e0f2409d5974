//! `ticks who`: who waits now, or waited when the program ended.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;

use crate::explain;
use crate::input::{Cores, Inputs};
use crate::outcome::Outcome;
use crate::symbols;
use crate::units;

pub mod account;
pub mod calls;
mod ends;
mod json;
mod list;
mod sources;
mod stacks;
pub mod table;
mod task_json;
pub mod task_stacks;
pub mod task_table;
pub mod tasks;
mod tree;
pub mod unasked;
pub mod view;

use account::Account;
use stacks::Stacks;
use symbols::Book;
use view::View;

/// Show the tasks and what they wait for, now or when the program ended; without an argument, which processes
/// record
///
/// Nothing runs in the program: its recording is read.
///
/// A task is what an executor or block_on polls. FOR is what it waits for: sources and timers, and whatever else
/// has its waker, a lock, a channel, another task, told by the code that asked. `perhaps`: it asked that before its
/// last poll, and some of what it asked then is answered. IN is the innermost call that is the program's own. N × are tasks of which the same is told; --all lists each. A task of which nobody has a waker any
/// more, and which is not woken, is forgotten: nothing can wake it.
///
/// Tasks are recorded of a program that is patched with crates/async-executor, of block_on, and where
/// async_io::trace::task names one. Waits for sources and timers that belong to no such task have a table of their
/// own, and so have all of them with --waits.
///
/// EVENTS and LAST EVENT are those of the direction that is waited for. SOCKET is what the kernel knows of a
/// connection while the process is there; B unconfirmed were written, and the peer has not said that it has
/// them. ≥: that long at least, as of a process that was killed nobody knows until when it waited.
///
/// WOKEN is set where a task was woken and the future that waits has not asked since. Either the task was not
/// polled, because a thread of its executor computes or is blocked, or it was polled and did not poll this
/// future, as inside `select!`, `FuturesUnordered` and `buffered`. Where each thread's last record is a park or
/// a wait, no thread is busy, and a line below the table says so; else it names the thread that has recorded
/// nothing for longest.
///
/// Of a source that had an event to read while nobody waited, and for which nobody has asked since, a line says so.
///
/// Connections of which both ends are in the recordings have a row each at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Recordings, text logs (- is standard input), or the numbers of processes; of one that does not record the memory is read
    #[arg(value_name = "FILE|PID")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    cores: Cores,
    /// Print one JSON object a line; its names are described in crates/ticks/JSON.md
    #[arg(long)]
    json: bool,
    /// Show what each waiter remembers: the reactor's round when it began to wait, and the direction's
    #[arg(long)]
    ticks: bool,
    /// Show by which calls each task waits, the innermost first, and where it was spawned: the program's own
    /// calls; equal ones are told once, with a count
    #[arg(long)]
    stacks: bool,
    /// Show the same as a tree, the outermost call first, with a count of waits at each
    #[arg(long)]
    tree: bool,
    /// Show each task, also those of which the same is told
    #[arg(long)]
    all: bool,
    /// Show the table of all waits for sources and timers, those of tasks too
    #[arg(long)]
    waits: bool,
    /// Show the registered sources too, those for which nobody waits among them
    #[arg(long)]
    sources: bool,
    /// Show all calls of the stacks, those of runtimes and combinators too
    #[arg(long)]
    all_frames: bool,
    /// Show functions' names as the compiler makes them
    #[arg(long)]
    full_names: bool,
    /// Where the program and its libraries are, with their debug information, if not where they ran
    #[arg(long, value_name = "DIR")]
    symbols: Vec<PathBuf>,
    /// Look again each time this long has passed, until the programs have ended: `10s`, `500ms`, or a
    /// number of seconds
    #[arg(long, value_name = "TIME", value_parser = units::pause)]
    every: Option<Duration>,
}

const EXAMPLES: &str = "\
Examples:
  ticks who
  ticks who 4711
  ticks who --stacks 4711
  ticks who --tree 4711
  ticks who --all 4711 | grep forgotten
  ticks who --stacks --symbols ./from-the-build-server /tmp/t/4711.ticks
  ticks who --every 10s 4711
  ticks who --core core.4711 --exe ./server
  ticks who /tmp/t/*.ticks
  ticks who --json /tmp/t/4711.ticks | jq 'select(.fd == 9)'
  ticks who --json 4711 | jq 'select(.kind == \"task\" and .task_state == \"forgotten\")'";

impl Args {
    fn wants_stacks(&self) -> bool {
        let shows = self.stacks || self.all_frames || self.full_names;
        shows || !self.symbols.is_empty() && !self.tree
    }

    /// The stacks of each input, of which nothing is read yet.
    fn books(&self, inputs: &Inputs) -> Vec<Book> {
        let options = symbols::Options { dirs: self.symbols.clone(), full_names: self.full_names };
        inputs.all.iter().map(|_| Book::new(&options)).collect()
    }
}

/// How long a memory is watched for what nobody asks for.
const MOMENT: Duration = Duration::from_millis(600);

/// Shows who waits.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    let damaged = match args.files.is_empty() && args.cores.cores.is_empty() {
        true => list_processes(&mut out, args)?,
        false => show_waits(&mut out, args)?,
    };
    out.flush()?;
    Ok(if damaged { Outcome::Partly } else { Outcome::Done })
}

/// Returns whether something could not be read.
fn list_processes(out: &mut dyn Write, args: &Args) -> anyhow::Result<bool> {
    let mut damaged = false;
    let mut is_first = true;
    loop {
        if !std::mem::take(&mut is_first) && !args.json {
            writeln!(out)?;
        }
        let (count, failed) = list::write(out, args.json)?;
        damaged |= failed;
        out.flush()?;
        match args.every {
            Some(pause) if count > 0 => sleep(pause),
            _ => return Ok(damaged),
        }
    }
}

/// Returns whether something could not be read.
fn show_waits(out: &mut dyn Write, args: &Args) -> anyhow::Result<bool> {
    let mut inputs = Inputs::with_cores(&args.files, &args.cores)?;
    for input in &mut inputs.all {
        // Under load there is always something that came a moment ago. What rests is worth a line.
        if input.snapshot.as_ref().is_some_and(|snapshot| !snapshot.unasked.is_empty()) {
            input.watch(MOMENT)?;
        }
    }
    let mut books = args.books(&inputs);
    let mut is_first = true;
    let mut damaged = false;
    loop {
        let (views, failed) = inputs.each(|input| View::of(input).with_context(|| input.place()));
        // Entries that nobody will finish writing, among others.
        damaged |= failed || views.iter().any(|view| view.torn > 0 && !view.state.is_live());
        for view in &views {
            let place = inputs.all.iter().position(|input| std::ptr::eq(input, view.input));
            let Some(book) = place.map(|place| &mut books[place]) else { continue };
            let accounts = account::of(view, book, args.full_names)?;
            if args.json {
                write_json(out, args, view, &accounts, book)?;
                continue;
            }
            // Those for whom nobody waits have a line each.
            let has_any = !view.waits.is_empty() || !view.tasks.is_empty();
            if !std::mem::take(&mut is_first) && has_any {
                writeln!(out)?;
            }
            write_view(out, args, view, &accounts, book)?;
        }
        if !args.json {
            ends::write(out, &views)?;
            write_total(out, &views)?;
        }
        // Whoever looks again and again has read it.
        if !args.json && args.every.is_none() {
            let books = std::mem::take(&mut books).into_iter();
            let of_view = |view: &View<'_>| {
                inputs.all.iter().position(|input| std::ptr::eq(input, view.input))
            };
            let mut books: Vec<Option<Book>> = books.map(Some).collect();
            for view in views {
                let Some(book) = of_view(&view).and_then(|place| books[place].take()) else {
                    continue;
                };
                write_hint(out, view, book)?;
            }
            break;
        }
        out.flush()?;
        match args.every {
            Some(pause) if views.iter().any(|view| view.state.is_live()) => sleep(pause),
            _ => break,
        }
        for input in &mut inputs.all {
            let place = input.place();
            input.refresh().context(place)?;
        }
    }
    for input in &inputs.all {
        damaged |= input.report_problems();
    }
    Ok(damaged)
}

fn write_json(
    out: &mut dyn Write,
    args: &Args,
    view: &View<'_>,
    accounts: &[Account<'_>],
    book: &mut Book,
) -> anyhow::Result<()> {
    let with_stacks = args.wants_stacks();
    for account in accounts {
        writeln!(out, "{}", task_json::of(view, account, book, with_stacks)?)?;
    }
    for (wait, mut object) in view.waits.iter().zip(json::of(view)) {
        if with_stacks {
            calls::add_json(book, view.input, wait.waiter.stack, &mut object)?;
        }
        writeln!(out, "{object}")?;
    }
    for object in unasked::json(view) {
        writeln!(out, "{object}")?;
    }
    if args.sources {
        for object in sources::json(view) {
            writeln!(out, "{object}")?;
        }
    }
    Ok(())
}

fn write_view(
    out: &mut dyn Write,
    args: &Args,
    view: &View<'_>,
    accounts: &[Account<'_>],
    book: &mut Book,
) -> anyhow::Result<()> {
    let options = table::Options { ticks: args.ticks, waits: args.waits };
    table::write_head(out, view)?;
    task_table::write(out, view, accounts, args.all)?;
    table::write(out, view, &options)?;
    unasked::write(out, view)?;
    if args.sources {
        sources::write(out, view)?;
    }
    let frames = calls::Frames { all: args.all_frames };
    let mut has_folded = false;
    if args.wants_stacks() {
        has_folded |= task_stacks::write(out, view, accounts, frames, args.all)?;
        has_folded |= Stacks::new(book, frames, args.waits).write(out, view)?;
    }
    if args.tree {
        has_folded |= tree::write(out, accounts, frames)?;
    }
    if has_folded {
        calls::write_about_folded(out)?;
    }
    for note in book.notes() {
        write!(out, "{}", crate::table::paragraph(&crate::plain::plain(note)))?;
    }
    if args.wants_stacks() {
        stacks::write_without(out, view, book, args.waits)?;
    }
    Ok(())
}

/// Says what to do next where something is wrong.
fn write_hint(out: &mut dyn Write, view: View<'_>, book: Book) -> anyhow::Result<()> {
    let input = view.input;
    if explain::has_something_to_say(view, book).with_context(|| input.place())? {
        let hint = format!("something is wrong; try: ticks explain {}", input.path.display());
        write!(out, "\n{}", crate::table::paragraph(&crate::plain::plain(&hint)))?;
    }
    Ok(())
}

fn write_total(out: &mut dyn Write, views: &[View<'_>]) -> anyhow::Result<()> {
    if views.len() > 1 {
        let waiting = views.iter().map(|view| view.waits.len()).sum::<usize>();
        let waiting = units::count(waiting as u64);
        writeln!(out, "\n{} recordings, {waiting} waiting", views.len())?;
    }
    Ok(())
}
