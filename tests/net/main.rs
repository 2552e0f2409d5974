//! Sockets: each kind of them behind `Async`, with the operations that it has.

#[path = "../util/mod.rs"]
mod util;

mod flush;
mod source;
mod tcp;
mod udp;
mod unix;
