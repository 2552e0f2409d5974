//! A server hangs in production, and whoever looks after it kills it with `SIGKILL`, as the kernel does
//! when memory runs out. A log that a process writes for itself ends wherever its buffer did, and the
//! question is always the same: who was it waiting for? Our recorder's file is the kernel's from the
//! first store on. Here a server under load is killed at random instants, and each time all that it left
//! must be readable and name the connections that it waited for, by their peers.
#![cfg(any(target_os = "linux", windows))]

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{block_on, Async};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

mod util;
use util::{child, recording, watchdog_for};

/// As often as a watchdog's time allows on a slow machine, and no more than this.
const KILLS_MAX: u64 = 200;
const TIME_LIMIT: Duration = Duration::from_secs(40);
const KILLS_MIN: u64 = 20;

const IDLE: usize = 4;
const BUSY: usize = 2;

/// The child's part: greets each connection and echoes what it sends, a thread each.
fn serve() -> ! {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    println!("address={}", listener.get_ref().local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    block_on(async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            thread::spawn(move || {
                block_on(async move {
                    let mut bytes = [0; 64];
                    stream.write_all(b"!").await?;
                    loop {
                        let count = stream.read(&mut bytes).await?;
                        stream.write_all(&bytes[..count]).await?;
                    }
                    #[allow(unreachable_code)] // Says what `?` returns.
                    std::io::Result::Ok(())
                })
            });
        }
    })
}

/// A connection that the server has greeted.
fn client(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream
}

#[test]
fn what_a_killed_server_leaves_is_readable_and_names_its_peers() {
    let test = "what_a_killed_server_leaves_is_readable_and_names_its_peers";
    if child::role().is_some() {
        serve();
    }
    let _watchdog = watchdog_for(test, 900);
    let begun = Instant::now();
    let mut random = begun.elapsed().as_nanos() as u64 ^ u64::from(std::process::id()) | 1;
    let mut kills = 0;
    while kills < KILLS_MIN || kills < KILLS_MAX && begun.elapsed() < TIME_LIMIT {
        // xorshift64.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        kill_once(test, Duration::from_micros(random % 5_000));
        kills += 1;
    }
    println!("{kills} times");
}

fn kill_once(test: &str, after: Duration) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = child::command(test, "server", 0);
    recording::into(&mut command, dir.path());
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let path = recording::path(dir.path(), server.id());
    let output = BufReader::new(server.stdout.take().unwrap());
    let address = output.lines().find_map(|line| {
        child::value(&line.unwrap(), "address").map(|text| text.parse::<SocketAddr>().unwrap())
    });
    let address = address.expect("the server says its address");

    let idle: Vec<_> = (0..IDLE).map(|_| client(address)).collect();
    let mut peers: Vec<_> = idle.iter().map(|s| s.local_addr().unwrap().to_string()).collect();
    peers.sort();
    let is_over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..BUSY).map(|_| load(client(address), is_over.clone())).collect();
    // The greeting comes shortly before the wait. The file says when it has begun.
    util::eventually(|| {
        let waiting = recording::awaited_peers(&recording::open(&path));
        peers.iter().all(|peer| waiting.contains(peer))
    });
    thread::sleep(after);
    server.kill().unwrap();
    server.wait().unwrap();
    is_over.store(true, Ordering::SeqCst);
    load.into_iter().for_each(|thread| thread.join().unwrap());

    let recording = recording::open(&path);
    let mut waiting = recording::awaited_peers(&recording);
    waiting.retain(|peer| peers.contains(peer));
    waiting.sort();
    assert_eq!(waiting, peers, "the idle connections wait, each once");
    let rings = recording::rings(&recording);
    let rounds: usize = rings
        .iter()
        .map(|ring| {
            let lines = recording::records(ring).map(|record| record.to_string());
            lines.filter(|line| line.starts_with("Reactor::ticker")).count()
        })
        .sum();
    assert!(rounds > 0, "the server did rounds");
    let torn = recording::torn(&recording);
    assert!(torn <= rings.len(), "{torn} torn entries of {} threads", rings.len());
}

/// Sends and receives until the server is gone. Wine leaves a killed program's sockets open, so nobody is told.
fn load(mut stream: TcpStream, is_over: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let is_late =
        |error: &Error| [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind());
    thread::spawn(move || {
        while stream.write_all(&[7]).is_ok() {
            let mut echo = stream.read_exact(&mut [0]);
            while echo.as_ref().is_err_and(is_late) && !is_over.load(Ordering::SeqCst) {
                echo = stream.read_exact(&mut [0]);
            }
            if echo.is_err() || is_over.load(Ordering::SeqCst) {
                break;
            }
        }
    })
}
