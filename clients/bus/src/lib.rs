//! A D-Bus service that greets, its client, and a bus of their own for the two to meet on.

mod client;
mod daemon;
mod greeter;

pub use client::{greet, Greetings};
pub use daemon::Daemon;
pub use greeter::{serve, BUS_NAME};
