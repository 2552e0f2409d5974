//! What the client programs share. Nothing in here, and nothing in them, knows how the reactor
//! works.

pub mod echo_checks;
pub mod http;
pub mod log_lines;
pub mod server;
pub mod watchdog;

pub use echo_checks::Echo;
pub use server::Server;
pub use watchdog::Watchdog;
