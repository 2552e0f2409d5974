//! What a wait is for, by the code that asked to be woken: a small table.

use super::Call;

/// A row: code of this crate, in a function or a file whose name contains one of these words, waits for that.
struct Row {
    of_crate: &'static str,
    /// In small letters. None: any code of the crate.
    words: &'static [&'static str],
    what: &'static str,
}

const fn row(of_crate: &'static str, words: &'static [&'static str], what: &'static str) -> Row {
    Row { of_crate, words, what }
}

/// What is waited for. Of a crate the first row that fits is meant.
const ROWS: &[Row] = &[
    row("async_broadcast", &["send"], "Sender::broadcast (async-broadcast)"),
    row("async_broadcast", &[], "Receiver::recv (async-broadcast)"),
    row("async_channel", &["closed"], "closing of a channel (async-channel)"),
    row("async_channel", &["send"], "Sender::send (async-channel)"),
    row("async_channel", &["recv", "poll_next"], "Receiver::recv (async-channel)"),
    row("async_channel", &[], "channel (async-channel)"),
    row("async_fs", &[], "file (async-fs)"),
    row("async_io", &["timer"], "timer"),
    row("async_io", &["source", "async_io.rs", "net.rs", "async::", "able::"], "source"),
    row("async_lock", &["rwlock", "rawread", "rawwrite", "rawupgrad"], "RwLock (async-lock)"),
    row(
        "async_lock",
        &["semaphore", "::acquire::", "acquirearc", "acquireinner"],
        "Semaphore::acquire (async-lock)",
    ),
    row("async_lock", &["barrier"], "Barrier::wait (async-lock)"),
    row("async_lock", &["once_cell", "oncecell"], "OnceCell (async-lock)"),
    row("async_lock", &["mutex", "::lock", "acquireslow"], "Mutex::lock (async-lock)"),
    row("async_lock", &["::read", "::write", "::upgrad"], "RwLock (async-lock)"),
    row("async_lock", &[], "lock (async-lock)"),
    row("async_process", &[], "process (async-process)"),
    row("async_signal", &[], "signal (async-signal)"),
    row("async_std", &["condvar"], "Condvar::wait (async-std)"),
    row("async_std", &["barrier"], "Barrier::wait (async-std)"),
    row("async_std", &["sleep", "/delay"], "sleep (async-std)"),
    row("async_task", &[], "join handle of a task"),
    row("blocking", &[], "blocking work (blocking)"),
    row("flume", &["send"], "Sender::send (flume)"),
    row("flume", &[], "Receiver::recv (flume)"),
    row("futures_channel", &["oneshot"], "oneshot (futures-channel)"),
    row("futures_channel", &["sender", "poll_ready", "send"], "Sender (futures-channel)"),
    row("futures_channel", &[], "Receiver (futures-channel)"),
    row("futures_timer", &[], "sleep (futures-timer)"),
    row("futures_util", &["mutex"], "Mutex::lock (futures-util)"),
    row("futures_util", &["bilock"], "BiLock (futures-util)"),
    row("futures_util", &["shared"], "Shared future (futures-util)"),
    row("ticks_recorder", &["parent"], "the task in it that has a name"),
    row("piper", &["write", "drain", "fill"], "pipe (piper)"),
    row("piper", &[], "pipe (piper)"),
    row("tokio", &["oneshot"], "oneshot (tokio)"),
    row("tokio", &["mpsc", "chan"], "mpsc channel (tokio)"),
    row("tokio", &["broadcast"], "broadcast channel (tokio)"),
    row("tokio", &["watch"], "watch channel (tokio)"),
    row("tokio", &["notify"], "Notify (tokio)"),
    row("tokio", &["barrier"], "Barrier::wait (tokio)"),
    row("tokio", &["rwlock"], "RwLock (tokio)"),
    row("tokio", &["mutex"], "Mutex::lock (tokio)"),
    row("tokio", &["semaphore"], "Semaphore::acquire (tokio)"),
    row(
        "tokio",
        &["joinhandle", "task/join", "join_set", "joinset"],
        "join handle of a task (tokio)",
    ),
    row("tokio", &["process"], "process (tokio)"),
    row("tokio", &["signal"], "signal (tokio)"),
    row("tokio", &["blocking"], "blocking work (tokio)"),
    row("tokio", &["sleep", "interval", "timeout", "time/"], "sleep (tokio)"),
    row(
        "tokio",
        &["scheduled_io", "registration", "net/", "::net::", "poll_evented"],
        "socket (tokio)",
    ),
];

/// What an executor waits for that is a task's future itself, beside whatever else that waits for.
pub const EXECUTOR: &str = "a task to run (async-executor)";

/// What holds futures and gives them wakers of its own, or waits on behalf of somebody: said where no row of
/// the table above fits.
const HOLDERS: &[Row] = &[
    row("async_executor", &[], EXECUTOR),
    row("event_listener", &[], "event (event-listener)"),
    row("event_listener_strategy", &[], "event (event-listener)"),
    row("futures_concurrency", &[], "one of several futures (futures-concurrency)"),
    row(
        "futures_util",
        &["futures_unordered", "futuresunordered"],
        "FuturesUnordered (futures-util)",
    ),
    row("futures_util", &["futures_ordered", "futuresordered"], "FuturesOrdered (futures-util)"),
    row("futures_util", &["abort"], "Abortable (futures-util)"),
    row("futures_core", &["atomic_waker", "atomicwaker"], "AtomicWaker"),
    row("futures_util", &["atomic_waker", "atomicwaker"], "AtomicWaker"),
    row("atomic_waker", &[], "AtomicWaker"),
];

fn find(rows: &'static [Row], call: &Call) -> Option<&'static str> {
    let of_crate = call.of_crate.as_deref()?;
    let function = call.function.as_deref().unwrap_or_default().to_ascii_lowercase();
    // Its place in its crate: the machine's part may contain anything.
    let file = call.file.as_deref().unwrap_or_default().to_ascii_lowercase();
    let file = file.rsplit_once("/src/").map_or("", |(_, rest)| rest);
    let mut rows = rows.iter().filter(|row| row.of_crate == of_crate);
    let fits = |row: &&Row| {
        row.words.is_empty()
            || row.words.iter().any(|word| function.contains(word) || file.contains(word))
    };
    rows.find(fits).map(|row| row.what)
}

/// What is waited for by these calls, innermost first, which lead up to the program's own code. What was
/// called from there says it best: it may wait for others in its turn.
pub fn specific(calls: &[Call]) -> Option<&'static str> {
    calls.iter().rev().find_map(|call| find(ROWS, call))
}

/// The same, of what holds futures.
pub fn holder(calls: &[Call]) -> Option<&'static str> {
    calls.iter().rev().find_map(|call| find(HOLDERS, call))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(of_crate: &str, function: &str, file: &str) -> Call {
        Call {
            of_crate: Some(of_crate.into()),
            function: Some(function.into()),
            file: Some(format!("/x/mutex/{of_crate}-1.0.0/src/{file}")),
            ..Call::default()
        }
    }

    #[test]
    fn what_was_called_says_what_is_waited_for() {
        let listener = call("event_listener", "event_listener::EventListener::poll", "lib.rs");
        let strategy = call("event_listener_strategy", "poll_with_strategy", "lib.rs");
        for (inner, expected) in [
            (call("async_lock", "poll_with_strategy", "mutex.rs"), "Mutex::lock (async-lock)"),
            (call("async_lock", "async_lock::Lock::poll", "x.rs"), "Mutex::lock (async-lock)"),
            (call("async_lock", "poll", "rwlock/futures.rs"), "RwLock (async-lock)"),
            (call("async_lock", "poll", "semaphore.rs"), "Semaphore::acquire (async-lock)"),
            (
                call("async_channel", "async_channel::RecvInner::poll", "lib.rs"),
                "Receiver::recv (async-channel)",
            ),
            (
                call("async_channel", "async_channel::SendInner::poll", "lib.rs"),
                "Sender::send (async-channel)",
            ),
            (call("async_task", "async_task::Task::poll", "task.rs"), "join handle of a task"),
        ] {
            let calls = [listener.clone(), strategy.clone(), inner];
            assert_eq!(specific(&calls), Some(expected));
            assert_eq!(holder(&calls), Some("event (event-listener)"));
        }
        // A process is waited for by way of a channel.
        let channel = call("async_channel", "async_channel::RecvInner::poll", "lib.rs");
        let process = call("async_process", "status", "lib.rs");
        assert_eq!(specific(&[channel, process]), Some("process (async-process)"));
        assert_eq!(specific(&[listener]), None);
        // Where the crate was unpacked says nothing.
        assert_eq!(specific(&[call("futures_util", "poll", "future.rs")]), None);
    }
}
