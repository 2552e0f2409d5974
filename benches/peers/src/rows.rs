//! The rows of the table, in its order.

use crate::row::Row;

/// The bodies of a row that runs on one thread: the same function for each peer.
macro_rules! one_thread {
    ($body:ident) => {
        [
            (Peer::Ours, $body::<ours::OneThread> as Body),
            (Peer::Upstream, $body::<upstream::OneThread>),
            (Peer::Tokio, $body::<tokio::OneThread>),
        ]
    };
}

mod accept;
mod bulk;
mod busy;
mod echo;
mod flood;
mod foreign;
mod foreign_zip;
#[cfg(feature = "hooks")]
mod hooks;
mod idle;
mod pingpong;
mod register;
mod select;
mod select_with;
mod timers;
mod yielding;

/// All rows.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(pingpong::rows());
    rows.extend(echo::rows());
    rows.push(foreign::row());
    rows.push(foreign_zip::row());
    rows.push(accept::row());
    rows.push(yielding::row());
    rows.extend(timers::rows());
    rows.push(pingpong::guard_row());
    rows.push(select::row());
    rows.push(select_with::row());
    rows.push(busy::row());
    rows.push(register::row());
    rows.push(idle::row());
    rows.push(bulk::row());
    rows.push(flood::row());
    #[cfg(feature = "hooks")]
    rows.extend(hooks::rows());
    rows
}
