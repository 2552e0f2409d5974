//! The log format: RFC 3339 UTC to the microsecond, level, module, line, thread number.
//!
//! ```text
//! [2022-05-03T18:37:52.139518Z TRACE async_io::reactor 475  1] Source::poll_ready:+ …
//! ```

use std::io::Write;
use std::time::SystemTime;

/// Sends the program's log to stderr, as `RUST_LOG` asks for it (default: errors only).
///
/// # Panics
///
/// If a logger is already set.
pub fn init() {
    env_logger::Builder::from_env(env_logger::Env::default())
        .format(|out, record| {
            writeln!(
                out,
                "[{} {:5} {} {} {:2}] {}",
                humantime::format_rfc3339_micros(SystemTime::now()),
                record.level(),
                record.module_path().unwrap_or(record.target()),
                record.line().unwrap_or(0),
                thread_number(),
                record.args()
            )
        })
        .init();
}

/// The number in `ThreadId(7)`: std gives it in no other form yet.
fn thread_number() -> u64 {
    let id = format!("{:?}", std::thread::current().id());
    id.trim_start_matches("ThreadId(").trim_end_matches(')').parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn threads_have_distinct_numbers() {
        let mine = super::thread_number();
        let other = std::thread::spawn(super::thread_number).join().unwrap();
        assert!(mine > 0 && other > 0 && mine != other, "{mine} and {other}");
    }
}
