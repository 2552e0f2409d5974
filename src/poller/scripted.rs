//! A poller whose harvests are written in advance, for tests of the reactor without a kernel.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use ticks_format::{Direction, Key, Op};

use super::{Event, Events, Interest, Level, Mode};
use crate::poller::arming::Arming;
use crate::poller::registration::Registration;
use crate::trace;

/// The numbers that stand for its descriptors in records.
const EPOLL_FD: i32 = 5;
const EVENT_FD: i32 = 6;

/// Hands out one scripted harvest a wait, and none once they are used up.
#[derive(Debug)]
pub(crate) struct Scripted {
    mode: Mode,
    harvests: Mutex<VecDeque<Vec<Event>>>,
    /// What `level` answers.
    level: Mutex<Level>,
    /// What was asked for: every `modify`, and whether it is to fail.
    pub(crate) modified: Mutex<Vec<(Key, Interest)>>,
    pub(crate) fails: Mutex<Option<io::ErrorKind>>,
    /// What happens in the midst of a `modify`.
    during_modify: OnceLock<During>,
}

struct During(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for During {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("During").finish_non_exhaustive()
    }
}

impl Scripted {
    pub(crate) fn new(mode: Mode) -> Scripted {
        Scripted {
            mode,
            harvests: Mutex::default(),
            level: Mutex::new(Level::Idle),
            modified: Mutex::default(),
            fails: Mutex::default(),
            during_modify: OnceLock::new(),
        }
    }

    /// Adds a harvest to the script.
    pub(crate) fn harvest(&self, events: &[(Key, u32)]) {
        let events = events.iter().map(|&(key, flags)| Event { key, flags }).collect();
        self.harvests.lock().unwrap().push_back(events);
    }

    pub(crate) fn set_level(&self, level: Level) {
        *self.level.lock().unwrap() = level;
    }

    pub(crate) fn during_modify(&self, during: impl Fn() + Send + Sync + 'static) {
        assert!(self.during_modify.set(During(Box::new(during))).is_ok(), "it is set once");
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn fd(&self) -> Option<i32> {
        None
    }

    pub(crate) fn rebuild(&self) -> io::Result<()> {
        Ok(())
    }

    fn ctl(
        &self,
        op: Op,
        source: &Registration,
        flags: u32,
        data: u64,
        call: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        trace::ctl_begin(op, EPOLL_FD, source.number(), EVENT_FD, flags, data);
        let result = call().and_then(|()| match *self.fails.lock().unwrap() {
            Some(kind) => Err(kind.into()),
            None => Ok(()),
        });
        trace::ctl_end(op, EPOLL_FD, source.number(), EVENT_FD, &result);
        result
    }

    pub(crate) fn add(
        &self,
        source: &Registration,
        key: Key,
        _: Interest,
        arming: &Arming,
    ) -> io::Result<()> {
        let flags = super::flags::READ | super::flags::EDGE;
        self.ctl(Op::Add, source, flags, key.0, || arming.call(|| Ok(())))
    }

    pub(crate) fn modify(
        &self,
        source: &Registration,
        key: Key,
        interest: Interest,
        arming: &Arming,
    ) -> io::Result<()> {
        let modified = || {
            self.modified.lock().unwrap().push((key, interest));
            if let Some(During(during)) = self.during_modify.get() {
                during();
            }
            Ok(())
        };
        self.ctl(Op::Mod, source, super::flags::READ, key.0, || arming.call(modified))
    }

    pub(crate) fn delete(&self, source: &Registration) -> io::Result<()> {
        self.ctl(Op::Del, source, 0, 0, || Ok(()))
    }

    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        trace::wait_begin(EPOLL_FD, timeout);
        let harvest = self.harvests.lock().unwrap().pop_front().unwrap_or_default();
        let waited = Ok(harvest.len());
        trace::wait_return(EPOLL_FD, &waited);
        for (index, &event) in harvest.iter().enumerate() {
            trace::wait_entry(index, event.flags, event.key.0);
            events.list.push(event);
        }
        trace::wait_end(EPOLL_FD, &waited);
        waited.map(drop)
    }

    pub(crate) fn notify(&self) {
        trace::notify(EPOLL_FD, EVENT_FD);
    }

    pub(crate) fn level(&self, _: &Registration, _: Direction) -> io::Result<Level> {
        Ok(*self.level.lock().unwrap())
    }
}
