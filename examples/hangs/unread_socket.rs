//! A session reads commands from its socket. `pause` makes it wait for `resume` from an operator's channel, and the
//! operator has gone home. The client goes on sending; what it sends is not read.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use async_channel::{unbounded, Receiver};
use async_io::{block_on, Async};
use futures_lite::{io::BufReader, AsyncBufReadExt};

use crate::story::{executor, hangs_now, server};

fn client(mut stream: TcpStream) {
    let mut sent = stream.write_all(b"start\n");
    thread::sleep(Duration::from_millis(200));
    sent = sent.and_then(|()| stream.write_all(b"pause\n"));
    hangs_now();
    while sent.is_ok() {
        thread::sleep(Duration::from_millis(50));
        sent = stream.write_all(b"next\n");
    }
}

async fn session(client: SocketAddr, operator: Receiver<String>) -> io::Result<()> {
    let mut commands = BufReader::new(Async::<TcpStream>::connect(client).await?);
    let mut command = String::new();
    while commands.read_line(&mut command).await? > 0 {
        if command.trim() == "pause" {
            let word = operator.recv().await; // hangs here
            println!("the operator says {word:?}");
        }
        command.clear();
    }
    Ok(())
}

pub fn run() -> io::Result<()> {
    let (operator, words) = unbounded();
    let executor = executor();
    let ended = block_on(executor.run(executor.spawn(session(server(client)?, words))));
    drop(operator);
    ended
}
