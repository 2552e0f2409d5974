//! The checks that both echo programs must pass.

use support::{Echo, Watchdog};

const PROGRAM: &str = env!("CARGO_BIN_EXE_echo-smol");

#[test]
fn tcp_returns_every_byte() {
    let _watchdog = Watchdog::new("tcp_returns_every_byte", 60);
    Echo::start(PROGRAM).unwrap().tcp_returns_every_byte().unwrap();
}

#[test]
fn udp_returns_every_datagram() {
    let _watchdog = Watchdog::new("udp_returns_every_datagram", 60);
    Echo::start(PROGRAM).unwrap().udp_returns_every_datagram().unwrap();
}

#[test]
fn http_answers() {
    let _watchdog = Watchdog::new("http_answers", 60);
    Echo::start(PROGRAM).unwrap().http_answers().unwrap();
}
