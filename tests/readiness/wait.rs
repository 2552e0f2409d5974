//! Waiting for a source: what ends a wait, whom it wakes, and what a dropped one leaves behind.
#![cfg(unix)]

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Context;
use std::thread;

use async_io::{block_on, Async};
use futures_lite::future::{self, poll_fn, poll_once};
use futures_lite::{pin, AsyncReadExt, AsyncWriteExt};

use crate::util::{counting_waker, drain, eventually, fill, finish, poll_with, waits, watchdog};

/// A source, and its other end in non-blocking mode.
fn pair() -> io::Result<(Arc<Async<UnixStream>>, UnixStream)> {
    let (near, far) = UnixStream::pair()?;
    far.set_nonblocking(true)?;
    Ok((Arc::new(Async::new(near)?), far))
}

#[test]
fn readable_waits_for_data_and_lasts_until_it_is_read() -> io::Result<()> {
    let _watchdog = watchdog("readable_waits_for_data_and_lasts_until_it_is_read");
    let (source, mut far) = pair()?;
    block_on(async {
        for _ in 0..10 {
            assert!(waits(|| source.readable()).await);
            far.write_all(b"x")?;
            source.readable().await?;
            // Still there, for a wait that begins after the event.
            source.readable().await?;
            source.clone().readable_owned().await?;
            poll_fn(|cx| source.poll_readable(cx)).await?;
            assert_eq!(drain(source.get_ref())?, 1);
        }
        Ok(())
    })
}

/// Ready before there was a source: no event will come for it.
#[test]
fn what_was_there_before_the_source_counts() -> io::Result<()> {
    let _watchdog = watchdog("what_was_there_before_the_source_counts");
    for wait in 0..4 {
        let (near, mut far) = UnixStream::pair()?;
        far.write_all(b"x")?;
        let source = Arc::new(Async::new(near)?);
        block_on(async {
            match wait {
                0 => source.readable().await,
                1 => source.clone().readable_owned().await,
                2 => poll_fn(|cx| source.poll_readable(cx)).await,
                _ => (&*source).read_exact(&mut [0]).await,
            }
        })?;
    }
    Ok(())
}

#[test]
fn writable_waits_for_room_and_lasts_until_it_is_full() -> io::Result<()> {
    let _watchdog = watchdog("writable_waits_for_room_and_lasts_until_it_is_full");
    let (source, far) = pair()?;
    block_on(async {
        for _ in 0..10 {
            source.writable().await?;
            source.clone().writable_owned().await?;
            poll_fn(|cx| source.poll_writable(cx)).await?;
            let filled = fill(source.get_ref())?;
            assert!(waits(|| source.writable()).await);
            assert_eq!(drain(&far)?, filled);
        }
        Ok(())
    })
}

/// The two directions of one source are waited for apart: an event of one wakes nobody of the other.
#[test]
fn directions_are_apart() -> io::Result<()> {
    let _watchdog = watchdog("directions_are_apart");
    let (source, mut far) = pair()?;
    let filled = fill(source.get_ref())?;
    let (reader, reader_woken) = counting_waker();
    let (writer, writer_woken) = counting_waker();
    let mut writable = source.writable();
    assert!(poll_with(&mut writable, &writer).is_pending());
    for _ in 0..10 {
        let mut readable = source.readable();
        assert!(poll_with(&mut readable, &reader).is_pending());
        let seen = reader_woken.get();
        far.write_all(b"x")?;
        eventually(|| reader_woken.get() > seen);
        drop(readable);
        assert_eq!(drain(source.get_ref())?, 1);
    }
    // One may be left from when the source was made and had room.
    assert!(writer_woken.get() <= 1, "{} wakes", writer_woken.get());

    let seen = reader_woken.get();
    assert_eq!(drain(&far)?, filled);
    block_on(writable)?;
    assert_eq!(reader_woken.get(), seen);
    Ok(())
}

/// The task that polled last is the one that is told.
#[test]
fn the_last_waker_of_a_wait_is_woken() -> io::Result<()> {
    let _watchdog = watchdog("the_last_waker_of_a_wait_is_woken");
    let (source, mut far) = pair()?;
    let (first, _) = counting_waker();
    let (last, last_woken) = counting_waker();
    let mut readable = source.readable();
    assert!(poll_with(&mut readable, &first).is_pending());
    assert!(poll_with(&mut readable, &last).is_pending());
    far.write_all(b"x")?;
    finish(&mut readable, &last, &last_woken)?;

    assert_eq!(drain(source.get_ref())?, 1);
    let (first, _) = counting_waker();
    let (last, last_woken) = counting_waker();
    assert!(source.poll_readable(&mut Context::from_waker(&first)).is_pending());
    assert!(source.poll_readable(&mut Context::from_waker(&last)).is_pending());
    far.write_all(b"x")?;
    eventually(|| last_woken.get() > 0);
    // The task comes back as often as it is woken, and is told before long.
    block_on(poll_fn(|cx| source.poll_readable(cx)))
}

#[test]
fn a_dropped_wait_gives_its_waker_back_and_wakes_nobody() -> io::Result<()> {
    let _watchdog = watchdog("a_dropped_wait_gives_its_waker_back_and_wakes_nobody");
    let (source, mut far) = pair()?;
    fill(source.get_ref())?;
    let (waker, woken) = counting_waker();
    let task_refs = Arc::strong_count(&woken);
    {
        let mut readable = source.readable();
        let mut writable = source.writable();
        let mut readable_owned = source.clone().readable_owned();
        let mut writable_owned = source.clone().writable_owned();
        assert!(poll_with(&mut readable, &waker).is_pending());
        assert!(poll_with(&mut writable, &waker).is_pending());
        assert!(poll_with(&mut readable_owned, &waker).is_pending());
        assert!(poll_with(&mut writable_owned, &waker).is_pending());
        assert!(Arc::strong_count(&woken) > task_refs);
    }
    assert_eq!(Arc::strong_count(&woken), task_refs);

    far.write_all(b"x")?;
    drain(&far)?;
    // Both events are harvested: others were told of them.
    block_on(future::zip(source.readable(), source.writable())).0?;
    assert_eq!(woken.get(), 0);
    Ok(())
}

#[test]
fn a_dropped_read_takes_nothing() -> io::Result<()> {
    let _watchdog = watchdog("a_dropped_read_takes_nothing");
    let (source, mut far) = pair()?;
    block_on(async {
        let mut buf = [0; 8];
        for round in 0..100_u8 {
            assert!(poll_once((&*source).read(&mut buf)).await.is_none());
            far.write_all(&[round, round])?;
            if round % 2 == 0 {
                // A wait that has been told, and never looks.
                source.readable().await?;
                drop(source.readable());
            }
            assert_eq!((&*source).read(&mut buf).await?, 2);
            assert_eq!(buf[..2], [round, round]);
        }
        Ok(())
    })
}

#[test]
fn a_dropped_write_puts_nothing() -> io::Result<()> {
    let _watchdog = watchdog("a_dropped_write_puts_nothing");
    let (source, far) = pair()?;
    let filled = fill(source.get_ref())?;
    block_on(async {
        assert!(poll_once((&*source).write(b"dropped")).await.is_none());
        assert_eq!(drain(&far)?, filled);
        assert_eq!((&*source).write(b"kept").await?, 4);
        let mut buf = [0; 16];
        let count = (&far).read(&mut buf)?;
        assert_eq!(&buf[..count], b"kept");
        Ok(())
    })
}

/// Two tasks wait; the one that goes away does not take the other's event along.
#[test]
fn a_wait_dropped_after_its_event_leaves_the_others_theirs() -> io::Result<()> {
    let _watchdog = watchdog("a_wait_dropped_after_its_event_leaves_the_others_theirs");
    let (source, mut far) = pair()?;
    let (waker, woken) = counting_waker();
    let (other, other_woken) = counting_waker();
    let mut readable = source.readable();
    let mut other_readable = source.readable();
    assert!(poll_with(&mut readable, &waker).is_pending());
    assert!(poll_with(&mut other_readable, &other).is_pending());
    far.write_all(b"x")?;
    eventually(|| woken.get() > 0);
    drop(readable);
    finish(&mut other_readable, &other, &other_woken)
}

#[test]
fn an_owned_wait_keeps_its_source_open() -> io::Result<()> {
    let _watchdog = watchdog("an_owned_wait_keeps_its_source_open");
    let (source, mut far) = pair()?;
    let readable = source.clone().readable_owned();
    let last = Arc::downgrade(&source);
    drop(source);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(readable));
        far.write_all(b"x")?;
        waiting.join().expect("the waiter does not panic")
    })?;
    assert!(last.upgrade().is_none());
    assert_eq!(far.write(b"x").map_err(|error| error.kind()), Err(ErrorKind::BrokenPipe));
    Ok(())
}

#[test]
fn a_peer_that_goes_away_is_an_event_in_both_directions() -> io::Result<()> {
    let _watchdog = watchdog("a_peer_that_goes_away_is_an_event_in_both_directions");
    let (source, far) = pair()?;
    fill(source.get_ref())?;
    block_on(async {
        let waits = future::zip(source.readable(), source.writable());
        pin!(waits);
        assert!(poll_once(waits.as_mut()).await.is_none());
        drop(far);
        let (readable, writable) = waits.await;
        readable.and(writable)
    })?;
    let written = block_on((&*source).write(b"x"));
    assert_eq!(written.map_err(|error| error.kind()), Err(ErrorKind::BrokenPipe));
    Ok(())
}

/// A task, its wait and its source wander from thread to thread between two polls.
#[test]
fn a_wait_may_move_between_threads() -> io::Result<()> {
    let _watchdog = watchdog("a_wait_may_move_between_threads");
    let (source, mut far) = pair()?;
    let mut wait = Box::pin(async move {
        let mut buf = [0; 4];
        let mut reader = &*source;
        reader.read_exact(&mut buf).await.map(|()| buf)
    });
    for byte in *b"mov" {
        wait = thread::spawn(move || {
            assert!(block_on(poll_once(&mut wait)).is_none());
            wait
        })
        .join()
        .expect("the thread does not panic");
        far.write_all(&[byte])?;
    }
    far.write_all(b"e")?;
    assert_eq!(block_on(wait)?, *b"move");
    Ok(())
}
