//! The process's own recording, to be read by the process itself.

use std::io;

use ticks_format::{ReadAt, Recording};

use super::current::{self, Recorder};

/// The memory of the recording that this process writes.
#[derive(Clone, Copy, Debug)]
pub struct Own(&'static Recorder);

impl ReadAt for Own {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let len = self.0.map.len().saturating_sub(begin).min(into.len());
        let mut rest = &mut into[..len];
        let mut at = begin;
        while !rest.is_empty() {
            // Whole words, but for the ends.
            let bytes = self.0.map.word(at - at % 8).to_ne_bytes();
            let (part, others) = rest.split_at_mut(rest.len().min(8 - at % 8));
            part.copy_from_slice(&bytes[at % 8..][..part.len()]);
            at += part.len();
            rest = others;
        }
        Ok(len)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.map.len() as u64)
    }
}

/// The recording of this process, as it is now; `None` if it has none.
pub fn own_recording() -> Option<Recording<Own>> {
    Recording::open(Own(current::get()?)).ok()
}
