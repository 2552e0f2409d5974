//! Stacks for whoever records something else than a wait.

use super::{current, stacks, stamp};

/// By which calls this was called: the number of a stack in the recording, for a record or an entry of a table;
/// 0 if none was taken. Call it with nothing locked.
///
/// Callers that tell different numbers have their stacks at hand each; the number means nothing else.
pub fn stack_here(caller: u64) -> u64 {
    match current::get() {
        Some(recorder) => stacks::here(recorder, caller, stamp::now()),
        None => 0,
    }
}
