//! What each task does and waits for, in words.

use std::collections::HashMap;
use std::rc::Rc;

use ticks_format::{Asked, Awaited, LastWake, TaskKind, TaskState, WokenBy};

use super::tasks::Live;
use super::view::{View, Wait};
use crate::input::{addresses, Input};
use crate::plain::plain;
use crate::process::State;
use crate::symbols::{Book, Place};
use crate::task_names::TaskNames;
use crate::units;

/// A task with all that is told of it.
pub struct Account<'v> {
    /// The task.
    pub live: &'v Live,
    /// Its name for people.
    pub name: String,
    /// The same, of an async block with the line at which it is spawned: it is named like the function that it is in,
    /// as others may be.
    pub title: String,
    /// What it waits for; of one that does not wait, nothing.
    pub waits: Vec<WaitFor>,
    /// What else is to be said: on which thread it runs, who woke it, why nothing can.
    pub note: String,
    /// The same without what differs between the tasks of a crowd.
    pub note_kind: String,
    /// Whether it runs and polls another task in its poll, as what runs an executor does.
    pub polls_another: bool,
    /// How many waits there are of which nothing is kept.
    pub unknown: u64,
    /// Where it was spawned.
    pub spawned: Option<Rc<Place>>,
}

/// One thing that a task waits for.
pub struct WaitFor {
    /// In words.
    pub text: String,
    /// The same without what differs between the tasks of a crowd, and where in the program: waits of
    /// which both are equal are told once.
    pub kind: (String, Option<String>),
    /// By which calls, if the recording has them.
    pub place: Option<Rc<Place>>,
    /// The stack's number.
    pub stack: u64,
    /// The wait's place among the view's, if it is for the reactor.
    pub wait: Option<usize>,
}

impl WaitFor {
    /// Where in the program.
    pub fn own_text(&self) -> &str {
        self.kind.1.as_deref().unwrap_or_default()
    }
}

/// The state's name.
pub fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Scheduled => "scheduled",
        TaskState::Running { .. } => "running",
        TaskState::Waiting => "waiting",
        TaskState::Forgotten => "forgotten",
        TaskState::Lost => "lost",
    }
}

/// What each task of the view does.
pub fn of<'v>(
    view: &'v View<'_>,
    book: &mut Book,
    full_names: bool,
) -> anyhow::Result<Vec<Account<'v>>> {
    let threads = view.input.recording.threads()?;
    // A task of an executor runs within the one that runs the executor: the last to begin is the one that runs.
    let mut innermost: HashMap<u64, &Live> = HashMap::new();
    for live in view.tasks.iter().filter(|live| is_running(live)) {
        let last = innermost.entry(live.task.thread).or_insert(live);
        if last.since_ns <= live.since_ns {
            *last = live;
        }
    }
    let names = view.tasks.iter().filter(|live| live.name.is_some());
    let names: TaskNames = names.map(|live| (live.task.id, live.shown_name(full_names))).collect();
    let mut accounts = Vec::with_capacity(view.tasks.len());
    for live in &view.tasks {
        let input = view.input;
        let inner = innermost
            .get(&live.task.thread)
            .filter(|inner| is_running(live) && inner.task.id != live.task.id);
        let (note, note_kind) = match live.task.state {
            TaskState::Running { .. } => {
                let name = threads.get(&live.task.thread).map(String::as_str);
                let note = on_thread(live, name, inner.copied());
                (note.clone(), note)
            }
            TaskState::Scheduled => match live.task.last_wake {
                Some(wake) => (
                    format!("woken by {}", waker(view, &names, book, &wake)?),
                    format!("woken by {}", waker_kind(wake.by)),
                ),
                None if !view.has_times() => ("to be polled".into(), String::new()),
                None => ("to be polled the first time".into(), String::new()),
            },
            TaskState::Forgotten | TaskState::Lost => {
                let note = forgotten(live, input, book)?;
                (note.clone(), note)
            }
            TaskState::Waiting => Default::default(),
        };
        let (waits, unknown) = match live.task.state {
            TaskState::Waiting => waits(view, live, book)?,
            TaskState::Forgotten | TaskState::Lost => {
                let last = live.task.asked.first().map(|asked| asked.stack);
                (last.map(|stack| asked(input, book, stack)).transpose()?.into_iter().collect(), 0)
            }
            _ => (Vec::new(), 0),
        };
        let spawned = book.place(input, live.task.stack)?;
        let name = live.shown_name(full_names);
        accounts.push(Account {
            live,
            title: title(live, &name, spawned.as_deref()),
            name,
            waits,
            note,
            note_kind,
            polls_another: inner.is_some(),
            unknown,
            spawned,
        });
    }
    Ok(accounts)
}

fn title(live: &Live, name: &str, spawned: Option<&Place>) -> String {
    let own = spawned.and_then(Place::own).filter(|own| own.function.as_deref() == Some(name));
    match own.and_then(|own| own.line).filter(|_| live.task.kind == TaskKind::Spawned) {
        Some(line) => format!("{name}:{line}"),
        None => name.to_owned(),
    }
}

fn is_running(live: &Live) -> bool {
    matches!(live.task.state, TaskState::Running { .. })
}

fn on_thread(live: &Live, name: Option<&str>, inner: Option<&Live>) -> String {
    let thread = match name.filter(|name| !name.is_empty()) {
        Some(name) => format!("on thread {} ({})", live.task.thread, plain(name)),
        None => format!("on thread {}", live.task.thread),
    };
    match (inner, live.task.state) {
        (Some(inner), _) => format!("{thread}, which polls task {} in it", inner.task.id),
        (None, TaskState::Running { woken: true }) => format!("{thread}; woken meanwhile"),
        (None, _) => thread,
    }
}

fn forgotten(live: &Live, input: &Input, book: &mut Book) -> anyhow::Result<String> {
    let lost = live.task.state == TaskState::Lost;
    let (can, never, asked_last) = match lost {
        false => ("nothing can wake it", "it never asked to be woken", "it asked last for"),
        true => (
            "nothing could wake it, and it was dropped",
            "it had never asked to be woken",
            "it had asked last for",
        ),
    };
    Ok(match live.task.asked.first() {
        Some(asked) => {
            let place = book.place(input, asked.stack)?;
            let what = place.and_then(|place| place.what.clone());
            let what = what.unwrap_or_else(|| "something that is not known".into());
            // The numbers of polls have 32 bits there.
            match asked.poll == live.task.polls as u32 {
                true => format!("{can}: its last waker was dropped; {asked_last} {what}"),
                false => format!("{can}: in its last poll it asked nobody (future::pending?)"),
            }
        }
        None if live.task.asked_count == 0 => format!("{can}; {never} (future::pending?)"),
        None => format!("{can}: its last waker was dropped"),
    })
}

/// What a waiting task waits for, and how many waits there are besides.
fn waits(view: &View<'_>, live: &Live, book: &mut Book) -> anyhow::Result<(Vec<WaitFor>, u64)> {
    let mut all = Vec::new();
    let mut has_wakers_of_its_own = false;
    for at in &live.waits {
        let wait = &view.waits[*at];
        has_wakers_of_its_own |= wait.waiter.task != live.task.waker;
        all.push(of_reactor(view, *at, wait, book)?);
    }
    let (sure, perhaps, left) = still_asked(live);
    for (stack, is_sure) in
        sure.iter().map(|it| (it, true)).chain(perhaps.iter().map(|it| (it, false)))
    {
        let mut asked = asked(view.input, book, stack.stack)?;
        if !is_sure {
            asked.text.insert_str(0, "perhaps ");
            asked.kind.0.insert_str(0, "perhaps ");
        }
        let is_holder = asked.place.as_ref().is_some_and(|place| place.is_holder);
        // What is held is told already.
        if !(is_holder && has_wakers_of_its_own) {
            all.push(asked);
        }
    }
    // What runs an executor waits for its tasks all the time: what else it waits for says more.
    let of_executor = |wait: &WaitFor| wait.place.as_ref().is_some_and(|place| place.is_executor);
    if left == 0 && all.iter().any(|wait| !of_executor(wait)) {
        all.retain(|wait| !of_executor(wait));
    }
    all.sort_by(|one, other| one.kind.cmp(&other.kind));
    Ok((all, left))
}

/// By which calls a waiting task may still be woken: those that are sure, those of which some are meant, and how many
/// wakers there are besides, of whose calls nothing is kept.
///
/// What it asked in its last poll it still waits for, or it would have been done. Wakers beyond that are of earlier
/// polls. Which of those are still kept nobody has written down, unless there are as many wakers as calls.
fn still_asked(live: &Live) -> (&[Asked], &[Asked], u64) {
    // The latest poll is first. The numbers have 32 bits there.
    let asked = &live.task.asked;
    let now = asked.iter().take_while(|asked| asked.poll == live.task.polls as u32).count();
    let wakers = usize::try_from(live.elsewhere).unwrap_or(usize::MAX);
    if wakers >= asked.len() {
        return (asked, &[], (wakers - asked.len()) as u64);
    }
    let now = now.min(wakers);
    match wakers - now {
        0 => (&asked[..now], &[], 0),
        _ => (&asked[..now], &asked[now..], 0),
    }
}

fn asked(input: &Input, book: &mut Book, stack: u64) -> anyhow::Result<WaitFor> {
    let place = book.place(input, stack)?;
    let what = place.as_ref().and_then(|place| place.what.clone());
    let text = what.unwrap_or_else(|| "something that is not known".into());
    let own = place.as_ref().and_then(|place| place.own_text());
    Ok(WaitFor { kind: (text.clone(), own), text, place, stack, wait: None })
}

fn of_reactor(view: &View<'_>, at: usize, wait: &Wait, book: &mut Book) -> anyhow::Result<WaitFor> {
    let stack = wait.waiter.stack;
    let place = book.place(view.input, stack)?;
    let (text, kind) = match wait.waiter.awaited {
        Awaited::Source { fd, dir, key, .. } => {
            let (what, kind) = match &wait.source {
                // What it was, the kernel knew, and it is not in the dump.
                Some(_) if view.state == State::Dumped => (String::new(), "a descriptor"),
                Some(source) => {
                    let addresses = addresses(&source.local, &source.peer);
                    (format!("{} {addresses}", source.kind), source.kind.name())
                }
                None => (format!("source {key}"), "source"),
            };
            let text = match what.trim_end() {
                "" => format!("{dir} fd {fd}"),
                what => format!("{dir} fd {fd}, {what}"),
            };
            (text, format!("{dir} {kind}"))
        }
        Awaited::Timer { id, .. } => (format!("timer {id}, {}", due(view, wait)), "timer".into()),
    };
    let mut text = text;
    let socket = wait.socket.as_ref().map(|socket| socket.text());
    if let Some(socket) = socket.filter(|socket| !socket.is_empty()) {
        text += &format!(" ({socket})");
    }
    if let Some(woken_ns) = wait.woken_ns {
        let ago = match view.has_times() {
            true => format!(" {} ago", units::duration(view.ago_ns(woken_ns))),
            false => String::new(),
        };
        text += &format!("; woken{ago}, has not asked since");
    }
    // Whoever waits for it by way of a crate that the table knows is told what that is for.
    let (text, kind) = match place.as_ref().and_then(|place| place.what.as_ref()) {
        Some(what) if what.contains('(') => (format!("{what}: {text}"), format!("{what}: {kind}")),
        _ => (text, kind),
    };
    let own = match place.as_ref().and_then(|place| place.own_text()) {
        Some(own) => Some(own),
        None => wait.place.as_deref().map(|place| crate::symbols::short(place).to_owned()),
    };
    Ok(WaitFor { text, kind: (kind, own), place, stack, wait: Some(at) })
}

/// When a timer is due.
pub fn due(view: &View<'_>, wait: &Wait) -> String {
    match wait.due_ns {
        Some(due) if due >= view.at_ns => format!("due in {}", units::duration(due - view.at_ns)),
        Some(due) => format!("overdue by {}", units::duration(view.ago_ns(due))),
        None => "due at an unknown time".into(),
    }
}

fn waker_kind(by: WokenBy) -> &'static str {
    match by {
        WokenBy::Source => "a source",
        WokenBy::Timer => "a timer",
        WokenBy::Task => "another task",
        WokenBy::Itself => "itself",
        WokenBy::Thread => "another thread",
        WokenBy::Reactor => "the reactor",
    }
}

/// Who woke a task.
fn waker(
    view: &View<'_>,
    names: &TaskNames,
    book: &mut Book,
    wake: &LastWake,
) -> anyhow::Result<String> {
    let fd = |key| view.sources.get(&key).map(|source| source.fd);
    let who = names.waker((wake.by, wake.from), wake.dir, fd);
    let place = book.place(view.input, wake.stack)?.and_then(|place| place.own_text());
    Ok(place.map_or(who.clone(), |place| format!("{who} in {place}")))
}
