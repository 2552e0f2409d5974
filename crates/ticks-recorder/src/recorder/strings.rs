//! The texts of the file: places in the code, paths. Each is stored once and stays.

use std::sync::atomic::Ordering;

use ticks_format::layout::{counter, Section};
use ticks_format::tables::{string_bytes, text_words};

use super::map::Map;

/// Puts a text into the file. Returns where; 0 if there is no room. It says nothing of a full disk: the
/// caller may hold a lock, and calls [`Map::tell_if_full`] without it.
#[cold]
pub(super) fn append(section: &Section, map: &Map, text: &str) -> u64 {
    let bytes = string_bytes(text);
    let place = map.header(counter::STRINGS_TAKEN).fetch_add(bytes, Ordering::Relaxed);
    let offset = (section.offset + place) as usize;
    if place + bytes > section.len || !map.reserve_all_silently(offset, bytes as usize) {
        return 0;
    }
    let words = map.words(offset, bytes as usize);
    let text = text_words(text, bytes);
    for (word, value) in words.iter().zip(&text).skip(1) {
        word.store(*value, Ordering::Relaxed);
    }
    // Release: who sees the length sees the text.
    words[0].store(text[0], Ordering::Release);
    place
}
