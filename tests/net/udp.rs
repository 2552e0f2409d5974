//! `Async<UdpSocket>` on loopback.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, UdpSocket};

use async_io::{block_on, Async};
use futures_lite::future::{self, poll_once};

use crate::util::watchdog;

const LOCALHOST: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

#[test]
fn sends_to_and_receives_from() -> io::Result<()> {
    let _watchdog = watchdog("sends_to_and_receives_from");
    block_on(async {
        let a = Async::<UdpSocket>::bind(LOCALHOST)?;
        let b = Async::<UdpSocket>::bind(LOCALHOST)?;
        let a_addr = a.get_ref().local_addr()?;
        let b_addr = b.get_ref().local_addr()?;
        let mut buf = [0; 16];
        assert!(poll_once(b.recv_from(&mut buf)).await.is_none());
        assert!(poll_once(b.peek_from(&mut buf)).await.is_none());

        assert_eq!(a.send_to(b"first", b_addr).await?, 5);
        assert_eq!(a.send_to(b"", (Ipv4Addr::LOCALHOST, b_addr.port())).await?, 0);
        assert_eq!(a.send_to(b"third", b_addr).await?, 5);
        for _ in 0..2 {
            assert_eq!(b.peek_from(&mut buf).await?, (5, a_addr));
            assert_eq!(&buf[..5], b"first");
        }
        assert_eq!(b.recv_from(&mut buf).await?, (5, a_addr));
        assert_eq!(&buf[..5], b"first");
        assert_eq!(b.recv_from(&mut buf).await?, (0, a_addr));
        assert_eq!(b.recv_from(&mut buf).await?, (5, a_addr));
        assert_eq!(&buf[..5], b"third");
        Ok(())
    })
}

#[test]
fn connected_sockets_send_and_receive() -> io::Result<()> {
    let _watchdog = watchdog("connected_sockets_send_and_receive");
    block_on(async {
        let a = Async::<UdpSocket>::bind(LOCALHOST)?;
        let b = Async::<UdpSocket>::bind(LOCALHOST)?;
        a.get_ref().connect(b.get_ref().local_addr()?)?;
        b.get_ref().connect(a.get_ref().local_addr()?)?;
        let mut buf = [0; 16];
        assert!(poll_once(b.recv(&mut buf)).await.is_none());
        assert!(poll_once(b.peek(&mut buf)).await.is_none());
        for round in 0..50_u8 {
            let receive = async {
                let mut buf = [0; 16];
                assert_eq!(b.peek(&mut buf).await?, 2);
                assert_eq!(b.recv(&mut buf).await?, 2);
                assert_eq!(buf[..2], [round, 7]);
                io::Result::Ok(())
            };
            let (received, sent) = future::zip(receive, a.send(&[round, 7])).await;
            received?;
            assert_eq!(sent?, 2);
        }
        Ok(())
    })
}

/// A port unreachable message of the peer's host is an error of the socket, and it is an event.
#[cfg(target_os = "linux")]
#[test]
fn receives_its_peers_refusal() -> io::Result<()> {
    let _watchdog = watchdog("receives_its_peers_refusal");
    // Other tests bind 127.0.0.1: nobody takes the port of this one once it is free.
    let gone = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 77), 0))?;
    let addr = gone.local_addr()?;
    drop(gone);
    block_on(async {
        let socket = Async::<UdpSocket>::bind(LOCALHOST)?;
        socket.get_ref().connect(addr)?;
        let mut buf = [0; 16];
        let receive = socket.recv(&mut buf);
        futures_lite::pin!(receive);
        assert!(poll_once(receive.as_mut()).await.is_none());
        socket.send(b"anyone?").await?;
        let refused = receive.await.expect_err("nobody is there");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused:?}");
        Ok(())
    })
}

#[test]
fn bind_reports_an_address_in_use() -> io::Result<()> {
    let socket = Async::<UdpSocket>::bind(LOCALHOST)?;
    let addr = socket.get_ref().local_addr()?;
    let again = Async::<UdpSocket>::bind(addr).expect_err("the address is in use");
    assert_eq!(again.kind(), ErrorKind::AddrInUse);
    Ok(())
}

/// A datagram for each of several tasks that receive from one socket.
#[test]
fn many_tasks_receive_from_one_socket() -> io::Result<()> {
    let _watchdog = watchdog("many_tasks_receive_from_one_socket");
    const TASKS: u8 = 8;
    let socket = Async::<UdpSocket>::bind(LOCALHOST)?;
    let sender = Async::<UdpSocket>::bind(LOCALHOST)?;
    let addr = socket.get_ref().local_addr()?;
    std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                scope.spawn(|| {
                    let mut byte = [0];
                    block_on(socket.recv(&mut byte)).map(|count| (count, byte[0]))
                })
            })
            .collect();
        for number in 0..TASKS {
            block_on(sender.send_to(&[number], addr))?;
        }
        let mut received = tasks
            .into_iter()
            .map(|task| task.join().expect("no task panics"))
            .collect::<io::Result<Vec<_>>>()?;
        received.sort();
        assert!(received.into_iter().eq((0..TASKS).map(|number| (1, number))));
        Ok(())
    })
}
