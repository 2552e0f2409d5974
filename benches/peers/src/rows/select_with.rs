//! The row `select-100` with closures given to `read_with`, made anew for each message: a `select!` in a loop.

use std::future::{poll_fn, Future};
use std::io;
use std::task::Poll;

use anyhow::Result;

use super::select::{self, whole, Wait, IDLE};
use crate::load::MESSAGE;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Stream};
use crate::row::{Body, Figure, Peer, Row, Sample, Target, Work};
use crate::rows::pingpong::Buffer;

pub(crate) fn row() -> Row {
    let mut cases = vec![(Peer::Raw, select::raw as Body)];
    cases.extend(one_thread!(closures));
    Row {
        name: "select-100-with",
        about: "the same with closures given to read_with, made anew for each message",
        ops: 2_000,
        quick_ops: 500,
        counted_ops: 200,
        starts: None,
        figures: vec![Figure::time("a round trip").only(Target::Of(Peer::Upstream, 0.6))],
        cases,
    }
}

fn closures<E: Executor>(work: &Work) -> Result<Sample> {
    select::body::<E, Closures>(work)
}

struct Closures;

impl Wait for Closures {
    async fn first<S: Stream>(streams: &mut [S], buf: &mut Buffer) -> io::Result<usize> {
        // Longer than a message, as a program's buffers are.
        let mut bufs = [[0; 2 * MESSAGE]; IDLE + 1];
        let reads =
            streams.iter().zip(&mut bufs).map(|(stream, buf)| Box::pin(stream.read_with(buf)));
        let mut reads: Vec<_> = reads.collect();
        let (active, read) = poll_fn(|cx| {
            let polls = reads.iter_mut().map(|read| read.as_mut().poll(cx));
            let first = polls.enumerate().find_map(|(number, poll)| match poll {
                Poll::Ready(read) => Some((number, read)),
                Poll::Pending => None,
            });
            first.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        drop(reads);
        whole(read?)?;
        buf[..MESSAGE].copy_from_slice(&bufs[active][..MESSAGE]);
        Ok(active)
    }
}
