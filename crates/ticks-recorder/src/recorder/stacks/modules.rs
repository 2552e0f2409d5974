//! The modules that code of this process is in, and how their frames are described.
//!
//! A list never changes. When libraries are loaded or unloaded, a new list replaces it, and each thread
//! takes the new one when it next needs a list. A list owns the descriptions of the frames, so a thread
//! may use an old list for any time.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use super::cfi::Tables;
use super::described::Described;
use super::loaded::{self, Changes, Loaded, Snapshot};
use super::numbers::{self, Seen};
use crate::forks;
use crate::recorder::current::Recorder;

/// The modules at one moment.
pub(super) struct Modules {
    /// The number of this list in this process. 0: a list that only one thread has.
    pub(super) generation: u64,
    changes: Changes,
    /// In which fork it was made.
    forks: u32,
    /// By their places.
    list: Vec<Listed>,
}

/// A module of the list.
pub(super) struct Listed {
    at: Range<u64>,
    code: Range<u64>,
    pub(super) bias: u64,
    /// Its number in recordings; 0: it has none.
    pub(super) number: u16,
    seen: Arc<Seen>,
    described: Option<Described>,
}

impl Listed {
    /// Whether this address is code of it.
    pub(super) fn is_code(&self, address: u64) -> bool {
        self.code.contains(&address)
    }

    /// How its frames are described, if they are.
    pub(super) fn tables(&self) -> Option<Tables<'_>> {
        self.described.as_ref().map(Described::tables)
    }
}

impl Modules {
    /// The module that this address is code of.
    pub(super) fn of_code(&self, address: u64) -> Option<&Listed> {
        let behind = self.list.partition_point(|module| module.at.start <= address);
        let module = self.list.get(behind.checked_sub(1)?)?;
        module.is_code(address).then_some(module)
    }

    /// An address of code without the signature that the processor may have put into it.
    pub(super) fn strip(&self, address: u64) -> u64 {
        #[cfg(target_arch = "x86_64")]
        return address;
        #[cfg(target_arch = "aarch64")]
        {
            let highest = self.list.last().map_or(u64::MAX, |module| module.at.end);
            address & u64::MAX >> highest.leading_zeros()
        }
    }

    /// Whether what is loaded is what it says.
    ///
    /// A forked child does not look: another thread of its parent may have held the system's lock when it
    /// was forked, and would hold it in the child for ever. It knows what its parent knew.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.forks != forks::count() || self.changes == loaded::changes()
    }
}

/// The newest list. Holding it grants the right to take it or to put another one in its place, nothing else.
static CURRENT: Mutex<Option<Arc<Modules>>> = Mutex::new(None);

/// The number of the newest list. Release when there is a new one, Acquire where it is compared.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The number of the newest list.
#[inline(always)]
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

/// Tries to take a lock, and does not wait for it: its holder may not be running. `None`: another thread has
/// it.
pub(super) fn try_lock<T>(mutex: &'static Mutex<T>) -> Option<MutexGuard<'static, T>> {
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            // A panic leaves what these guard consistent.
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
}

/// The newest list, after another look at what is loaded. `None`: what is loaded does not stand still.
#[cold]
pub(super) fn newest(recorder: &Recorder, time: u64) -> Option<Arc<Modules>> {
    let there = try_lock(&CURRENT).and_then(|current| current.clone());
    match there {
        Some(there) if there.is_up_to_date() => Some(there),
        there => make(recorder, there, time),
    }
}

/// Makes a list of what is loaded now, and puts it in its place. Several threads may come here at once, and
/// do all of it side by side.
fn make(recorder: &Recorder, before: Option<Arc<Modules>>, time: u64) -> Option<Arc<Modules>> {
    let snapshot = loaded::snapshot()?;
    let before = before.as_ref().map_or(&[][..], |before| &before.list);
    let mut is_numbered = true;
    let mut list = Vec::with_capacity(snapshot.modules.len());
    for loaded in snapshot.modules.iter().filter(|loaded| !loaded.at.is_empty()) {
        let mut seen = Seen::of(&snapshot, loaded, time);
        let number = match before.iter().find(|listed| listed.seen.is(&seen)) {
            Some(listed) => {
                seen = listed.seen.clone();
                listed.number
            }
            None => numbers::number(recorder, &mut seen).unwrap_or_else(|| {
                is_numbered = false;
                0
            }),
        };
        let described = describe(before, &snapshot, loaded);
        let Loaded { at, code, bias, .. } = loaded.clone();
        list.push(Listed { at, code, bias, number, seen, described });
    }
    list.sort_by_key(|module| module.at.start);
    let (changes, forks) = (snapshot.changes, forks::count());
    let mut made = Modules { generation: 0, changes, forks, list };
    let current = if is_numbered { try_lock(&CURRENT) } else { None };
    let Some(mut current) = current else { return Some(Arc::new(made)) };
    if let Some(newer) = current.as_ref().filter(|there| there.changes >= changes) {
        return Some(newer.clone());
    }
    // Only the holder of the lock changes it.
    made.generation = GENERATION.load(Ordering::Relaxed) + 1;
    let made = Arc::new(made);
    let before = current.replace(made.clone());
    GENERATION.store(made.generation, Ordering::Release);
    drop(current);
    // Dropped after the unlock: this may be the last owner, and the drop takes a while.
    drop(before);
    Some(made)
}

/// The descriptions of a module's frames: those of the list before, if they are the same.
fn describe(before: &[Listed], snapshot: &Snapshot, loaded: &Loaded) -> Option<Described> {
    let frames = loaded.frames.as_ref()?;
    let there = before.iter().filter(|listed| listed.at == loaded.at);
    let mut described = there.filter_map(|listed| listed.described.as_ref());
    let same = described.find(|described| described.is(snapshot, frames));
    Some(same.cloned().unwrap_or_else(|| Described::of(snapshot, frames)))
}
