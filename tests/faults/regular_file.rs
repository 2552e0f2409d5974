//! Somebody wraps a regular file in `Async`, or runs a program with its input redirected from one.
//! epoll takes no regular files, so `Async::new` fails with "operation not permitted"; but upstream has
//! already set `O_NONBLOCK`, and the flag belongs to the open file description, which the caller's other
//! handles, child processes and the parent's shell share. Ours fails in the same way, puts the flag back
//! as it was, and says in the message what can read a file asynchronously.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use async_io::Async;
use rustix::fs::{fcntl_getfl, fcntl_setfl, OFlags};

use crate::util::watchdog;

fn is_nonblocking(file: impl AsFd) -> bool {
    fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK)
}

fn refused(file: File) -> io::Error {
    match Async::new(file) {
        Ok(_) => panic!("the poller took a file that it cannot poll"),
        Err(error) => error,
    }
}

#[test]
fn the_shared_flag_is_put_back() {
    let _watchdog = watchdog("the_shared_flag_is_put_back");
    let file = tempfile::tempfile().unwrap();
    let shared = file.try_clone().unwrap();
    let error = refused(file);
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    assert!(!is_nonblocking(&shared), "O_NONBLOCK stays set after {error}");
}

#[test]
fn a_flag_that_was_set_before_stays_set() {
    let _watchdog = watchdog("a_flag_that_was_set_before_stays_set");
    let file = tempfile::tempfile().unwrap();
    let flags = fcntl_getfl(&file).unwrap();
    fcntl_setfl(&file, flags | OFlags::NONBLOCK).unwrap();
    let shared = file.try_clone().unwrap();
    let error = refused(file);
    assert!(is_nonblocking(&shared), "O_NONBLOCK was cleared after {error}");
}

#[test]
fn a_directory_is_refused_alike() {
    let _watchdog = watchdog("a_directory_is_refused_alike");
    let dir = tempfile::tempdir().unwrap();
    let file = File::open(dir.path()).unwrap();
    let shared = file.try_clone().unwrap();
    let error = refused(file);
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    assert!(!is_nonblocking(&shared), "O_NONBLOCK stays set after {error}");
}

#[test]
fn the_message_names_what_to_use() {
    let _watchdog = watchdog("the_message_names_what_to_use");
    let message = refused(tempfile::tempfile().unwrap()).to_string();
    assert!(message.contains("file"), "not what was wrong: {message}");
    assert!(
        ["async-fs", "blocking"].iter().any(|name| message.contains(name)),
        "not what to use instead: {message}"
    );
}
