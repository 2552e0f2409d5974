//! The handler: it counts the signal, wakes the thread that prints, and calls the handler that was there before.
//!
//! This file may contain `unsafe`: it sets a handler, and calls another one by its address.

#![allow(unsafe_code)]

use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

use libc::{c_int, c_void, sigaction, siginfo_t};

pub(super) use super::names::Signal;
use crate::fork;

/// How many signals have come. Release where they are counted pairs with Acquire in [`count`].
static COUNT: AtomicU32 = AtomicU32::new(0);

/// In which fork's process the thread is that prints, plus one. Relaxed: a handler that misses it counts, and
/// wakes nobody who minds.
static LISTENING: AtomicU32 = AtomicU32::new(0);

/// What was there before the handler: leaked, replaced at most once. Released when it is stored, acquired by
/// the handler.
static BEFORE: AtomicPtr<sigaction> = AtomicPtr::new(ptr::null_mut());

/// The handler before was to be called once, and has been.
static IS_SPENT: AtomicBool = AtomicBool::new(false);

type Simple = extern "C" fn(c_int);
type Informed = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// How many signals have come.
pub(super) fn count() -> u32 {
    COUNT.load(Ordering::Acquire)
}

/// Waits until other than `answered` signals have come, at most for `limit`.
pub(super) fn wait(answered: u32, limit: Duration) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::thread::futex;

        let limit = futex::Timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(1),
            tv_nsec: limit.subsec_nanos().into(),
        };
        // Woken, late, interrupted or not asleep at all: the caller looks.
        let _ = futex::wait(&COUNT, futex::Flags::PRIVATE, answered, Some(&limit));
    }
    // No system call that wakes a thread without a descriptor is allowed in a handler everywhere; and a
    // descriptor may be closed and reused behind our back.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    if count() == answered {
        std::thread::sleep(limit.min(Duration::from_millis(100)));
    }
}

/// Nothing is allowed here but what is allowed in any handler: atomics and system calls. It leaves `errno` as it
/// was: see `wake`.
extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // A forked child that has not used the reactor yet has nobody who prints.
    if LISTENING.load(Ordering::Relaxed) == fork::count() + 1 {
        COUNT.fetch_add(1, Ordering::Release);
        wake();
    }
    // SAFETY: null, or leaked by `listen`.
    let Some(before) = (unsafe { BEFORE.load(Ordering::Acquire).as_ref() }) else { return };
    let handler = before.sa_sigaction;
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        // The default of most is to end the program. The user has asked for something else.
        return;
    }
    // Relaxed: it guards no other memory.
    if before.sa_flags & libc::SA_RESETHAND != 0 && IS_SPENT.swap(true, Ordering::Relaxed) {
        return;
    }
    if before.sa_flags & libc::SA_SIGINFO != 0 {
        // SAFETY: the program has set this address as a handler that takes these three. It is called as the
        // system would call it.
        let handler = unsafe { mem::transmute::<libc::sighandler_t, Informed>(handler) };
        handler(signal, info, context);
    } else {
        // SAFETY: as above, for a handler that takes one.
        let handler = unsafe { mem::transmute::<libc::sighandler_t, Simple>(handler) };
        handler(signal);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn wake() {
    #[cfg(target_os = "android")]
    use libc::__errno as errno;
    #[cfg(target_os = "linux")]
    use libc::__errno_location as errno;

    // SAFETY: it returns the address of this thread's `errno`, which is valid while the thread runs.
    let place = unsafe { errno() };
    // SAFETY: as above.
    let before = unsafe { *place };
    let _ = rustix::thread::futex::wake(&COUNT, rustix::thread::futex::Flags::PRIVATE, 1);
    // SAFETY: as above.
    unsafe { *place = before };
}

/// Nobody sleeps in the system for it, see `wait`.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn wake() {}

/// What is set for the signal now.
fn current(signal: Signal) -> Option<sigaction> {
    let mut current = MaybeUninit::<sigaction>::zeroed();
    // SAFETY: nothing is set; `current` has room for what is written, and outlives the call.
    let result = unsafe { libc::sigaction(signal.0, ptr::null(), current.as_mut_ptr()) };
    // SAFETY: it succeeded, and so has written all of it.
    (result == 0).then(|| unsafe { current.assume_init() })
}

fn own_address() -> libc::sighandler_t {
    handle as Informed as *const () as libc::sighandler_t
}

/// Whether somebody else's handler is set now.
pub(super) fn is_replaced(signal: Signal) -> bool {
    let is_set = !BEFORE.load(Ordering::Acquire).is_null();
    is_set && current(signal).is_some_and(|current| current.sa_sigaction != own_address())
}

/// Sets the handler, once: a forked child has it from its parent. What was set before is kept, and called.
pub(super) fn listen(signal: Signal) {
    LISTENING.store(fork::count() + 1, Ordering::Relaxed);
    let Some(before) = current(signal) else {
        super::say(format_args!(
            "ASYNC_IO_DUMP_SIGNAL: the system does not let {signal} be caught ({}); nothing is printed on \
             signals",
            std::io::Error::last_os_error()
        ));
        return;
    };
    if !BEFORE.load(Ordering::Acquire).is_null() {
        return;
    }
    let calls_on = ![libc::SIG_DFL, libc::SIG_IGN].contains(&before.sa_sigaction);
    let mut own = before;
    own.sa_sigaction = own_address();
    // The program's calls are interrupted, and its signals held back, as with its own handler.
    own.sa_flags = match calls_on {
        true => before.sa_flags & !libc::SA_RESETHAND | libc::SA_SIGINFO,
        false => libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK,
    };
    // Before the handler can come to need it.
    BEFORE.store(Box::into_raw(Box::new(before)), Ordering::Release);
    let mut replaced = MaybeUninit::<sigaction>::zeroed();
    // SAFETY: `handle` lives as long as the program, and does in it only what a handler may. The rest of `own`
    // is what the program itself had set.
    let result = unsafe { libc::sigaction(signal.0, &own, replaced.as_mut_ptr()) };
    if result != 0 {
        super::say(format_args!(
            "ASYNC_IO_DUMP_SIGNAL: the system does not let {signal} be caught ({}); nothing is printed on \
             signals",
            std::io::Error::last_os_error()
        ));
        return;
    }
    // SAFETY: it succeeded, and so has written all of it.
    let replaced = unsafe { replaced.assume_init() };
    // Another thread may have set a handler in between.
    if replaced.sa_sigaction != before.sa_sigaction && replaced.sa_sigaction != own_address() {
        BEFORE.store(Box::into_raw(Box::new(replaced)), Ordering::Release);
    }
}

/// The calling thread gets no signals.
pub(super) fn block_all() {
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `all` has room for what is written, and outlives both calls. What was blocked before is not asked
    // for. With a full set, neither can fail.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), ptr::null_mut());
    }
}
