//! `Async<T>`: what making one changes, what unmaking one gives back, and the operations on it.
#![cfg(unix)]

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::io::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::thread;

use async_io::{block_on, Async};
use futures_lite::future::{self, poll_once};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use rustix::fs::{fcntl_getfl, OFlags};

use crate::util;
use crate::util::watchdog;

fn is_nonblocking(fd: impl AsFd) -> io::Result<bool> {
    Ok(fcntl_getfl(fd)?.contains(OFlags::NONBLOCK))
}

#[test]
fn new_sets_nonblocking_mode_and_new_nonblocking_does_not() -> io::Result<()> {
    let (a, b) = UnixStream::pair()?;
    let a = Async::new(a)?;
    let b = Async::new_nonblocking(b)?;
    assert!(is_nonblocking(&a)?);
    assert!(!is_nonblocking(&b)?);
    // Nor does unmaking change the mode.
    assert!(is_nonblocking(a.into_inner()?)?);
    assert!(!is_nonblocking(b.into_inner()?)?);
    Ok(())
}

#[test]
fn converting_from_std_sets_nonblocking_mode() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let stream = TcpStream::connect(tcp.local_addr()?)?;
    assert!(is_nonblocking(Async::try_from(stream)?)?);
    assert!(is_nonblocking(Async::try_from(tcp)?)?);
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    assert!(is_nonblocking(Async::try_from(udp)?)?);
    let unix = UnixListener::bind(dir.path().join("listener"))?;
    assert!(is_nonblocking(Async::try_from(unix)?)?);
    assert!(is_nonblocking(Async::try_from(UnixDatagram::unbound()?)?)?);
    let (stream, other) = UnixStream::pair()?;
    assert!(is_nonblocking(Async::try_from(stream)?)?);
    let owned = OwnedFd::from(other);
    assert!(is_nonblocking(Async::<UnixStream>::try_from(owned)?)?);
    Ok(())
}

#[test]
fn one_file_descriptor_is_registered_once() -> io::Result<()> {
    let _watchdog = watchdog("one_file_descriptor_is_registered_once");
    let (near, mut far) = UnixStream::pair()?;
    let first = Async::new(&near)?;
    let again = Async::new(&near).expect_err("the file descriptor is registered already");
    assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again:?}");
    // The refused one takes nothing away from the first.
    let waiting = thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(first.readable()));
        far.write_all(b"x")?;
        waiting.join().expect("the waiter does not panic")
    });
    waiting?;
    drop(first);
    Async::new(&near).map(drop)
}

/// Whichever way a source ends, the same file descriptor can be registered again and then works.
#[test]
fn every_end_of_a_source_deregisters_it() -> io::Result<()> {
    let _watchdog = watchdog("every_end_of_a_source_deregisters_it");

    fn works(near: &Async<UnixStream>, mut far: &UnixStream) -> io::Result<()> {
        block_on(async {
            let mut byte = [0];
            let mut reader = near;
            let read = reader.read(&mut byte);
            let write = async { far.write_all(b"x") };
            let (read, written) = future::zip(read, write).await;
            written?;
            assert_eq!(read?, 1);
            assert_eq!(byte, *b"x");
            Ok(())
        })
    }

    let (near, far) = UnixStream::pair()?;
    let raw = near.as_raw_fd();

    let borrowed = Async::new(&near)?;
    drop(borrowed);

    let source = Async::new(near)?;
    works(&source, &far)?;
    let near: UnixStream = source.into_inner()?;
    assert_eq!(near.as_raw_fd(), raw);

    let source = Async::try_from(near)?;
    works(&source, &far)?;
    let near: OwnedFd = source.try_into()?;
    assert_eq!(near.as_raw_fd(), raw);

    let source = Async::<UnixStream>::try_from(near)?;
    works(&source, &far)?;
    Async::new(source.into_inner()?).map(drop)
}

/// An idle source that ends while a task waits on a clone of its socket: the clone is a source of
/// its own.
#[test]
fn a_duplicate_is_another_source() -> io::Result<()> {
    let _watchdog = watchdog("a_duplicate_is_another_source");
    let (near, mut far) = UnixStream::pair()?;
    let duplicate = Async::new(near.try_clone()?)?;
    let original = Async::new(near)?;
    block_on(async {
        let mut waiting = duplicate.readable();
        assert!(poll_once(&mut waiting).await.is_none());
        drop(original);
        far.write_all(b"x")?;
        waiting.await
    })
}

#[test]
fn gives_access_to_the_source() -> io::Result<()> {
    let (near, _far) = UnixStream::pair()?;
    let raw = near.as_raw_fd();
    let mut source = Async::new(near)?;
    assert_eq!(source.get_ref().as_raw_fd(), raw);
    assert_eq!(source.as_ref().as_raw_fd(), raw);
    assert_eq!(source.as_fd().as_raw_fd(), raw);
    assert_eq!(source.as_raw_fd(), raw);
    // SAFETY: the stream is looked at and not replaced.
    assert_eq!(unsafe { source.get_mut() }.as_raw_fd(), raw);
    let shown = format!("{source:?}");
    assert!(shown.contains("Async") && shown.contains("UnixStream"), "{shown}");
    Ok(())
}

#[test]
fn operations_run_again_until_they_do_not_block() -> io::Result<()> {
    let _watchdog = watchdog("operations_run_again_until_they_do_not_block");
    let (near, mut far) = UnixStream::pair()?;
    let source = Async::new(near)?;
    let mut calls = 0;
    let writer = async {
        // After the reader has met `WouldBlock` once.
        future::yield_now().await;
        far.write_all(b"five.")
    };
    let reader = source.read_with(|mut stream| {
        calls += 1;
        let mut buf = [0; 8];
        let count = stream.read(&mut buf)?;
        Ok(buf[..count].to_vec())
    });
    let (read, written) = block_on(future::zip(reader, writer));
    written?;
    assert_eq!(read?, b"five.");
    assert!(calls >= 2, "{calls} calls");

    let written = block_on(source.write_with(|mut stream| stream.write(b"four")))?;
    assert_eq!(written, 4);
    Ok(())
}

#[test]
fn operations_pass_on_their_value_and_their_errors() -> io::Result<()> {
    let _watchdog = watchdog("operations_pass_on_their_value_and_their_errors");
    let (near, _far) = UnixStream::pair()?;
    let mut source = Async::new(near)?;
    block_on(async {
        assert_eq!(source.read_with(|_| Ok("value")).await?, "value");
        assert_eq!(source.write_with(|_| Ok(7)).await?, 7);
        for kind in [ErrorKind::Interrupted, ErrorKind::Other, ErrorKind::UnexpectedEof] {
            let mut calls = 0;
            let read = source.read_with(|_| -> io::Result<()> {
                calls += 1;
                Err(kind.into())
            });
            assert_eq!(read.await.map_err(|error| error.kind()), Err(kind));
            assert_eq!(calls, 1);
            let write = source.write_with(|_| -> io::Result<()> { Err(kind.into()) });
            assert_eq!(write.await.map_err(|error| error.kind()), Err(kind));
        }
        // SAFETY: the stream is used and not replaced.
        let read =
            unsafe { source.read_with_mut(|_| -> io::Result<()> { Err(ErrorKind::Other.into()) }) };
        assert_eq!(read.await.map_err(|error| error.kind()), Err(ErrorKind::Other));
        // SAFETY: the stream is used and not replaced.
        assert_eq!(unsafe { source.write_with_mut(|_| Ok(3)) }.await?, 3);
        Ok(())
    })
}

/// A closure that leaves data behind and says `WouldBlock` is asked again: the kernel reports no
/// further edge for what is there already.
#[test]
fn a_closure_may_leave_data_behind() -> io::Result<()> {
    let _watchdog = watchdog("a_closure_may_leave_data_behind");
    let (near, mut far) = UnixStream::pair()?;
    let source = Async::new(near)?;
    far.write_all(b"abc")?;
    let mut line = Vec::new();
    block_on(source.read_with(|mut stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend(byte);
        if line.len() < 3 {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(())
    }))?;
    assert_eq!(line, b"abc");
    Ok(())
}

#[test]
fn reads_and_writes_by_value_and_by_reference() -> io::Result<()> {
    let _watchdog = watchdog("reads_and_writes_by_value_and_by_reference");
    let (mut a, mut b) = Async::<UnixStream>::pair()?;
    block_on(async {
        a.write_all(b"value").await?;
        let mut buf = [0; 5];
        b.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"value");

        (&a).write_all(b"borrow").await?;
        let mut buf = [0; 6];
        (&b).read_exact(&mut buf).await?;
        assert_eq!(&buf, b"borrow");

        a.flush().await?;
        (&a).flush().await?;
        // 2.6.0 flushes when it closes, and leaves the connection open.
        a.close().await?;
        a.write_all(b"more").await?;
        let mut buf = [0; 4];
        b.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"more");

        drop(a);
        assert_eq!(b.read(&mut buf).await?, 0);
        Ok(())
    })
}

#[test]
fn several_buffers_go_in_one_call() -> io::Result<()> {
    let _watchdog = watchdog("several_buffers_go_in_one_call");
    let (mut a, mut b) = Async::<UnixStream>::pair()?;
    block_on(async {
        let slices = [IoSlice::new(b"one "), IoSlice::new(b"two")];
        assert_eq!(a.write_vectored(&slices).await?, 7);
        assert_eq!((&a).write_vectored(&slices).await?, 7);
        for by_reference in [false, true] {
            let (mut head, mut tail) = ([0; 3], [0; 4]);
            let mut slices = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
            let count = if by_reference {
                (&b).read_vectored(&mut slices).await?
            } else {
                b.read_vectored(&mut slices).await?
            };
            assert_eq!(count, 7);
            assert_eq!((&head, &tail), (b"one", b" two"));
        }
        Ok(())
    })
}

/// One task reads and one writes through `&Async<T>`, more than any buffer holds, both ways at once.
#[test]
fn a_shared_source_reads_and_writes_at_once() -> io::Result<()> {
    let _watchdog = watchdog("a_shared_source_reads_and_writes_at_once");
    const LEN: usize = 4 << 20;

    fn byte(index: usize) -> u8 {
        (index % 251) as u8
    }

    async fn send(mut to: &Async<UnixStream>) -> io::Result<()> {
        let data: Vec<u8> = (0..LEN).map(byte).collect();
        to.write_all(&data).await?;
        to.get_ref().shutdown(std::net::Shutdown::Write)
    }

    async fn receive(mut from: &Async<UnixStream>) -> io::Result<()> {
        let mut data = Vec::new();
        from.read_to_end(&mut data).await?;
        assert_eq!(data.len(), LEN);
        assert!(data.iter().enumerate().all(|(index, &value)| value == byte(index)));
        Ok(())
    }

    async fn both(source: &Async<UnixStream>) -> io::Result<()> {
        let (sent, received) = future::zip(send(source), receive(source)).await;
        sent.and(received)
    }

    let (a, b) = Async::<UnixStream>::pair()?;
    // In one thread, then in two.
    let (a_done, b_done) = block_on(future::zip(both(&a), both(&b)));
    a_done.and(b_done)?;

    let (a, b) = Async::<UnixStream>::pair()?;
    thread::scope(|scope| {
        let other = scope.spawn(|| block_on(both(&b)));
        block_on(both(&a)).and(other.join().expect("the other side does not panic"))
    })
}

#[test]
fn pipes_end_when_the_other_end_does() -> io::Result<()> {
    let _watchdog = watchdog("pipes_end_when_the_other_end_does");
    let (reader, writer) = io::pipe()?;
    let (mut reader, mut writer) = (Async::new(reader)?, Async::new(writer)?);
    block_on(async {
        let mut buf = [0; 4];
        assert!(poll_once(reader.read(&mut buf)).await.is_none());
        writer.write_all(b"pipe").await?;
        reader.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"pipe");

        let end = future::zip(reader.read(&mut buf), async { drop(writer) });
        assert_eq!(end.await.0?, 0);
        io::Result::Ok(())
    })?;

    let (reader, writer) = io::pipe()?;
    let mut writer = Async::new(writer)?;
    block_on(async {
        let reader_ends = async {
            future::yield_now().await;
            drop(reader);
        };
        // Far more than a pipe holds: the write waits for room, and then for no one.
        let data = vec![0; 1 << 20];
        let (written, ()) = future::zip(writer.write_all(&data), reader_ends).await;
        assert_eq!(written.map_err(|error| error.kind()), Err(ErrorKind::BrokenPipe));
        Ok(())
    })
}

#[test]
fn a_child_process_talks_through_its_pipes() -> io::Result<()> {
    let _watchdog = watchdog("a_child_process_talks_through_its_pipes");
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = Async::new(child.stdin.take().expect("stdin is piped"))?;
    let mut stdout = Async::new(child.stdout.take().expect("stdout is piped"))?;
    let echoed = block_on(async {
        let say = async move {
            stdin.write_all(b"said to the child").await
            // Dropped here: the child sees the end.
        };
        let mut heard = String::new();
        let (said, listened) = future::zip(say, stdout.read_to_string(&mut heard)).await;
        said.and(listened).map(|_| heard)
    })?;
    assert_eq!(echoed, "said to the child");
    assert!(child.wait()?.success());
    Ok(())
}

/// The closure of `read_with` may have something that the kernel does not know of; whoever fills that
/// wakes the task, and the closure is tried again.
#[test]
fn read_with_tries_again_when_its_task_is_woken_by_something_else() -> io::Result<()> {
    let _watchdog = watchdog("read_with_tries_again_when_its_task_is_woken_by_something_else");
    let (near, _far) = util::tcp_pair()?;
    let near = Async::new(near)?;
    let filled = std::cell::Cell::new(None);
    let read = near.read_with(|_| filled.get().ok_or(io::ErrorKind::WouldBlock.into()));
    let fill = async {
        futures_lite::future::yield_now().await;
        filled.set(Some(7));
        // Wakes the task that both are part of.
        futures_lite::future::yield_now().await;
    };
    let (read, ()) = block_on(futures_lite::future::zip(read, fill));
    assert_eq!(read?, 7);
    Ok(())
}
