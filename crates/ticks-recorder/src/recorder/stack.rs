//! Stacks for records of other things than waits.

use super::{current, stacks, stamp};

/// Takes the caller's stack. Returns its number in the recording, for a record or an entry of a table; 0 if
/// none was taken. Call it with nothing locked.
///
/// Each number has remembered stacks of its own, which makes it fast. The number means nothing else.
pub fn stack_here(caller: u64) -> u64 {
    match current::get() {
        Some(recorder) => stacks::here(recorder, caller, stamp::now()),
        None => 0,
    }
}
