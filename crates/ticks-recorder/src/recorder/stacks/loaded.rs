//! What the system has loaded: the program and its libraries, and the descriptions of their frames.
//!
//! A library may be unloaded at any time by another thread. The system keeps all of them in place only
//! while it calls back here. So the callback copies everything that is needed later, and nobody reads
//! memory of a library that was unloaded. The program itself is never unloaded, and its descriptions,
//! the largest by far, are read where they are.
//!
//! While the system calls back it holds a lock. So the callback allocates nothing: the allocator may be
//! the program's own code. If there is too little room, it counts what it needs, and the next try has
//! that room.
//!
//! This file may contain `unsafe`: the system's call, and the memory that it names.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::ops::Range;
use std::os::raw::{c_int, c_void};
use std::slice;

use ticks_format::stacks::BUILD_ID_MAX;

use super::elf;

/// The most descriptions that are copied, in bytes. A library that finds no room has none here.
const BYTES_MAX: usize = 64 << 20;

/// How often it is tried: libraries may come while room is made.
const ATTEMPTS: u32 = 4;

/// How often libraries were loaded and unloaded so far. Neither ever falls, so that what is greater is later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Changes {
    loaded: u64,
    unloaded: u64,
}

/// A module as it is loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct Loaded {
    /// Where it is, in memory.
    pub(super) at: Range<u64>,
    /// Where its code is.
    pub(super) code: Range<u64>,
    /// Address in memory less address in its file.
    pub(super) bias: u64,
    /// Its path, in the snapshot's bytes; empty: the program's, which the system does not say.
    pub(super) path: Range<usize>,
    build_id: [u8; BUILD_ID_MAX],
    build_id_len: usize,
    pub(super) frames: Option<Described>,
}

impl Loaded {
    pub(super) fn build_id(&self) -> &[u8] {
        &self.build_id[..self.build_id_len]
    }
}

/// Where a module's frames are described: the index, and the descriptions.
#[derive(Clone, Debug)]
pub(super) struct Described {
    /// The index's address.
    pub(super) index_at: u64,
    pub(super) index: Bytes,
    /// The descriptions' address.
    pub(super) frames_at: u64,
    pub(super) frames: Bytes,
}

/// Some of a module's bytes.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    /// The program's, where they are.
    Program(&'static [u8]),
    /// A copy, in the snapshot's bytes.
    Copied(Range<usize>),
}

/// All modules at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) changes: Changes,
    pub(super) modules: Vec<Loaded>,
    pub(super) bytes: Vec<u8>,
}

/// How often libraries were loaded and unloaded so far.
pub(super) fn changes() -> Changes {
    unsafe extern "C" fn first(
        info: *mut libc::dl_phdr_info,
        size: libc::size_t,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: the system hands over a module's description and our own place.
        unsafe { *data.cast::<Changes>() = changes_in(&*info, size) };
        1
    }
    let mut changes = Changes::default();
    // SAFETY: the function keeps to what it is given, and the place outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first), (&mut changes as *mut Changes).cast()) };
    changes
}

/// A system that does not count says 0, always.
fn changes_in(info: &libc::dl_phdr_info, size: usize) -> Changes {
    match size >= std::mem::size_of::<libc::dl_phdr_info>() {
        true => Changes { loaded: info.dlpi_adds, unloaded: info.dlpi_subs },
        false => Changes::default(),
    }
}

/// All modules as they are now; `None` if they do not stand still.
pub(super) fn snapshot() -> Option<Snapshot> {
    let mut filling = Filling::default();
    for _ in 0..ATTEMPTS {
        filling.make_room();
        // SAFETY: the function keeps to what it is given, and `filling` outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(each), (&mut filling as *mut Filling).cast()) };
        if filling.fits {
            return Some(filling.snapshot);
        }
    }
    None
}

unsafe extern "C" fn each(
    info: *mut libc::dl_phdr_info,
    size: libc::size_t,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the system hands over a module's description and our own `Filling`, which nobody else has.
    let (info, filling) = unsafe { (&*info, &mut *data.cast::<Filling>()) };
    filling.snapshot.changes = changes_in(info, size);
    filling.add(&Headers::of(info));
    0
}

/// A snapshot that is being taken.
#[derive(Debug, Default)]
struct Filling {
    snapshot: Snapshot,
    /// Whether everything found room so far.
    fits: bool,
    /// How much room is wanted.
    modules: usize,
    bytes: usize,
}

impl Filling {
    fn make_room(&mut self) {
        let Filling { snapshot, modules, bytes, .. } = self;
        snapshot.modules.clear();
        snapshot.bytes.clear();
        // Some more, in case that libraries are being loaded.
        snapshot.modules.reserve(*modules + 8);
        snapshot.bytes.reserve(*bytes + (16 << 10));
        (self.fits, self.modules, self.bytes) = (true, 0, 0);
    }

    fn add(&mut self, headers: &Headers<'_>) {
        self.modules += 1;
        let mut loaded = headers.loaded();
        loaded.path = self.copy(headers.path);
        loaded.frames = self.describe(headers);
        let modules = &mut self.snapshot.modules;
        match modules.len() < modules.capacity() {
            true => modules.push(loaded),
            false => self.fits = false,
        }
    }

    fn describe(&mut self, headers: &Headers<'_>) -> Option<Described> {
        let (index_at, index) = headers.index?;
        let frames_at = elf::eh_frame_at(index, index_at)?;
        let frames = headers.bytes_from(frames_at)?;
        if headers.is_program {
            // SAFETY: the program is never unloaded, so its segments are there for as long as the process,
            // and `bytes_from` gives none of a segment that may be stored to.
            let forever =
                |bytes: &[u8]| unsafe { slice::from_raw_parts(bytes.as_ptr(), bytes.len()) };
            let (index, frames) = (Bytes::Program(forever(index)), Bytes::Program(forever(frames)));
            return Some(Described { index_at, index, frames_at, frames });
        }
        let frames = &frames[..elf::eh_frame_len(frames)];
        if self.bytes.saturating_add(index.len() + frames.len()) > BYTES_MAX {
            return None;
        }
        let (index, frames) = (Bytes::Copied(self.copy(index)), Bytes::Copied(self.copy(frames)));
        Some(Described { index_at, index, frames_at, frames })
    }

    fn copy(&mut self, from: &[u8]) -> Range<usize> {
        self.bytes += from.len();
        let bytes = &mut self.snapshot.bytes;
        let begin = bytes.len();
        match from.len() <= bytes.capacity() - begin {
            true => bytes.extend_from_slice(from),
            false => self.fits = false,
        }
        begin..bytes.len()
    }
}

/// A module's headers, while the system calls back.
struct Headers<'a> {
    bias: u64,
    path: &'a [u8],
    segments: &'a [libc::Elf64_Phdr],
    /// The index of its frames' descriptions: where it is, and its bytes.
    index: Option<(u64, &'a [u8])>,
    is_program: bool,
}

impl<'a> Headers<'a> {
    fn of(info: &'a libc::dl_phdr_info) -> Headers<'a> {
        let path = match info.dlpi_name.is_null() {
            true => &[][..],
            // SAFETY: a text that the system ends with a zero byte and keeps while it calls back.
            false => unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes(),
        };
        let segments = match info.dlpi_phdr.is_null() {
            true => &[][..],
            // SAFETY: the module's own table, of that length, in place while the system calls back.
            false => unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) },
        };
        // SAFETY: `getauxval` reads what the kernel gave the program at its start.
        let programs = unsafe { libc::getauxval(libc::AT_PHDR) };
        let is_program = info.dlpi_phdr as u64 == programs;
        let bias = info.dlpi_addr;
        let mut headers = Headers { bias, path, segments, index: None, is_program };
        headers.index = headers.find_index();
        headers
    }

    fn find_index(&self) -> Option<(u64, &'a [u8])> {
        let header = self.segments.iter().find(|it| it.p_type == libc::PT_GNU_EH_FRAME)?;
        let at = self.bias.wrapping_add(header.p_vaddr);
        let bytes = self.bytes_from(at)?;
        let len = usize::try_from(header.p_memsz).ok()?;
        Some((at, bytes.get(..len)?))
    }

    fn in_memory(&self, segment: &libc::Elf64_Phdr, bytes: u64) -> Range<u64> {
        let start = self.bias.wrapping_add(segment.p_vaddr);
        start..start.saturating_add(bytes)
    }

    /// From `at` to the end of the segment that this is in, as far as it was read from the file; `None` if it
    /// is in none that is only read.
    fn bytes_from(&self, at: u64) -> Option<&'a [u8]> {
        let only_read = |it: &&libc::Elf64_Phdr| {
            let flags = it.p_flags & (libc::PF_R | libc::PF_W);
            it.p_type == libc::PT_LOAD && flags == libc::PF_R
        };
        let mut ranges =
            self.segments.iter().filter(only_read).map(|it| self.in_memory(it, it.p_filesz));
        let range = ranges.find(|range| range.contains(&at))?;
        // SAFETY: a loaded segment that may be read and not be stored to, in place while the system calls
        // back, which is as long as `'a`.
        Some(unsafe { slice::from_raw_parts(at as *const u8, (range.end - at) as usize) })
    }

    fn loaded(&self) -> Loaded {
        let mut loaded = Loaded { bias: self.bias, ..Loaded::default() };
        let widen = |range: &mut Range<u64>, by: &Range<u64>| {
            *range = match range.is_empty() {
                true => by.clone(),
                false => range.start.min(by.start)..range.end.max(by.end),
            };
        };
        for segment in self.segments {
            let range = self.in_memory(segment, segment.p_memsz);
            match segment.p_type {
                libc::PT_LOAD => {
                    widen(&mut loaded.at, &range);
                    if segment.p_flags & libc::PF_X != 0 {
                        widen(&mut loaded.code, &range);
                    }
                }
                libc::PT_NOTE if loaded.build_id_len == 0 => {
                    let notes = self.bytes_from(range.start);
                    let notes = notes.and_then(|it| it.get(..segment.p_memsz as usize));
                    let id = notes.and_then(|it| elf::build_id(it, segment.p_align as usize));
                    if let Some(id) = id {
                        let len = id.len().min(BUILD_ID_MAX);
                        loaded.build_id[..len].copy_from_slice(&id[..len]);
                        loaded.build_id_len = len;
                    }
                }
                _ => {}
            }
        }
        loaded
    }
}
