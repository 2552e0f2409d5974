//! TCP echo, UDP echo and a small HTTP answer, on smol.

use std::net::IpAddr;

use clap::Parser;
use smol::future::try_zip;
use smol::io::{self, AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream, UdpSocket};
use support::http::{self, Step};

#[derive(Parser)]
#[command(about = "TCP echo, UDP echo and a small HTTP answer, on smol")]
struct Options {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port of TCP echo; 0 takes a free one
    #[arg(long, default_value_t = 7000)]
    tcp: u16,
    /// Port of UDP echo; 0 takes a free one
    #[arg(long, default_value_t = 7000)]
    udp: u16,
    /// Port of HTTP; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    http: u16,
}

fn main() -> io::Result<()> {
    support::log_lines::init();
    let options = Options::parse();
    smol::block_on(async {
        let tcp = TcpListener::bind((options.host, options.tcp)).await?;
        let udp = UdpSocket::bind((options.host, options.udp)).await?;
        let http = TcpListener::bind((options.host, options.http)).await?;
        println!("tcp {}", tcp.local_addr()?);
        println!("udp {}", udp.local_addr()?);
        println!("http {}", http.local_addr()?);

        // Each ends only by failing, and the program then ends with its error.
        let echo = try_zip(smol::spawn(serve_tcp(tcp)), smol::spawn(serve_udp(udp)));
        try_zip(echo, smol::spawn(serve_http(http))).await?;
        Ok(())
    })
}

async fn serve_tcp(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        smol::spawn(async move {
            report(echo_tcp(stream).await);
        })
        .detach();
    }
}

async fn echo_tcp(stream: TcpStream) -> io::Result<()> {
    let (mut reading, mut writing) = (stream.clone(), stream);
    io::copy(&mut reading, &mut writing).await?;
    writing.close().await
}

async fn serve_udp(socket: UdpSocket) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    loop {
        let (count, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..count], from).await?;
    }
}

async fn serve_http(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        smol::spawn(async move {
            report(answer_http(stream).await);
        })
        .detach();
    }
}

async fn answer_http(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; http::HEAD_BYTES_MAX];
    let mut filled = 0;
    loop {
        match http::step(&buffer[..filled]) {
            Step::Answer { consumed, answer } => {
                stream.write_all(answer).await?;
                buffer.copy_within(consumed..filled, 0);
                filled -= consumed;
            }
            Step::Close(answer) => {
                stream.write_all(answer).await?;
                return stream.close().await;
            }
            Step::Read => match stream.read(&mut buffer[filled..]).await? {
                0 => return Ok(()),
                count => filled += count,
            },
        }
    }
}

/// A peer that breaks its connection ends its own task, nobody else's.
fn report(ended: io::Result<()>) {
    if let Err(error) = ended {
        log::info!("connection: {error}");
    }
}
