//! The numbers by which recordings know modules.
//!
//! A module keeps its number for as long as the process, after it was unloaded too, and gets it again if
//! it comes back to the same place. A forked child goes on with its parent's numbers.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ticks_format::layout::counter;
use ticks_format::Module;

use super::loaded::{Loaded, Snapshot};
use super::modules::try_lock;
use crate::recorder::current::Recorder;
use crate::recorder::{strings, table};

/// A module as recordings have it.
pub(super) struct Seen {
    path: PathBuf,
    module: Module,
}

/// Every module that was ever seen; a module's number is one more than its index here. Holding it grants the
/// right to number modules and to write them to the recording.
static SEEN: Mutex<Vec<Arc<Seen>>> = Mutex::new(Vec::new());

/// Writes the modules that are known to a recording that has just been made, a forked child's. One whose
/// parent was at them in that moment goes without.
pub(super) fn begin(recorder: &Recorder) {
    let Some(seen) = try_lock(&SEEN) else { return };
    for (index, seen) in seen.iter().enumerate() {
        seen.write(recorder, index);
    }
}

/// The number of the module, 0 if there is none left; and what is known of it already. `None`: another thread
/// is at it.
pub(super) fn number(recorder: &Recorder, module: &mut Arc<Seen>) -> Option<u16> {
    let mut seen = try_lock(&SEEN)?;
    let index = match seen.iter().position(|other| other.is(module)) {
        Some(index) => {
            *module = seen[index].clone();
            index
        }
        None if seen.len() as u64 >= recorder.stacks.modules.entries() => {
            recorder.count(counter::MODULES_LEFT_OUT);
            return Some(0);
        }
        None => {
            module.write(recorder, seen.len());
            seen.push(module.clone());
            seen.len() - 1
        }
    };
    Some(u16::try_from(index + 1).unwrap_or(0))
}

/// Where the program's file is, or was when that was not removed yet.
fn program() -> PathBuf {
    let path = std::env::current_exe().unwrap_or_default();
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(before) => PathBuf::from(OsString::from_vec(before.to_vec())),
        None => path,
    }
}

impl Seen {
    pub(super) fn of(snapshot: &Snapshot, loaded: &Loaded, time: u64) -> Arc<Seen> {
        let path = snapshot.bytes.get(loaded.path.clone()).unwrap_or_default();
        let (path, file) = match path {
            // The program's, of which some systems say nothing and some this.
            b"" | b"/proc/self/exe" => (program(), rustix::fs::stat("/proc/self/exe").ok()),
            path => {
                let path = PathBuf::from(OsString::from_vec(path.to_vec()));
                let file = rustix::fs::stat(&path).ok();
                (path, file)
            }
        };
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
        Arc::new(Seen { path, module })
    }

    /// Whether this is the same module at the same place.
    pub(super) fn is(&self, other: &Seen) -> bool {
        let (ours, theirs) = (&self.module, &other.module);
        let place = |module: &Module| (module.start, module.end, module.bias);
        let file = |module: &Module| (module.file_bytes, module.file_mtime_ns);
        place(ours) == place(theirs)
            && self.path == other.path
            && ours.build_id == theirs.build_id
            && (!ours.build_id.is_empty() || file(ours) == file(theirs))
    }

    fn write(&self, recorder: &Recorder, index: usize) {
        let section = &recorder.stacks.modules;
        let offset = (section.offset + index as u64 * section.entry_bytes) as usize;
        let len = section.entry_bytes as usize;
        if index as u64 >= section.entries() || !recorder.map.reserve_all(offset, len) {
            return recorder.count(counter::MODULES_LEFT_OUT);
        }
        let strings = recorder.places.section();
        let path = strings::append(strings, &recorder.map, &self.path.to_string_lossy());
        let module = Module { path, ..self.module.clone() };
        table::put(recorder.map.words(offset, len), &module.words());
    }
}
