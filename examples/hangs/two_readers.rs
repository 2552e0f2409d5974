//! Two callers share a connection. Each writes its question and reads the answer, a length and then the text. The
//! bytes go to whoever reads first: one gets the other's text for a length, and both wait for more.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::story::{executor, hangs_now, server};

/// Answers in two parts, as a server does that computes the text after the length.
fn answers(mut stream: TcpStream) {
    let mut question = [0];
    for _ in 0..2 {
        if io::Read::read_exact(&mut stream, &mut question).is_err() {
            return;
        }
    }
    for part in [&[40, 40, 40, 40], b"well"] {
        thread::sleep(Duration::from_millis(100));
        if stream.write_all(part).is_err() {
            return;
        }
    }
    hangs_now();
    thread::sleep(Duration::from_secs(3_600));
}

async fn left(stream: Arc<Async<TcpStream>>) -> io::Result<Vec<u8>> {
    (&*stream).write_all(b"l").await?;
    let mut length = [0];
    (&*stream).read_exact(&mut length).await?; // hangs here
    let mut text = vec![0; length[0].into()];
    (&*stream).read_exact(&mut text).await?; // hangs here
    Ok(text)
}

async fn right(stream: Arc<Async<TcpStream>>) -> io::Result<Vec<u8>> {
    (&*stream).write_all(b"r").await?;
    let mut length = [0];
    (&*stream).read_exact(&mut length).await?; // hangs here too
    let mut text = vec![0; length[0].into()];
    (&*stream).read_exact(&mut text).await?; // hangs here too
    Ok(text)
}

pub fn run() -> io::Result<()> {
    let server = server(answers)?;
    let executor = executor();
    block_on(executor.run(async {
        let stream = Arc::new(Async::<TcpStream>::connect(server).await?);
        let other = executor.spawn(right(stream.clone()));
        let one = executor.spawn(left(stream));
        println!("{:?}, {:?}", one.await?, other.await?);
        Ok(())
    }))
}
