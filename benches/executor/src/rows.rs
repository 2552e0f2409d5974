//! The rows of the table, in its order.

use crate::row::Row;

/// The bodies of a row that runs on one thread.
macro_rules! one_thread {
    ($body:ident $(, $size:expr)?) => {
        vec![
            (Peer::Ours, $body::<ours::OneThread $(, $size)?> as Body),
            (Peer::Upstream, $body::<upstream::OneThread $(, $size)?>),
            (Peer::Tokio, $body::<tokio::OneThread $(, $size)?>),
            (Peer::OursLocal, $body::<ours::Local $(, $size)?>),
            (Peer::UpstreamLocal, $body::<upstream::Local $(, $size)?>),
        ]
    };
}

/// Those of a row that runs on two.
macro_rules! two_threads {
    ($body:ident $(, $size:expr)?) => {
        vec![
            (Peer::Ours, $body::<ours::TwoThreads $(, $size)?> as Body),
            (Peer::Upstream, $body::<upstream::TwoThreads $(, $size)?>),
            (Peer::Tokio, $body::<tokio::TwoThreads $(, $size)?>),
        ]
    };
}

mod channel;
mod crowd;
mod echo;
mod spawning;
mod yielding;

pub(crate) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(spawning::rows());
    rows.extend(yielding::rows());
    rows.extend(channel::rows());
    rows.push(crowd::row());
    rows.push(echo::row());
    rows
}
