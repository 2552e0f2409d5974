//! Messages have a length of four bytes in front. A client looks for the next one with `read_exact` under a timeout,
//! and does other work in between. A timeout in the midst of the length throws away the two bytes that were
//! read. The next two are taken for a length's beginning, which is huge, and the message never ends.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use async_io::{block_on, Async, Timer};
use futures_lite::{future::or, AsyncReadExt};

use crate::story::{executor, hangs_now, server};

fn message(text: &str) -> Vec<u8> {
    let length = (text.len() as u32).to_be_bytes();
    [&length, text.as_bytes()].concat()
}

/// Its network cuts the second message in two.
fn slow(mut stream: TcpStream) {
    let mut parts = vec![message("good morning")];
    let cut = message("how are you?");
    parts.extend([cut[..2].to_vec(), cut[2..].to_vec(), message("good night")]);
    for part in parts {
        if stream.write_all(&part).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(400));
    }
    hangs_now();
    thread::sleep(Duration::from_secs(3_600));
}

async fn next_length(stream: &mut Async<TcpStream>) -> io::Result<Option<u32>> {
    let mut length = [0; 4];
    let reading = async {
        stream.read_exact(&mut length).await?; // loses two bytes here
        Ok(Some(u32::from_be_bytes(length)))
    };
    let timeout = async {
        Timer::after(Duration::from_millis(150)).await;
        Ok(None)
    };
    or(reading, timeout).await
}

async fn listen(server: SocketAddr) -> io::Result<()> {
    let mut stream = Async::<TcpStream>::connect(server).await?;
    loop {
        let Some(length) = next_length(&mut stream).await? else {
            continue; // There is time for other work.
        };
        let mut text = vec![0; length as usize];
        stream.read_exact(&mut text).await?; // hangs here
        println!("{}", String::from_utf8_lossy(&text));
    }
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(listen(server(slow)?))))
}
