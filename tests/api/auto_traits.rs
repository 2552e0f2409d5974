//! Send, Sync, Unpin, UnwindSafe, RefUnwindSafe and Freeze: exactly when 2.6.0 has them.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::net::TcpStream;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::MutexGuard;

use async_io::{Async, Readable, ReadableOwned, Timer, Writable, WritableOwned};

/// Send and UnwindSafe, neither Sync nor RefUnwindSafe.
type NotSync = Cell<u8>;
/// Sync, not Send.
type NotSend = MutexGuard<'static, u8>;
/// RefUnwindSafe, not UnwindSafe.
type NotUnwindSafe = &'static mut u8;

fn async_has_its_sources<T>() {
    fn send<T: Send>() {
        is!(Async<T>: Send);
    }
    fn sync<T: Sync>() {
        is!(Async<T>: Sync);
    }
    fn unwind_safe<T: UnwindSafe>() {
        is!(Async<T>: UnwindSafe);
    }
    fn ref_unwind_safe<T: RefUnwindSafe>() {
        is!(Async<T>: RefUnwindSafe);
    }
    is!(Async<T>: Unpin);
}

#[test]
fn async_has_no_more_than_its_sources() {
    is_not!(Async<NotSend>: Send);
    is_not!(Async<NotSync>: Sync);
    is_not!(Async<NotUnwindSafe>: UnwindSafe);
    is_not!(Async<NotSync>: RefUnwindSafe);
    is!(Async<PhantomPinned>: Unpin);
    is_freeze!(Async<TcpStream>);
}

/// A borrowed readiness future is a shared reference to the source.
fn borrowed_readiness_is_a_shared_reference() {
    fn send_and_sync<'a, T: Sync + 'a>() {
        is!(Readable<'a, T>: Send + Sync);
        is!(Writable<'a, T>: Send + Sync);
    }
    fn unwind_safe<'a, T: RefUnwindSafe + 'a>() {
        is!(Readable<'a, T>: UnwindSafe + RefUnwindSafe);
        is!(Writable<'a, T>: UnwindSafe + RefUnwindSafe);
    }
    fn unpin<'a, T: 'a>() {
        is!(Readable<'a, T>: Unpin);
        is!(Writable<'a, T>: Unpin);
    }
}

#[test]
fn borrowed_readiness_has_no_more_than_a_shared_reference() {
    is!(Readable<'static, NotSend>: Send + Sync);
    is!(Writable<'static, NotSend>: Send + Sync);
    is_not!(Readable<'static, NotSync>: Send);
    is_not!(Writable<'static, NotSync>: Send);
    is_not!(Readable<'static, NotSync>: Sync);
    is_not!(Writable<'static, NotSync>: Sync);
    is!(Readable<'static, NotUnwindSafe>: UnwindSafe + RefUnwindSafe);
    is!(Writable<'static, NotUnwindSafe>: UnwindSafe + RefUnwindSafe);
    is_not!(Readable<'static, NotSync>: UnwindSafe);
    is_not!(Writable<'static, NotSync>: UnwindSafe);
    is_not!(Readable<'static, NotSync>: RefUnwindSafe);
    is_not!(Writable<'static, NotSync>: RefUnwindSafe);
    is!(Readable<'static, PhantomPinned>: Unpin);
    is!(Writable<'static, PhantomPinned>: Unpin);
    is_freeze!(Readable<'static, NotSync>);
    is_freeze!(Writable<'static, NotSync>);
}

/// An owned readiness future is an `Arc` of the source.
fn owned_readiness_is_an_arc<T>() {
    fn send_and_sync<T: Send + Sync>() {
        is!(ReadableOwned<T>: Send + Sync);
        is!(WritableOwned<T>: Send + Sync);
    }
    fn unwind_safe<T: RefUnwindSafe>() {
        is!(ReadableOwned<T>: UnwindSafe + RefUnwindSafe);
        is!(WritableOwned<T>: UnwindSafe + RefUnwindSafe);
    }
    is!(ReadableOwned<T>: Unpin);
    is!(WritableOwned<T>: Unpin);
}

#[test]
fn owned_readiness_has_no_more_than_an_arc() {
    is_not!(ReadableOwned<NotSend>: Send);
    is_not!(WritableOwned<NotSend>: Send);
    is_not!(ReadableOwned<NotSend>: Sync);
    is_not!(WritableOwned<NotSend>: Sync);
    is_not!(ReadableOwned<NotSync>: Send);
    is_not!(WritableOwned<NotSync>: Send);
    is_not!(ReadableOwned<NotSync>: Sync);
    is_not!(WritableOwned<NotSync>: Sync);
    is!(ReadableOwned<NotUnwindSafe>: UnwindSafe + RefUnwindSafe);
    is!(WritableOwned<NotUnwindSafe>: UnwindSafe + RefUnwindSafe);
    is_not!(ReadableOwned<NotSync>: UnwindSafe);
    is_not!(WritableOwned<NotSync>: UnwindSafe);
    is_not!(ReadableOwned<NotSync>: RefUnwindSafe);
    is_not!(WritableOwned<NotSync>: RefUnwindSafe);
    is!(ReadableOwned<PhantomPinned>: Unpin);
    is!(WritableOwned<PhantomPinned>: Unpin);
    is_freeze!(ReadableOwned<NotSync>);
    is_freeze!(WritableOwned<NotSync>);
}

#[test]
fn timer_has_all() {
    is!(Timer: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe);
    is_freeze!(Timer);
}
