//! What the rules read. Each recording is read once, in a stream.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use ticks_format::{TaskState, What};

use crate::around::Window;
use crate::input::Input;
use crate::merge::Merge;
use crate::process::State;
use crate::progress::Progress;
use crate::sockets::{self, Emptied};
use crate::symbols::{Book, Call, Options, Place};
use crate::units;
use crate::who::account;
use crate::who::view::View;

pub mod delays;
pub mod directions;
pub mod live;
pub mod outside;
pub mod share;
pub mod sources;
pub mod tasks;
pub mod threads;
pub mod timers;
pub mod wakers;
pub mod walk;

use outside::Outside;
use walk::Walk;

/// All that is known.
pub struct Facts<'a> {
    /// A process each.
    pub processes: Vec<Process<'a>>,
    /// What strace and tcpdump saw.
    pub outside: Outside,
    /// The time that is asked about, if one is.
    pub around: Option<Window>,
}

/// What is known of one process.
pub struct Process<'a> {
    /// Its recording.
    pub input: &'a Input,
    /// Who waits, at the moment that is looked at.
    pub view: View<'a>,
    /// What its tasks do.
    pub tasks: Vec<Told>,
    /// What its records say.
    pub walk: Walk,
    book: RefCell<Book>,
    queues: OnceCell<Emptied>,
}

/// A task, in words.
pub struct Told {
    /// Its number.
    pub id: u64,
    /// The data pointer of its waker.
    pub waker: u64,
    /// Its name.
    pub name: String,
    /// What it does.
    pub state: TaskState,
    /// What it waits for.
    pub waits: Vec<ToldWait>,
    /// Where it was spawned.
    pub spawned: Option<Rc<Place>>,
}

/// One thing that a task waits for.
pub struct ToldWait {
    /// What, in words.
    pub text: String,
    /// Where in the program; empty if that is not known.
    pub own: String,
    /// The wait's place among the view's, if it is for the reactor.
    pub wait: Option<usize>,
    /// Whether it is an executor's, for a task to run.
    pub is_executor: bool,
}

impl ToldWait {
    /// ` in shop::serve src/shop.rs:17`; nothing if that is not known.
    pub fn in_place(&self) -> String {
        match self.own.is_empty() {
            true => String::new(),
            false => format!(" in {}", self.own),
        }
    }
}

impl Told {
    /// `task 17 (shop::serve)`.
    pub fn title(&self) -> String {
        format!("task {} ({})", self.id, self.name)
    }

    /// Where it waits, the first of several.
    pub fn place(&self) -> Option<&str> {
        self.waits.iter().map(|wait| wait.own.as_str()).find(|own| !own.is_empty())
    }
}

impl<'a> Facts<'a> {
    /// Reads all.
    pub fn of(inputs: &'a [Input], options: &Options) -> anyhow::Result<Facts<'a>> {
        let processes =
            inputs.iter().map(|input| Process::of(input, options).with_context(|| input.place()));
        let processes = processes.collect::<anyhow::Result<_>>()?;
        Ok(Facts { processes, outside: Outside::default(), around: None })
    }
}

impl<'a> Process<'a> {
    fn of(input: &'a Input, options: &Options) -> anyhow::Result<Process<'a>> {
        let mut walk = Walk::default();
        walk.read_ns = units::now_ns();
        let mut merge = Merge::new(std::slice::from_ref(input))?;
        let mut progress = Progress::new(merge.slots(), "reading");
        while let Some(moment) = merge.advance()? {
            if let What::Record(_) = &moment.stamped.what {
                walk.add(&moment);
            }
            progress.step();
        }
        walk.is_partial = merge.losses().any(|(_, _, loss)| loss != Default::default());
        walk.threads.only(&input.recording.rings()?);
        drop(progress);
        merge.report_damage();
        // After the records: whoever has asked since they were read is owed nothing.
        let view = View::of(input)?;
        Process::with(view, walk, Book::new(options))
    }

    /// Of what the tables say alone.
    pub fn of_tables(view: View<'a>, book: Book) -> anyhow::Result<Process<'a>> {
        Process::with(view, Walk::default(), book)
    }

    fn with(view: View<'a>, walk: Walk, mut book: Book) -> anyhow::Result<Process<'a>> {
        let tasks = account::of(&view, &mut book, false)?.into_iter().map(told).collect();
        Ok(Process {
            input: view.input,
            view,
            tasks,
            walk,
            book: RefCell::new(book),
            queues: OnceCell::new(),
        })
    }

    /// The stacks, for the next look.
    pub fn into_book(self) -> Book {
        self.book.into_inner()
    }

    /// The function and the line of a stack that are the program's own.
    pub fn own_text(&self, stack: u64) -> anyhow::Result<Option<String>> {
        let place = self.book.borrow_mut().place(self.input, stack)?;
        Ok(place.and_then(|place| place.own_text()))
    }

    /// Whether one of the calls is in such a file of async-io.
    pub fn goes_through(&self, stack: u64, file: &str) -> anyhow::Result<Option<bool>> {
        let place = self.book.borrow_mut().place(self.input, stack)?;
        let Some(place) = place else { return Ok(None) };
        let mut ours =
            place.calls.iter().filter(|call| call.of_crate.as_deref() == Some("async_io"));
        let mut has_lines = false;
        let goes = ours.any(|call| {
            has_lines |= call.file.is_some();
            call.file.as_deref().is_some_and(|path| path.ends_with(file))
        });
        Ok(has_lines.then_some(goes))
    }

    /// Whether one of the calls has a function with one of these words in its name. None: a build with lines alone does
    /// not name what became part of other functions.
    pub fn calls_one_of(&self, stack: u64, words: &[&str]) -> anyhow::Result<Option<bool>> {
        const COMBINATORS: [&str; 2] = ["futures_lite", "futures_util"];
        let place = self.book.borrow_mut().place(self.input, stack)?;
        let Some(place) = place else { return Ok(None) };
        let is_combinator =
            |call: &&Call| call.of_crate.as_deref().is_some_and(|name| COMBINATORS.contains(&name));
        let names = || place.calls.iter().filter_map(|call| call.function.as_deref());
        if names().any(|name| words.iter().any(|word| name.contains(word))) {
            return Ok(Some(true));
        }
        let mut combinators = place.calls.iter().filter(is_combinator);
        let is_nameless =
            |call: &Call| !call.function.as_deref().is_some_and(|it| it.contains("::"));
        Ok(if combinators.any(is_nameless) { None } else { Some(false) })
    }

    /// Which queues of its sockets somebody empties, of a live process. It is watched for a second for that, once.
    pub fn queues(&self) -> &Emptied {
        const MOMENT: Duration = Duration::from_secs(1);
        self.queues.get_or_init(|| match self.is_live() {
            true => sockets::watch(self.input.pid(), MOMENT),
            false => Emptied::default(),
        })
    }

    /// The task with this waker.
    pub fn task_of_waker(&self, waker: u64) -> Option<&Told> {
        self.tasks.iter().find(|task| task.waker == waker)
    }

    /// The outermost call of a stack that is the program's own: the one in the task's own function.
    pub fn outermost_text(&self, stack: u64) -> anyhow::Result<Option<String>> {
        let place = self.book.borrow_mut().place(self.input, stack)?;
        let Some(place) = place else { return Ok(None) };
        let mut own =
            place.calls.iter().rev().filter(|call| call.is_own && call.function.is_some());
        Ok(own.next().map(|call| call.text()))
    }

    /// The task's place in the program: where it waits, or asked last, or by which call it was woken.
    pub fn place_of(&self, task: &Told) -> anyhow::Result<Option<String>> {
        if let Some(place) = task.place() {
            return Ok(Some(place.to_owned()));
        }
        let facts = self.walk.tasks.all.get(&task.id);
        let stacks = facts.map(|facts| facts.stacks.as_slice()).unwrap_or_default();
        for stack in stacks.iter().copied().chain(facts.map(|facts| facts.self_wake_stack)) {
            if let Some(place) = self.own_text(stack)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// `ticks show FILE --task 17`.
    pub fn show_task(&self, id: u64) -> String {
        self.show(&format!("--task {id}"))
    }

    /// The task with this number.
    pub fn task(&self, id: u64) -> Option<&Told> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// Whether it is there and more may be recorded.
    pub fn is_live(&self) -> bool {
        self.view.state.is_live()
    }

    /// Whether the moment that is looked at is known to be the last one of the recording: of a process that was
    /// killed nobody knows how long it went on after its last record.
    pub fn has_end(&self) -> bool {
        self.view.state.has_end() && self.view.state != State::Zombie
    }

    /// How long that has gone on; none: at least until the last record, and nobody knows for how long after it.
    pub fn age_ns(&self, since_ns: u64) -> Option<u64> {
        self.has_end().then(|| self.view.ago_ns(since_ns))
    }

    /// Whether that has gone on for long, or may have.
    pub fn is_old(&self, since_ns: u64, long_ns: u64) -> bool {
        self.age_ns(since_ns).is_none_or(|age_ns| age_ns >= long_ns)
    }

    /// `for 3.4 s`, or `until the end`.
    pub fn for_how_long(&self, since_ns: u64) -> String {
        match self.age_ns(since_ns) {
            Some(age_ns) if self.view.has_times() => format!("for {}", units::duration(age_ns)),
            Some(age_ns) => format!("for at least {}", units::duration(age_ns)),
            None => "until the program was killed".into(),
        }
    }

    /// `3.4 s ago`. Of a process that was killed nobody knows when that was; then it is told from the end of its recording.
    pub fn ago(&self, ns: u64) -> String {
        let age = units::duration(self.view.ago_ns(ns));
        match self.has_end() {
            true => format!("{age} ago"),
            false => format!("{age} before the end of the recording"),
        }
    }

    /// How the tool is to be called to show more of it.
    pub fn show(&self, what: &str) -> String {
        let path = self.input.path.display();
        match self.view.has_times() {
            true => format!("ticks show {path} {what}"),
            // There are no records.
            false => format!("ticks who --stacks {path}"),
        }
    }

    /// Whether nothing runs and nothing is to be run: each task waits.
    pub fn is_quiet(&self) -> bool {
        self.tasks.iter().all(|task| task.state == TaskState::Waiting)
    }
}

fn told(account: account::Account<'_>) -> Told {
    let waits = account.waits.into_iter().map(|wait| ToldWait {
        own: wait.own_text().to_owned(),
        is_executor: wait.place.as_ref().is_some_and(|place| place.is_executor),
        wait: wait.wait,
        text: wait.text,
    });
    Told {
        id: account.live.task.id,
        waker: account.live.task.waker,
        name: account.name,
        state: account.live.task.state,
        waits: waits.collect(),
        spawned: account.spawned,
    }
}
