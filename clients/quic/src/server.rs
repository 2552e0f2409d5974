//! Sends every stream's bytes back.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::rustls::pki_types::PrivateKeyDer;
use quinn::{
    Endpoint, EndpointConfig, Incoming, RecvStream, SendStream, ServerConfig, SmolRuntime,
};

use crate::{transport, Result, SERVER_NAME};

/// Serves until the endpoint fails.
pub async fn serve(listen: SocketAddr, certificate: &Path) -> Result<()> {
    let endpoint = Endpoint::new(
        EndpointConfig::default(),
        Some(config(certificate)?),
        UdpSocket::bind(listen)?,
        Arc::new(SmolRuntime),
    )?;
    println!("Listening on {}", endpoint.local_addr()?);

    while let Some(incoming) = endpoint.accept().await {
        smol::spawn(async move {
            if let Err(error) = echo_connection(incoming).await {
                eprintln!("connection: {error}");
            }
        })
        .detach();
    }
    Ok(())
}

/// Makes a key and a certificate for it, and writes the certificate for clients to read.
fn config(certificate: &Path) -> Result<ServerConfig> {
    let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
    std::fs::write(certificate, made.cert.der())
        .map_err(|error| format!("{}: {error}", certificate.display()))?;
    let key = PrivateKeyDer::try_from(made.key_pair.serialize_der())?;
    let mut config = ServerConfig::with_single_cert(vec![made.cert.der().clone()], key)?;
    config.transport_config(Arc::new(transport(Duration::from_secs(30))?));
    Ok(config)
}

async fn echo_connection(incoming: Incoming) -> std::result::Result<(), quinn::ConnectionError> {
    let connection = incoming.await?;
    loop {
        let (send, receive) = match connection.accept_bi().await {
            Err(quinn::ConnectionError::ApplicationClosed(_)) => return Ok(()),
            stream => stream?,
        };
        smol::spawn(async move {
            if let Err(error) = echo_stream(send, receive).await {
                eprintln!("stream: {error}");
            }
        })
        .detach();
    }
}

async fn echo_stream(mut send: SendStream, mut receive: RecvStream) -> Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    while let Some(count) = receive.read(&mut buffer).await? {
        send.write_all(&buffer[..count]).await?;
    }
    send.finish()?;
    Ok(())
}
