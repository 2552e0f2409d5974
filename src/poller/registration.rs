//! What a source is to the system: the one place that picks the platform's kind of registration.
//!
//! # Contract
//!
//! A `Registration` names what is watched and does not own it. Its maker keeps the descriptor open
//! until the registration is deleted. It says its `number()` for the records, asks the kernel about one
//! direction (`level`), and can be added to, modified in and deleted from a [`polling::Poller`].
//!
//! Each kind of system also says which of std's types are [plain](is_plain) and which is its
//! [Unix stream](is_unix_stream).

/// Systems whose kernel event queue is kqueue.
macro_rules! cfg_kqueue {
    ($($item:item)*) => {
        $(
            #[cfg(any(
                target_vendor = "apple",
                target_os = "freebsd",
                target_os = "netbsd",
                target_os = "openbsd",
                target_os = "dragonfly",
            ))]
            $item
        )*
    };
}
pub(crate) use cfg_kqueue;

#[cfg(unix)]
mod fd;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use fd::{is_plain, is_unix_stream};
#[cfg(windows)]
pub(crate) use windows::{is_plain, is_unix_stream};

cfg_kqueue! {
    mod kqueue;
    pub(crate) use kqueue::Registration;
}

#[cfg(all(
    unix,
    not(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ))
))]
pub(crate) use fd::Registration;

#[cfg(windows)]
pub(crate) use windows::Registration;
