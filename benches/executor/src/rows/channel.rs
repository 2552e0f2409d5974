//! Two tasks that send a message back and forth through two channels.

use anyhow::Result;

use crate::laps::Laps;
use crate::peer::{ours, tokio, upstream, Peer, Runtime};
use crate::row::{Body, Row, Work};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "channel",
            about: "a round trip of two tasks through channels",
            ops: 100_000,
            cases: one_thread!(round_trips),
        },
        Row {
            name: "channel-2t",
            about: "channel, two threads",
            ops: 50_000,
            cases: two_threads!(round_trips),
        },
    ]
}

fn round_trips<R: Runtime>(work: &Work) -> Result<f64> {
    let work = *work;
    Ok(R::run(|runtime| async move {
        let (ask, asked) = async_channel::bounded(1);
        let (answer, answered) = async_channel::bounded(1);
        runtime.spawn_detached(async move {
            while let Ok(message) = asked.recv().await {
                if answer.send(message).await.is_err() {
                    break;
                }
            }
        });
        let asker = runtime.spawn(async move {
            let mut laps = Laps::start(&work);
            for number in 0..work.total() {
                ask.send(number).await.expect("the other task receives");
                assert_eq!(answered.recv().await, Ok(number));
                laps.op();
            }
            laps.ns_per_op::<R>()
        });
        asker.await
    }))
}
