//! The table of registered sources.

use std::sync::Arc;

use ticks_format::Key;

use crate::poller::GENERATION_MASK;
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

impl Registry {
    pub(crate) fn new() -> Registry {
        let table = Table { entries: Vec::new(), free: NOBODY, owners: Vec::new() };
        Registry { table: Mutex::new(table) }
    }

    /// Gives the source a key.
    pub(crate) fn insert(&self, source: Arc<Source>) -> Key {
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
        Key::new(index, entry.generation)
    }

    /// The poller has accepted descriptor `fd` under this key. Returns the source that held the same
    /// number: its own descriptor is gone, or the poller would have refused this one.
    pub(crate) fn claim(&self, key: Key, fd: i64) -> Option<Arc<Source>> {
        if !(0..FOLLOWED_MAX).contains(&fd) {
            return None;
        }
        let mut table = self.table.lock();
        let fd = fd as usize;
        if table.owners.len() <= fd {
            table.owners.resize(fd + 1, NOBODY);
        }
        match std::mem::replace(&mut table.owners[fd], key.index()) {
            NOBODY => None,
            index => table.entries[index as usize].source.clone(),
        }
    }

    /// Whether the descriptor `fd` is still this key's.
    pub(crate) fn owns(&self, key: Key, fd: i64) -> bool {
        let table = self.table.lock();
        let owner = usize::try_from(fd).ok().and_then(|fd| table.owners.get(fd));
        owner.map_or(!(0..FOLLOWED_MAX).contains(&fd), |&owner| owner == key.index())
    }

    /// The source of an event; `None` if it was removed.
    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<Arc<Source>> {
        let table = self.table.lock();
        let entry = table.entries.get(key.index() as usize)?;
        entry.source.clone().filter(|_| entry.generation == key.generation())
    }

    /// Takes the key back. Returns whether the descriptor `fd` is still this source's to deregister.
    pub(crate) fn remove(&self, key: Key, fd: i64) -> bool {
        let mut table = self.table.lock();
        let free = table.free;
        let Some(entry) = table.entries.get_mut(key.index() as usize) else { return false };
        if entry.generation != key.generation() {
            return false;
        }
        let source = entry.source.take();
        entry.generation = entry.generation.wrapping_add(1) & GENERATION_MASK;
        entry.next_free = free;
        table.free = key.index();
        let owned = match table.owners.get_mut(usize::try_from(fd).unwrap_or(usize::MAX)) {
            Some(owner) if *owner == key.index() => {
                *owner = NOBODY;
                true
            }
            Some(_) => false,
            None => true,
        };
        drop(table);
        // The caller holds the source as well, so this is never the drop that runs destructors.
        drop(source);
        owned
    }

    /// All sources, for a poller that starts anew.
    pub(crate) fn all(&self) -> Vec<Arc<Source>> {
        let table = self.table.lock();
        table.entries.iter().filter_map(|entry| entry.source.clone()).collect()
    }
}
