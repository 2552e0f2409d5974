//! The recorder says on standard error that the disk is full. It said so with the timers' lock held, where it
//! looks for a timer's entry in the table of waiters. Standard error is often a pipe to a log collector. A
//! collector that hangs reads no more, and the pipe is full: then the thread that says something waits. With
//! it waited every other thread that armed a timer, and none fired. The same was true of the lock of the tasks'
//! names: no other task could begin.
#![cfg(target_os = "linux")]

use std::fs;
use std::future::Future;
use std::io::{self, Read, Write};
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{mpsc, Arc, Barrier};
use std::task::Context;
use std::thread;
use std::time::Duration;

use async_io::{trace, Timer};

use crate::files::{disks_are_allowed, on_a_disk_of};
use crate::util::{bounded, child, counting_waker, recording, watchdog};

/// Longer than any test runs.
const HOUR: Duration = Duration::from_secs(3_600);

/// How many timers are armed and dropped, so that the thread's ring of records has come around: from then on
/// records need no more room.
const WARM: usize = 40_000;

/// How many timers are armed at once: more than the pieces of the table hold that have their room.
const FLOOD: usize = 4_000;

/// What fills the pipe.
const FILLER: u8 = b'~';

#[test]
fn timers_go_on_while_a_full_disk_is_reported() {
    let test = "timers_go_on_while_a_full_disk_is_reported";
    goes_on_beside_the_report(test, arm_many, || {
        bounded::finish("a timer beside the report", Timer::after(Duration::from_millis(1)));
    });
}

#[test]
fn tasks_begin_while_a_full_disk_is_reported() {
    let test = "tasks_begin_while_a_full_disk_is_reported";
    goes_on_beside_the_report(test, begin_many, || {
        bounded::finish("a task beside the report", trace::task("another", async {}));
    });
}

/// One thread does `many` things until it reports that the disk is full, and is blocked by that. Another
/// thread does `one` of the same kind meanwhile.
fn goes_on_beside_the_report(test: &str, many: fn(&Barrier), one: fn()) {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return fill_the_disk(many, one);
    }
    if !disks_are_allowed() {
        println!("skipped: this user may not mount a file system");
        return;
    }
    if let Err(error) = fs::read("/proc/self/syscall") {
        println!("skipped: the kernel does not say in which call a thread is: {error}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = child::command(test, "reports", 0);
    recording::into(&mut command, dir.path());
    command.env("ASYNC_IO_TRACE_MIB", "16");
    on_a_disk_of(&mut command, dir.path(), 32 << 20);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Nobody reads the child's standard error until the child has seen enough.
    let mut stdout = String::new();
    let mut byte = [0];
    while !stdout.ends_with("seen\n")
        && child.stdout.as_mut().unwrap().read(&mut byte).unwrap() == 1
    {
        stdout.push(char::from(byte[0]));
    }
    let mut output = child.wait_with_output().unwrap();
    output.stderr.retain(|byte| *byte != FILLER);
    let shown = child::shown(&output);
    assert!(output.status.success(), "{stdout}{shown}");
    assert_eq!(child::value(&stdout, "blocked"), Some("true"), "{stdout}{shown}");
    assert_eq!(child::value(&stdout, "goes_on"), Some("true"), "{stdout}{shown}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("the disk is full").count(), 1, "{said}");
}

fn fill_the_disk(many: fn(&Barrier), one: fn()) {
    // The reactor's next deadline: timers that are due later notify nobody, so that the driver sleeps on.
    let (waker, _) = counting_waker();
    let mut first = pin!(Timer::after(HOUR));
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());

    let (tid, is_done) = (Arc::new(AtomicI32::new(0)), Arc::new(AtomicBool::new(false)));
    let at_full_disk = Arc::new(Barrier::new(2));
    let reports = {
        let (tid, is_done, at_full_disk) = (tid.clone(), is_done.clone(), at_full_disk.clone());
        thread::spawn(move || {
            // SAFETY: it touches no memory.
            tid.store(unsafe { libc::gettid() }, Ordering::SeqCst);
            many(&at_full_disk);
            is_done.store(true, Ordering::SeqCst);
        })
    };
    at_full_disk.wait();
    fill(Path::new(&std::env::var_os("ASYNC_IO_TRACE").unwrap()));
    fill_standard_error();
    at_full_disk.wait();
    let tid = tid.load(Ordering::SeqCst);
    bounded::until("a thread reports that the disk is full", || {
        is_done.load(Ordering::SeqCst) || writes_to_standard_error(tid)
    });
    let blocked = !is_done.load(Ordering::SeqCst);

    let (done, is_done) = mpsc::channel();
    let other = thread::spawn(move || {
        one();
        let _ = done.send(());
    });
    // Said on standard output: nobody would hear a panic.
    let goes_on = is_done.recv_timeout(Duration::from_secs(bounded::LOST_AFTER_S / 4)).is_ok();
    println!("\nblocked={blocked} goes_on={goes_on}\nseen");
    other.join().unwrap();
    reports.join().unwrap();
}

/// Arms timers, by the same calls each time: one by one, and many at once when the disk is full.
fn arm_many(at_full_disk: &Barrier) {
    let (waker, _) = counting_waker();
    let mut armed = Vec::new();
    for count in 0..WARM + FLOOD {
        if count == WARM {
            at_full_disk.wait();
            at_full_disk.wait();
        }
        let mut timer = Box::pin(Timer::after(2 * HOUR));
        assert!(timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        if count >= WARM {
            armed.push(timer);
        }
    }
}

/// Begins and ends tasks, by the same calls each time: all of one name, and each of its own when the disk is
/// full.
fn begin_many(at_full_disk: &Barrier) {
    for count in 0..WARM + FLOOD {
        let mut name = String::from("a task");
        if count == WARM {
            at_full_disk.wait();
            at_full_disk.wait();
        }
        if count >= WARM {
            name = format!("{count} {}", "long ".repeat(10));
        }
        bounded::finish("a task that is ready", trace::task(&name, async {}));
    }
}

/// Leaves no room on the disk of `dir`.
fn fill(dir: &Path) {
    let mut file = fs::File::create(dir.join("filler")).unwrap();
    for len in [1 << 20, 4096] {
        let bytes = vec![0xa5; len];
        let error = loop {
            if let Err(error) = file.write_all(&bytes) {
                break error;
            }
        };
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }
}

/// Leaves no room in the pipe that is this process's standard error.
fn fill_standard_error() {
    let set_flags = |add: bool| {
        // SAFETY: the calls touch no memory.
        let set = unsafe {
            let flags = libc::fcntl(2, libc::F_GETFL);
            let flags = if add { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
            libc::fcntl(2, libc::F_SETFL, flags)
        };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
    };
    set_flags(true);
    for len in [4096, 1] {
        let bytes = vec![FILLER; len];
        while io::stderr().write(&bytes).is_ok() {}
    }
    set_flags(false);
}

/// Whether the thread is in a write to standard error, by what the kernel says of it.
fn writes_to_standard_error(tid: i32) -> bool {
    let call = fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).unwrap();
    let mut words = call.split_whitespace();
    let number = words.next().and_then(|number| number.parse().ok());
    number == Some(libc::SYS_write) && words.next() == Some("0x2")
}
