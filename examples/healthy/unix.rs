//! Four clients ask a server over a Unix socket.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use async_executor::Executor;
use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

async fn serve(mut stream: Async<UnixStream>) -> io::Result<()> {
    let mut question = [0; 32];
    loop {
        stream.read_exact(&mut question).await?;
        stream.write_all(&question).await?;
    }
}

async fn ask(server: SocketAddr) -> io::Result<()> {
    let mut stream = Async::new(UnixStream::connect_addr(&server)?)?;
    let mut answer = [0; 32];
    loop {
        stream.write_all(&[3; 32]).await?;
        stream.read_exact(&mut answer).await?;
    }
}

pub async fn run(executor: &'static Executor<'static>) -> io::Result<()> {
    // A name that leaves no file behind.
    let address = SocketAddr::from_abstract_name(format!("healthy-{}", std::process::id()))?;
    let listener = Async::new(UnixListener::bind_addr(&address)?)?;
    (0..4).for_each(|_| executor.spawn(ask(address.clone())).detach());
    loop {
        let (stream, _) = listener.accept().await?;
        executor.spawn(serve(stream)).detach();
    }
}
