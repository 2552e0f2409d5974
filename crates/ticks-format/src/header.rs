//! The header: which process, which clock, where the sections are.

use crate::error::Error;
use crate::layout::{Layout, Section, HEADER_WORDS, MAGIC, VERSION};
use crate::read::{ByteOrder, ReadAt};

/// Where the directory of sections begins, in words, and how many words an entry has.
const DIRECTORY: usize = 16;
const DIRECTORY_ENTRY: usize = 4;

/// The most sections of a file.
const SECTIONS_MAX: usize = (HEADER_WORDS - DIRECTORY) / DIRECTORY_ENTRY;

/// The word of the checksum, which covers all other words of the header but the magic.
const CHECKSUM: usize = 15;

/// What counts a record's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// The system's monotonic clock, in nanoseconds.
    Monotonic,
    /// The processor's time stamp counter.
    Tsc,
    /// Something that this build does not know; anchors still say what it means.
    Other(u64),
}

impl Counter {
    fn code(self) -> u64 {
        match self {
            Counter::Monotonic => 0,
            Counter::Tsc => 1,
            Counter::Other(code) => code,
        }
    }

    fn from_code(code: u64) -> Counter {
        match code {
            0 => Counter::Monotonic,
            1 => Counter::Tsc,
            code => Counter::Other(code),
        }
    }
}

/// The fixed part of a file's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format's version.
    pub version: u32,
    /// The length of the file in bytes.
    pub file_bytes: u64,
    /// The process, by the system's number.
    pub pid: u64,
    /// When the process began, in a unit of the system's; with `pid` it names the process.
    pub process_start: u64,
    /// What counts the records' time.
    pub counter: Counter,
    /// How often it counts in a second, about.
    pub units_per_second: u64,
    /// Where the sections are.
    pub sections: Vec<Section>,
}

impl Header {
    /// The header of a new file divided as `layout` says.
    pub fn new(layout: &Layout, pid: u64, process_start: u64) -> Header {
        Header {
            version: VERSION,
            file_bytes: layout.file_bytes,
            pid,
            process_start,
            counter: Counter::Monotonic,
            units_per_second: 1_000_000_000,
            sections: layout.sections.clone(),
        }
    }

    /// The words that begin a file.
    ///
    /// A writer stores the first two, [`MAGIC`], when everything else of the file is in place.
    pub fn words(&self) -> [u64; HEADER_WORDS] {
        let mut words = [0; HEADER_WORDS];
        words[..2].copy_from_slice(&MAGIC);
        words[2] = u64::from(self.version) | (HEADER_WORDS as u64) << 32;
        words[3] = self.file_bytes;
        words[4] = self.pid;
        words[5] = self.process_start;
        words[6] = self.counter.code();
        words[7] = self.units_per_second;
        let count = self.sections.len().min(SECTIONS_MAX);
        words[8] = count as u64;
        for (index, section) in self.sections.iter().take(count).enumerate() {
            let entry = &mut words[DIRECTORY + index * DIRECTORY_ENTRY..][..DIRECTORY_ENTRY];
            let Section { kind, offset, len, entry_bytes } = *section;
            entry.copy_from_slice(&[kind, offset, len, entry_bytes]);
        }
        words[CHECKSUM] = checksum(&words);
        words
    }

    /// Reads the header that begins at `offset`, and says in which byte order.
    ///
    /// # Errors
    ///
    /// If there is none, if it is damaged, or of a version that this build cannot read.
    pub fn read<R: ReadAt + ?Sized>(file: &R, offset: u64) -> Result<(Header, ByteOrder), Error> {
        let mut bytes = [0; 8 * HEADER_WORDS];
        let got = file.read_up_to(offset, &mut bytes)?;
        if got < bytes.len() {
            let expected = format!("a header of {} bytes", bytes.len());
            return Err(Error::damaged(offset + got as u64, expected, "the file's end"));
        }
        let order = ByteOrder::of_magic(&bytes).ok_or_else(|| {
            let found = format!("{:?}", String::from_utf8_lossy(&bytes[..16]));
            Error::damaged(offset, "a recording, which begins with \"\\x89TICKS\"", found)
        })?;
        let mut words = [0; HEADER_WORDS];
        order.words(&bytes, &mut words);
        Header::check(&words, offset)?;
        Ok((Header::from_words(&words), order))
    }

    fn check(words: &[u64; HEADER_WORDS], offset: u64) -> Result<(), Error> {
        let version = words[2] as u32;
        if version != VERSION {
            let expected = format!("version {VERSION}");
            return Err(Error::damaged(offset + 16, expected, format!("version {version}")));
        }
        let expected = checksum(words);
        if words[CHECKSUM] != expected {
            let (expected, found) = (format!("checksum {expected:#x}"), words[CHECKSUM]);
            let at = offset + 8 * CHECKSUM as u64;
            return Err(Error::damaged(at, expected, format!("{found:#x}")));
        }
        Ok(())
    }

    fn from_words(words: &[u64; HEADER_WORDS]) -> Header {
        let count = words[8].min(SECTIONS_MAX as u64) as usize;
        let entries = words[DIRECTORY..].chunks_exact(DIRECTORY_ENTRY).take(count);
        let section = |entry: &[u64]| Section {
            kind: entry[0],
            offset: entry[1],
            len: entry[2],
            entry_bytes: entry[3],
        };
        Header {
            version: words[2] as u32,
            file_bytes: words[3],
            pid: words[4],
            process_start: words[5],
            counter: Counter::from_code(words[6]),
            units_per_second: words[7].max(1),
            sections: entries.map(section).collect(),
        }
    }
}

/// FNV-1a over the words of the header, but for the magic and the checksum itself.
fn checksum(words: &[u64; HEADER_WORDS]) -> u64 {
    let covered = words.iter().enumerate().skip(2);
    covered
        .filter(|(index, _)| *index != CHECKSUM)
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, (_, word)| {
            (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3)
        })
}
