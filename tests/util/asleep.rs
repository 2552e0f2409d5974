//! Where a thread of this process sleeps, by what the kernel says of it.

use std::fs;
use std::io;
use std::thread;

/// Waits until the thread sleeps in a system call. Returns whether that is a poller's wait; an error
/// where the kernel does not say.
pub fn in_a_poller(tid: i32) -> io::Result<bool> {
    let path = format!("/proc/self/task/{tid}/syscall");
    loop {
        let text = fs::read_to_string(&path)?;
        // `232 0x4 …` in a call, `running`, or `-1 …` outside of one, where a page is being fetched.
        match text.split_whitespace().next().and_then(|number| number.parse().ok()) {
            Some(number) if number >= 0 => return Ok(waits_in_epoll(number)),
            _ => thread::yield_now(),
        }
    }
}

fn waits_in_epoll(call: libc::c_long) -> bool {
    // Newer architectures have no plain one.
    #[cfg(target_arch = "x86_64")]
    if call == libc::SYS_epoll_wait {
        return true;
    }
    [libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2].contains(&call)
}
