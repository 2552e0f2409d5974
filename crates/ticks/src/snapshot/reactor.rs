//! A reactor's sources, waits and timers, and the threads in `block_on`, from the memory.

use ticks_format::published::reactor as word;
use ticks_format::{Direction, Key, Ticks};

use super::executor::text;
use super::read::{settled, u32_at, u64_at, u8_at, Torn, Vector};
use super::tables::Table;
use crate::memory::{Memory, Unreadable};

/// A reactor at one moment.
#[derive(Debug)]
pub struct Reactor {
    /// The number of its latest round.
    pub tick: u64,
    /// Those that are registered.
    pub sources: Vec<Source>,
    /// The armed timers.
    pub timers: Vec<Timer>,
    /// The threads that have been in `block_on`.
    pub threads: Vec<Thread>,
    /// How much could not be read whole.
    pub torn: u64,
}

/// A registered source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its key.
    pub key: Key,
    /// Where it is, and what a pointer to what is shared points to.
    pub addresses: [u64; 2],
    /// Its descriptor.
    pub fd: i64,
    /// What is known of reading from it and of writing to it.
    pub directions: [Seen; 2],
    /// Who waits for it.
    pub waits: Vec<Wait>,
}

/// What a direction of a source has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The round of its last event; 0: there was none.
    pub tick: u64,
    /// Whether that event came while nobody waited, and nobody has asked since.
    pub unasked: bool,
}

/// One who waits for a direction of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Which.
    pub dir: Direction,
    /// The waiter's number.
    pub waiter: u64,
    /// What it remembers of the moment its wait began.
    pub ticks: Ticks,
    /// Whom to wake; none: it was woken and has not asked since.
    pub waker: Option<Waker>,
}

/// A timer that is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// Its number.
    pub id: u64,
    /// When it is due by the reactor's clock.
    pub deadline_ns: u64,
    /// Whom to wake.
    pub waker: Option<Waker>,
}

/// A waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waker {
    /// Its data pointer.
    pub data: u64,
    /// Where its table of functions is.
    pub table: u64,
}

/// A thread that has been in `block_on`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The data pointer of its wakers.
    pub waker: u64,
    /// The system's number.
    pub tid: u64,
    /// Whether it is in `block_on` now.
    pub inside: bool,
    /// What it does there.
    pub state: ThreadState,
    /// The address of its future.
    pub future: u64,
    /// That of the function that drops such a future.
    pub drops: u64,
    /// The type of the future.
    pub name: Option<String>,
}

/// What a thread in `block_on` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadState {
    /// It polls its future.
    Runs,
    /// Its future is to be polled.
    Woken,
    /// It sleeps in line for the driver lock.
    Parks,
    /// It waits in the poller.
    Drives,
}

/// Reads the reactor of a table; none: none was made yet.
pub fn read(memory: &dyn Memory, table: &Table) -> Result<Option<Reactor>, Unreadable> {
    let latest = memory.u64(table.get(word::LATEST))?;
    if latest == 0 {
        return Ok(None);
    }
    // A forked child has its parent's until it makes its own.
    let forks = memory.u32(table.get(word::FORKS))?;
    if memory.u32(latest + table.get(word::LATEST_FORKS))? != forks {
        return Ok(None);
    }
    let reader = Reader { memory, table, reactor: latest + table.get(word::LATEST_REACTOR) };
    let mut reactor = Reactor {
        tick: 0,
        sources: Vec::new(),
        timers: Vec::new(),
        threads: reader.threads(forks).unwrap_or_default(),
        torn: 0,
    };
    reader.sources(&mut reactor);
    match settled(|| reader.timers()) {
        Ok(timers) => reactor.timers = timers,
        // While it works on its timers all the time, those of one look are better than none.
        Err(Torn) => match reader.timers() {
            Ok(timers) => {
                reactor.torn += 1;
                reactor.timers = timers;
            }
            Err(Torn) => reactor.torn += 1,
        },
    }
    // After the waits: none of them began in a later round.
    reactor.tick = memory.u64(reader.reactor + table.get(word::TICK))?;
    Ok(Some(reactor))
}

struct Reader<'a> {
    memory: &'a dyn Memory,
    table: &'a Table,
    reactor: u64,
}

impl Reader<'_> {
    fn get(&self, word: usize) -> u64 {
        self.table.get(word)
    }

    fn vector(&self, address: u64) -> Result<Vector, Torn> {
        Vector::read(self.memory, address, [self.get(word::VEC_ELEMENTS), self.get(word::VEC_LEN)])
    }

    fn waker(&self, bytes: &[u8], at: u64) -> Result<Option<Waker>, Torn> {
        let table = u64_at(bytes, at + self.get(word::WAKER_TABLE))?;
        let data = u64_at(bytes, at + self.get(word::WAKER_DATA))?;
        Ok((table != 0).then_some(Waker { data, table }))
    }

    fn sources(&self, reactor: &mut Reactor) {
        let entries = || self.vector(self.reactor + self.get(word::ENTRIES));
        // Others may come and go meanwhile. An entry that is gone, or whose vector moved, is read anew.
        let Ok(len) = settled(entries).map(|entries| entries.len) else {
            reactor.torn += 1;
            return;
        };
        for index in 0..len {
            match settled(|| self.source(entries()?, index)) {
                Ok(source) => reactor.sources.extend(source),
                Err(Torn) => reactor.torn += 1,
            }
        }
    }

    /// The source of an entry, if the entry has one.
    fn source(&self, entries: Vector, index: u64) -> Result<Option<Source>, Torn> {
        if index >= entries.len {
            return Ok(None);
        }
        let entry = entries.elements + index * self.get(word::ENTRY_BYTES);
        let shared = self.memory.u64(entry + self.get(word::ENTRY_SOURCE))?;
        if shared == 0 {
            return Ok(None);
        }
        let generation = self.memory.u32(entry + self.get(word::ENTRY_GENERATION))?;
        let address = shared + self.get(word::SHARED_SOURCE);
        let key = Key(self.memory.u64(address.wrapping_add(self.get(word::SOURCE_KEY)))?);
        if u64::from(key.index()) != index || key.generation() != generation {
            return Err(Torn);
        }
        let fd = self.memory.u32(address.wrapping_add(self.get(word::SOURCE_FD)))? as i32;
        let (mut waits, mut directions) = (Vec::new(), [Seen::default(); 2]);
        for dir in [Direction::Read, Direction::Write] {
            let at = dir as u64 * self.get(word::DIRECTION_BYTES);
            let direction = address.wrapping_add(self.get(word::DIRECTIONS)).wrapping_add(at);
            directions[dir as usize] = Seen {
                tick: self.memory.u64(
                    address.wrapping_add(self.get(word::SOURCE_TICKS)).wrapping_add(dir as u64 * 8),
                )?,
                unasked: self
                    .memory
                    .u8(direction.wrapping_add(self.get(word::DIRECTION_UNCLAIMED)))?
                    == 1,
            };
            let pointer =
                self.memory.u64(direction.wrapping_add(self.get(word::DIRECTION_WAITS)))?;
            if pointer != 0 {
                self.waits(dir, pointer, &mut waits)?;
            }
        }
        Ok(Some(Source { key, addresses: [address, shared], fd: fd.into(), directions, waits }))
    }

    fn waits(&self, dir: Direction, waits: u64, found: &mut Vec<Wait>) -> Result<(), Torn> {
        let first_id = u64::from(self.memory.u32(waits + self.get(word::WAITS_FIRST_ID))?);
        let mut wait = vec![0; self.get(word::WAIT_BYTES).min(4096) as usize];
        for (place, waiter) in [(word::WAITS_SHARED, 0), (word::WAITS_FIRST, first_id)] {
            self.memory.read(waits + self.get(place), &mut wait)?;
            found.extend(self.wait(dir, &wait, waiter)?);
        }
        let bytes = wait.len() as u64;
        let more = self.vector(waits + self.get(word::WAITS_MORE))?;
        for (wait, number) in more.bytes(self.memory, bytes)?.chunks_exact(bytes as usize).zip(1..)
        {
            found.extend(self.wait(dir, wait, first_id + number)?);
        }
        let ticks =
            found.iter().find(|wait| wait.waiter == 0 && wait.dir == dir).map(|it| it.ticks);
        let bytes = self.get(word::OTHER_BYTES).max(1);
        let others = self.vector(waits + self.get(word::WAITS_OTHERS))?;
        for other in others.bytes(self.memory, bytes)?.chunks_exact(bytes as usize) {
            let waker = self.waker(other, self.get(word::OTHER_WAKER))?;
            found.push(Wait { dir, waiter: 0, ticks: ticks.unwrap_or_default(), waker });
        }
        Ok(())
    }

    fn wait(&self, dir: Direction, bytes: &[u8], waiter: u64) -> Result<Option<Wait>, Torn> {
        if u8_at(bytes, self.get(word::WAIT_BEGUN))? > 1 {
            return Ok(None);
        }
        let ticks = Ticks {
            a: u64_at(bytes, self.get(word::WAIT_TICK_A))?,
            b: u64_at(bytes, self.get(word::WAIT_TICK_B))?,
        };
        let waker = self.waker(bytes, self.get(word::WAIT_WAKER))?;
        Ok(Some(Wait { dir, waiter, ticks, waker }))
    }

    fn timers(&self) -> Result<Vec<Timer>, Torn> {
        let heap = self.vector(self.reactor + self.get(word::HEAP))?;
        let slots = self.vector(self.reactor + self.get(word::SLOTS))?;
        let [entry_bytes, slot_bytes] =
            [word::HEAP_BYTES, word::SLOT_BYTES].map(|bytes| self.get(bytes).max(1));
        let entries = heap.bytes(self.memory, entry_bytes)?;
        let all_slots = slots.bytes(self.memory, slot_bytes)?;
        let mut timers = Vec::new();
        for entry in entries.chunks_exact(entry_bytes as usize) {
            let slot = u64::from(u32_at(entry, self.get(word::HEAP_SLOT))?);
            if slot >= slots.len {
                return Err(Torn);
            }
            let at = slot * slot_bytes;
            let id = u64_at(&all_slots, at + self.get(word::SLOT_ID))?;
            if id == 0 {
                return Err(Torn);
            }
            let deadline_ns = u64_at(entry, self.get(word::HEAP_DEADLINE_NS))?;
            let waker = self.waker(&all_slots, at + self.get(word::SLOT_WAKER))?;
            timers.push(Timer { id, deadline_ns, waker });
        }
        timers.sort_by_key(|timer| (timer.deadline_ns, timer.id));
        Ok(timers)
    }

    fn threads(&self, forks: u32) -> Result<Vec<Thread>, Torn> {
        let place = self.get(word::DRIVERS);
        let drivers = if place == 0 { 0 } else { self.memory.u64(place)? };
        if drivers == 0 || self.memory.u32(drivers + self.get(word::DRIVERS_FORKS))? != forks {
            return Ok(Vec::new());
        }
        settled(|| {
            let list = self.vector(drivers + self.get(word::DRIVERS_THREADS))?;
            let pointers = list.bytes(self.memory, 8)?;
            pointers.chunks_exact(8).map(|pointer| self.thread(u64_at(pointer, 0)?)).collect()
        })
    }

    fn thread(&self, shared: u64) -> Result<Thread, Torn> {
        let waker = shared + self.get(word::SHARED_THREAD);
        let state = match self.memory.u8(waker + self.get(word::THREAD_STATE))? {
            0 => ThreadState::Runs,
            1 => ThreadState::Woken,
            2 => ThreadState::Parks,
            3 => ThreadState::Drives,
            _ => return Err(Torn),
        };
        let at = |word: usize| self.memory.u64(waker + self.get(word));
        let name = text(self.memory, at(word::THREAD_NAME)?, at(word::THREAD_NAME_LEN)?);
        Ok(Thread {
            future: at(word::THREAD_FUTURE)?,
            drops: at(word::THREAD_DROPS)?,
            name: name.filter(|name| !name.is_empty()),
            waker,
            tid: self.memory.u64(waker + self.get(word::THREAD_NUMBER))?,
            inside: self.memory.u8(waker + self.get(word::THREAD_INSIDE))? == 1,
            state,
        })
    }
}
