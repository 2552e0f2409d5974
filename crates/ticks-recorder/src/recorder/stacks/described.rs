//! The descriptions of a module's frames, kept for as long as anybody may look at them.

use std::ops::Deref;
use std::sync::Arc;

use super::cfi::Tables;
use super::loaded::{self, Snapshot};

/// Bytes of a module that are there for as long as anybody looks at them.
#[derive(Clone, Debug)]
enum Bytes {
    Program(&'static [u8]),
    Copied(Arc<[u8]>),
}

impl Bytes {
    fn of(snapshot: &Snapshot, bytes: &loaded::Bytes) -> Bytes {
        match bytes {
            loaded::Bytes::Program(bytes) => Bytes::Program(bytes),
            loaded::Bytes::Copied(_) => Bytes::Copied(slice(snapshot, bytes).into()),
        }
    }
}

fn slice<'a>(snapshot: &'a Snapshot, bytes: &'a loaded::Bytes) -> &'a [u8] {
    match bytes {
        loaded::Bytes::Program(bytes) => bytes,
        loaded::Bytes::Copied(range) => snapshot.bytes.get(range.clone()).unwrap_or_default(),
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Program(bytes) => bytes,
            Bytes::Copied(bytes) => bytes,
        }
    }
}

/// Where a module's frames are described.
#[derive(Clone, Debug)]
pub(super) struct Described {
    index_at: u64,
    index: Bytes,
    frames_at: u64,
    frames: Bytes,
}

impl Described {
    pub(super) fn of(snapshot: &Snapshot, from: &loaded::Described) -> Described {
        Described {
            index_at: from.index_at,
            index: Bytes::of(snapshot, &from.index),
            frames_at: from.frames_at,
            frames: Bytes::of(snapshot, &from.frames),
        }
    }

    pub(super) fn tables(&self) -> Tables<'_> {
        Tables {
            index_at: self.index_at,
            index: &self.index,
            frames_at: self.frames_at,
            frames: &self.frames,
        }
    }

    /// Whether these are the same descriptions at the same place.
    pub(super) fn is(&self, snapshot: &Snapshot, other: &loaded::Described) -> bool {
        let is_same = |ours: &Bytes, theirs: &loaded::Bytes| match (ours, theirs) {
            (Bytes::Copied(ours), theirs @ loaded::Bytes::Copied(_)) => {
                **ours == *slice(snapshot, theirs)
            }
            (Bytes::Program(ours), loaded::Bytes::Program(theirs)) => {
                ours.as_ptr() == theirs.as_ptr()
            }
            _ => false,
        };
        (self.index_at, self.frames_at) == (other.index_at, other.frames_at)
            && is_same(&self.index, &other.index)
            && is_same(&self.frames, &other.frames)
    }
}
