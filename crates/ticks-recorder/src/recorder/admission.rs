//! Which clients record: all but a second reactor.

use std::ptr;
use std::sync::OnceLock;

use crate::client::Client;
use crate::warn::{warn_once, Warning};

/// The reactor that records in this process.
static REACTOR: OnceLock<&'static Client> = OnceLock::new();

/// The reactor that records in this process, if one does.
pub(super) fn reactor() -> Option<&'static Client> {
    REACTOR.get().copied()
}

/// Whether the client may record: only the first reactor may.
#[inline]
pub(super) fn admits(client: &'static Client) -> bool {
    !client.is_reactor || reactor().is_some_and(|first| ptr::eq(first, client)) || is_first(client)
}

#[cold]
fn is_first(client: &'static Client) -> bool {
    let is_first = ptr::eq(*REACTOR.get_or_init(|| client), client);
    if !is_first {
        warn_once(
            Warning::SecondReactor,
            format_args!(
                "ASYNC_IO_TRACE: a second reactor ({}) is in this process, and one recording has room \
                 for one; what the second does is not recorded; `cargo tree -i async-io` shows who \
                 brought it in",
                client.version
            ),
        );
    }
    is_first
}
