//! The seed's experiment in small: a relay is asked who it is.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Output};

use support::{Server, Watchdog};

/// What `--secret-key-seed 0` has always given.
const PEER_ID_OF_SEED_0: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

fn start_relay() -> (Server, String) {
    let mut relay = Server::start(Command::new(env!("CARGO_BIN_EXE_relay")).args([
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--secret-key-seed",
        "0",
    ]))
    .unwrap();
    assert_eq!(relay.line_after("Peer id ").unwrap(), PEER_ID_OF_SEED_0);
    let address = relay.line_after("Listening on ").unwrap();
    (relay, address)
}

fn look_up(address: &str, timeout_s: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lookup"))
        .args(["direct", "--address", address, "--timeout-s", timeout_s])
        .output()
        .unwrap()
}

#[test]
fn names_the_relay() {
    let _watchdog = Watchdog::new("names_the_relay", 60);
    let (_relay, address) = start_relay();
    for _ in 0..5 {
        let found = look_up(&address, "20");
        let text = String::from_utf8(found.stdout).unwrap();
        let errors = String::from_utf8_lossy(&found.stderr);
        assert!(found.status.success(), "{text}{errors}");
        for expected in [
            &format!("Lookup for peer with id PeerId({PEER_ID_OF_SEED_0:?}) succeeded."),
            "Protocol version: \"/TODO/0.0.1\"",
            "Agent version: \"rust-libp2p/",
            "Observed address: \"/ip4/127.0.0.1/tcp/",
            &format!("\t- {address:?}"),
            "\t- \"/libp2p/circuit/relay/0.2.0/hop\"",
            "\t- \"/ipfs/ping/1.0.0\"",
            "\t- \"/ipfs/id/1.0.0\"",
        ] {
            assert!(text.contains(expected), "no {expected:?} in:\n{text}");
        }
    }
}

#[test]
fn several_at_once() {
    let _watchdog = Watchdog::new("several_at_once", 60);
    let (_relay, address) = start_relay();
    let lookups: Vec<_> = (0..8)
        .map(|_| {
            let address = address.clone();
            std::thread::spawn(move || look_up(&address, "40"))
        })
        .collect();
    for lookup in lookups {
        let found = lookup.join().unwrap();
        let errors = String::from_utf8_lossy(&found.stderr);
        assert!(found.status.success(), "{errors}");
    }
}

#[test]
fn silent_peer_is_a_timeout() {
    let _watchdog = Watchdog::new("silent_peer_is_a_timeout", 60);
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let found = look_up(&format!("/ip4/127.0.0.1/tcp/{port}"), "1");
    assert_eq!(found.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&found.stderr), "Lookup failed: Timeout.\n");
}

#[test]
fn closed_port_says_so() {
    let _watchdog = Watchdog::new("closed_port_says_so", 60);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let found = look_up(&format!("/ip4/127.0.0.1/tcp/{port}"), "20");
    let errors = String::from_utf8_lossy(&found.stderr);
    assert_eq!(found.status.code(), Some(1), "{errors}");
    assert!(errors.contains("Connection refused"), "{errors}");
}
