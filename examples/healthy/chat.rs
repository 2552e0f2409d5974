//! Eight people talk over TCP. The server passes on each line to all of them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use async_channel::{bounded, Receiver, Sender};
use async_executor::Executor;
use async_io::{Async, Timer};
use async_lock::Mutex;
use futures_lite::future::try_zip;
use futures_lite::{io::BufReader, AsyncBufReadExt, AsyncWriteExt};

type Room = Arc<Mutex<Vec<Sender<String>>>>;

async fn hear(stream: Arc<Async<TcpStream>>, room: Room) -> io::Result<()> {
    let mut lines = BufReader::new(&*stream);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        for member in room.lock().await.iter() {
            let _ = member.send(line.clone()).await;
        }
    }
}

async fn tell(stream: Arc<Async<TcpStream>>, lines: Receiver<String>) -> io::Result<()> {
    while let Ok(line) = lines.recv().await {
        (&*stream).write_all(line.as_bytes()).await?;
    }
    Ok(())
}

async fn member(stream: Async<TcpStream>, room: Room) -> io::Result<()> {
    let stream = Arc::new(stream);
    let (sender, lines) = bounded(64);
    room.lock().await.push(sender);
    try_zip(hear(stream.clone(), room), tell(stream, lines)).await.map(drop)
}

async fn serve(executor: &Executor<'static>, listener: Async<TcpListener>) -> io::Result<()> {
    let room = Room::default();
    loop {
        let (stream, _) = listener.accept().await?;
        executor.spawn(member(stream, room.clone())).detach();
    }
}

async fn person(server: SocketAddr, number: u64) -> io::Result<()> {
    let stream = Arc::new(Async::<TcpStream>::connect(server).await?);
    let speaking = async {
        for word in 0.. {
            Timer::after(Duration::from_millis(10 + number)).await;
            let line = format!("{number} says {word}\n");
            (&*stream).write_all(line.as_bytes()).await?;
        }
        Ok(())
    };
    let listening = async {
        let mut lines = BufReader::new(&*stream);
        let mut line = String::new();
        while lines.read_line(&mut line).await? > 0 {
            line.clear();
        }
        Ok(())
    };
    try_zip(speaking, listening).await.map(drop)
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.get_ref().local_addr()?;
    (0..8).for_each(|number| executor.spawn(person(address, number)).detach());
    serve(executor, listener).await
}
