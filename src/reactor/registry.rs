//! The table of registered sources.

use std::mem::offset_of;
use std::sync::Arc;

use ticks_format::published::{offset, reactor as word};
use ticks_format::Key;

use crate::poller::GENERATION_MASK;
use crate::published;
use crate::reactor::source::Source;
use crate::sync::Mutex;

/// Marks the end of the free list, and a descriptor that nobody registered.
const NOBODY: u32 = u32::MAX;

/// Descriptors above this are not followed; they are sockets of Windows, whose numbers are sparse.
const FOLLOWED_MAX: i64 = 1 << 22;

/// The registered sources by key, and by descriptor.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Holding it grants the right to give out and take back keys. No system call is made under it.
    /// Locked before a source's `Readiness`, never after.
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    entries: Vec<Entry>,
    free: u32,
    /// Which index registered a descriptor last. When its owner is closed behind our back and the
    /// number comes again, the old source must not deregister the new one's descriptor.
    owners: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    source: Option<Arc<Source>>,
    generation: u32,
    next_free: u32,
}

impl Table {
    /// Whose descriptor `fd` is; `None` if it is not followed.
    #[inline]
    fn owner_mut(&mut self, fd: i64) -> Option<&mut u32> {
        let index = usize::try_from(fd).ok().filter(|_| fd < FOLLOWED_MAX)?;
        if index >= self.owners.len() {
            self.grow(index + 1);
        }
        self.owners.get_mut(index)
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.owners.resize(len, NOBODY);
    }
}

impl Registry {
    pub(crate) fn new() -> Registry {
        let table = Table { entries: Vec::new(), free: NOBODY, owners: Vec::new() };
        Registry { table: Mutex::new(table) }
    }

    /// Says what an entry is like to readers of this memory. Returns where the entries are.
    pub(crate) fn publish(&self, to: &published::Table) -> u64 {
        to.set(word::ENTRY_BYTES, size_of::<Entry>());
        // `None` is null, as there is no other room for it.
        const { assert!(size_of::<Option<Arc<Source>>>() == size_of::<usize>()) };
        to.set(word::ENTRY_SOURCE, offset_of!(Entry, source));
        to.set(word::ENTRY_GENERATION, offset_of!(Entry, generation));
        Source::publish(to);
        offset(self, &self.table.lock().entries)
    }

    /// Gives the source a key, and descriptor `fd` to the key if nobody has it. Returns whether that
    /// was so.
    pub(crate) fn insert(&self, source: Arc<Source>, fd: i64) -> (Key, bool) {
        let mut table = self.table.lock();
        let index = match table.free {
            NOBODY => {
                table.entries.push(Entry { source: None, generation: 0, next_free: NOBODY });
                (table.entries.len() - 1) as u32
            }
            free => {
                table.free = table.entries[free as usize].next_free;
                free
            }
        };
        let entry = &mut table.entries[index as usize];
        entry.source = Some(source);
        let key = Key::new(index, entry.generation);
        let owned = match table.owner_mut(fd) {
            Some(owner) if *owner != NOBODY => false,
            Some(owner) => {
                *owner = index;
                true
            }
            None => true,
        };
        (key, owned)
    }

    /// The poller has accepted descriptor `fd` under this key, although another source had it. Returns
    /// that source. Its own descriptor is closed, or it is another registration of this descriptor,
    /// which is about to be refused.
    pub(crate) fn claim(&self, key: Key, fd: i64) -> Option<Arc<Source>> {
        let mut table = self.table.lock();
        match std::mem::replace(table.owner_mut(fd)?, key.index()) {
            NOBODY => None,
            index => table.entries[index as usize].source.clone(),
        }
    }

    /// Calls `deliver` with the source of an event; `None` if it was removed.
    ///
    /// The table stays locked meanwhile. That keeps the source alive, and costs less than cloning its
    /// `Arc`. So `deliver` must be short and must not use the registry.
    #[inline]
    pub(crate) fn with<R>(&self, key: Key, deliver: impl FnOnce(&Arc<Source>) -> R) -> Option<R> {
        let table = self.table.lock();
        let entry = table.entries.get(key.index() as usize)?;
        let source = entry.source.as_ref().filter(|_| entry.generation == key.generation())?;
        Some(deliver(source))
    }

    /// Takes the key back, and the descriptor `fd` if it is still this source's.
    pub(crate) fn remove(&self, key: Key, fd: i64) {
        let mut table = self.table.lock();
        let free = table.free;
        let Some(entry) = table.entries.get_mut(key.index() as usize) else { return };
        if entry.generation != key.generation() {
            return;
        }
        let source = entry.source.take();
        entry.generation = entry.generation.wrapping_add(1) & GENERATION_MASK;
        entry.next_free = free;
        table.free = key.index();
        match table.owners.get_mut(usize::try_from(fd).unwrap_or(usize::MAX)) {
            Some(owner) if *owner == key.index() => *owner = NOBODY,
            _ => {}
        }
        drop(table);
        // The caller owns the source too, so this drop never runs destructors.
        drop(source);
    }

    /// All sources, for a poller that starts anew.
    pub(crate) fn all(&self) -> Vec<Arc<Source>> {
        let table = self.table.lock();
        table.entries.iter().filter_map(|entry| entry.source.clone()).collect()
    }

    /// All sources, unless somebody is at work on the table.
    pub(crate) fn try_all(&self) -> Option<Vec<Arc<Source>>> {
        let table = self.table.try_lock()?;
        Some(table.entries.iter().filter_map(|entry| entry.source.clone()).collect())
    }
}
