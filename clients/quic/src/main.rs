//! QUIC echo: `quic serve --certificate cert.der`, then
//! `quic send --address 127.0.0.1:4433 --certificate cert.der`.

mod client;
mod server;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};

/// The name in the server's certificate.
const SERVER_NAME: &str = "localhost";

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
#[command(about = "QUIC echo")]
enum Command {
    /// Echo every stream of every connection
    Serve {
        /// UDP address to listen on
        #[arg(long, default_value = "127.0.0.1:4433")]
        listen: SocketAddr,
        /// Where to write the self-signed certificate that clients must know
        #[arg(long)]
        certificate: PathBuf,
    },
    /// Send bytes on several streams at once and compare what comes back
    Send(Sending),
}

#[derive(Args)]
struct Sending {
    /// The server's UDP address
    #[arg(long, default_value = "127.0.0.1:4433")]
    address: SocketAddr,
    /// The certificate that the server wrote
    #[arg(long)]
    certificate: PathBuf,
    /// Streams open at the same time
    #[arg(long, default_value_t = 8)]
    streams: u64,
    /// Bytes on each of them
    #[arg(long, default_value_t = 262_144)]
    bytes: usize,
    /// Milliseconds without a word before the connection is given up
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..86_400_000))]
    idle_ms: u64,
}

fn main() -> Result<()> {
    support::log_lines::init();
    match Command::parse() {
        Command::Serve { listen, certificate } => {
            smol::block_on(server::serve(listen, &certificate))
        }
        Command::Send(send) => smol::block_on(client::send(&send)),
    }
}

/// A connection that says nothing for so long is given up.
fn transport(idle: Duration) -> Result<quinn::TransportConfig> {
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(Some(idle.try_into()?));
    Ok(transport)
}
