//! `Async<UnixListener>`, `Async<UnixStream>` and `Async<UnixDatagram>`.
#![cfg(unix)]

use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::thread;

use async_io::{block_on, Async};
use futures_lite::future::{self, poll_once};
use futures_lite::{pin, AsyncReadExt, AsyncWriteExt, StreamExt};

use crate::util::{head_and_tail, watchdog};

/// A read into no room gives 0 at once, as it does without this crate, also where the pipe is known to be
/// empty.
#[test]
fn a_read_into_no_room_waits_for_nothing() -> io::Result<()> {
    let _watchdog = watchdog("a_read_into_no_room_waits_for_nothing");
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    block_on(async {
        let mut stdout = Async::new(stdout)?;
        stdin.write_all(b"all")?;
        assert_eq!(stdout.read(&mut [0; 8]).await?, 3);
        assert!(poll_once(stdout.read(&mut [0; 8])).await.is_none(), "it is known to be empty");
        assert_eq!(poll_once(stdout.read(&mut [])).await.transpose()?, Some(0));
        assert_eq!(poll_once(stdout.read_vectored(&mut [])).await.transpose()?, Some(0));
        io::Result::Ok(())
    })?;
    drop(stdin);
    child.wait().map(drop)
}

#[test]
fn stream_pair() -> io::Result<()> {
    let _watchdog = watchdog("stream_pair");
    block_on(async {
        let (mut a, mut b) = Async::<UnixStream>::pair()?;
        let mut buf = [0; 4];
        assert!(poll_once(b.read(&mut buf)).await.is_none());
        a.write_all(b"there").await?;
        b.read_exact(&mut buf).await?;
        b.write_all(b"back").await?;
        a.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"back");
        a.get_ref().shutdown(Shutdown::Write)?;
        let mut rest = Vec::new();
        b.read_to_end(&mut rest).await?;
        assert_eq!(rest, b"e");
        Ok(())
    })
}

/// The kernel ends a read after bytes that a descriptor was sent with, though more bytes are there:
/// a read that is shorter than its buffer says nothing about what is left.
#[test]
fn stream_reads_on_after_a_short_read() -> io::Result<()> {
    let _watchdog = watchdog("stream_reads_on_after_a_short_read");
    block_on(async {
        let (mut a, b) = Async::<UnixStream>::pair()?;
        for _ in 0..20 {
            head_and_tail::send(&b)?;
            a.readable().await?;
            head_and_tail::receive(&mut a).await?;
        }
        Ok(())
    })
}

#[test]
fn stream_connects_and_accepts() -> io::Result<()> {
    let _watchdog = watchdog("stream_connects_and_accepts");
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("socket");
    block_on(async {
        let listener = Async::<UnixListener>::bind(&path)?;
        let accept = listener.accept();
        pin!(accept);
        assert!(poll_once(accept.as_mut()).await.is_none());
        let mut near = Async::<UnixStream>::connect(&path).await?;
        let (mut far, peer) = accept.await?;
        assert!(peer.is_unnamed());
        assert_eq!(near.get_ref().peer_addr()?.as_pathname(), Some(&*path));
        near.write_all(b"request").await?;
        let mut buf = [0; 7];
        far.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"request");
        Ok(())
    })
}

#[test]
fn stream_incoming_yields_every_connection() -> io::Result<()> {
    let _watchdog = watchdog("stream_incoming_yields_every_connection");
    const CLIENTS: u8 = 20;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("socket");
    let listener = Async::<UnixListener>::bind(&path)?;
    thread::scope(|scope| {
        let clients = scope.spawn(|| {
            (0..CLIENTS).try_for_each(|client| {
                let mut stream = UnixStream::connect(&path)?;
                io::Write::write_all(&mut stream, &[client])
            })
        });
        block_on(async {
            let incoming = listener.incoming();
            pin!(incoming);
            for client in 0..CLIENTS {
                let mut stream = incoming.next().await.expect("the stream has no end")?;
                let mut byte = [0];
                stream.read_exact(&mut byte).await?;
                assert_eq!(byte, [client]);
            }
            io::Result::Ok(())
        })?;
        clients.join().expect("no client panics")
    })
}

#[test]
fn stream_errors_are_those_of_the_path() -> io::Result<()> {
    let _watchdog = watchdog("stream_errors_are_those_of_the_path");
    let dir = tempfile::tempdir()?;
    let kind = |path: &std::path::Path| {
        block_on(Async::<UnixStream>::connect(path)).expect_err("nobody listens").kind()
    };
    assert_eq!(kind(&dir.path().join("missing")), ErrorKind::NotFound);
    let too_long = kind(&dir.path().join("x".repeat(200)));
    // std's word for it, or the kernel's.
    let names = [ErrorKind::InvalidInput, ErrorKind::InvalidFilename];
    assert!(names.contains(&too_long), "{too_long:?}");

    let file = dir.path().join("file");
    std::fs::write(&file, "not a socket")?;
    assert_eq!(kind(&file), ErrorKind::ConnectionRefused);

    let path = dir.path().join("socket");
    let listener = Async::<UnixListener>::bind(&path)?;
    let again = Async::<UnixListener>::bind(&path).expect_err("the path is in use");
    assert_eq!(again.kind(), ErrorKind::AddrInUse);
    drop(listener);
    // The name outlives its listener.
    assert_eq!(kind(&path), ErrorKind::ConnectionRefused);

    let missing = dir.path().join("missing").join("socket");
    let nowhere = Async::<UnixListener>::bind(missing).expect_err("there is no such directory");
    assert_eq!(nowhere.kind(), ErrorKind::NotFound);
    Ok(())
}

/// A name that begins with NUL is one of Linux's abstract ones, which no file stands for. 2.6.0
/// connects to them by path; a NUL anywhere else is an error.
#[cfg(target_os = "linux")]
#[test]
fn stream_connects_to_an_abstract_name() -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let _watchdog = watchdog("stream_connects_to_an_abstract_name");
    let name = format!("async-io test {}", std::process::id());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    let stream = block_on(Async::<UnixStream>::connect(format!("\0{name}")))?;
    let peer = stream.get_ref().peer_addr()?;
    assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
    drop(listener);

    let nul = block_on(Async::<UnixStream>::connect("a\0b")).expect_err("not a path");
    assert_eq!(nul.kind(), ErrorKind::InvalidInput, "{nul:?}");
    Ok(())
}

#[test]
fn datagram_pair() -> io::Result<()> {
    let _watchdog = watchdog("datagram_pair");
    block_on(async {
        let (a, b) = Async::<UnixDatagram>::pair()?;
        let mut buf = [0; 16];
        assert!(poll_once(b.recv(&mut buf)).await.is_none());
        assert_eq!(a.send(b"first").await?, 5);
        assert_eq!(a.send(b"").await?, 0);
        assert_eq!(a.send(b"third").await?, 5);
        assert_eq!(b.recv(&mut buf).await?, 5);
        assert_eq!(&buf[..5], b"first");
        assert_eq!(b.recv(&mut buf).await?, 0);
        let (count, from) = b.recv_from(&mut buf).await?;
        assert_eq!(&buf[..count], b"third");
        assert!(from.is_unnamed());
        Ok(())
    })
}

#[test]
fn datagram_sends_to_a_name() -> io::Result<()> {
    let _watchdog = watchdog("datagram_sends_to_a_name");
    let dir = tempfile::tempdir()?;
    let (a_path, b_path) = (dir.path().join("a"), dir.path().join("b"));
    block_on(async {
        let a = Async::<UnixDatagram>::bind(&a_path)?;
        let b = Async::<UnixDatagram>::bind(&b_path)?;
        let unbound = Async::<UnixDatagram>::unbound()?;
        assert!(unbound.get_ref().local_addr()?.is_unnamed());

        let mut buf = [0; 16];
        assert!(poll_once(b.recv_from(&mut buf)).await.is_none());
        assert_eq!(a.send_to(b"from a", &b_path).await?, 6);
        assert_eq!(unbound.send_to(b"from nobody", &b_path).await?, 11);
        let (count, from) = b.recv_from(&mut buf).await?;
        assert_eq!(&buf[..count], b"from a");
        assert_eq!(from.as_pathname(), Some(&*a_path));
        let (count, from) = b.recv_from(&mut buf).await?;
        assert_eq!(&buf[..count], b"from nobody");
        assert!(from.is_unnamed());

        let missing = unbound.send_to(b"x", dir.path().join("missing")).await;
        assert_eq!(missing.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
        let again = Async::<UnixDatagram>::bind(&a_path).expect_err("the path is in use");
        assert_eq!(again.kind(), ErrorKind::AddrInUse);
        drop(b);
        let refused = a.send_to(b"x", &b_path).await;
        assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::ConnectionRefused));
        Ok(())
    })
}

/// Receives and checks that datagram `first` comes next, until `end` came.
async fn receive_in_order(socket: &Async<UnixDatagram>, first: u32, end: u32) -> io::Result<()> {
    for expected in first..end {
        let mut buf = [0; 4];
        assert_eq!(socket.recv(&mut buf).await?, 4);
        assert_eq!(u32::from_ne_bytes(buf), expected);
    }
    Ok(())
}

#[test]
fn datagram_send_waits_while_its_peers_queue_is_full() -> io::Result<()> {
    let _watchdog = watchdog("datagram_send_waits_while_its_peers_queue_is_full");
    let (a, b) = Async::<UnixDatagram>::pair()?;
    block_on(async {
        let mut sent = 0_u32;
        while let Some(done) = poll_once(a.send(&sent.to_ne_bytes())).await {
            assert_eq!(done?, 4);
            sent += 1;
        }
        let number = sent.to_ne_bytes();
        let waiting = a.send(&number);
        let (waited, received) = future::zip(waiting, receive_in_order(&b, 0, sent + 1)).await;
        received?;
        assert_eq!(waited?, 4);
        Ok(())
    })
}

/// The kernel tells a sender that is connected when its peer's queue has room again. One that names
/// its peer at each call it tells nothing: to `poll` such a socket always looks writable.
#[test]
fn datagram_send_to_waits_while_the_queue_is_full() -> io::Result<()> {
    let _watchdog = watchdog("datagram_send_to_waits_while_the_queue_is_full");
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("socket");
    let receiver = Async::<UnixDatagram>::bind(&path)?;
    let sender = Async::<UnixDatagram>::unbound()?;
    let full = |result: io::Result<usize>| {
        // BSD says so where Linux says `WouldBlock`.
        matches!(&result, Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()))
    };
    block_on(async {
        let mut sent = 0_u32;
        while let Some(done) = poll_once(sender.send_to(&sent.to_ne_bytes(), &path)).await {
            if full(done) {
                return receive_in_order(&receiver, 0, sent).await;
            }
            sent += 1;
        }
        let end = sent + 100;
        let path = &path;
        let sender = &sender;
        let send = async move {
            for number in sent..end {
                assert_eq!(sender.send_to(&number.to_ne_bytes(), path).await?, 4);
            }
            io::Result::Ok(())
        };
        let (sent, received) = future::zip(send, receive_in_order(&receiver, 0, end)).await;
        sent.and(received)
    })
}

/// As above, with the receiver in another thread, so that the sender's thread has nothing to do
/// but wait.
#[cfg(target_os = "linux")]
#[test]
fn datagram_send_to_is_told_of_room_made_elsewhere() -> io::Result<()> {
    let _watchdog = watchdog("datagram_send_to_is_told_of_room_made_elsewhere");
    const END: u32 = 2000;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("socket");
    let receiver = Async::<UnixDatagram>::bind(&path)?;
    let sender = Async::<UnixDatagram>::unbound()?;
    thread::scope(|scope| {
        let receiving = scope.spawn(|| block_on(receive_in_order(&receiver, 0, END)));
        block_on(async {
            for number in 0..END {
                assert_eq!(sender.send_to(&number.to_ne_bytes(), &path).await?, 4);
            }
            io::Result::Ok(())
        })?;
        receiving.join().expect("the receiver does not panic")
    })
}

/// A socket that keeps messages apart, put into a stream's type by hand: a read that is shorter than
/// its buffer says nothing about the next message.
#[cfg(target_os = "linux")]
#[test]
fn messages_of_a_seqpacket_socket_are_read_one_after_the_other() -> io::Result<()> {
    use futures_lite::AsyncReadExt;
    let _watchdog = watchdog("messages_of_a_seqpacket_socket_are_read_one_after_the_other");
    let (near, far) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    let mut near = Async::new(UnixStream::from(near))?;
    for message in [b"one", b"two"] {
        assert_eq!(io::Write::write(&mut &UnixStream::from(far.try_clone()?), message)?, 3);
    }
    let mut buf = [0; 64];
    block_on(async {
        assert_eq!(near.read(&mut buf).await?, 3);
        assert_eq!(near.read(&mut buf).await?, 3);
        assert_eq!(&buf[..3], b"two");
        Ok(())
    })
}
