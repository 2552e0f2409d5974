//! A task that yields, alone in `block_on`: what a turn of the executor costs.

use anyhow::Result;

use crate::epoll::{events, Epoll};
use crate::laps::Laps;
use crate::peer::{ours, tokio, upstream};
use crate::reactor::{Executor, Reactor};
use crate::row::{Body, Figure, Peer, Row, Sample, Work};

pub(crate) fn row() -> Row {
    let mut cases = vec![(Peer::Raw, raw as Body)];
    cases.extend(one_thread!(body));
    Row {
        name: "yield",
        about: "yield_now under block_on; raw: a wait that does not wait",
        ops: 100_000,
        quick_ops: 20_000,
        counted_ops: 1_000,
        starts: None,
        figures: vec![Figure::time("a yield")],
        cases,
    }
}

fn body<E: Executor>(work: &Work) -> Result<Sample> {
    let ns_per_op = E::run(|_| async move {
        let mut laps = Laps::start(work);
        for _ in 0..work.total() {
            E::Reactor::yield_now().await;
            laps.op();
        }
        laps.ns_per_op()
    });
    Ok(vec![ns_per_op])
}

fn raw(work: &Work) -> Result<Sample> {
    let epoll = Epoll::new()?;
    let mut events = events();
    let mut laps = Laps::start(work);
    for _ in 0..work.total() {
        epoll.wait(&mut events, 0)?;
        laps.op();
    }
    Ok(vec![laps.ns_per_op()])
}
