//! Lines go to a process, `cat`, and come back from it.

use std::io;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use async_executor::Executor;
use async_io::{Async, Timer};
use futures_lite::future::try_zip;
use futures_lite::{io::BufReader, AsyncBufReadExt, AsyncWriteExt};

async fn send(mut to: Async<ChildStdin>) -> io::Result<()> {
    for number in 0_u64.. {
        to.write_all(format!("line {number}\n").as_bytes()).await?;
        if number % 100 == 0 {
            Timer::after(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}

async fn receive(from: Async<ChildStdout>) -> io::Result<()> {
    let mut lines = BufReader::new(from);
    let mut line = String::new();
    while lines.read_line(&mut line).await? > 0 {
        line.clear();
    }
    Ok(())
}

pub async fn run(_: &'static Executor<'static>) -> io::Result<()> {
    // It ends when its standard input does.
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let to = cat.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let from = cat.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    try_zip(send(Async::new(to)?), receive(Async::new(from)?)).await.map(drop)
}
