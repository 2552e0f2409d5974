//! What little of a loaded file's own tables is looked at: where its frames are described, and which build
//! it is. All of it is checked, because a file may be damaged, or made by a tool of its own mind.

/// Where the descriptions of frames begin, according to the index that is at `at`.
pub(super) fn eh_frame_at(index: &[u8], at: u64) -> Option<u64> {
    /// The only version there is.
    const VERSION: u8 = 1;
    /// Signed, four bytes, counted from its own place: what every linker writes.
    const PC_RELATIVE_4: u8 = 0x1b;
    if index.first() != Some(&VERSION) || index.get(1) != Some(&PC_RELATIVE_4) {
        return None;
    }
    let offset = i32::from_le_bytes(index.get(4..8)?.try_into().ok()?);
    at.checked_add(4)?.checked_add_signed(offset.into())
}

/// How long the descriptions are that `bytes` begins with: up to the entry of length 0, or to the end.
pub(super) fn eh_frame_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(Ok(length)) = bytes.get(at..at + 4).map(|word| word.try_into()) {
        let length = u32::from_le_bytes(length);
        at += 4;
        // One of 64 bits is longer than anything that is read here.
        if length == 0 || length == u32::MAX {
            break;
        }
        match at.checked_add(length as usize) {
            Some(next) if next <= bytes.len() => at = next,
            _ => return bytes.len(),
        }
    }
    at.min(bytes.len())
}

/// The identity of the build, in a segment of notes whose names and contents are `align` bytes apart.
pub(super) fn build_id(notes: &[u8], align: usize) -> Option<&[u8]> {
    const GNU_BUILD_ID: u32 = 3;
    let align = if align == 8 { 8 } else { 4 };
    let padded = |len: usize| len.checked_add(align - 1).map(|len| len / align * align);
    let mut rest = notes;
    loop {
        let word = |at: usize| Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?));
        let (name, content, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let begin = padded(12usize.checked_add(name)?)?;
        let end = begin.checked_add(content)?;
        if kind == GNU_BUILD_ID && rest.get(12..12 + name)? == b"GNU\0" {
            return rest.get(begin..end);
        }
        rest = rest.get(padded(end)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_says_where() {
        let mut index = vec![1, 0x1b, 3, 0x3b];
        index.extend((-16i32).to_le_bytes());
        assert_eq!(eh_frame_at(&index, 0x1000), Some(0xff4));
        assert_eq!(eh_frame_at(&index, 4), None, "before the first address");
        assert_eq!(eh_frame_at(&index[..7], 0x1000), None);
        for (at, other) in [(0, 2), (1, 0x3b)] {
            let mut index = index.clone();
            index[at] = other;
            assert_eq!(eh_frame_at(&index, 0x1000), None);
        }
    }

    #[test]
    fn descriptions_end_with_an_empty_one() {
        let entry = |len: u32| len.to_le_bytes().into_iter().chain((0..len).map(|_| 7));
        let mut bytes: Vec<u8> = entry(8).chain(entry(20)).chain(entry(0)).collect();
        assert_eq!(eh_frame_len(&bytes), 12 + 24 + 4);
        bytes.extend([9; 10]);
        assert_eq!(eh_frame_len(&bytes), 12 + 24 + 4);
        assert_eq!(eh_frame_len(&bytes[..20]), 20, "cut off");
        assert_eq!(eh_frame_len(&[0xff; 40]), 4);
        assert_eq!(eh_frame_len(&[]), 0);
    }

    #[test]
    fn a_build_is_found_among_notes() {
        let note = |kind: u32, name: &[u8], content: &[u8], align: usize| {
            let mut note = Vec::new();
            note.extend((name.len() as u32).to_le_bytes());
            note.extend((content.len() as u32).to_le_bytes());
            note.extend(kind.to_le_bytes());
            for part in [name, content] {
                note.extend(part);
                note.resize(note.len().div_ceil(align) * align, 0);
            }
            note
        };
        let id = [1, 2, 3, 4, 5];
        for align in [4, 8] {
            let mut notes = note(1, b"GNU\0", b"abi", align);
            notes.extend(note(3, b"Go\0\0", b"x", align));
            assert_eq!(build_id(&notes, align), None);
            notes.extend(note(3, b"GNU\0", &id, align));
            // The sizes above suit both.
            assert_eq!(build_id(&notes, align), Some(&id[..]), "{align}");
            assert_eq!(build_id(&notes[..notes.len() - 8], align), None, "cut off");
        }
        assert_eq!(build_id(&[0xff; 40], 4), None);
    }
}
