//! `Async<TcpListener>` and `Async<TcpStream>` on loopback.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::{self, poll_once};
use futures_lite::{pin, AsyncReadExt, AsyncWriteExt, StreamExt};

use crate::util::{waits, watchdog};

const LOCALHOST: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A listener, and two connected ends of which the second was accepted.
async fn connected() -> io::Result<(Async<TcpListener>, Async<TcpStream>, Async<TcpStream>)> {
    let listener = Async::<TcpListener>::bind(LOCALHOST)?;
    let addr = listener.get_ref().local_addr()?;
    let (near, accepted) = future::zip(Async::<TcpStream>::connect(addr), listener.accept()).await;
    let (near, (far, _)) = (near?, accepted?);
    Ok((listener, near, far))
}

#[test]
fn connects_and_accepts() -> io::Result<()> {
    let _watchdog = watchdog("connects_and_accepts");
    block_on(async {
        let listener = Async::<TcpListener>::bind(LOCALHOST)?;
        let addr = listener.get_ref().local_addr()?;
        let accept = listener.accept();
        pin!(accept);
        assert!(poll_once(accept.as_mut()).await.is_none());

        let mut near = Async::<TcpStream>::connect(addr).await?;
        let (mut far, peer) = accept.await?;
        assert_eq!(peer, near.get_ref().local_addr()?);
        assert_eq!(addr, near.get_ref().peer_addr()?);
        assert_eq!(addr, far.get_ref().local_addr()?);

        near.write_all(b"request").await?;
        let mut buf = [0; 7];
        far.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"request");
        far.write_all(b"reply").await?;
        far.get_ref().shutdown(Shutdown::Write)?;
        let mut reply = Vec::new();
        near.read_to_end(&mut reply).await?;
        assert_eq!(reply, b"reply");
        Ok(())
    })
}

#[test]
fn works_over_ipv6() -> io::Result<()> {
    let _watchdog = watchdog("works_over_ipv6");
    let listener = match Async::<TcpListener>::bind((Ipv6Addr::LOCALHOST, 0)) {
        // A host may have no IPv6 at all; then std's own bind fails the same way.
        Err(error) => {
            let std = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect_err("std cannot either");
            assert_eq!(error.kind(), std.kind());
            return Ok(());
        }
        Ok(listener) => listener,
    };
    block_on(async {
        let addr = listener.get_ref().local_addr()?;
        assert!(addr.is_ipv6());
        let connect = Async::<TcpStream>::connect(addr);
        let (near, accepted) = future::zip(connect, listener.accept()).await;
        let (mut near, (mut far, peer)) = (near?, accepted?);
        assert_eq!(peer, near.get_ref().local_addr()?);
        near.write_all(b"six").await?;
        let mut buf = [0; 3];
        far.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"six");
        Ok(())
    })
}

/// The socket's own error, not a timeout, not `NotConnected`, not a stream that fails later.
#[cfg(unix)]
#[test]
fn connect_reports_the_sockets_error() -> io::Result<()> {
    use rustix::net::{bind, getsockname, socket, AddressFamily, SocketAddrV4, SocketType};
    let _watchdog = watchdog("connect_reports_the_sockets_error");
    // Bound and not listening: nobody else can take the port, and every connection is refused.
    let deaf = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&deaf, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    let addr = SocketAddrV4::try_from(getsockname(&deaf)?)?;
    for _ in 0..10 {
        let refused = block_on(Async::<TcpStream>::connect(addr)).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused:?}");
    }
    Ok(())
}

/// A connection waits while the listener's queue is full, and is made when there is room.
#[cfg(target_os = "linux")]
#[test]
fn connect_waits_for_room_in_the_backlog() -> io::Result<()> {
    let _watchdog = watchdog("connect_waits_for_room_in_the_backlog");
    let listener = TcpListener::bind(LOCALHOST)?;
    rustix::net::listen(&listener, 0)?;
    let addr = listener.local_addr()?;
    block_on(async {
        let mut made = Vec::new();
        let waiting = loop {
            let mut connect = Box::pin(Async::<TcpStream>::connect(addr));
            // Loopback connects within the call, or not before there is room.
            match poll_once(&mut connect).await {
                Some(stream) => made.push(stream?),
                None if made.is_empty() => made.push(connect.await?),
                None => break connect,
            }
        };
        // Another one gives up.
        assert!(poll_once(Async::<TcpStream>::connect(addr)).await.is_none());
        let accepting = thread::spawn(move || -> io::Result<()> {
            for _ in 0..=made.len() {
                listener.accept()?;
            }
            Ok(())
        });
        waiting.await?;
        accepting.join().expect("the accepting thread does not panic")
    })
}

#[test]
fn connect_may_be_dropped_at_any_time() -> io::Result<()> {
    let _watchdog = watchdog("connect_may_be_dropped_at_any_time");
    block_on(async {
        let listener = Async::<TcpListener>::bind(LOCALHOST)?;
        let addr = listener.get_ref().local_addr()?;
        for _ in 0..50 {
            drop(Async::<TcpStream>::connect(addr));
            let _ = poll_once(Async::<TcpStream>::connect(addr)).await;
        }
        let near = Async::<TcpStream>::connect(addr).await?;
        let local = near.get_ref().local_addr()?;
        // The dropped ones that were made come out too, in front of the one that was kept.
        while listener.accept().await?.1 != local {}
        Ok(())
    })
}

#[test]
fn accept_may_be_dropped_at_any_time() -> io::Result<()> {
    let _watchdog = watchdog("accept_may_be_dropped_at_any_time");
    block_on(async {
        let listener = Async::<TcpListener>::bind(LOCALHOST)?;
        let addr = listener.get_ref().local_addr()?;
        for _ in 0..50 {
            assert!(poll_once(listener.accept()).await.is_none());
            let near = Async::<TcpStream>::connect(addr).await?;
            // Dropped with the connection in the queue, and before it is looked for.
            drop(listener.accept());
            let (_, peer) = listener.accept().await?;
            assert_eq!(peer, near.get_ref().local_addr()?);
        }
        Ok(())
    })
}

#[test]
fn incoming_yields_every_connection() -> io::Result<()> {
    let _watchdog = watchdog("incoming_yields_every_connection");
    const CLIENTS: usize = 20;
    let listener = Async::<TcpListener>::bind(LOCALHOST)?;
    let addr = listener.get_ref().local_addr()?;
    let clients = thread::spawn(move || -> io::Result<Vec<SocketAddr>> {
        let connect = || TcpStream::connect(addr)?.local_addr();
        (0..CLIENTS).map(|_| connect()).collect()
    });
    let mut seen = Vec::new();
    block_on(async {
        let incoming = listener.incoming();
        pin!(incoming);
        while seen.len() < CLIENTS {
            let stream = incoming.next().await.expect("the stream has no end")?;
            seen.push(stream.get_ref().peer_addr()?);
        }
        io::Result::Ok(())
    })?;
    assert_eq!(seen, clients.join().expect("no client panics")?);
    Ok(())
}

/// One wait, one connection taken, and so on: those left in the queue count for the next wait.
#[test]
fn readable_lasts_while_connections_wait() -> io::Result<()> {
    let _watchdog = watchdog("readable_lasts_while_connections_wait");
    let listener = Async::<TcpListener>::bind(LOCALHOST)?;
    let addr = listener.get_ref().local_addr()?;
    block_on(async {
        for clients in 1..=10 {
            let _clients: Vec<_> =
                (0..clients).map(|_| TcpStream::connect(addr)).collect::<io::Result<_>>()?;
            for _ in 0..clients {
                if clients % 2 == 0 {
                    listener.readable().await?;
                } else {
                    future::poll_fn(|cx| listener.poll_readable(cx)).await?;
                }
                listener.get_ref().accept()?;
            }
            assert!(waits(|| listener.readable()).await);
        }
        Ok(())
    })
}

#[test]
fn many_tasks_accept_from_one_listener() -> io::Result<()> {
    let _watchdog = watchdog("many_tasks_accept_from_one_listener");
    const TASKS: usize = 8;
    let listener = Async::<TcpListener>::bind(LOCALHOST)?;
    let addr = listener.get_ref().local_addr()?;
    thread::scope(|scope| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| scope.spawn(|| block_on(listener.accept()).map(|(_, peer)| peer)))
            .collect();
        let clients: Vec<_> =
            (0..TASKS).map(|_| TcpStream::connect(addr)).collect::<io::Result<_>>()?;
        let mut made: Vec<_> =
            clients.iter().map(TcpStream::local_addr).collect::<io::Result<_>>()?;
        let mut accepted: Vec<_> = tasks
            .into_iter()
            .map(|task| task.join().expect("no task panics"))
            .collect::<io::Result<_>>()?;
        made.sort();
        accepted.sort();
        assert_eq!(made, accepted);
        Ok(())
    })
}

#[test]
fn peek_leaves_what_it_sees() -> io::Result<()> {
    let _watchdog = watchdog("peek_leaves_what_it_sees");
    block_on(async {
        let (_listener, mut near, mut far) = connected().await?;
        let mut buf = [0; 8];
        assert!(poll_once(near.peek(&mut buf)).await.is_none());
        far.write_all(b"seen").await?;
        for _ in 0..3 {
            assert_eq!(near.peek(&mut buf).await?, 4);
            assert_eq!(&buf[..4], b"seen");
        }
        assert_eq!(near.read(&mut buf).await?, 4);
        assert!(poll_once(near.peek(&mut buf)).await.is_none());
        drop(far);
        assert_eq!(near.peek(&mut buf).await?, 0);
        assert_eq!(near.read(&mut buf).await?, 0);
        Ok(())
    })
}

/// A half-closed connection is an event to its reader, and open to its writer.
#[test]
fn ends_in_one_direction() -> io::Result<()> {
    let _watchdog = watchdog("ends_in_one_direction");
    block_on(async {
        let (_listener, mut near, mut far) = connected().await?;
        {
            let ended = near.readable();
            pin!(ended);
            assert!(poll_once(ended.as_mut()).await.is_none());
            far.get_ref().shutdown(Shutdown::Write)?;
            ended.await?;
        }
        let mut buf = [0; 8];
        assert_eq!(near.read(&mut buf).await?, 0);
        // It stays so.
        near.readable().await?;
        assert_eq!(near.read(&mut buf).await?, 0);
        near.write_all(b"still").await?;
        far.read_exact(&mut buf[..5]).await?;
        assert_eq!(&buf[..5], b"still");
        Ok(())
    })
}

/// The last data and the end of the stream arrive as one event, or as two before anybody looks. The
/// read that gets the data is short, and nothing will ever announce the end again.
#[test]
fn the_end_may_come_with_the_data() -> io::Result<()> {
    let _watchdog = watchdog("the_end_may_come_with_the_data");
    block_on(async {
        for round in 0..20 {
            let (_listener, mut near, far) = connected().await?;
            io::Write::write_all(&mut far.get_ref(), b"last words")?;
            far.get_ref().shutdown(Shutdown::Write)?;
            near.readable().await?;
            if round % 2 == 0 {
                // The reactor has harvested all there is.
                Timer::after(Duration::from_millis(1)).await;
            }
            let mut buf = [0; 64];
            if round % 4 < 2 {
                assert_eq!(near.read(&mut buf).await?, 10);
                assert_eq!(near.read(&mut buf).await?, 0);
            } else {
                assert_eq!((&near).read(&mut buf).await?, 10);
                assert_eq!((&near).read(&mut buf).await?, 0);
            }
        }
        Ok(())
    })
}

/// Waits, without a round of the reactor, until so many bytes are in the queue.
fn await_queued(stream: &TcpStream, len: usize) {
    let mut buf = vec![0; len + 1];
    while !matches!(stream.peek(&mut buf), Ok(queued) if queued == len) {
        thread::yield_now();
    }
}

/// A bulk transfer, 64 KiB a read: the read that empties the queue of a busy peer lets more in, and
/// where the reader then waited for its event first, TCP's receive window stayed at 256 KiB in one
/// transfer of two, and each 64 KiB took 28 µs of CPU instead of 20. So a long read is followed by
/// another one at once, though it was short.
#[test]
fn a_long_read_is_followed_by_another() -> io::Result<()> {
    const LONG: usize = 40_000;
    let _watchdog = watchdog("a_long_read_is_followed_by_another");
    block_on(async {
        let (_listener, mut near, far) = connected().await?;
        let (message, mut buf) = (vec![7; LONG], vec![0; 2 * LONG]);
        for _ in 0..20 {
            io::Write::write_all(&mut far.get_ref(), &message)?;
            await_queued(near.get_ref(), LONG);
            assert_eq!(near.read(&mut buf).await?, LONG);
            io::Write::write_all(&mut far.get_ref(), b"more")?;
            await_queued(near.get_ref(), 4);
            // No round in between.
            let more = poll_once(near.read(&mut buf)).await;
            assert_eq!(more.expect("it is there").expect("the peer is"), 4);
        }
        Ok(())
    })
}

/// A byte out of band makes a socket readable, though an ordinary read finds nothing.
#[cfg(target_os = "linux")]
#[test]
fn urgent_data_is_an_event() -> io::Result<()> {
    use rustix::net::{recv, send, RecvFlags, SendFlags};
    let _watchdog = watchdog("urgent_data_is_an_event");
    block_on(async {
        let (_listener, near, far) = connected().await?;
        let urgent = near.readable();
        pin!(urgent);
        assert!(poll_once(urgent.as_mut()).await.is_none());
        send(&far, b"!", SendFlags::OOB)?;
        urgent.await?;
        near.readable().await?;
        let mut byte = [0];
        recv(&near, &mut byte[..], RecvFlags::OOB)?;
        assert_eq!(byte, *b"!");
        Ok(())
    })
}

#[test]
fn write_to_a_peer_that_is_gone_fails() -> io::Result<()> {
    let _watchdog = watchdog("write_to_a_peer_that_is_gone_fails");
    block_on(async {
        let (_listener, mut near, far) = connected().await?;
        drop(far);
        // The first ones may go out before the reset comes back.
        let error = loop {
            if let Err(error) = near.write(b"anyone?").await {
                break error;
            }
        };
        let kinds =
            [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        Ok(())
    })
}

#[test]
fn bind_reports_an_address_in_use() -> io::Result<()> {
    let listener = Async::<TcpListener>::bind(LOCALHOST)?;
    let addr = listener.get_ref().local_addr()?;
    let again = Async::<TcpListener>::bind(addr).expect_err("the address is in use");
    assert_eq!(again.kind(), ErrorKind::AddrInUse);
    Ok(())
}
