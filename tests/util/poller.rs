//! Which poller the suite runs under, for the tests whose subject one of them cannot have.

use std::env;
use std::io::{self, Write};

/// Whether the reactor runs on its own epoll poller. If not, says on stderr that `test` is left out:
/// the portable poller registers per wait and so makes more system calls, which is not what is tested.
pub fn is_epoll(test: &str) -> bool {
    unless(test, |poller| poller != "epoll", "it counts the epoll poller's system calls")
}

/// Whether the poller is edge triggered. If not, says on stderr that `test` is left out: a one-shot
/// poller is told of a standing error each time it arms, and no interest mask can keep that out.
pub fn is_edge_triggered(test: &str) -> bool {
    unless(test, |poller| poller == "polling-oneshot", "it needs an edge-triggered poller")
}

fn unless(test: &str, excluded: impl Fn(&str) -> bool, reason: &str) -> bool {
    match env::var("ASYNC_IO_POLLER") {
        Ok(poller) if excluded(&poller) => {
            // Not eprintln!: the test harness would keep it to itself, since the test passes.
            let _ =
                writeln!(io::stderr(), "{test}: left out under ASYNC_IO_POLLER={poller}: {reason}");
            false
        }
        _ => true,
    }
}
