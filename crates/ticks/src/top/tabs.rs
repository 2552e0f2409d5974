//! The tabs and their columns.

/// A tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// The tasks.
    Tasks,
    /// The sources.
    Sources,
    /// The timers that somebody waits for.
    Timers,
    /// The threads.
    Threads,
}

/// A column of a tab.
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Whether its texts stand on the right.
    pub is_number: bool,
    /// How narrow it may become, if its texts may be cut.
    pub least: Option<u16>,
    /// Whether the ends of its texts say more than their beginnings.
    pub keeps_end: bool,
    /// The order in which columns are left out where there is no room, lowest first; 0: never.
    pub rank: u8,
    /// Whether it is there even if all its texts are empty, as they are only now.
    pub stays: bool,
    /// Whether the greatest come first when one begins to sort by it.
    pub begins_high: bool,
}

const fn fixed(name: &'static str) -> Column {
    Column {
        name,
        is_number: false,
        least: None,
        keeps_end: false,
        rank: 0,
        stays: false,
        begins_high: false,
    }
}

const fn number(name: &'static str) -> Column {
    Column { is_number: true, ..fixed(name) }
}

const fn text(name: &'static str, least: u16) -> Column {
    Column { least: Some(least), ..fixed(name) }
}

impl Column {
    /// Whether it is good to have, and no more.
    pub fn is_extra(&self) -> bool {
        matches!(self.rank, 1 | 2)
    }

    const fn ends(self) -> Column {
        Column { keeps_end: true, ..self }
    }

    const fn rank(self, rank: u8) -> Column {
        Column { rank, ..self }
    }

    const fn stays(self) -> Column {
        Column { stays: true, ..self }
    }

    const fn high(self) -> Column {
        Column { begins_high: true, ..self }
    }
}

const TASKS: &[Column] = &[
    number("TASK"),
    text("NAME", 14).ends().rank(4),
    fixed("STATE").high(),
    fixed("SINCE").high(),
    text("FOR", 18),
    text("IN", 16).ends().rank(3),
    number("POLLS").high().rank(1),
];

const SOURCES: &[Column] = &[
    number("FD"),
    fixed("KIND").rank(4),
    text("ADDRESS", 14).ends().rank(5),
    text("WAITS", 10).stays(),
    fixed("SINCE").high(),
    number("EVENTS").high().rank(2),
    fixed("LAST EVENT").high().rank(1),
    text("SOCKET", 12).rank(3),
];

const TIMERS: &[Column] = &[
    number("TIMER"),
    fixed("DUE"),
    fixed("SINCE").high(),
    text("TASK", 12).ends(),
    text("IN", 14).ends().rank(3),
];

const THREADS: &[Column] = &[
    number("THREAD"),
    text("NAME", 6),
    fixed("CPU").high(),
    text("KERNEL", 8).rank(4),
    text("POLLS", 14).stays(),
    fixed("LAST").high(),
    text("RECORD", 14).rank(3),
];

impl Tab {
    /// In the order in which they are shown.
    pub const ALL: [Tab; 4] = [Tab::Tasks, Tab::Sources, Tab::Timers, Tab::Threads];

    /// Its place in that order.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Tab::Tasks => "Tasks",
            Tab::Sources => "Sources",
            Tab::Timers => "Timers",
            Tab::Threads => "Threads",
        }
    }

    /// What it is called that it has none.
    pub fn nothing(self) -> &'static str {
        match self {
            Tab::Tasks => {
                "No task is recorded. Tasks are recorded of a program that is patched with \
                 crates/async-executor, of block_on, and where async_io::trace::task names one. \
                 See Sources and Timers for who waits."
            }
            Tab::Sources => "No source is registered.",
            Tab::Timers => "Nobody waits for a timer.",
            Tab::Threads => "No thread has recorded anything.",
        }
    }

    /// Its columns.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Tab::Tasks => TASKS,
            Tab::Sources => SOURCES,
            Tab::Timers => TIMERS,
            Tab::Threads => THREADS,
        }
    }

    /// The next one, or the one before.
    pub fn beside(self, forward: bool) -> Tab {
        let step = if forward { 1 } else { Tab::ALL.len() - 1 };
        Tab::ALL[(self.index() + step) % Tab::ALL.len()]
    }
}
