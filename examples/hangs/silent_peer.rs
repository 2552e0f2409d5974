//! A client asks a server for a quote. The server takes the question and never answers, and the client has no
//! timeout.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::story::{executor, hangs_now, server};

fn never_answers(mut stream: TcpStream) {
    let mut question = [0; 64];
    let got = stream.read(&mut question);
    hangs_now();
    thread::sleep(Duration::from_secs(3_600));
    drop((got, stream));
}

async fn quote(of: SocketAddr) -> io::Result<String> {
    let mut stream = Async::<TcpStream>::connect(of).await?;
    stream.write_all(b"what does it cost?\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?; // hangs here
    Ok(answer)
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    let quoting = executor.spawn(quote(server(never_answers)?));
    println!("{}", block_on(executor.run(quoting))?);
    Ok(())
}
