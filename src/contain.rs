//! Containing the panics of foreign code: wakers, loggers.

use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs foreign code that may panic. The panic hook reports the panic, and it ends here.
pub(crate) fn contain(foreign: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(foreign)) {
        // The payload's own drop may panic as well, and there is nobody left to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    }
}
