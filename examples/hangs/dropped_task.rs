//! A library for connections spawns a task that reads, and hands out the `Task` with the connection. Its user keeps the
//! connection and drops the task, which ends it. Answers arrive, nobody reads them, and the request waits.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use async_channel::{bounded, Sender};
use async_executor::{Executor, Task};
use async_io::{block_on, Async};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::story::{executor, hangs_now, server};

type Waiting = Arc<Mutex<VecDeque<Sender<u8>>>>;

/// A connection on which many requests are under way.
struct Connection {
    stream: Arc<Async<TcpStream>>,
    waiting: Waiting,
}

impl Connection {
    async fn open(
        executor: &Executor<'static>,
        server: SocketAddr,
    ) -> io::Result<(Connection, Task<io::Result<()>>)> {
        let stream = Arc::new(Async::<TcpStream>::connect(server).await?);
        let waiting = Waiting::default();
        let reading = executor.spawn(read(stream.clone(), waiting.clone()));
        Ok((Connection { stream, waiting }, reading))
    }

    async fn request(&self, what: u8) -> io::Result<u8> {
        let (sender, answer) = bounded(1);
        self.waiting.lock().expect("nobody panics").push_back(sender);
        (&*self.stream).write_all(&[what]).await?;
        answer.recv().await.map_err(|_| io::ErrorKind::BrokenPipe.into()) // hangs here
    }
}

async fn read(stream: Arc<Async<TcpStream>>, waiting: Waiting) -> io::Result<()> {
    let mut answer = [0];
    loop {
        (&*stream).read_exact(&mut answer).await?;
        let waiter = waiting.lock().expect("nobody panics").pop_front();
        if let Some(waiter) = waiter {
            let _ = waiter.send(answer[0]).await;
        }
    }
}

fn answers(mut stream: TcpStream) {
    let mut question = [0];
    while io::Read::read_exact(&mut stream, &mut question).is_ok() {
        thread::sleep(Duration::from_millis(100));
        if stream.write_all(&question).is_err() {
            return;
        }
    }
}

async fn log_in(executor: &Executor<'static>, server: SocketAddr) -> io::Result<Connection> {
    let (connection, _reading) = Connection::open(executor, server).await?;
    println!("logged in: {}", connection.request(0).await?);
    Ok(connection)
}

async fn shop(executor: &Executor<'static>, server: SocketAddr) -> io::Result<()> {
    let connection = log_in(executor, server).await?;
    hangs_now();
    println!("the answer is {}", connection.request(1).await?);
    Ok(())
}

pub fn run() -> io::Result<()> {
    let executor = executor();
    block_on(executor.run(executor.spawn(shop(executor, server(answers)?))))
}
