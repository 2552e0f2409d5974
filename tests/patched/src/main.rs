//! A TCP echo server and one client of it, on smol.

use std::io;
use std::net::{Ipv4Addr, Shutdown};

use smol::io::{copy, AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    env_logger::init();
    smol::block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = smol::spawn(serve_one(listener));

        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"hello over there").await?;
        stream.shutdown(Shutdown::Write)?;
        let mut echo = String::new();
        stream.read_to_string(&mut echo).await?;
        println!("echo: {echo}");

        let bytes = server.await?;
        println!("served: {bytes} bytes");
        Ok(())
    })
}

async fn serve_one(listener: TcpListener) -> io::Result<u64> {
    let (mut reading, _) = listener.accept().await?;
    let mut writing = reading.clone();
    copy(&mut reading, &mut writing).await
}
