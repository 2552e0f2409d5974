//! Who may change what the poller watches of a source, and until when.

use std::io;

use super::Interest;
use crate::sync::Mutex;

/// The right to change a source's registration.
///
/// The poller knows a source by its descriptor's number. Once the owner has closed the descriptor, the
/// number may belong to another one. So the right ends before the close, and then no call by the number
/// is under way.
#[derive(Debug)]
pub(crate) struct Arming {
    /// Whether the number is still the source's. Holding the lock grants the right to use the number for
    /// one system call. No foreign code runs meanwhile, so no thread waits for itself.
    lasts: Mutex<bool>,
}

impl Arming {
    pub(crate) fn new() -> Arming {
        Arming { lasts: Mutex::new(true) }
    }

    /// Ends the right, and waits for a call that is under way. Returns whether the right lasted until now.
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

    /// Makes one system call, as [`call`](Self::call). `None`: the right has ended, or a call is under way.
    pub(crate) fn try_call<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        let lasts = self.lasts.try_lock()?;
        lasts.then(call)
    }

    /// Makes requests until the last one is still what is wanted.
    ///
    /// Several threads may do so at once. A thread that changes what is wanted makes a request afterwards.
    /// So the thread with the last request either asks for all that is wanted, or finds that it did not and
    /// asks again.
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
