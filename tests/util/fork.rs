//! A forked child that runs a part of a test, and that is killed when it does not end.
//!
//! Only the forking thread exists in the child. Allocating there is safe, as the C library takes the
//! allocator's locks over; what other threads held of anything else is lost, which is what is tested.

use std::any::Any;
use std::io;
use std::panic::{self, AssertUnwindSafe};

use super::bounded;

/// How long a child may live: longer than its parent waits for it.
const CHILD_LIMIT_S: libc::c_uint = 200;

/// A child process. It is killed and reaped when this is dropped.
#[must_use = "a child must be waited for"]
pub struct Child {
    pid: libc::pid_t,
    what: String,
    reaped: bool,
}

impl Child {
    /// Runs `work` in a forked child, which succeeds if `work` does not panic. What `work` drops or
    /// changes, it drops and changes in the child alone. `what` names it.
    #[track_caller]
    pub fn start(what: &str, work: impl FnOnce()) -> Child {
        if let Some(child) = Child::fork(what) {
            return child;
        }
        let result = panic::catch_unwind(AssertUnwindSafe(work));
        if let Err(panic) = &result {
            report(what, panic.as_ref());
        }
        leave(i32::from(result.is_err()))
    }

    /// Forks; `None` in the child, which must not return to the test harness, see [`leave`].
    #[track_caller]
    pub fn fork(what: &str) -> Option<Child> {
        // SAFETY: the child goes on with what the caller does there and ends without returning to the
        // test harness. That it allocates and locks is covered by the note at the top: it may hang, and
        // is killed then.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: asks the kernel to end this process, whatever hangs in it and whoever is left to
            // kill it: an orphan would keep the harness's output open.
            unsafe { libc::alarm(CHILD_LIMIT_S) };
            return None;
        }
        assert!(pid > 0, "fork: {}", io::Error::last_os_error());
        Some(Child { pid, what: what.to_owned(), reaped: false })
    }

    /// Waits until the child ends. Fails the test when it does not, or when it failed.
    #[track_caller]
    pub fn succeeds(mut self) {
        let status = self.wait();
        let succeeded = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        assert!(succeeded, "the child, {}, was a failure, wait status {status:#x}", self.what);
    }

    /// Waits until the child ends. Fails the test when it does not, or when it was killed. For one whose
    /// last thread ends: a sanitizer then calls a leak what the threads had that are gone.
    #[track_caller]
    pub fn exits(mut self) {
        let status = self.wait();
        assert!(libc::WIFEXITED(status), "the child, {}, wait status {status:#x}", self.what);
    }

    #[track_caller]
    fn wait(&mut self) -> libc::c_int {
        let mut status = 0;
        let what = format!("the end of the child, {}", self.what);
        bounded::until(&what, || {
            // SAFETY: `pid` is a child that is not reaped yet, and `status` outlives the call.
            let reaped = unsafe { libc::waitpid(self.pid, &mut status, libc::WNOHANG) };
            assert!(reaped >= 0, "waitpid: {}", io::Error::last_os_error());
            self.reaped = reaped == self.pid;
            self.reaped
        });
        status
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            // SAFETY: `pid` is a child that is not reaped, so the number is not another process's.
            unsafe {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, std::ptr::null_mut(), 0);
            }
        }
    }
}

/// Ends a child.
pub fn leave(status: i32) -> ! {
    // SAFETY: ends the process at once; nothing of the parent's is flushed or run twice.
    unsafe { libc::_exit(status) }
}

/// Says on stderr why the child failed: the harness captures what a panic prints, and the child has no
/// harness to show it.
fn report(what: &str, panic: &(dyn Any + Send)) {
    let reason = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(reason), _) => reason,
        (None, Some(reason)) => *reason,
        (None, None) => "an unknown panic",
    };
    let line = format!("child, {what}: {reason}\n");
    // SAFETY: the buffer is `line`'s. Not through std: a thread that is gone may hold its lock.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}
