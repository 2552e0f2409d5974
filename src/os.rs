//! What only some systems have, and what differs between them.

#[cfg(unix)]
pub mod unix;
#[cfg(unix)]
pub(crate) use unix::{is_plain, is_unix_stream, nonblocking, receive};

crate::reactor::registration::cfg_kqueue! {
    pub mod kqueue;
}

#[cfg(windows)]
pub mod windows;
#[cfg(windows)]
pub(crate) use windows::{is_plain, is_unix_stream, nonblocking, receive};
