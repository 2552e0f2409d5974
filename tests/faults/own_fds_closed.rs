//! A program turns itself into a daemon and closes every descriptor it does not know, the reactor's
//! epoll, eventfd and timerfd among them; often it then opens its log or /dev/null on the same numbers.
//! Upstream's helper thread gets `EBADF` from every wait, drops the error and waits again: 90 % of a CPU
//! for as long as the program lives, and not a word about it. Ours either makes itself a new poller once,
//! and everything works on, or stops and says so once on stderr. It closes no number that is a
//! stranger's by then.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::future::pending;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::future;
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use rustix::time::{clock_gettime, ClockId};

use crate::util::{child, socket_and_peer, watchdog};

/// How long a child tries what works at once, if at all.
const PATIENCE: Duration = Duration::from_secs(8);

/// Of one second in which there is nothing to do. A spin takes 900.
const CPU_MS_MAX: u64 = 300;

#[test]
fn closed_while_the_helper_drives() {
    check("closed_while_the_helper_drives", |descriptors| {
        close(&descriptors);
    });
}

#[test]
fn closed_while_a_block_on_thread_drives() {
    check("closed_while_a_block_on_thread_drives", |descriptors| {
        thread::spawn(|| block_on(pending::<()>()));
        thread::sleep(Duration::from_millis(100));
        close(&descriptors);
    });
}

#[test]
fn closed_and_the_numbers_taken_by_others() {
    check("closed_and_the_numbers_taken_by_others", |descriptors| {
        let null = File::open("/dev/null").unwrap();
        for number in descriptors {
            // SAFETY: `number` is open, /proc/self/fd has just listed it. That its owner finds another
            // file under it afterwards is what the test is about.
            let target = unsafe { BorrowedFd::borrow_raw(number) };
            replace(null.as_fd(), target);
        }
    });
}

/// No new poller can be made, and all waits end. A connect in the middle of its wait took that for the end
/// of the attempt, and handed out a stream that was connected with nobody.
#[test]
fn closed_for_good_while_a_connect_waits() {
    let test = "closed_for_good_while_a_connect_waits";
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        let result = lose_the_poller_while_a_connect_waits();
        return println!(" connect={:?}", result.map_err(|error| error.kind()));
    }
    let output = child::command(test, "daemon", 0).output().unwrap();
    let shown = child::shown(&output);
    assert!(output.status.success(), "{shown}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(child::value(&stdout, "connect"), Some("Err(NotConnected)"), "{shown}");
}

fn lose_the_poller_while_a_connect_waits() -> io::Result<()> {
    let (say_so, waits) = mpsc::channel();
    let connect = in_a_thread(move || future::block_on(connect_in_vain(&say_so)));
    let (socket, peer) = socket_and_peer()?;
    in_a_thread(move || future::block_on(socket.recv(&mut [0; 8])));
    waits.recv().expect("the backlog becomes full");
    let descriptors = reactors_descriptors();
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..getrlimit(Resource::Nofile) })?;
    close(&descriptors);
    // The thread in the poller comes back from its wait, and finds nothing to wait in.
    peer.send(b"wake up")?;
    connect.recv().expect("the connect ends")
}

/// Connects until the listener's backlog is full, says so, and goes on waiting.
async fn connect_in_vain(waits: &mpsc::Sender<()>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    rustix::net::listen(&listener, 0)?;
    let addr = listener.local_addr()?;
    let mut made = Vec::new();
    loop {
        let mut connect = Box::pin(Async::<TcpStream>::connect(addr));
        let soon = Timer::after(Duration::from_millis(200));
        let made_soon = future::or(async { Some((&mut connect).await) }, async {
            soon.await;
            None
        });
        match made_soon.await {
            Some(stream) => made.push(stream?),
            None => {
                let _ = waits.send(());
                return connect.await.map(drop);
            }
        }
    }
}

/// Runs `sabotage` on the reactor's descriptors in a child process and judges what the child met.
fn check(test: &str, sabotage: impl FnOnce(Vec<RawFd>)) {
    let _watchdog = watchdog(test);
    if child::role().is_some() {
        return live_on_after(sabotage);
    }
    let output = child::command(test, "daemon", 0).output().unwrap();
    let shown = child::shown(&output);
    assert!(output.status.success(), "{shown}");

    let stdout = String::from_utf8_lossy(&output.stdout);
    let value = |name| child::value(&stdout, name).unwrap_or_else(|| panic!("no {name}: {shown}"));
    let cpu_ms: u64 = value("cpu_ms").parse().unwrap();
    assert!(cpu_ms < CPU_MS_MAX, "{cpu_ms} ms of CPU in an idle second: {shown}");

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "{shown}");
    let complaints: Vec<_> = stderr
        .lines()
        .filter(|line| line.contains("async-io") || line.contains("async_io"))
        .collect();
    let works = ["timer", "old_socket", "new_socket"].iter().all(|what| value(what) == "works");
    if works {
        assert!(complaints.len() <= 1, "said more than once: {shown}");
    } else {
        assert_eq!(complaints.len(), 1, "stopped, and not one line says so: {shown}");
        assert!(
            complaints[0].contains("descriptor"),
            "the line does not say what was closed: {shown}"
        );
    }
    assert_eq!(value("strangers"), "kept", "{shown}");
}

/// The child: starts the reactor, loses its descriptors, measures an idle second, tries to go on.
fn live_on_after(sabotage: impl FnOnce(Vec<RawFd>)) {
    future::block_on(Timer::after(Duration::from_millis(10)));
    let (socket, peer) = socket_and_peer().unwrap();
    let peer = Arc::new(peer);
    // Waited for when the descriptors go, so that the thread in the poller comes back from its wait.
    let old = in_a_thread({
        let peer = peer.clone();
        move || {
            future::block_on(socket.recv(&mut [0; 8]))?;
            Ok((socket, peer))
        }
    });
    let timer = in_a_thread(|| Ok(future::block_on(Timer::after(Duration::from_millis(200)))));
    thread::sleep(Duration::from_millis(50));
    let descriptors = reactors_descriptors();
    assert!(!descriptors.is_empty(), "the reactor has no descriptors");
    sabotage(descriptors.clone());
    let taken: Vec<_> = descriptors.iter().map(|&number| target_of(number)).collect();
    peer.send(b"wake up").unwrap();
    let old = old.recv_timeout(PATIENCE);
    let _ = timer.recv_timeout(PATIENCE);

    let before_ns = cpu_ns();
    thread::sleep(Duration::from_secs(1));
    println!(" cpu_ms={}", (cpu_ns() - before_ns) / 1_000_000);

    let attempts = [
        (
            "timer",
            in_a_thread(|| {
                future::block_on(Timer::after(Duration::from_millis(50)));
                Ok(())
            }),
        ),
        (
            "old_socket",
            in_a_thread(move || {
                let (socket, peer) = old.map_err(|_| io::ErrorKind::TimedOut)??;
                round_trip(&socket, &peer)
            }),
        ),
        (
            "new_socket",
            in_a_thread(|| {
                let (socket, peer) = socket_and_peer()?;
                round_trip(&socket, &peer)
            }),
        ),
    ];
    for (what, attempt) in attempts {
        let result = match attempt.recv_timeout(PATIENCE) {
            Ok(Ok(())) => "works".to_owned(),
            Ok(Err(error)) => format!("{:?}", error.kind()),
            Err(_) => "hangs".to_owned(),
        };
        println!("{what}={result}");
    }
    let now: Vec<_> = descriptors.iter().map(|&number| target_of(number)).collect();
    let kept = taken.iter().zip(&now).all(|(then, now)| then.is_none() || then == now);
    println!("strangers={}", if kept { "kept" } else { "closed" });
}

fn in_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> mpsc::Receiver<io::Result<T>> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result
}

/// Receives what is sent a moment later.
fn round_trip(socket: &Async<UdpSocket>, peer: &UdpSocket) -> io::Result<()> {
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            thread::sleep(Duration::from_millis(50));
            peer.send(b"ping")
        });
        future::block_on(socket.recv(&mut [0; 8]))?;
        sender.join().unwrap()?;
        Ok(())
    })
}

/// The file behind a descriptor of this process.
fn target_of(number: RawFd) -> Option<String> {
    let link = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// The descriptors that only a reactor has in this process.
fn reactors_descriptors() -> Vec<RawFd> {
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .filter(|&number| {
            let target = target_of(number).unwrap_or_default();
            ["[eventpoll]", "[eventfd]", "[timerfd]"]
                .iter()
                .any(|kind| target == format!("anon_inode:{kind}"))
        })
        .collect()
}

fn close(descriptors: &[RawFd]) {
    for &number in descriptors {
        // SAFETY: closing a number takes no memory. That its owner goes on using it is what the test
        // is about, and nothing opens another file under it before the owner has noticed.
        let result = unsafe { libc::close(number) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }
}

/// Puts `file` in the place of `target`, at its number.
fn replace(file: BorrowedFd<'_>, target: BorrowedFd<'_>) {
    // SAFETY: both numbers are open for the length of the call.
    let result = unsafe { libc::dup2(file.as_raw_fd(), target.as_raw_fd()) };
    assert_eq!(result, target.as_raw_fd(), "{}", io::Error::last_os_error());
}

/// The CPU time of all threads of this process.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
