//! A reader does not know the end of a stream: it takes 0 bytes for "nothing yet" and reads on. Once the peer has
//! closed, each read is ready at once, for ever.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};

use async_io::{block_on, Async};
use futures_lite::{future::yield_now, AsyncReadExt};

use crate::story::{executor, hangs_now, server};

fn says_goodbye(mut stream: TcpStream) {
    if stream.write_all(b"goodbye\n").is_ok() {
        hangs_now();
    }
}

async fn read_on(server: SocketAddr) -> io::Result<()> {
    let mut stream = Async::<TcpStream>::connect(server).await?;
    let mut line = Vec::new();
    let mut buffer = [0; 256];
    loop {
        let len = stream.read(&mut buffer).await?; // hangs here
        line.extend_from_slice(&buffer[..len]);
        if line.ends_with(b"\n") {
            print!("{}", String::from_utf8_lossy(&line));
            line.clear();
        }
        yield_now().await;
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(read_on(server(says_goodbye)?))))
}
