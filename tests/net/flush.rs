//! A protocol gives a write up when its peer does not read, and then closes the stream politely. What
//! waited for room was the write; flushing needs none, and a flush that joined the wait of the write
//! that was given up would never end. Nor does a write of nothing need room.

use std::io;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{future, AsyncWriteExt};

use crate::util::{tcp_pair, watchdog};

#[test]
fn a_flush_does_not_wait_for_a_write_that_was_given_up() -> io::Result<()> {
    let _watchdog = watchdog("a_flush_does_not_wait_for_a_write_that_was_given_up");
    let (near, _silent) = tcp_pair()?;
    let mut near = Async::new(near)?;
    block_on(async {
        let chunk = vec![0; 1 << 20];
        let write = async {
            loop {
                near.write_all(&chunk).await.expect("the peer is there");
            }
        };
        future::or(write, async {
            Timer::after(Duration::from_millis(100)).await;
        })
        .await;
        assert_eq!(near.write(&[]).await?, 0);
        near.flush().await?;
        near.close().await
    })
}
