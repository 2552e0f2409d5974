//! The file's memory: shared words, and the room for them.
//!
//! The file is never unmapped, so references to its words live for ever. No descriptor of it stays
//! open, so a program that closes all descriptors does no harm.
//!
//! A store to where a full disk has no room would end the process. So every piece of the file is made to
//! exist before the first store into it: piece by piece as the file fills, or all at once where the system can
//! do no better.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use super::system;
use crate::warn::{warn_once, Warning};

/// How much room is made at once. A multiple of every page size.
const PIECE_BYTES: usize = 64 << 10;

const WORD_BYTES: usize = 8;

/// A file that is mapped for as long as the process lives.
#[derive(Debug)]
pub(super) struct Map {
    words: &'static [AtomicU64],
    /// A bit for each piece that has its room.
    roomy: Box<[AtomicU64]>,
    /// Set when there was no room once: nobody asks for room again.
    full: AtomicBool,
    /// The system's error for it, until the user is told; 0: there is nothing to tell. Relaxed, as `full`:
    /// neither orders anything.
    untold: AtomicI32,
}

impl Map {
    /// Maps the first `len` bytes of the file, which is at least as long.
    pub(super) fn new(file: &File, len: usize) -> io::Result<Map> {
        let words = system::map(file, len)?;
        let pieces = len.div_ceil(PIECE_BYTES);
        let roomy = (0..pieces.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let map = Map { words, roomy, full: AtomicBool::new(false), untold: AtomicI32::new(0) };
        map.make_first_room(file, len)?;
        Ok(map)
    }

    fn make_first_room(&self, file: &File, len: usize) -> io::Result<()> {
        match self.populate(0) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            result => return result,
        }
        system::make_all_room(file, len as u64)?;
        for pieces in self.roomy.iter() {
            pieces.store(u64::MAX, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The words at `offset`, `len` of them in bytes; fewer where the file ends.
    pub(super) fn words(&self, offset: usize, len: usize) -> &'static [AtomicU64] {
        let (from, count) = (offset / WORD_BYTES, len / WORD_BYTES);
        let rest = self.words.get(from..).unwrap_or_default();
        &rest[..count.min(rest.len())]
    }

    /// One of the words of the header.
    pub(super) fn header(&self, word: usize) -> &'static AtomicU64 {
        &self.words[word]
    }

    /// The length in bytes.
    pub(super) fn len(&self) -> usize {
        std::mem::size_of_val(self.words)
    }

    /// The word at `offset`. If no room was made there, nothing was stored, and the word is not read: some
    /// systems need room for a read too.
    pub(super) fn word(&self, offset: usize) -> u64 {
        match self.words.get(offset / WORD_BYTES) {
            Some(word) if self.has_room(offset / PIECE_BYTES) => word.load(Ordering::Acquire),
            _ => 0,
        }
    }

    /// Makes room for the bytes at `offset`, up to `len`. Returns for how many there is room now.
    pub(super) fn reserve(&self, offset: usize, len: usize) -> usize {
        let end = offset + len;
        let mut reserved = offset;
        while reserved < end {
            let piece = reserved / PIECE_BYTES;
            if !self.has_room(piece) {
                // One piece at a time: a caller that wants more comes again.
                if reserved > offset {
                    break;
                }
                if !self.make_room(piece) {
                    self.tell_if_full();
                    break;
                }
            }
            reserved = ((piece + 1) * PIECE_BYTES).min(end);
        }
        reserved - offset
    }

    /// Makes room for all of the bytes at `offset`.
    pub(super) fn reserve_all(&self, offset: usize, len: usize) -> bool {
        let roomy = self.reserve_all_silently(offset, len);
        if !roomy {
            self.tell_if_full();
        }
        roomy
    }

    /// The same, for a caller that may hold a lock. Once it holds none, [`tell_if_full`](Self::tell_if_full) is due.
    #[inline]
    pub(super) fn reserve_all_silently(&self, offset: usize, len: usize) -> bool {
        let (first, last) = (offset / PIECE_BYTES, (offset + len.max(1) - 1) / PIECE_BYTES);
        (first..=last).all(|piece| self.has_room(piece) || self.make_room(piece))
    }

    #[inline]
    fn has_room(&self, piece: usize) -> bool {
        let pieces = self.roomy.get(piece / 64).map_or(0, |word| word.load(Ordering::Relaxed));
        pieces >> (piece % 64) & 1 == 1
    }

    #[cold]
    fn make_room(&self, piece: usize) -> bool {
        if self.full.load(Ordering::Relaxed) {
            return false;
        }
        let Err(error) = self.populate(piece) else { return true };
        self.full.store(true, Ordering::Relaxed);
        let errno = error.raw_os_error().unwrap_or(system::NO_ROOM);
        self.untold.store(errno, Ordering::Relaxed);
        false
    }

    /// Tells the user that the file cannot grow, if that has just turned out. Called with nothing locked:
    /// standard error may be a pipe that nobody reads, and then the write to it waits.
    #[inline]
    pub(super) fn tell_if_full(&self) {
        if self.untold.load(Ordering::Relaxed) != 0 {
            self.tell_full();
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_full(&self) {
        let errno = self.untold.swap(0, Ordering::Relaxed);
        if errno == 0 {
            return; // Another thread tells it.
        }
        let error = io::Error::from_raw_os_error(errno);
        warn_once(
            Warning::Full,
            format_args!(
                "the recording of ASYNC_IO_TRACE cannot grow ({error}): the disk is full, or a quota \
                 is reached; recording goes on in the room it has; free some, or name a directory \
                 elsewhere"
            ),
        );
    }

    fn populate(&self, piece: usize) -> io::Result<()> {
        const PIECE_WORDS: usize = PIECE_BYTES / WORD_BYTES;
        let Some(words) = self.words.get(piece * PIECE_WORDS..) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        system::make_room(&words[..words.len().min(PIECE_WORDS)])?;
        // Relaxed: a thread that misses it populates the piece again.
        self.roomy[piece / 64].fetch_or(1 << (piece % 64), Ordering::Relaxed);
        Ok(())
    }
}
