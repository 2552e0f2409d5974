//! Programs that hang, each in a way of its own, to see what `ticks explain` says of them.
//!
//! ```console
//! $ cargo run --example hangs -- --list
//! $ ASYNC_IO_TRACE=/tmp/t cargo run --example hangs -- --case two_locks
//! $ ticks explain /tmp/t/*.ticks
//! ```
//!
//! Each case is a file of this folder, and begins with its story. A case prints `hung` when it has got there, and
//! gives up after a minute, or `--seconds`. In its file `// hangs here` marks the line that is to be found.

use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

mod story;
mod vfork;

/// Declares the cases, a module each.
macro_rules! cases {
    ($($name:ident: $what:literal,)*) => {
        $(mod $name;)*

        /// Name, what it is, and the program.
        const CASES: &[(&str, &str, fn() -> io::Result<()>)] =
            &[$((stringify!($name), $what, $name::run),)*];
    };
}

cases! {
    lost_waker: "a future of the program's own leaves its waker once, and is woken twice",
    computes: "a task computes for ever on the only thread",
    blocking_main: "what the executor's run was given blocks the only thread",
    blocking_send: "a task sends into a full channel that blocks its thread",
    nested_block_on: "a task calls block_on on the only thread of its executor",
    long_poll: "a task computes for 300 ms in each poll",
    two_locks: "two tasks hold a lock each and want the other's",
    crossed_channels: "two tasks send to each other through full channels",
    select_holds_lock: "select! holds a future that holds a lock, and does not poll it",
    buffered_unpolled: "buffered(4) holds futures that hold a lock, and nobody polls it",
    own_sender: "a task waits for the end of a channel to which it could send itself",
    silent_peer: "the server never answers",
    no_flush: "a client waits for the answer to a question that is still in its buffer",
    peer_does_not_read: "the server has stopped reading",
    nobody_accepts: "the server listens and does not accept",
    dropped_segments: "a firewall drops what is sent",
    stopped: "the process is stopped by a signal",
    traced: "a debugger holds the process",
    stuck_in_kernel: "a thread waits in the kernel for a child that never runs its program",
    starved: "others have the processor",
    unread_socket: "a task reads its socket no more, and waits for a channel",
    dropped_task: "the task that reads a socket was dropped, the socket was not",
    read_exact_timeout: "read_exact under a timeout loses two bytes of a message",
    waker_not_stored: "a future reads until WouldBlock, and does not ask to be woken again",
    two_readers: "two tasks read the same connection",
    self_wake: "a future wakes itself in each poll",
    yield_loop: "a task looks at a flag again and again",
    eof_loop: "a task reads from a closed connection for ever",
    wrong_unit: "a timeout of milliseconds was given as seconds",
    never_timer: "a timer is never set",
    late_timers: "the executor has more to do than it can",
    blocking_waker: "a waker blocks the reactor, and all timers are late",
    leak_tasks: "each request leaves a task behind",
    leak_sources: "each request leaves a connection behind",
    leak_timers: "each request leaves a timer behind",
    closed_fd: "a library closes the descriptor of a socket that is in use",
    replaced_fd: "another file takes the place of a socket's descriptor",
    copied_fd: "a copy of a socket outlives it, and its events come for nobody",
    slow_poll: "a slow task asks poll_readable; with 2.6.0 it hangs",
}

/// What a process is that a case starts beside itself.
enum Role {
    /// See [`stopped::guard`].
    Guard(i32),
    /// See [`traced::debug`].
    Debugger(i32),
    /// See [`starved::job`].
    Job,
}

struct Args {
    case: Option<String>,
    role: Option<Role>,
    list: bool,
    limit: Duration,
}

fn args() -> Result<Args, String> {
    let mut args = Args { case: None, role: None, list: false, limit: Duration::from_secs(60) };
    let mut given = env::args().skip(1);
    while let Some(arg) = given.next() {
        let mut value = || given.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--list" => args.list = true,
            "--case" => args.case = Some(value()?),
            "--guard" => args.role = Some(Role::Guard(number(&value()?)?)),
            "--debug" => args.role = Some(Role::Debugger(number(&value()?)?)),
            "--job" => args.role = Some(Role::Job),
            "--seconds" => args.limit = Duration::from_secs(number(&value()?)?),
            _ => return Err(format!("{arg} is not known: --list, --case NAME, --seconds N")),
        }
    }
    Ok(args)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number as expected"))
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(error) => return fails(&error),
    };
    if let Some(role) = args.role {
        return play(&role, args.limit);
    }
    let Some(wanted) = args.case.filter(|_| !args.list) else {
        CASES.iter().for_each(|(name, what, _)| story::say(&format!("{name:20}{what}")));
        return ExitCode::SUCCESS;
    };
    let Some((_, _, run)) = CASES.iter().find(|(name, ..)| *name == wanted) else {
        return fails(&format!("no case is named {wanted}: --list has the names"));
    };
    story::give_up_after(args.limit);
    match run() {
        Ok(()) => fails("the program came to its end"),
        Err(error) => fails(&error.to_string()),
    }
}

fn play(role: &Role, limit: Duration) -> ExitCode {
    let played = match role {
        Role::Guard(pid) => {
            stopped::guard(*pid, limit);
            Ok(())
        }
        Role::Debugger(pid) => traced::debug(*pid, limit),
        Role::Job => {
            starved::job(limit);
            Ok(())
        }
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fails(&error.to_string()),
    }
}

fn fails(what: &str) -> ExitCode {
    eprintln!("hangs: {what}");
    ExitCode::FAILURE
}
