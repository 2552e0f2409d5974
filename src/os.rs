//! What only some systems have, and what differs between them.

#[cfg(unix)]
pub mod unix;
#[cfg(unix)]
pub(crate) use unix::{nonblocking, receive};

crate::poller::registration::cfg_kqueue! {
    pub mod kqueue;
}

#[cfg(windows)]
pub mod windows;
#[cfg(windows)]
pub(crate) use windows::{nonblocking, receive};
