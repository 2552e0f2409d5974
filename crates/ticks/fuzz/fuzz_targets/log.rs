//! No text log makes the tool panic or read for ever. The seeds of its corpus are the excerpts that the tests read.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| ticks::fuzz::log(data));
