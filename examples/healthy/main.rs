//! Programs that are well, to see that `ticks explain` finds nothing wrong with them.
//!
//! ```console
//! $ cargo run --example healthy -- --list
//! $ ASYNC_IO_TRACE=/tmp/t cargo run --example healthy -- --case chat --seconds 5
//! $ ticks explain /tmp/t/*.ticks
//! ```
//!
//! Each case is a file of this folder. A case prints `busy` when it is at work, and ends by itself with success
//! after ten seconds, or `--seconds`.

use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

use async_executor::Executor;
use async_io::{block_on, Timer};
use futures_lite::future::{self, or};

mod net;

/// Declares the cases, a module each.
macro_rules! cases {
    ($($name:ident: $what:literal,)*) => {
        $(mod $name;)*

        /// Name and what it is.
        const CASES: &[(&str, &str)] = &[$((stringify!($name), $what),)*];

        /// Starts it and waits for it, which takes for ever unless it fails.
        async fn run(case: &str, executor: &'static Executor<'static>) -> Option<io::Result<()>> {
            match case {
                $(stringify!($name) => Some($name::run(executor).await),)*
                _ => None,
            }
        }
    };
}

cases! {
    chat: "eight people talk, and each hears what the others say",
    proxy: "clients ask a server through a proxy that copies both ways",
    idle: "a server listens, and its clients are connected and say nothing",
    long_timers: "jobs that are due each hour, each night and each week, on purpose",
    echo: "a server sends back what sixteen clients send, as fast as it can",
    pool: "workers take jobs from a channel and compute",
    udp: "questions and answers over UDP",
    child: "lines are sent through the process `cat`",
    unix: "requests over a Unix socket",
    ticker: "three tickers and a timeout that never comes",
    churn: "connections are opened, used once and closed",
    locks: "sixteen tasks share four locks",
    others: "a process, an event, a directory and a kernel's timer are watched",
    arrivals: "one client after the other comes, and stays",
    slow_reader: "an upload whose receiver takes its time",
    held_in_thread: "a thread has the lock for which two tasks wait",
    helpers: "a thread starts programs that are slow to begin",
    leads: "two tasks give jobs to their helpers, and compute meanwhile",
}

struct Args {
    case: Option<String>,
    list: bool,
    limit: Duration,
}

fn args() -> Result<Args, String> {
    let mut args = Args { case: None, list: false, limit: Duration::from_secs(10) };
    let mut given = env::args().skip(1);
    while let Some(arg) = given.next() {
        let mut value = || given.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--list" => args.list = true,
            "--case" => args.case = Some(value()?),
            "--seconds" => {
                let text = value()?;
                let seconds = text.parse().map_err(|_| format!("{text} is not a number"))?;
                args.limit = Duration::from_secs(seconds);
            }
            _ => return Err(format!("{arg} is not known: --list, --case NAME, --seconds N")),
        }
    }
    Ok(args)
}

/// A second thread that polls tasks.
fn add_thread(executor: &'static Executor<'static>) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("worker".into());
    thread.spawn(move || block_on(executor.run(future::pending::<()>())))?;
    Ok(())
}

async fn day(case: &str, limit: Duration, executor: &'static Executor<'static>) -> io::Result<()> {
    let work = async {
        let ended = run(case, executor).await;
        ended.unwrap_or_else(|| {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("no case is named {case}")))
        })
    };
    let closing_time = async {
        Timer::after(Duration::from_millis(500).min(limit)).await;
        println!("busy");
        Timer::after(limit).await;
        Ok(())
    };
    or(work, closing_time).await
}

fn main() -> ExitCode {
    let ended = args()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
        .and_then(|args| {
            let Some(case) = args.case.filter(|_| !args.list) else {
                CASES.iter().for_each(|(name, what)| println!("{name:16}{what}"));
                return Ok(());
            };
            let executor: &'static Executor<'static> = Box::leak(Box::default());
            add_thread(executor)?;
            block_on(executor.run(day(&case, args.limit, executor)))
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("healthy: {error}");
            ExitCode::FAILURE
        }
    }
}
