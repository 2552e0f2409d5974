//! Where the published tables are.

use ticks_format::published::{self, head, HEAD_WORDS, MAGIC, VERSION};

use crate::memory::{Mapping, Memory};

/// How much is read at once.
const CHUNK_BYTES: u64 = 1 << 20;

/// A module's data is not larger than this. More is a mapped file of the program's.
const DATA_BYTES_MAX: u64 = 1 << 30;

/// More words than any version has.
const WORDS_MAX: u64 = 1 << 12;

/// A table with all its words.
#[derive(Clone, Debug)]
pub struct Table {
    /// Where it is.
    pub address: u64,
    words: Vec<u64>,
}

impl Table {
    /// A word by its number; 0 if the table is an older one that does not have it.
    pub fn get(&self, word: usize) -> u64 {
        self.words.get(word).copied().unwrap_or(0)
    }

    /// Whether it has this word: that of an older crate has fewer.
    pub fn has(&self, word: usize) -> bool {
        word < self.words.len()
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Tables {
    /// Of reactors.
    pub reactors: Vec<Table>,
    /// Of executors.
    pub executors: Vec<Table>,
    /// Whether there are some that nobody has filled in yet.
    pub has_unused: bool,
    /// The versions of those that this build does not know.
    pub unknown: Vec<u64>,
}

impl Tables {
    /// Looks for them in the data of all modules.
    pub fn find(memory: &dyn Memory) -> Tables {
        let mut tables = Tables::default();
        let has_files = memory.mappings().iter().any(|mapping| mapping.path.is_some());
        let mut buffer = Vec::new();
        for mapping in memory.mappings() {
            let is_data =
                mapping.writable && !mapping.executable && mapping.len() <= DATA_BYTES_MAX;
            // Where nothing says what is a module's, each part that can be written to may be.
            if is_data && (mapping.path.is_some() || !has_files) {
                tables.find_in(memory, mapping, &mut buffer);
            }
        }
        tables
    }

    fn find_in(&mut self, memory: &dyn Memory, mapping: &Mapping, buffer: &mut Vec<u8>) {
        let magic = MAGIC.map(u64::to_le_bytes).concat();
        let mut at = mapping.begin;
        while at < mapping.end {
            let len = CHUNK_BYTES.min(mapping.end - at);
            buffer.resize(len as usize, 0);
            if memory.read(at, buffer).is_ok() {
                for place in (0..buffer.len().saturating_sub(magic.len())).step_by(8) {
                    if buffer[place..].starts_with(&magic) {
                        self.add(memory, at + place as u64);
                    }
                }
            }
            // The next chunk begins early enough to have a magic that would be cut.
            at += if len == CHUNK_BYTES { len - magic.len() as u64 } else { len };
        }
    }

    fn add(&mut self, memory: &dyn Memory, address: u64) {
        let mut words = [0; HEAD_WORDS];
        for (word, at) in words.iter_mut().zip(0..) {
            let Ok(found) = memory.u64(address.wrapping_add(at * 8)) else { return };
            *word = found;
        }
        let known = [published::REACTOR, published::EXECUTOR].contains(&words[head::KIND]);
        let is_table = known && words[head::ADDRESS_BYTES] == 8 && words[head::COUNT] <= WORDS_MAX;
        if !is_table || self.all().any(|table| table.address == address) {
            return;
        }
        if words[head::VERSION] != VERSION {
            self.unknown.push(words[head::VERSION]);
            return;
        }
        if words[head::COMPLETE] == 0 {
            self.has_unused = true;
            return;
        }
        let own = (0..words[head::COUNT])
            .map(|word| memory.u64(address.wrapping_add((HEAD_WORDS as u64 + word) * 8)))
            .collect::<Result<Vec<u64>, _>>();
        let Ok(own) = own else { return };
        let table = Table { address, words: own };
        match words[head::KIND] {
            published::REACTOR => self.reactors.push(table),
            _ => self.executors.push(table),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Table> {
        self.reactors.iter().chain(&self.executors)
    }
}
