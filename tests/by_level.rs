//! Sockets whose messages come one at a time: after a while the reactor has them watched by level, which
//! saves the read that finds nothing. Whatever comes then must not be missed, and what nobody reads must
//! not keep the reactor turning.
#![cfg(target_os = "linux")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

mod util;
use util::fork::Child;
use util::records::Line;
use util::singles::{
    is_of, one_at_a_time, recorded, udp_pair, udp_pair_by_level, until_by_level, HABITUAL,
};
use util::{alone, bounded, head_and_tail, poller, watchdog};

/// Sends bytes that are waited for.
async fn bytes_at_a_time(
    mut to: &UnixStream,
    at: &mut Async<UnixStream>,
    count: usize,
) -> io::Result<()> {
    let mut buf = [0; 16];
    for n in 0..count {
        let send = async { io::Write::write(&mut to, &[n as u8; 8]) };
        let (received, sent) = zip(at.read(&mut buf), send).await;
        assert_eq!((received?, sent?), (8, 8));
        assert_eq!(buf[..8], [n as u8; 8]);
    }
    Ok(())
}

/// Makes a connection that is waited for.
async fn connect_once(listener: &Async<TcpListener>) -> io::Result<()> {
    let addr = listener.get_ref().local_addr()?;
    let connect = async { TcpStream::connect(addr) };
    let (accepted, connected) = zip(listener.accept(), connect).await;
    accepted.and(connected).map(drop)
}

/// After single ones, datagrams and connections come many at once. None is lost or late.
#[test]
fn what_comes_in_company_is_read() -> io::Result<()> {
    let _watchdog = watchdog("what_comes_in_company_is_read");
    let (near, far) = udp_pair()?;
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let addr = listener.get_ref().local_addr()?;
    block_on(async {
        for company in 1..8 {
            one_at_a_time(far.get_ref(), &near, 3 * HABITUAL).await?;
            let mut buf = [0; 16];
            if company % 2 == 0 {
                assert!(poll_once(near.recv(&mut buf)).await.is_none());
            }
            for n in 0..company {
                far.get_ref().send(&[n])?;
            }
            for n in 0..company {
                assert_eq!(near.recv(&mut buf).await?, 1);
                assert_eq!(buf[0], n);
            }

            let mut streams = Vec::new();
            for _ in 0..HABITUAL {
                connect_once(&listener).await?;
            }
            for _ in 0..company {
                streams.push(TcpStream::connect(addr)?);
            }
            for stream in &streams {
                assert_eq!(listener.accept().await?.1, stream.local_addr()?);
            }
        }
        Ok(())
    })
}

/// By level a read that a descriptor ends early is not told apart; the next wait tells of the rest.
#[test]
fn bytes_behind_a_descriptor_are_read() -> io::Result<()> {
    let _watchdog = watchdog("bytes_behind_a_descriptor_are_read");
    block_on(async {
        let (mut near, far) = Async::<UnixStream>::pair()?;
        for _ in 0..20 {
            bytes_at_a_time(far.get_ref(), &mut near, HABITUAL).await?;
            head_and_tail::send(&far)?;
            head_and_tail::receive(&mut near).await?;
        }
        Ok(())
    })
}

/// Both directions of a stream are waited for after its messages came one at a time.
#[test]
fn a_stream_is_filled_and_drained() -> io::Result<()> {
    const LEN: usize = 4 << 20;
    let _watchdog = watchdog("a_stream_is_filled_and_drained");
    block_on(async {
        let (mut near, mut far) = Async::<UnixStream>::pair()?;
        bytes_at_a_time(far.get_ref(), &mut near, HABITUAL).await?;
        let (there, back) = (vec![1; LEN], vec![2; LEN]);
        let echo = async {
            let mut got = vec![0; LEN];
            far.read_exact(&mut got).await?;
            assert!(got.iter().all(|&byte| byte == 1));
            far.write_all(&back).await
        };
        let ask = async {
            near.write_all(&there).await?;
            let mut got = vec![0; LEN];
            near.read_exact(&mut got).await?;
            assert!(got.iter().all(|&byte| byte == 2));
            Ok(())
        };
        let (asked, echoed) = zip(ask, echo).await;
        asked.and(echoed)
    })
}

/// A forked child goes on with what its parent had watched by level.
#[test]
fn a_child_goes_on() -> io::Result<()> {
    let _watchdog = watchdog("a_child_goes_on");
    // No other thread may be at a record when this one forks.
    let _alone = alone();
    let (near, far) = udp_pair()?;
    block_on(one_at_a_time(far.get_ref(), &near, HABITUAL))?;
    Child::start("which reads its parent's socket", || {
        for _ in 0..3 {
            bounded::finish("single messages", one_at_a_time(far.get_ref(), &near, HABITUAL))
                .unwrap();
        }
    })
    .succeeds();
    block_on(one_at_a_time(far.get_ref(), &near, HABITUAL))
}

#[test]
fn single_messages_come_to_be_watched_by_level() -> io::Result<()> {
    let test = "single_messages_come_to_be_watched_by_level";
    let _watchdog = watchdog(test);
    let _alone = alone();
    if !poller::is_epoll(test) {
        return Ok(());
    }
    udp_pair_by_level()?;

    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    until_by_level(listener.get_ref().as_raw_fd(), || block_on(connect_once(&listener)))?;

    let (mut near, far) = Async::<UnixStream>::pair()?;
    let fd = near.get_ref().as_raw_fd();
    until_by_level(fd, || block_on(bytes_at_a_time(far.get_ref(), &mut near, HABITUAL)))
}

/// A datagram that its task leaves in the queue, because it waits for something else meanwhile, is told
/// of twice at the most: once by level, and once as an edge. Then the reactor sleeps.
#[test]
fn what_nobody_reads_is_told_of_no_more() -> io::Result<()> {
    let test = "what_nobody_reads_is_told_of_no_more";
    let _watchdog = watchdog(test);
    let _alone = alone();
    if !poller::is_epoll(test) {
        return Ok(());
    }
    let (near, far) = udp_pair_by_level()?;
    let fd = near.get_ref().as_raw_fd();
    let lines = recorded(|| {
        far.get_ref().send(b"left")?;
        block_on(Timer::after(Duration::from_millis(20)));
        Ok(())
    })?;
    let told = |line: &&Line| is_of(line, fd) && line.text.contains(" ev=Event ");
    let events: Vec<&Line> = lines.iter().filter(told).collect();
    // Fewer if the helper thread drives, which has not noticed the logger yet.
    assert!(events.len() <= 2, "{events:#?}");
    let mut buf = [0; 16];
    assert_eq!(block_on(near.recv(&mut buf))?, 4);
    Ok(())
}
