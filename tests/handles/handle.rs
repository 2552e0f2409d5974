//! Handles of the system, by the calls that make and signal them.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;

use windows_sys::core::BOOL;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    CreateEventW, CreateSemaphoreW, CreateWaitableTimerW, ReleaseSemaphore, SetEvent,
    SetWaitableTimer,
};

/// What a wait does to the handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Nothing: it stays signalled.
    ByHand,
    /// Takes the signal away.
    ByWaiting,
}

impl Reset {
    fn by_hand(self) -> BOOL {
        BOOL::from(self == Reset::ByHand)
    }
}

/// A handle that a call returned, or the call's error.
fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the caller has just made it, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

fn done(result: BOOL) -> io::Result<()> {
    match result {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// An event that is not signalled.
pub struct Event(OwnedHandle);

impl Event {
    pub fn new(reset: Reset) -> io::Result<Event> {
        // SAFETY: an event without attributes and without a name.
        owned(unsafe { CreateEventW(ptr::null(), reset.by_hand(), 0, ptr::null()) }).map(Event)
    }

    pub fn signal(&self) -> io::Result<()> {
        // SAFETY: the handle is open for as long as `self`.
        done(unsafe { SetEvent(self.0.as_raw_handle()) })
    }

    /// Another handle of the same event.
    pub fn try_clone(&self) -> io::Result<Event> {
        self.0.try_clone().map(Event)
    }
}

/// A semaphore that nobody has released.
pub struct Semaphore(OwnedHandle);

impl Semaphore {
    pub fn new() -> io::Result<Semaphore> {
        // SAFETY: a semaphore without attributes and without a name.
        owned(unsafe { CreateSemaphoreW(ptr::null(), 0, i32::MAX, ptr::null()) }).map(Semaphore)
    }

    /// Lets `count` waits pass.
    pub fn release(&self, count: i32) -> io::Result<()> {
        // SAFETY: the handle is open for as long as `self`; the count before is not asked for.
        done(unsafe { ReleaseSemaphore(self.0.as_raw_handle(), count, ptr::null_mut()) })
    }

    /// Another handle of the same semaphore.
    pub fn try_clone(&self) -> io::Result<Semaphore> {
        self.0.try_clone().map(Semaphore)
    }
}

/// A timer of the system that is not set.
pub struct SystemTimer(OwnedHandle);

impl SystemTimer {
    pub fn new(reset: Reset) -> io::Result<SystemTimer> {
        // SAFETY: a timer without attributes and without a name.
        owned(unsafe { CreateWaitableTimerW(ptr::null(), reset.by_hand(), ptr::null()) })
            .map(SystemTimer)
    }

    /// Has it signalled after that time, and from then on once a period, if there is one.
    pub fn set(&self, after: Duration, period: Option<Duration>) -> io::Result<()> {
        // In units of 100 ns; negative: from now.
        let due = -i64::try_from(after.as_nanos() / 100).expect("a short time");
        let period_ms = period.map_or(0, |period| period.as_millis().try_into().expect("short"));
        // SAFETY: the handle is open for as long as `self`, `due` for as long as the call; nothing is to be called.
        done(unsafe {
            SetWaitableTimer(self.0.as_raw_handle(), &due, period_ms, None, ptr::null(), 0)
        })
    }
}

macro_rules! has_handle {
    ($($kind:ty),*) => {
        $(impl AsHandle for $kind {
            fn as_handle(&self) -> BorrowedHandle<'_> {
                self.0.as_handle()
            }
        })*
    };
}

has_handle!(Event, Semaphore, SystemTimer);
