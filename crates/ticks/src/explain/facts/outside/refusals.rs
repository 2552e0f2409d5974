//! Calls to which the kernel gives the same error again and again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::strace::{Call, Traced, What};

/// Calls of one kind in a row, by one thread, that failed in the same way.
#[derive(Clone, Debug)]
pub struct Run {
    /// The recording of its process.
    pub input: Option<usize>,
    /// The thread, if the listing says.
    pub tid: Option<u64>,
    /// The call's name.
    pub name: String,
    /// The descriptor that it was called with.
    pub fd: i64,
    /// The error.
    pub error: String,
    /// How many calls.
    pub count: u64,
    /// The listing, and the lines of the first and the last.
    pub lines: (PathBuf, u64, u64),
    /// When the first and the last were made.
    pub times_ns: Option<(u64, u64)>,
    /// Whether the thread made other calls in between.
    pub others_between: bool,
    /// What became of the descriptor that the same call was made with before.
    pub before: Option<Before>,
    /// Whether the listing, or the thread, ends with it.
    pub to_the_end: bool,
}

/// A descriptor that a call was made with before.
#[derive(Clone, Debug)]
pub struct Before {
    /// The descriptor.
    pub fd: i64,
    /// The line that closed it.
    pub closed: Option<u64>,
    /// The line in which it was to be taken out of the poller, and was closed already.
    pub deleted_late: Option<u64>,
}

/// What a thread did.
#[derive(Default)]
struct Thread {
    run: Option<Run>,
    /// By call: the last descriptor that it was open with.
    last_fd: HashMap<String, i64>,
}

/// Calls that fail again and again.
#[derive(Default)]
pub struct Refusals {
    /// The runs, in the order in which they ended.
    pub runs: Vec<Run>,
    /// Of the listing that is read.
    threads: HashMap<Option<u64>, Thread>,
    /// Of each process the lines in which descriptors were closed.
    closed: HashMap<(Option<usize>, i64), u64>,
    deleted_late: HashMap<(Option<usize>, i64), u64>,
}

/// Calls by which a program waits for, or takes, what others send.
const CALLS: [&str; 11] = [
    "accept",
    "accept4",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "recvmmsg",
];

/// Fewer in a row are no run.
const RUN_MIN: u64 = 3;
/// One who tries in vain now and then has other things to do; so many in a row are a loop.
const BUSY_MIN: u64 = 50;

const RUNS_MAX: usize = 64;
const FDS_MAX: usize = 1 << 16;

impl Refusals {
    /// Takes in the next line.
    pub fn learn(&mut self, traced: &Traced, input: Option<usize>, path: &Path) {
        let Some(call) = traced.what.call() else {
            if let (What::Exit(_), Some(thread)) = (&traced.what, self.threads.remove(&traced.tid))
            {
                self.thread_ends(thread);
            }
            return;
        };
        let fd = call.fds.first().map_or(-1, |fd| fd.fd);
        self.learn_close(call, input, fd, traced.line);
        let thread = self.threads.entry(traced.tid).or_default();
        if !CALLS.contains(&&*call.name) {
            if let Some(run) = &mut thread.run {
                run.others_between = true;
            }
            return;
        }
        let error = call.error().unwrap_or_default();
        if let Some(run) = &mut thread.run {
            if (run.name.as_str(), run.fd, run.error.as_str()) == (&*call.name, fd, error) {
                run.count += 1;
                run.lines.2 = traced.line;
                run.times_ns =
                    run.times_ns.zip(traced.utc_ns).map(|((first, _), now)| (first, now));
                return;
            }
            // It goes on with the next of the same: calls of other kinds are made in between.
            if run.name != call.name {
                run.others_between = true;
                return;
            }
        }
        if let Some(run) = thread.run.take() {
            keep(&mut self.runs, run);
        }
        if error != "EBADF" {
            thread.last_fd.insert(call.name.clone(), fd);
        }
        if error.is_empty() || matches!(error, "EINTR" | "ERESTARTSYS" | "EINPROGRESS") {
            return;
        }
        let before = thread.last_fd.get(&call.name).filter(|_| error == "EBADF");
        let before = before.map(|fd| Before {
            fd: *fd,
            closed: self.closed.get(&(input, *fd)).copied(),
            deleted_late: self.deleted_late.get(&(input, *fd)).copied(),
        });
        thread.run = Some(Run {
            input,
            tid: traced.tid,
            name: call.name.clone(),
            fd,
            error: error.to_owned(),
            count: 1,
            lines: (path.to_owned(), traced.line, traced.line),
            times_ns: traced.utc_ns.map(|at| (at, at)),
            others_between: false,
            before,
            to_the_end: false,
        });
    }

    fn learn_close(&mut self, call: &Call, input: Option<usize>, fd: i64, line: u64) {
        if self.closed.len() + self.deleted_late.len() > FDS_MAX {
            return;
        }
        if call.name == "close" && call.returned() == Some(0) {
            self.closed.insert((input, fd), line);
        }
        let deletes = call.name == "epoll_ctl" && call.args.contains("EPOLL_CTL_DEL");
        if let (true, Some("EBADF"), Some(fd)) = (deletes, call.error(), call.fds.get(1)) {
            self.deleted_late.insert((input, fd.fd), line);
        }
    }

    /// A listing is at its end.
    pub fn end(&mut self) {
        for (_, thread) in std::mem::take(&mut self.threads) {
            self.thread_ends(thread);
        }
        self.runs.sort_by(|one, other| one.lines.cmp(&other.lines));
    }

    fn thread_ends(&mut self, thread: Thread) {
        if let Some(run) = thread.run {
            keep(&mut self.runs, Run { to_the_end: true, ..run });
        }
    }
}

/// Keeps the run if it is one.
fn keep(runs: &mut Vec<Run>, run: Run) {
    let is_run = match &*run.error {
        "EAGAIN" => run.count >= BUSY_MIN && !run.others_between,
        _ => run.count >= RUN_MIN,
    };
    if is_run && runs.len() < RUNS_MAX {
        runs.push(run);
    }
}
