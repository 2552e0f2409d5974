//! No capture makes the tool panic or read for ever. Its corpus is the captures that the tests read.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| ticks::fuzz::pcap(data));
