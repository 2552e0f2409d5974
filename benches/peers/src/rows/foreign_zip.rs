//! The two ends of a connection in one task, under another crate's `block_on`.
//!
//! Whoever polls the second end finds what the first has just written, and need not wait for the thread that
//! drives the reactor. As in the row `foreign`, each sample is a process of its own.

use anyhow::Result;
use futures_lite::future::{self, zip};

use super::foreign::{answer, ask, STARTED, STARTS};
use crate::affinity::{Place, Placed};
use crate::peer::{ours, tokio, upstream};
use crate::reactor::Reactor;
use crate::row::{Figure, Peer, Row, Sample, Work};
use crate::rows::pingpong::Bytes;
use crate::sockets::tcp_pair;
use crate::stats::median;

pub(crate) fn row() -> Row {
    Row {
        name: "foreign-zip",
        about: "the same of two ends in one task, their futures in a zip",
        ops: 2_000,
        quick_ops: 1_000,
        counted_ops: 500,
        starts: Some(STARTS),
        figures: vec![
            Figure::time("futures-lite"),
            Figure::time("pollster"),
            Figure::time("futures-lite, on one core").uncounted(),
            Figure::time("futures-lite, on two cores").uncounted(),
        ],
        cases: vec![
            (Peer::Ours, all::<ours::AsyncIo>),
            (Peer::Upstream, all::<upstream::AsyncIo>),
            (Peer::Tokio, all::<tokio::Tokio>),
        ],
    }
}

fn all<R: Reactor>(work: &Work) -> Result<Sample> {
    let lite = |place| R::driven(|| future::block_on(p50::<R>(work, place)));
    let pollster = |place| R::driven(|| pollster::block_on(p50::<R>(work, place)));
    type Run<'a> = &'a dyn Fn(Place) -> Result<f64>;
    let figures: [(Run<'_>, Place); 4] = [
        (&lite, Place::Anywhere),
        (&pollster, Place::Anywhere),
        (&lite, Place::OneCore),
        (&lite, Place::TwoCores),
    ];
    let measured = figures.into_iter().enumerate().map(|(figure, (run, place))| {
        if work.wants(figure) {
            run(place)
        } else {
            Ok(f64::NAN)
        }
    });
    measured.collect()
}

/// The median round trip in nanoseconds.
async fn p50<R: Reactor>(work: &Work, place: Place) -> Result<f64> {
    R::sleep(STARTED).await;
    let _placed = Placed::new(place);
    let (client, server) = tcp_pair()?;
    let (mut client, mut server) = (Bytes(R::tcp(client)?), Bytes(R::tcp(server)?));
    let ends = zip(ask(&mut client, work.total()), answer(&mut server, work.total()));
    let (trips, answered) = ends.await;
    answered?;
    Ok(median(&trips?.split_off(work.warm_up as usize)))
}
