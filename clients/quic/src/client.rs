//! Sends on several streams at once and compares what comes back.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::rustls::pki_types::CertificateDer;
use quinn::rustls::RootCertStore;
use quinn::{ClientConfig, Connection, Endpoint, EndpointConfig, SmolRuntime};

use crate::{transport, Result, Sending, SERVER_NAME};

/// Sends as asked, and prints how it went.
pub async fn send(what: &Sending) -> Result<()> {
    let own: SocketAddr = match what.address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = Endpoint::new(
        EndpointConfig::default(),
        None,
        UdpSocket::bind(own)?,
        Arc::new(SmolRuntime),
    )?;
    let idle = Duration::from_millis(what.idle_ms);
    let config = config(&what.certificate, idle)?;
    let connection = endpoint.connect_with(config, what.address, SERVER_NAME)?.await?;

    let started = Instant::now();
    let streams: Vec<_> = (0..what.streams)
        .map(|number| smol::spawn(echoed(connection.clone(), number, what.bytes)))
        .collect();
    for stream in streams {
        stream.await?;
    }
    println!(
        "{} streams, {} bytes each, echoed in {} ms",
        what.streams,
        what.bytes,
        started.elapsed().as_millis()
    );
    connection.close(0u32.into(), b"done");
    endpoint.wait_idle().await;
    Ok(())
}

fn config(certificate: &Path, idle: Duration) -> Result<ClientConfig> {
    let read = std::fs::read(certificate)
        .map_err(|error| format!("{}: {error}", certificate.display()))?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(read))?;
    let mut config = ClientConfig::with_root_certificates(Arc::new(roots))?;
    config.transport_config(Arc::new(transport(idle)?));
    Ok(config)
}

/// One stream: writes while it reads, or both sides would stand still with full windows.
async fn echoed(connection: Connection, number: u64, bytes: usize) -> Result<()> {
    let (mut send, mut receive) = connection.open_bi().await?;
    let data: Vec<u8> = (0..bytes).map(|at| (at as u64 * 31 + number) as u8).collect();
    let sent = data.clone();
    let writer = smol::spawn(async move {
        send.write_all(&sent).await?;
        send.finish().map_err(std::io::Error::from)
    });
    let echo = receive.read_to_end(bytes).await?;
    writer.await?;
    if echo != data {
        return Err(format!("stream {number}: the echo differs from what was sent").into());
    }
    Ok(())
}
