//! A protocol with records of a hundred bytes sets `SO_RCVLOWAT` to 100, so that it is woken once a record.
//! Sixty bytes come, and it reads them; sixty more come, and below the mark the kernel reports nothing. Ours
//! took the first short read for the end of what there was, did not try the next one, and slept on bytes that
//! were there; 2.6.0 reads them. A short read is evidence only where the mark is 1.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncReadExt};

use crate::util::{tcp_pair, watchdog};

#[test]
fn bytes_below_the_mark_are_read() {
    let _watchdog = watchdog("bytes_below_the_mark_are_read");
    let (near, mut far) = tcp_pair().unwrap();
    let mark: libc::c_int = 100;
    // SAFETY: `mark` is an int that lives until the call returns, and its size is passed.
    let set = unsafe {
        let place = std::ptr::addr_of!(mark).cast();
        let size = std::mem::size_of_val(&mark) as libc::socklen_t;
        libc::setsockopt(near.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, place, size)
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    let mut near = Async::new(near).unwrap();
    for _ in 0..20 {
        far.write_all(&[7; 60]).unwrap();
        let read = block_on(async {
            // If it sleeps, the timer ends the test: nothing else comes.
            let reads = async { Some(near.read(&mut [0; 1024]).await) };
            let gives_up = async {
                Timer::after(Duration::from_secs(20)).await;
                None
            };
            future::or(reads, gives_up).await
        });
        assert_eq!(read.expect("it sleeps on bytes that are there").unwrap(), 60);
    }
}
