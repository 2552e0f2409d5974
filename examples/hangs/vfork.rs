//! Starting a program by hand, as old libraries do: with `vfork`, after which the thread waits in the kernel, where no
//! signal reaches it, until the child runs the new program or ends.
//!
//! This file has `unsafe` code: std starts no such child.

use std::io;
use std::time::Duration;

/// Starts a child that ends after so long, or never, and waits until it has.
pub fn start_helper(ends_after: Option<Duration>) -> io::Result<()> {
    let length = libc::timespec {
        tv_sec: ends_after.map_or(0, |length| length.as_secs() as libc::time_t),
        tv_nsec: ends_after.map_or(0, |length| length.subsec_nanos().into()),
    };
    // SAFETY: without CLONE_VM the child has a copy of the memory, as after a fork. It calls nothing but prctl, pause,
    // nanosleep and _exit, which take no lock, and never returns. The arguments that are 0 mean: this stack, and no
    // place to store a thread's number.
    let child = unsafe {
        let child = libc::syscall(libc::SYS_clone, libc::CLONE_VFORK | libc::SIGCHLD, 0, 0, 0, 0);
        if child == 0 {
            // It goes with its parent.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            while ends_after.is_none() {
                libc::pause();
            }
            libc::nanosleep(&length, std::ptr::null_mut());
            libc::_exit(0);
        }
        child
    };
    if child == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is our child, and nobody else waits for it. A null pointer asks for no status.
    match unsafe { libc::waitpid(child as libc::pid_t, std::ptr::null_mut(), 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
