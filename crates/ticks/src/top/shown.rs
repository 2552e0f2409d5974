//! What is shown: one moment of a process, without anything of the recording that it was read from.

use std::path::PathBuf;

use crate::plain::plain;

use super::tabs::Tab;

/// A process at one moment.
#[derive(Default)]
pub struct Shown {
    /// Program and number.
    pub process: String,
    /// What the process is doing, in words.
    pub state: String,
    /// Whether more may come.
    pub is_live: bool,
    /// What all this was read from.
    pub note: String,
    /// The recording's file, if there is one.
    pub file: Option<PathBuf>,
    /// When, as it is shown.
    pub time: String,
    /// How many tasks there are in each state, the worst first.
    pub states: Vec<(&'static str, usize, Tone)>,
    /// What was done in a second since the last look; none at the first look, and of a process without records.
    pub rates: Option<Rates>,
    /// What is wrong, as far as it is seen at once.
    pub verdict: Option<(Tone, String)>,
    /// The rows of each tab, in the order that says most.
    pub tabs: [Vec<Row>; Tab::ALL.len()],
}

/// How often a second since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Polls of tasks.
    pub polls: f64,
    /// Rounds of the reactor.
    pub rounds: f64,
    /// Wakes.
    pub wakes: f64,
    /// Whether records were overwritten in between, so that there were more.
    pub is_at_least: bool,
}

/// What a row stands for: its recording's place, and its number there.
pub type Id = (usize, u64);

/// A task, source, timer or thread.
pub struct Row {
    /// Which.
    pub id: Id,
    /// One for each column.
    pub cells: Vec<Cell>,
    /// How it looks.
    pub tone: Tone,
    /// All that is known of it, in lines. Those that are too long are broken where they are shown.
    pub details: Vec<String>,
}

/// How something looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As everything.
    #[default]
    Normal,
    /// Of less interest.
    Quiet,
    /// It does something.
    Busy,
    /// It may be wrong.
    Doubtful,
    /// It is wrong.
    Wrong,
}

/// A text, and by what it is sorted.
pub struct Cell {
    /// It holds nothing that a terminal would act on.
    pub text: String,
    /// By what it is sorted.
    pub key: SortKey,
}

/// By what a cell is sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// There is nothing; it is the least.
    None,
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
}

impl Cell {
    /// A text, sorted as such.
    pub fn text(text: &str) -> Cell {
        let text = plain(text).into_owned();
        let key = if text.is_empty() { SortKey::None } else { SortKey::Text(text.clone()) };
        Cell { text, key }
    }

    /// A text that stands for a number.
    pub fn number(number: u64, text: impl Into<String>) -> Cell {
        Cell { text: plain(&text.into()).into_owned(), key: SortKey::Number(number) }
    }

    /// A text for a number that there may be.
    pub fn maybe(number: Option<u64>, text: impl FnOnce(u64) -> String) -> Cell {
        match number {
            Some(number) => Cell::number(number, text(number)),
            None => Cell { text: String::new(), key: SortKey::None },
        }
    }
}

/// Lines of a text that may hold anything but ends of lines.
pub fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(|line| plain(line).into_owned()).collect()
}
