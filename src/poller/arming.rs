//! Who may change what the poller watches of a source, and until when.

use std::io;

use super::Interest;
use crate::sync::Mutex;

/// The right to change a source's registration.
///
/// The poller knows a source by its descriptor's number. Once the owner has closed the descriptor, the
/// number may be another one's. So the right ends before, and no call by the number is under way then.
#[derive(Debug)]
pub(crate) struct Arming {
    /// Whether the number is still the source's. Holding the lock grants the right to use the number for
    /// one system call. No foreign code runs meanwhile, so nobody waits for itself.
    lasts: Mutex<bool>,
}

impl Arming {
    pub(crate) fn new() -> Arming {
        Arming { lasts: Mutex::new(true) }
    }

    /// Ends the right. Whoever is in the midst of a call is waited for. Returns whether it lasted until now.
    pub(crate) fn end(&self) -> bool {
        std::mem::replace(&mut *self.lasts.lock(), false)
    }

    pub(crate) fn has_ended(&self) -> bool {
        !*self.lasts.lock()
    }

    /// Makes one system call that names the descriptor by its number, unless the right has ended.
    pub(crate) fn call<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let lasts = self.lasts.lock();
        if !*lasts {
            return Err(io::ErrorKind::NotFound.into());
        }
        call()
    }

    /// Requests what is wanted, until what was requested is still wanted afterwards.
    ///
    /// Several threads may be at it. A change of what is wanted is followed by its thread's own request. So
    /// whichever thread makes the last request, it asks for all that is wanted, or finds that it did not.
    pub(crate) fn request(
        &self,
        wanted: impl Fn() -> Interest,
        request: impl Fn(Interest) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            let interest = wanted();
            request(interest)?;
            if wanted() == interest {
                return Ok(());
            }
        }
    }
}
