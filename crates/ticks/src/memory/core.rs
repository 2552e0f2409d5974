//! A core dump's memory: the segments of an ELF file (`core(5)`).
//!
//! A dump has what the process has changed. What it has not, code and constants, is in the files of its modules,
//! whose names the dump has too.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};
use object::elf::{FileHeader64, PT_LOAD, PT_NOTE};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadCache};
use ticks_format::ReadAt;

use super::{Mapping, Memory, Unreadable};
use crate::input::open_file;

mod notes;
mod unpack;

use notes::Notes;

/// See the [module](self).
pub struct Core {
    file: File,
    segments: Vec<Segment>,
    mappings: Vec<Mapping>,
    notes: Notes,
    /// What is not in the dump is in these, by the path of the mapping.
    modules: HashMap<PathBuf, File>,
    /// What could not be found or does not fit.
    problems: Vec<String>,
}

/// A part of the memory that is in the dump.
#[derive(Clone, Copy, Debug)]
struct Segment {
    address: u64,
    bytes: u64,
    offset: u64,
    writable: bool,
    executable: bool,
    /// How much there was in the process.
    len: u64,
}

impl Core {
    /// Whether a file begins like a program or a core dump.
    pub fn is_elf(begin: &[u8]) -> bool {
        begin.starts_with(b"\x7fELF")
    }

    /// Whether a file begins like something that is to be unpacked first.
    pub fn is_packed(begin: &[u8]) -> bool {
        unpack::Packed::of(begin).is_some()
    }

    /// Opens a core dump, also one that systemd-coredump has compressed. `program` is the program's file, if it
    /// is not where it ran.
    pub fn open(path: &Path, program: Option<&Path>) -> anyhow::Result<Core> {
        let file = unpack::open(path)?;
        let cache = ReadCache::new(&file);
        let Ok(header) = FileHeader64::<Endianness>::parse(&cache) else {
            let mut begin = [0; 5];
            let got = file.read_up_to(0, &mut begin)?;
            match (Core::is_elf(&begin[..got]), begin[4]) {
                (true, 1) => bail!("is of a 32-bit process; this build reads 64-bit ones"),
                (true, _) => bail!("is an ELF file that is damaged at its beginning"),
                (false, _) => bail!("is no core dump: expected an ELF file"),
            }
        };
        let endian = header.endian().context("its byte order")?;
        if header.e_type(endian) != object::elf::ET_CORE {
            bail!(
                "is a program and no core dump; the program goes to --exe, and its dump to --core"
            );
        }
        if endian != Endianness::Little {
            bail!("is of a big-endian machine; this build reads little-endian ones");
        }
        let (mut segments, mut notes) = (Vec::new(), Notes::default());
        for segment in header.program_headers(endian, &cache).context("its program headers")? {
            match segment.p_type(endian) {
                PT_LOAD => segments.push(Segment {
                    address: segment.p_vaddr(endian),
                    bytes: segment.p_filesz(endian),
                    offset: segment.p_offset(endian),
                    writable: segment.p_flags(endian).0 & object::elf::PF_W.0 != 0,
                    executable: segment.p_flags(endian).0 & object::elf::PF_X.0 != 0,
                    len: segment.p_memsz(endian),
                }),
                PT_NOTE => notes.read(segment, endian, &cache),
                _ => {}
            }
        }
        segments.sort_by_key(|segment| segment.address);
        let mut problems = Vec::new();
        let bytes = file.len_bytes()?;
        let cut = segments.iter().filter(|it| it.offset.saturating_add(it.bytes) > bytes).count();
        if cut > 0 {
            problems.push(format!(
                "the core dump is cut off: {cut} of its {} parts are not whole (a limit of its size, or a full \
                 disk)",
                segments.len()
            ));
        }
        let mappings = mappings(&segments, &notes);
        let mut core = Core { file, segments, mappings, notes, modules: HashMap::new(), problems };
        core.open_modules(program);
        Ok(core)
    }

    /// The process's number, if the dump has it.
    pub fn pid(&self) -> Option<u32> {
        self.notes.pid
    }

    /// The program's file, as the process named it.
    pub fn program(&self) -> Option<&Path> {
        self.notes.program.as_deref()
    }

    /// The threads, by the system's numbers; the first is the one that the dump is of.
    pub fn threads(&self) -> &[u64] {
        &self.notes.threads
    }

    /// What could not be found or does not fit.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Files of the modules, where they are and are the ones that ran.
    fn open_modules(&mut self, program: Option<&Path>) {
        let first = self.mappings.iter().find(|it| it.executable && it.path.is_some());
        let main = self.notes.program.clone().or_else(|| first.and_then(|it| it.path.clone()));
        let mut paths: Vec<PathBuf> =
            self.mappings.iter().filter_map(|it| it.path.clone()).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let given = program.filter(|_| main.as_deref() == Some(&path));
            let place = given.unwrap_or(&path);
            let Ok(file) = open_file(place) else {
                if main.as_deref() == Some(&path) {
                    self.problems.push(format!(
                        "the program is not at {}; name its file with --exe",
                        place.display()
                    ));
                }
                continue;
            };
            if !self.is_same(&path, &file) {
                self.problems.push(format!(
                    "{} is not the file that ran: its build id is another one, so it is not used",
                    place.display()
                ));
                continue;
            }
            self.modules.insert(path, file);
        }
        if let (Some(program), false) =
            (program, self.modules.keys().any(|it| Some(it) == main.as_ref()))
        {
            if main.is_none() {
                self.problems.push(format!(
                    "the dump does not name its program's file, so {} is of no use",
                    program.display()
                ));
            }
        }
    }

    /// Whether a file begins as what was mapped of it: a build id is in there. `true` if that is not known.
    fn is_same(&self, path: &Path, file: &File) -> bool {
        const BEGIN_BYTES: usize = 4096;
        let first =
            self.mappings.iter().find(|it| it.path.as_deref() == Some(path) && it.offset == 0);
        let Some(address) = first.map(|mapping| mapping.begin) else { return true };
        let Some(segment) = self.segment(address) else { return true };
        let (mut then, mut now) = ([0; BEGIN_BYTES], [0; BEGIN_BYTES]);
        let dumped = segment.bytes.saturating_sub(address - segment.address);
        if dumped < BEGIN_BYTES as u64 {
            return true;
        }
        let offset = segment.offset + (address - segment.address);
        let is_read = self.file.read_up_to(offset, &mut then).is_ok_and(|got| got == then.len());
        !is_read || file.read_up_to(0, &mut now).is_ok() && then == now
    }

    fn segment(&self, address: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.address <= address);
        let segment = self.segments[..after].last()?;
        (address < segment.address.saturating_add(segment.len)).then_some(segment)
    }

    /// As many bytes as lie side by side there.
    fn read_some(&self, address: u64, into: &mut [u8]) -> Option<usize> {
        if let Some(segment) = self.segment(address) {
            let from = address - segment.address;
            if from < segment.bytes {
                let there = usize::try_from(segment.bytes - from).unwrap_or(usize::MAX);
                let len = into.len().min(there);
                let got = self.file.read_up_to(segment.offset + from, &mut into[..len]).ok()?;
                return (got == len && len > 0).then_some(len);
            }
        }
        let mapping = self.mapping(address)?;
        let file = self.modules.get(mapping.path.as_ref()?)?;
        let there = usize::try_from(mapping.end - address).unwrap_or(usize::MAX);
        let len = into.len().min(there);
        let got =
            file.read_up_to(mapping.offset + (address - mapping.begin), &mut into[..len]).ok()?;
        // Behind the end of a file its last page is full of zeros.
        into[got..len].fill(0);
        (len > 0).then_some(len)
    }
}

impl Memory for Core {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let mut done = 0;
        while done < into.len() {
            let at = address.checked_add(done as u64).ok_or(Unreadable(address))?;
            done += self.read_some(at, &mut into[done..]).ok_or(Unreadable(at))?;
        }
        Ok(())
    }

    fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }
}

/// The segments, with the files that the notes say are there.
fn mappings(segments: &[Segment], notes: &Notes) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for segment in segments {
        let file = notes.files.iter().find(|file| file.contains(segment.address));
        let end = segment.address.saturating_add(segment.len);
        mappings.push(Mapping {
            begin: segment.address,
            end,
            writable: segment.writable,
            executable: segment.executable,
            path: file.and_then(|file| file.path.clone()),
            offset: file.map_or(0, |file| file.offset + (segment.address - file.begin)),
        });
    }
    // A dump may leave out what it has files for; gdb's leaves out code. So that is what it may be.
    for file in &notes.files {
        if !mappings.iter().any(|mapping| mapping.contains(file.begin)) {
            mappings.push(Mapping { executable: true, ..file.clone() });
        }
    }
    mappings.sort_by_key(|mapping| mapping.begin);
    mappings
}
