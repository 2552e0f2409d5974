//! The table of sources, by the index in their keys.

use ticks_format::layout::counter;
use ticks_format::records::{SourceDrop, SourceNew};
use ticks_format::{Direction, Source};

use super::waiters::{wait_over, SHARED};
use super::{current, table};

/// Describes a source that was registered, or about which more is known now.
pub fn source_described(new: &SourceNew, time: u64) {
    let SourceNew { key, fd, kind, inode, .. } = *new;
    let (local, peer) = (new.local.clone(), new.peer.clone());
    put(&Source { key, registered: true, fd, kind, local, peer, inode, since: time });
}

/// A source is registered no longer. What it was stays until its index is used again. Tasks that share
/// its poll functions wait no longer; nobody else can, because the source is dropped.
pub fn source_gone(gone: &SourceDrop, time: u64) {
    let SourceDrop { key, fd, kind, inode, .. } = *gone;
    let (local, peer) = (gone.local.clone(), gone.peer.clone());
    put(&Source { key, registered: false, fd, kind, local, peer, inode, since: time });
    for dir in [Direction::Read, Direction::Write] {
        wait_over(key, dir, SHARED);
    }
}

fn put(source: &Source) {
    let Some(recorder) = current::get() else { return };
    let (section, index) = (&recorder.sources, u64::from(source.key.index()));
    let offset = (section.offset + index * section.entry_bytes) as usize;
    let len = section.entry_bytes as usize;
    if index >= section.entries() || !recorder.map.reserve_all(offset, len) {
        return recorder.count(counter::SOURCES_LEFT_OUT);
    }
    table::put(recorder.map.words(offset, len), &source.words());
}
