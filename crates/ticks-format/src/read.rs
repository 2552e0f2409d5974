//! Bytes by their place: a file, or memory.

use std::fs::File;
use std::io;

use crate::layout::MAGIC;

/// Something that can be read at any place, and read again while another process writes to it.
pub trait ReadAt {
    /// Reads into `into` what is at `offset`, and says how many bytes there were; 0 at the end.
    ///
    /// # Errors
    ///
    /// As of the underlying file.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// How many bytes there are now.
    ///
    /// # Errors
    ///
    /// As of the underlying file.
    fn len_bytes(&self) -> io::Result<u64>;

    /// Reads until `into` is full or the end is reached, and says how many bytes that were.
    ///
    /// # Errors
    ///
    /// As of the underlying file.
    fn read_up_to(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            let Some(at) = offset.checked_add(done as u64) else {
                break;
            };
            match self.read_at(at, &mut into[done..]) {
                Ok(0) => break,
                Ok(more) => done += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let rest = &self[begin..];
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, into)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, into)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        (**self).len_bytes()
    }
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, into, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, into, offset)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }
}

/// The order of the bytes in the file's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Lowest byte first.
    Little,
    /// Highest byte first.
    Big,
}

impl ByteOrder {
    pub(crate) fn of_magic(bytes: &[u8]) -> Option<ByteOrder> {
        [ByteOrder::Little, ByteOrder::Big].into_iter().find(|order| {
            let mut words = [0; 2];
            order.words(bytes, &mut words);
            words == MAGIC
        })
    }

    /// The words that the bytes are, as many as there are of both.
    #[inline]
    pub(crate) fn words(self, bytes: &[u8], into: &mut [u64]) {
        for (bytes, word) in bytes.chunks_exact(8).zip(into) {
            let bytes: [u8; 8] = bytes.try_into().expect("a chunk of eight");
            *word = match self {
                ByteOrder::Little => u64::from_le_bytes(bytes),
                ByteOrder::Big => u64::from_be_bytes(bytes),
            };
        }
    }
}

/// The bytes that words carry, lowest byte of each first.
pub(crate) fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Puts bytes into words, lowest byte of each first; what finds no room is left out.
pub(crate) fn put_bytes(bytes: &[u8], words: &mut [u64]) {
    for (at, byte) in bytes.iter().enumerate().take(8 * words.len()) {
        words[at / 8] |= u64::from(*byte) << (at % 8 * 8);
    }
}
