//! `IoSafe` and the types of std that have it.

use std::borrow::Cow;
use std::io::{BufReader, BufWriter, LineWriter, Read, Write};

use async_io::IoSafe;

/// Whoever marks a type promises something: the trait is unsafe to implement. It needs nothing
/// else of the type.
struct Marked;

// SAFETY: does no I/O at all.
unsafe impl IoSafe for Marked {}

/// Even for what is not `IoSafe` itself, and unsized: a shared reference cannot replace the source.
fn shared_references<'a, T: ?Sized + 'a>() {
    is!(&'a T: IoSafe);
}

fn pointers<'a, T: IoSafe + ?Sized + 'a>() {
    is!(&'a mut T: IoSafe);
    is!(Box<T>: IoSafe);
}

fn buffered_readers<T: IoSafe + Read>() {
    is!(BufReader<T>: IoSafe);
}

fn buffered_writers<T: IoSafe + Write>() {
    is!(BufWriter<T>: IoSafe);
    is!(LineWriter<T>: IoSafe);
}

fn clone_on_write<'a, T: IoSafe + Clone + 'a>() {
    is!(Cow<'a, T>: IoSafe);
}

#[test]
fn types_of_std() {
    is!(std::fs::File: IoSafe);
    is!(std::io::PipeReader: IoSafe);
    is!(std::io::PipeWriter: IoSafe);
    is!(std::io::Stderr: IoSafe);
    is!(std::io::StderrLock<'static>: IoSafe);
    is!(std::io::Stdin: IoSafe);
    is!(std::io::StdinLock<'static>: IoSafe);
    is!(std::io::Stdout: IoSafe);
    is!(std::io::StdoutLock<'static>: IoSafe);
    is!(std::net::TcpStream: IoSafe);
    is!(std::process::ChildStderr: IoSafe);
    is!(std::process::ChildStdin: IoSafe);
    is!(std::process::ChildStdout: IoSafe);
    #[cfg(unix)]
    is!(std::os::unix::net::UnixStream: IoSafe);
}

#[test]
fn is_a_property_of_the_type_and_dyn_compatible() {
    is!(dyn IoSafe: IoSafe);
    is!(Box<dyn IoSafe>: IoSafe);
    is!(Marked: IoSafe);
    is_not!(std::net::TcpListener: IoSafe);
    is_not!(std::net::UdpSocket: IoSafe);
    is_not!(Vec<u8>: IoSafe);
    is_not!(&'static mut Vec<u8>: IoSafe);
    is_not!(Box<Vec<u8>>: IoSafe);
}
