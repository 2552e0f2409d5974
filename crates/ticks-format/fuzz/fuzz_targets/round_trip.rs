//! A record made of any bits comes back as it was, in either form, and its text never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ticks_format::slot::{decode_narrow, decode_wide, narrow, wide};

fuzz_target!(|data: &[u8]| {
    for bytes in data.chunks_exact(32) {
        let mut slot = [0; 4];
        for (word, bytes) in slot.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
        let Some(record) = decode_narrow(&slot) else {
            continue;
        };
        let again = narrow(&record, slot[0] >> 8).expect("it came from a narrow slot");
        assert_eq!(decode_narrow(&again).as_ref(), Some(&record));
        assert_eq!(again[0], slot[0]);
        let text = record.to_string();
        assert_eq!(decode_wide(&wide(&record, 0)), Some(record));
        assert!(!text.is_empty());
    }
});
