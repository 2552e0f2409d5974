//! The tasks: what is known of each, in the words of its entry.
//!
//! An entry is claimed, and given back, as those of other tables are. In between its words are stored one
//! by one: by the thread that polls the task, and by whoever wakes it. So a reader may see the words of two
//! moments; those that must agree are one word.

use crate::error::Error;
use crate::layout::SectionKind;
use crate::read::ReadAt;
use crate::recording::{Entry, Recording};
use crate::values::{Direction, TaskKind, WokenBy};

/// The words of a task's entry.
pub const TASK_WORDS: usize = 32;

/// How many of the calls by which a task asked to be woken are kept.
pub const ASKED_MAX: usize = 8;

/// Words of a task's entry.
pub mod task_word {
    /// What the task does in the low byte, [`NONE`] if the entry is nobody's; above it the low 56 bits of the
    /// counter, since when.
    pub const STATE: usize = 1;
    /// Its number.
    pub const ID: usize = 2;
    /// The data pointer of its waker.
    pub const WAKER: usize = 3;
    /// Its name: a place in the strings.
    pub const NAME: usize = 4;
    /// The counter when it was begun.
    pub const BEGUN: usize = 5;
    /// Its kind, in the low byte.
    pub const KIND: usize = 6;
    /// The task that began it.
    pub const PARENT: usize = 7;
    /// By which calls it was begun.
    pub const STACK: usize = 8;
    /// The thread that polls it, or did last.
    pub const THREAD: usize = 9;
    /// How many polls were begun.
    pub const POLLS: usize = 10;
    /// How long the polls that have ended took, in all, by the counter.
    pub const POLLED: usize = 11;
    /// How long the longest of them took, by the counter.
    pub const LONGEST: usize = 12;
    /// By which calls that one asked last to be woken.
    pub const LONGEST_STACK: usize = 13;
    /// How often it was woken.
    pub const WAKES: usize = 14;
    /// Who woke it last: the cause in the low byte; a source's direction in the second, plus 1; the stack above
    /// 32 bits.
    pub const WOKEN_BY: usize = 15;
    /// Which source, timer, task or thread that was.
    pub const WOKEN_FROM: usize = 16;
    /// How many wakers of it there are.
    pub const WAKERS: usize = 17;
    /// How often it asked somebody other than the reactor to wake it.
    pub const ASKED: usize = 18;
    /// The first of [`ASKED_MAX`](super::ASKED_MAX) words: by which calls it asked, a stack's number
    /// in the low 32 bits; above it the low 32 bits of the number of the poll. 0: there was none. The calls of
    /// the oldest poll make room for others.
    pub const WAIT: usize = 19;

    /// Nobody has the entry.
    pub const NONE: u64 = 0;
    /// It was woken, or is new, and is not polled yet.
    pub const SCHEDULED: u64 = 1;
    /// A thread polls it.
    pub const RUNNING: u64 = 2;
    /// A thread polls it, and it was woken meanwhile.
    pub const RUNNING_WOKEN: u64 = 3;
    /// It waits to be woken.
    pub const WAITING: u64 = 4;
    /// It waits to be woken, and nobody can: its last waker was dropped.
    pub const FORGOTTEN: u64 = 5;
    /// As before, and then it was dropped, as it had no owner. Nobody changes the entry any more, and another
    /// task may take it if there is no free one.
    pub const LOST: u64 = 6;
    /// It has ended, and there are wakers of it left, which use the entry.
    pub const ENDED: u64 = 7;
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// It was woken, or is new, and is not polled yet.
    Scheduled,
    /// A thread polls it.
    Running {
        /// Whether it was woken meanwhile, and will be polled again.
        woken: bool,
    },
    /// It waits to be woken.
    Waiting,
    /// It waits to be woken, and nobody can: its last waker was dropped.
    Forgotten,
    /// As before, and then it was dropped, as nobody had a handle of it.
    Lost,
}

impl TaskState {
    /// The number in files, of [`task_word`].
    pub fn code(self) -> u64 {
        match self {
            TaskState::Scheduled => task_word::SCHEDULED,
            TaskState::Running { woken: false } => task_word::RUNNING,
            TaskState::Running { woken: true } => task_word::RUNNING_WOKEN,
            TaskState::Waiting => task_word::WAITING,
            TaskState::Forgotten => task_word::FORGOTTEN,
            TaskState::Lost => task_word::LOST,
        }
    }

    fn from_code(code: u64) -> Option<TaskState> {
        Some(match code {
            task_word::SCHEDULED => TaskState::Scheduled,
            task_word::RUNNING => TaskState::Running { woken: false },
            task_word::RUNNING_WOKEN => TaskState::Running { woken: true },
            task_word::WAITING => TaskState::Waiting,
            task_word::FORGOTTEN => TaskState::Forgotten,
            task_word::LOST => TaskState::Lost,
            _ => return None,
        })
    }
}

/// By which calls a task asked somebody other than the reactor to wake it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The stack's number.
    pub stack: u64,
    /// In which of its polls, the first being 1; the low 32 bits.
    pub poll: u32,
}

impl Asked {
    /// The two in one word.
    #[inline]
    pub fn word(self) -> u64 {
        u64::from(self.poll) << 32 | self.stack & u64::from(u32::MAX)
    }

    fn from_word(word: u64) -> Asked {
        Asked { stack: word & u64::from(u32::MAX), poll: (word >> 32) as u32 }
    }
}

/// Who woke a task last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastWake {
    /// By whom.
    pub by: WokenBy,
    /// Which: the source's key, the timer's number, the task's number, or the thread's.
    pub from: u64,
    /// The source's direction.
    pub dir: Option<Direction>,
    /// By which calls; 0 if it was the reactor, or is not known.
    pub stack: u64,
}

impl LastWake {
    /// The words [`task_word::WOKEN_BY`] and [`task_word::WOKEN_FROM`].
    #[inline]
    pub fn words(self) -> [u64; 2] {
        let dir = self.dir.map_or(0, |dir| u64::from(dir.code()) + 1);
        [u64::from(self.by.code()) | dir << 8 | self.stack << 32, self.from]
    }

    fn from_words(by: u64, from: u64) -> Option<LastWake> {
        let dir = ((by >> 8) as u8).checked_sub(1);
        Some(LastWake {
            by: WokenBy::from_code(by as u8)?,
            from,
            dir: dir.and_then(Direction::from_code),
            stack: by >> 32,
        })
    }
}

/// A task that is there, or was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its number, never used again in its process.
    pub id: u64,
    /// What it does.
    pub state: TaskState,
    /// Since when, by the counter's low 56 bits.
    pub since: u64,
    /// The data pointer of its waker.
    pub waker: u64,
    /// Its name: a place in the strings; 0 if there was no room.
    pub name: u64,
    /// The counter when it was begun.
    pub begun: u64,
    /// Who polls it.
    pub kind: TaskKind,
    /// The task that began it; 0: none did.
    pub parent: u64,
    /// By which calls it was begun: the number of a stack; 0 if it is not known.
    pub stack: u64,
    /// The thread that polls it, or did last; 0: none yet.
    pub thread: u64,
    /// How many polls were begun.
    pub polls: u64,
    /// How long those that have ended took, in all, by the counter.
    pub polled: u64,
    /// How long the longest of them took, by the counter.
    pub longest: u64,
    /// By which calls that one asked last to be woken; 0: by none that are known.
    pub longest_stack: u64,
    /// How often it was woken.
    pub wakes: u64,
    /// Who woke it last, if anybody has.
    pub last_wake: Option<LastWake>,
    /// How many wakers of it there are, those that the reactor keeps among them.
    pub wakers: u64,
    /// How often it asked somebody other than the reactor to wake it.
    pub asked_count: u64,
    /// By which calls it did, each once, those of the latest poll first: as many as are kept. What it waits
    /// for now is among them.
    pub asked: Vec<Asked>,
}

impl Task {
    /// The words of its entry but the sequence, which is the writer's.
    pub fn words(&self) -> [u64; TASK_WORDS] {
        let mut words = [0; TASK_WORDS];
        words[task_word::STATE] = self.state.code() | self.since << 8;
        words[task_word::ID] = self.id;
        words[task_word::WAKER] = self.waker;
        words[task_word::NAME] = self.name;
        words[task_word::BEGUN] = self.begun;
        words[task_word::KIND] = self.kind.code().into();
        words[task_word::PARENT] = self.parent;
        words[task_word::STACK] = self.stack;
        words[task_word::THREAD] = self.thread;
        words[task_word::POLLS] = self.polls;
        words[task_word::POLLED] = self.polled;
        words[task_word::LONGEST] = self.longest;
        words[task_word::LONGEST_STACK] = self.longest_stack;
        words[task_word::WAKES] = self.wakes;
        if let Some(wake) = self.last_wake {
            words[task_word::WOKEN_BY..][..2].copy_from_slice(&wake.words());
        }
        words[task_word::WAKERS] = self.wakers;
        words[task_word::ASKED] = self.asked_count;
        for (word, wait) in words[task_word::WAIT..][..ASKED_MAX].iter_mut().zip(&self.asked) {
            *word = wait.word();
        }
        words
    }

    /// `None` if nobody has the entry, or a task that does what this build does not know.
    pub(crate) fn from_words(words: &[u64; TASK_WORDS]) -> Option<Task> {
        let state = words[task_word::STATE];
        let asked = words[task_word::WAIT..][..ASKED_MAX].iter().filter(|word| **word != 0);
        let mut asked: Vec<_> = asked.map(|word| Asked::from_word(*word)).collect();
        let polls = words[task_word::POLLS];
        asked.sort_by_key(|asked| (polls as u32).wrapping_sub(asked.poll));
        let wakes = words[task_word::WAKES];
        let last_wake =
            LastWake::from_words(words[task_word::WOKEN_BY], words[task_word::WOKEN_FROM]);
        Some(Task {
            id: words[task_word::ID],
            state: TaskState::from_code(state & 0xff)?,
            since: state >> 8,
            waker: words[task_word::WAKER],
            name: words[task_word::NAME],
            begun: words[task_word::BEGUN],
            kind: TaskKind::from_code(words[task_word::KIND] as u8)?,
            parent: words[task_word::PARENT],
            stack: words[task_word::STACK],
            thread: words[task_word::THREAD],
            polls,
            polled: words[task_word::POLLED],
            longest: words[task_word::LONGEST],
            longest_stack: words[task_word::LONGEST_STACK],
            wakes,
            last_wake: last_wake.filter(|_| wakes > 0),
            wakers: words[task_word::WAKERS],
            asked_count: words[task_word::ASKED],
            asked,
        })
    }
}

impl<R: ReadAt> Recording<R> {
    /// The tasks that are there, or were when the process ended, and those that were lost.
    pub fn tasks(&self) -> impl Iterator<Item = Result<Entry<Task>, Error>> + '_ {
        self.table(SectionKind::Tasks, Task::from_words)
    }
}
