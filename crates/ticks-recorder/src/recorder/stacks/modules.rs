//! The modules that code of this process is in, and how their frames are unwound.
//!
//! The list is never changed: when libraries come or go another one takes its place, and each thread takes
//! that up when it next needs one. What describes the frames is the list's own, so that a thread may go
//! on with an old list for as long as it likes.
//!
//! A module keeps its number for as long as the process, after it was unloaded too, and gets it again if
//! it comes back to the same place.

use std::ops::Range;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use ticks_format::layout::{counter, Section};
use ticks_format::Module;

use super::loaded::{self, Changes, Loaded, Snapshot};
use super::unwind::{Described, Rules};
use crate::forks;
use crate::recorder::current::Recorder;
use crate::recorder::{strings, table};

/// The modules at one moment.
pub(super) struct Modules {
    /// Which list of this process's it is; each has a number of its own.
    pub(super) generation: u64,
    changes: Changes,
    /// In which fork it was made.
    forks: u32,
    /// By their places.
    list: Vec<Listed>,
    pub(super) rules: Rules,
}

/// A module of the list.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    at: Range<u64>,
    code: Range<u64>,
    pub(super) bias: u64,
    pub(super) number: u16,
    /// Whether its frames are described.
    pub(super) is_described: bool,
}

impl Modules {
    /// The module that this address is code of.
    pub(super) fn of_code(&self, address: u64) -> Option<&Listed> {
        let behind = self.list.partition_point(|module| module.at.start <= address);
        let module = self.list.get(behind.checked_sub(1)?)?;
        module.code.contains(&address).then_some(module)
    }
}

/// What the process knows of modules.
#[derive(Default)]
struct Known {
    current: Option<Arc<Modules>>,
    /// Every module that was ever seen, as the recording has it; a module's number is one more than its
    /// index here.
    seen: Vec<Seen>,
    described: Vec<(Range<u64>, Described)>,
}

struct Seen {
    path: PathBuf,
    module: Module,
}

/// Holding it grants the right to change what is known. Who finds it held goes on with what it has. A
/// forked child whose parent was at it never gets it, and takes no stacks.
static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// The number of the list in `KNOWN`. Release when there is a new one, Acquire where it is compared.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The number of the newest list.
#[inline(always)]
pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

fn with_known<T>(then: impl FnOnce(&mut Known) -> T) -> Option<T> {
    let mut known = match KNOWN.try_lock() {
        Ok(known) => known,
        // A list is put in place when it is whole.
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    Some(then(known.get_or_insert_with(Known::default)))
}

/// The newest list, after another look at what is loaded. `None`: somebody else is at it.
#[cold]
pub(super) fn newest(recorder: &Recorder, time: u64) -> Option<Arc<Modules>> {
    with_known(|known| {
        match &known.current {
            Some(current) if current.is_up_to_date() => {}
            _ => known.renew(recorder, time),
        }
        known.current.clone()
    })?
}

impl Modules {
    /// A forked child does not look: another thread of its parent may have held the system's lock when it
    /// was forked, and would hold it in the child for ever. It knows what its parent knew.
    pub(super) fn is_up_to_date(&self) -> bool {
        self.forks != forks::count() || self.changes == loaded::changes()
    }
}

/// Writes the modules that are known to a recording that has just been made, a forked child's.
pub(super) fn begin(recorder: &Recorder) {
    with_known(|known| {
        for (index, seen) in known.seen.iter_mut().enumerate() {
            seen.write(recorder, index);
        }
    });
}

impl Known {
    fn renew(&mut self, recorder: &Recorder, time: u64) {
        let Some(snapshot) = loaded::snapshot() else { return };
        let mut rules = Rules::new();
        let (mut list, mut described) = (Vec::new(), Vec::new());
        for loaded in &snapshot.modules {
            if loaded.at.is_empty() {
                continue;
            }
            let number = self.number(recorder, &snapshot, loaded, time);
            let frames = loaded.frames.as_ref().map(|it| self.describe(&snapshot, &loaded.at, it));
            let Loaded { at, code, bias, .. } = loaded.clone();
            let is_described = frames.is_some();
            if let Some(frames) = frames {
                rules.add(&at, bias, &code, frames.clone());
                described.push((at.clone(), frames));
            }
            list.push(Listed { at, code, bias, number, is_described });
        }
        list.sort_by_key(|module| module.at.start);
        let generation = GENERATION.load(Ordering::Relaxed) + 1;
        let (changes, forks) = (snapshot.changes, forks::count());
        self.described = described;
        self.current = Some(Arc::new(Modules { generation, changes, forks, list, rules }));
        GENERATION.store(generation, Ordering::Release);
    }

    /// The descriptions of a module's frames: those that are there already, if they are the same.
    fn describe(
        &self,
        snapshot: &Snapshot,
        at: &Range<u64>,
        frames: &loaded::Described,
    ) -> Described {
        let there =
            self.described.iter().find(|(place, there)| place == at && there.is(snapshot, frames));
        match there {
            Some((_, there)) => there.clone(),
            None => Described::of(snapshot, frames),
        }
    }

    /// The number of the module; 0 if there is none left.
    fn number(
        &mut self,
        recorder: &Recorder,
        snapshot: &Snapshot,
        loaded: &Loaded,
        time: u64,
    ) -> u16 {
        let mut seen = Seen::of(snapshot, loaded, time);
        let index = match self.seen.iter().position(|other| other.is(&seen)) {
            Some(index) => index,
            None => {
                let index = self.seen.len();
                if index as u64 >= recorder.stacks.modules.entries() {
                    recorder.count(counter::MODULES_LEFT_OUT);
                    return 0;
                }
                seen.write(recorder, index);
                self.seen.push(seen);
                index
            }
        };
        u16::try_from(index + 1).unwrap_or(0)
    }
}

impl Seen {
    fn of(snapshot: &Snapshot, loaded: &Loaded, time: u64) -> Seen {
        let path = match snapshot.bytes.get(loaded.path.clone()) {
            Some(path) if !path.is_empty() => {
                PathBuf::from(std::ffi::OsString::from_vec(path.to_vec()))
            }
            _ => std::env::current_exe().unwrap_or_default(),
        };
        let file = rustix::fs::stat(&path).ok();
        // Narrower on some systems.
        #[allow(clippy::unnecessary_cast)]
        let (file_bytes, file_mtime_ns) = file.map_or((0, 0), |file| {
            let seconds = (file.st_mtime as u64).saturating_mul(1_000_000_000);
            (file.st_size as u64, seconds.saturating_add(file.st_mtime_nsec as u64))
        });
        let module = Module {
            start: loaded.at.start,
            end: loaded.at.end,
            bias: loaded.bias,
            path: 0,
            build_id: loaded.build_id().to_vec(),
            file_bytes,
            file_mtime_ns,
            since: time,
        };
        Seen { path, module }
    }

    /// Whether this is the same module at the same place.
    fn is(&self, other: &Seen) -> bool {
        let (ours, theirs) = (&self.module, &other.module);
        let place = |module: &Module| (module.start, module.end, module.bias);
        let file = |module: &Module| (module.file_bytes, module.file_mtime_ns);
        place(ours) == place(theirs)
            && self.path == other.path
            && ours.build_id == theirs.build_id
            && (!ours.build_id.is_empty() || file(ours) == file(theirs))
    }

    fn write(&mut self, recorder: &Recorder, index: usize) {
        let section: &Section = &recorder.stacks.modules;
        let offset = (section.offset + index as u64 * section.entry_bytes) as usize;
        let len = section.entry_bytes as usize;
        if index as u64 >= section.entries() || !recorder.map.reserve_all(offset, len) {
            return recorder.count(counter::MODULES_LEFT_OUT);
        }
        let strings = recorder.places.section();
        self.module.path = strings::append(strings, &recorder.map, &self.path.to_string_lossy());
        table::put(recorder.map.words(offset, len), &self.module.words());
    }
}
