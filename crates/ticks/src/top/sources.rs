//! The rows of the sources.

use std::collections::HashMap;

use ticks_format::{Direction, Source};

use super::shown::{lines, Cell, Row, Tone};
use super::tasks::since;
use crate::history::Events;
use crate::input::addresses;
use crate::plain::plain;
use crate::sockets::Socket;
use crate::symbols::Book;
use crate::units;
use crate::who::account::Account;
use crate::who::calls::{write_end, Frames};
use crate::who::view::{View, Wait};

/// How long an event may be left before that is worth a look.
const MOMENT_NS: u64 = 500_000_000;

/// What the rows are made of.
pub struct Parts<'a> {
    /// Who waits.
    pub view: &'a View<'a>,
    /// The tasks, with their names.
    pub accounts: &'a [Account<'a>],
    /// What the kernel knows of the sockets, by inode.
    pub sockets: HashMap<u64, Socket>,
    /// The recording's place among those that are looked at.
    pub place: usize,
}

impl Parts<'_> {
    /// A row for each registered source, those first that are waited for, and of these the longest.
    pub fn rows(&self, book: &mut Book) -> anyhow::Result<Vec<Row>> {
        let mut waits: HashMap<u64, Vec<&Wait>> = HashMap::new();
        for wait in &self.view.waits {
            if let Some(id) = wait.waiter.waiter_id() {
                waits.entry(id.key.0).or_default().push(wait);
            }
        }
        let mut rows = Vec::new();
        for source in self.view.sources.values().filter(|source| source.registered) {
            let waits = waits.get(&source.key.0).map(Vec::as_slice).unwrap_or_default();
            rows.push(self.row(source, waits, book)?);
        }
        rows.sort_by_key(|row| {
            let since = row.cells[4].key.clone();
            (std::cmp::Reverse((row.tone == Tone::Doubtful, since)), row.cells[0].key.clone())
        });
        Ok(rows)
    }

    fn row(&self, source: &Source, waits: &[&Wait], book: &mut Book) -> anyhow::Result<Row> {
        let view = self.view;
        let longest = waits.iter().map(|wait| wait.since_ns).min();
        let unasked_ns = self.unasked_ns(source, waits);
        let events =
            [Direction::Read, Direction::Write].map(|dir| view.history.events_of(source.key, dir));
        let count = events[0].count.saturating_add(events[1].count);
        let last_ns = events.iter().filter_map(|events| events.last).max();
        let last_ns = last_ns.map(|last| view.input.utc_ns(last));
        let socket = self.sockets.get(&source.inode).map(Socket::text).unwrap_or_default();
        let is_at_least = events.iter().any(|events| events.is_at_least);
        let tone = match (unasked_ns, waits.is_empty()) {
            (Some(_), _) => Tone::Doubtful,
            (None, true) => Tone::Quiet,
            (None, false) => Tone::Normal,
        };
        let who = match unasked_ns {
            Some(_) => "unread, nobody asks".to_owned(),
            None => self.who(waits),
        };
        let cells = vec![
            Cell::number(u64::try_from(source.fd).unwrap_or(u64::MAX), source.fd.to_string()),
            Cell::text(source.kind.name()),
            Cell::text(&addresses(&source.local, &source.peer)),
            Cell::text(&who),
            longest.or(unasked_ns).map_or(Cell::text(""), |since_ns| since(view, since_ns)),
            Cell::maybe(view.has_times().then_some(count), |count| {
                at_least(is_at_least) + &units::count(count)
            }),
            Cell::maybe(last_ns.map(|last_ns| view.ago_ns(last_ns)), |_| {
                view.length(last_ns.unwrap_or(0)) + " ago"
            }),
            Cell::text(&socket),
        ];
        let details = self.details(source, waits, (events, unasked_ns, socket), book)?;
        Ok(Row { id: (self.place, source.key.0), cells, tone, details })
    }

    /// Since when there is something to read for which nobody asks.
    fn unasked_ns(&self, source: &Source, waits: &[&Wait]) -> Option<u64> {
        let event = self.view.history.unasked(source.key, Direction::Read)?;
        let event_ns = self.view.input.utc_ns(event);
        let reads =
            |wait: &&Wait| wait.waiter.waiter_id().is_some_and(|id| id.dir == Direction::Read);
        let is_old = self.view.ago_ns(event_ns) >= MOMENT_NS;
        (is_old && !waits.iter().any(reads)).then_some(event_ns)
    }

    /// `read: task 3`, or how many.
    fn who(&self, waits: &[&Wait]) -> String {
        let mut parts = Vec::new();
        for dir in [Direction::Read, Direction::Write] {
            let waits: Vec<_> = waits
                .iter()
                .filter(|wait| wait.waiter.waiter_id().is_some_and(|id| id.dir == dir))
                .collect();
            match waits[..] {
                [] => {}
                [wait] => parts.push(match self.task(wait) {
                    Some(account) => format!("{dir}: task {}", account.live.task.id),
                    None => dir.to_string(),
                }),
                _ => parts.push(format!("{dir}: {} ×", units::count(waits.len() as u64))),
            }
        }
        parts.join(", ")
    }

    /// Whose wait it is, if that is recorded.
    pub fn task(&self, wait: &Wait) -> Option<&Account<'_>> {
        self.accounts.get(wait.of_task?)
    }

    fn details(
        &self,
        source: &Source,
        waits: &[&Wait],
        (events, unasked_ns, socket): ([Events; 2], Option<u64>, String),
        book: &mut Book,
    ) -> anyhow::Result<Vec<String>> {
        let view = self.view;
        let mut all = vec![
            format!(
                "fd {}, {} {}",
                source.fd,
                source.kind,
                plain(&addresses(&source.local, &source.peer))
            ),
            format!("  key {}, inode {}", source.key, source.inode),
        ];
        if !socket.is_empty() {
            all.push(format!("  the kernel: {socket}"));
        }
        if view.has_times() {
            let since_ns = view.input.utc_ns(source.since);
            all.push(format!("  registered {} ago", view.length(since_ns)));
            let dirs = [Direction::Read, Direction::Write];
            all.extend(events.into_iter().zip(dirs).map(|(it, dir)| self.events(dir, it)));
        }
        if let Some(unasked_ns) = unasked_ns {
            let ago = view.length(unasked_ns);
            all.push(format!("  an event to read {ago} ago, and nobody has asked since"));
        }
        if waits.is_empty() {
            all.push("  nobody waits for it".into());
        }
        for wait in waits {
            all.push(String::new());
            let dir = wait.waiter.waiter_id().map_or(String::new(), |id| id.dir.to_string());
            all.extend(self.wait(&dir, wait, book)?);
        }
        Ok(all)
    }

    fn events(&self, dir: Direction, events: Events) -> String {
        let last = match events.last {
            Some(last) => {
                format!(", the last {} ago", self.view.length(self.view.input.utc_ns(last)))
            }
            None => String::new(),
        };
        let count = at_least(events.is_at_least) + &units::things(events.count, "event");
        format!("  {dir}: {count}{last}")
    }

    /// Who waits, since when, and by which calls.
    pub fn wait(&self, what: &str, wait: &Wait, book: &mut Book) -> anyhow::Result<Vec<String>> {
        let view = self.view;
        let who = match self.task(wait) {
            Some(account) => format!("task {} ({})", account.live.task.id, account.title),
            None => format!("a task that is not recorded, with the waker {:#x}", wait.waiter.task),
        };
        let length = match view.has_times() {
            true => format!(" for {}", view.length(wait.since_ns)),
            false => String::new(),
        };
        let mut all = vec![plain(&format!("{what}: {who}{length}")).into_owned()];
        if let Some(woken_ns) = wait.woken_ns {
            let ago = match view.has_times() {
                true => format!(" {} ago", view.length(woken_ns)),
                false => String::new(),
            };
            all.push(format!("  woken{ago}, has not asked since"));
        }
        match book.stack(view.input, wait.waiter.stack)? {
            Some(told) => {
                let mut text = Vec::new();
                Frames { all: false }.write(&mut text, &told.calls, 4)?;
                write_end(&mut text, told.end, 4)?;
                all.extend(lines(&text));
            }
            None => {
                let place = wait.place.as_deref().map(crate::symbols::short);
                all.push(format!(
                    "    {}",
                    plain(place.unwrap_or("by calls that are not recorded"))
                ));
            }
        }
        Ok(all)
    }
}

fn at_least(is_at_least: bool) -> String {
    if is_at_least {
        "≥ ".into()
    } else {
        String::new()
    }
}
