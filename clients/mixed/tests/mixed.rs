//! All executors at once; the program checks every message and every timer itself.

use std::process::Command;

use support::Watchdog;

#[test]
fn every_message_and_every_timer() {
    let _watchdog = Watchdog::new("every_message_and_every_timer", 60);
    let found = Command::new(env!("CARGO_BIN_EXE_mixed"))
        .args(["--clients", "12", "--messages", "150"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8_lossy(&found.stdout),
        "tokio's threads echoed 1800 messages\n\
         futures' thread pool had 1800 answers\n\
         futures' local pool exchanged 300 datagrams\n\
         1950 timers fired, none early\n"
    );
}
