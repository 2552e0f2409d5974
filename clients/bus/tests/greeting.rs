//! Service and client on a bus of their own, in one process and in several.

use std::process::{Command, Output};

use bus::Daemon;
use support::{Server, Watchdog};

const BUS: &str = env!("CARGO_BIN_EXE_bus");

fn greet(address: &str, name: &str, count: u64) -> Output {
    Command::new(BUS)
        .args(["greet", name, "--address", address])
        .args(["--count", &count.to_string()])
        .output()
        .unwrap()
}

#[test]
fn one_process() {
    let _watchdog = Watchdog::new("one_process", 60);
    let found = Command::new(BUS).args(["demo", "--count", "50"]).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    assert_eq!(
        String::from_utf8_lossy(&found.stdout),
        "50 calls, 50 signals\nHello Ferris! You are number 50.\n"
    );
}

#[test]
fn a_service_and_four_clients() {
    let _watchdog = Watchdog::new("a_service_and_four_clients", 60);
    let daemon = Daemon::start().unwrap();
    let mut service =
        Server::start(Command::new(BUS).args(["serve", "--address", daemon.address()])).unwrap();
    service.line_after("Serving ").unwrap();

    let clients: Vec<_> = ["Ada", "Grace", "Edith", "Jean"]
        .into_iter()
        .map(|name| {
            let address = daemon.address().to_owned();
            std::thread::spawn(move || greet(&address, name, 25))
        })
        .collect();
    for client in clients {
        let found = client.join().unwrap();
        let errors = String::from_utf8_lossy(&found.stderr);
        assert!(found.status.success(), "{errors}");
        assert!(found.stdout.starts_with(b"25 calls, 25 signals\n"));
    }

    let last = greet(daemon.address(), "Mary", 1);
    assert_eq!(
        String::from_utf8_lossy(&last.stdout),
        "1 calls, 1 signals\nHello Mary! You are number 101.\n"
    );
}

#[test]
fn no_service_is_an_error() {
    let _watchdog = Watchdog::new("no_service_is_an_error", 60);
    let daemon = Daemon::start().unwrap();
    let found = greet(daemon.address(), "Nobody", 1);
    let errors = String::from_utf8_lossy(&found.stderr);
    assert_eq!(found.status.code(), Some(1), "{errors}");
    assert!(errors.contains("ServiceUnknown"), "{errors}");
}
