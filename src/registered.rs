//! [`Registered`]: a value with its source. `Async`, `Filter` and `Waitable` are made of it.

use std::io;
use std::sync::Arc;

use crate::poller::registration::Registration;
use crate::reactor::source::Source;

/// A value and the source that it is registered as, until it is dropped or taken out.
#[derive(Debug)]
pub(crate) struct Registered<T> {
    source: Arc<Source>,
    /// `None` only between `into_inner` or `drop` and the end of this.
    value: Option<T>,
}

impl<T> Registered<T> {
    /// Registers a value.
    pub(crate) fn new(value: T, registration: Registration) -> io::Result<Registered<T>> {
        Ok(Registered { source: Source::new(registration)?, value: Some(value) })
    }

    /// The source, which knows who waits.
    #[inline]
    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    #[inline]
    pub(crate) fn get_ref(&self) -> &T {
        self.value.as_ref().expect("only one that is being dropped is without")
    }

    /// The value, to change, and the source beside it.
    #[inline]
    pub(crate) fn parts_mut(&mut self) -> (&Arc<Source>, &mut T) {
        let Registered { source, value } = self;
        (source, value.as_mut().expect("only one that is being dropped is without"))
    }

    /// Deregisters the value and returns it.
    pub(crate) fn into_inner(mut self) -> T {
        let value = self.value.take().expect("only one that is being dropped is without");
        self.source.remove();
        value
    }
}

impl<T> Drop for Registered<T> {
    fn drop(&mut self) {
        if self.value.is_some() {
            // Deregister before the descriptor is closed: after that its number may be reused.
            self.source.remove();
        }
    }
}
