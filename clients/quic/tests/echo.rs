//! Server and client in two processes on loopback.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Output};

use support::{Server, Watchdog};

const QUIC: &str = env!("CARGO_BIN_EXE_quic");

fn start_server(certificate: &Path) -> (Server, String) {
    let mut server = Server::start(
        Command::new(QUIC)
            .args(["serve", "--listen", "127.0.0.1:0", "--certificate"])
            .arg(certificate),
    )
    .unwrap();
    let address = server.line_after("Listening on ").unwrap();
    (server, address)
}

fn send(address: &str, certificate: &Path, more: &[&str]) -> Output {
    Command::new(QUIC)
        .args(["send", "--address", address, "--certificate"])
        .arg(certificate)
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn echoes_many_streams_of_many_connections() {
    let _watchdog = Watchdog::new("echoes_many_streams_of_many_connections", 60);
    let directory = tempfile::tempdir().unwrap();
    let certificate = directory.path().join("cert.der");
    let (_server, address) = start_server(&certificate);

    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (address, certificate) = (address.clone(), certificate.clone());
            let more = ["--streams", "16", "--bytes", "200000"];
            std::thread::spawn(move || send(&address, &certificate, &more))
        })
        .collect();
    for client in clients {
        let found = client.join().unwrap();
        let errors = String::from_utf8_lossy(&found.stderr);
        assert!(found.status.success(), "{errors}");
        assert!(found.stdout.starts_with(b"16 streams, 200000 bytes each, echoed in "));
    }
}

#[test]
fn silent_server_is_a_timeout() {
    let _watchdog = Watchdog::new("silent_server_is_a_timeout", 60);
    let directory = tempfile::tempdir().unwrap();
    let certificate = directory.path().join("cert.der");
    let (_server, _) = start_server(&certificate);

    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let found = send(&address, &certificate, &["--idle-ms", "300"]);
    let errors = String::from_utf8_lossy(&found.stderr);
    assert_eq!(found.status.code(), Some(1), "{errors}");
    assert!(errors.contains("TimedOut"), "{errors}");
}
