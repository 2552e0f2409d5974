//! The notes of a core dump: which process, which threads, which files were mapped.

use std::path::PathBuf;

use object::elf::{ProgramHeader64, NT_FILE, NT_PRPSINFO, NT_PRSTATUS};
use object::read::elf::ProgramHeader;
use object::{Endianness, ReadRef};

use crate::memory::Mapping;

/// The most files that are believed.
const FILES_MAX: u64 = 1 << 16;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Notes {
    /// The process's number.
    pub pid: Option<u32>,
    /// Its threads, in the dump's order.
    pub threads: Vec<u64>,
    /// What was mapped from which file.
    pub files: Vec<Mapping>,
    /// The program's file, as far as it is told from the files.
    pub program: Option<PathBuf>,
}

impl Notes {
    /// Reads the notes of a segment; what is damaged is left out.
    pub fn read<'a, R: ReadRef<'a>>(
        &mut self,
        segment: &ProgramHeader64<Endianness>,
        endian: Endianness,
        data: R,
    ) {
        let Ok(Some(mut notes)) = segment.notes(endian, data) else { return };
        while let Ok(Some(note)) = notes.next() {
            let desc = note.desc();
            match (note.name(), note.n_type(endian)) {
                (b"CORE", NT_PRSTATUS) => self.threads.extend(thread(desc)),
                (b"CORE", NT_PRPSINFO) => self.pid = pid(desc),
                (b"CORE", NT_FILE) => self.files = files(desc).unwrap_or_default(),
                _ => {}
            }
        }
        self.files.sort_by_key(|file| file.begin);
        // What `execve` mapped has the lowest addresses, but for libraries that are mapped where the system likes.
        let main = self.files.iter().find(|file| file.offset == 0);
        self.program = main.and_then(|file| file.path.clone());
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// `struct elf_prstatus`: the thread's number is behind three integers, a short, and two words.
fn thread(desc: &[u8]) -> Option<u64> {
    const PID: usize = 32;
    half(desc, PID).map(u64::from)
}

/// `struct elf_prpsinfo`: the process's number is behind four bytes, a word and two integers.
fn pid(desc: &[u8]) -> Option<u32> {
    const PID: usize = 24;
    half(desc, PID)
}

/// How many there are, the size of a page, for each its begin, its end and its page in the file, then the names.
fn files(desc: &[u8]) -> Option<Vec<Mapping>> {
    let (count, page) = (word(desc, 0)?.min(FILES_MAX) as usize, word(desc, 8)?);
    let mut names = desc.get(16 + count.checked_mul(24)?..)?.split(|byte| *byte == 0);
    let mut files = Vec::new();
    for index in 0..count {
        let at = 16 + index * 24;
        let name = String::from_utf8_lossy(names.next()?).into_owned();
        files.push(Mapping {
            begin: word(desc, at)?,
            end: word(desc, at + 8)?,
            writable: false,
            executable: false,
            path: Some(PathBuf::from(name.strip_suffix(" (deleted)").unwrap_or(&name))),
            offset: word(desc, at + 16)?.checked_mul(page)?,
        });
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desc(count: u64) -> Vec<u8> {
        let words = [count, 4096, 0x1000, 0x2000, 0, 0x2000, 0x5000, 1];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(b"/bin/a\0/bin/b (deleted)\0");
        bytes
    }

    #[test]
    fn files_of_a_dump() {
        let files = files(&desc(2)).expect("two");
        assert_eq!(files[0].path, Some("/bin/a".into()));
        assert_eq!((files[1].begin, files[1].end, files[1].offset), (0x2000, 0x5000, 4096));
        assert_eq!(files[1].path, Some("/bin/b".into()));
    }

    #[test]
    fn damaged_notes_are_left_out() {
        for count in [3, 1 << 40, u64::MAX] {
            assert_eq!(files(&desc(count)), None, "{count}");
        }
        for len in 0..desc(2).len() - 17 {
            assert!(files(&desc(2)[..len]).is_none(), "{len}");
        }
        assert_eq!((thread(&[0; 33]), pid(&[])), (None, None));
    }
}
