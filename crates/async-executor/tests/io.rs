//! Under async-io's `block_on`, and under others while async-io's own thread drives: what waits for I/O and
//! timers is woken and run.

mod util;

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_executor::{Executor, LocalExecutor};
use async_io::{Async, Timer};
use futures_lite::{future, io, AsyncReadExt, AsyncWriteExt};
use util::watchdog;

async fn echo(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut buf = [0; 1024];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            n => stream.write_all(&buf[..n]).await?,
        }
    }
}

async fn client(addr: std::net::SocketAddr, messages: usize) -> io::Result<()> {
    let mut stream = Async::<TcpStream>::connect(addr).await?;
    for number in 0..messages {
        let message = number.to_le_bytes();
        stream.write_all(&message).await?;
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await?;
        assert_eq!(answer, message);
    }
    Ok(())
}

/// Servers and clients, all of them tasks.
async fn serve(ex: &Arc<Executor<'static>>, connections: usize) -> io::Result<()> {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let addr = listener.get_ref().local_addr()?;
    let inner = ex.clone();
    let server = ex.spawn(async move {
        let mut echoes = Vec::new();
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            echoes.push(inner.spawn(echo(stream)));
        }
        for echo in echoes {
            echo.await?;
        }
        io::Result::Ok(())
    });
    let clients: Vec<_> = (0..connections).map(|_| ex.spawn(client(addr, 50))).collect();
    for client in clients {
        client.await?;
    }
    server.await
}

#[test]
fn a_server_and_its_clients_on_one_thread() {
    let _watchdog = watchdog("a_server_and_its_clients_on_one_thread");
    let ex = Arc::new(Executor::new());
    async_io::block_on(ex.run(serve(&ex, 20))).unwrap();
    assert!(ex.is_empty());
}

#[test]
fn a_server_and_its_clients_on_three_threads() {
    let _watchdog = watchdog("a_server_and_its_clients_on_three_threads");
    let ex = Arc::new(Executor::new());
    let (stop, stopped) = async_channel::bounded::<()>(1);
    thread::scope(|scope| {
        // One of them under another `block_on`.
        scope.spawn(|| async_io::block_on(ex.run(stopped.recv())));
        scope.spawn(|| future::block_on(ex.run(stopped.recv())));
        async_io::block_on(ex.run(serve(&ex, 30))).unwrap();
        drop(stop);
    });
    assert!(ex.is_empty());
}

#[test]
fn a_server_and_its_clients_under_another_block_on() {
    let _watchdog = watchdog("a_server_and_its_clients_under_another_block_on");
    let ex = Arc::new(Executor::new());
    future::block_on(ex.run(serve(&ex, 10))).unwrap();
    assert!(ex.is_empty());
}

#[test]
fn timers_wake_their_tasks() {
    let _watchdog = watchdog("timers_wake_their_tasks");
    let fired = Arc::new(AtomicUsize::new(0));
    let ex = Executor::new();
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let fired = fired.clone();
            ex.spawn(async move {
                Timer::after(Duration::from_micros(number * 50)).await;
                fired.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    async_io::block_on(ex.run(async {
        for task in tasks {
            task.await;
        }
    }));
    assert_eq!(fired.load(Ordering::SeqCst), 200);
}

#[test]
fn local_tasks_wait_for_io_too() {
    let _watchdog = watchdog("local_tasks_wait_for_io_too");
    let ex = LocalExecutor::new();
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let addr = listener.get_ref().local_addr().unwrap();
    let server = ex.spawn(async move {
        let (stream, _) = listener.accept().await?;
        echo(stream).await
    });
    let both = async { future::try_zip(server, client(addr, 100)).await };
    async_io::block_on(ex.run(both)).unwrap();

    let task = ex.spawn(async { Timer::after(Duration::from_millis(1)).await });
    future::block_on(ex.run(task));
}
