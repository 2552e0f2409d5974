//! `ASYNC_IO_DUMP_EVERY` prints who waits as often as that, and only if it has changed: a service that waits for the same
//! all night fills no log.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};

use crate::program::{is_told, report, Program};
use crate::util::{child, watchdog};

/// Waits for a socket for ever.
fn wait_for_a_socket() {
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = socket.get_ref().local_addr().unwrap();
    thread::spawn(move || block_on(socket.readable()).unwrap());
    report("waits", address);
}

#[test]
fn a_table_is_printed_when_it_has_changed_and_not_otherwise() {
    if child::role().is_some() {
        wait_for_a_socket();
        while is_told() {
            wait_for_a_socket();
        }
        return;
    }
    let _watchdog = watchdog("a_table_is_printed_when_it_has_changed_and_not_otherwise");
    let test = "a_table_is_printed_when_it_has_changed_and_not_otherwise";
    let mut program = Program::start(test, &[("ASYNC_IO_DUMP_EVERY", "20ms")]);
    let first = program.value("waits");
    let row = |address: &str| format!("udp {address}, key");
    let table = program.table_with(&[&row(&first), "1 source, of which 1 waited for"]);
    assert!(table.contains("asked by ASYNC_IO_DUMP_EVERY=20ms"), "{table}");

    // It looks some twenty times, or as often as a busy machine lets it. Nothing changes.
    thread::sleep(Duration::from_millis(400));
    program.tell("one more");
    let second = program.value("waits");
    // In its first table the new one may still be without its address.
    let table = program.table();
    assert!(table.contains("2 sources"), "printed although nothing had changed\n{table}");
    let rows: [&str; 3] = [&row(&first), &row(&second), "2 sources, of which 2 waited for"];
    if !rows.iter().all(|row| table.contains(row)) {
        program.table_with(&rows);
    }
    thread::sleep(Duration::from_millis(200));
    let (status, tables) = program.end();
    assert!(status.success() && tables == 0, "{status}, {tables} tables of what had not changed");
}

/// A timer that comes nearer is no change; its end is one.
#[test]
fn a_timer_that_comes_nearer_is_no_change() {
    if child::role().is_some() {
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let waits = thread::spawn(move || {
            block_on(futures_lite::future::or(
                async {
                    Timer::after(Duration::from_secs(3_600)).await;
                },
                async { stopped.recv().await.unwrap() },
            ));
        });
        report("waits", "");
        while is_told() {
            stop.send_blocking(()).unwrap();
        }
        waits.join().unwrap();
        return;
    }
    let _watchdog = watchdog("a_timer_that_comes_nearer_is_no_change");
    let every = [("ASYNC_IO_DUMP_EVERY", "20ms")];
    let mut program = Program::start("a_timer_that_comes_nearer_is_no_change", &every);
    program.value("waits");
    program.table_with(&["1 timer\n", "is due in"]);
    thread::sleep(Duration::from_millis(300));
    program.tell("stop");
    let table = program.table();
    assert!(table.contains("0 timers"), "printed although the same timer was there\n{table}");
    let (status, tables) = program.end();
    assert!(status.success() && tables == 0, "{status}, {tables} tables of what had not changed");
}
