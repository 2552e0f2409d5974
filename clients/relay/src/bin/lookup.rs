//! Asks a libp2p peer who it is: `lookup direct --address /ip4/127.0.0.1/tcp/4001`.
//!
//! Does what `libp2p-lookup direct` does, in the same words.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use async_std::future::timeout;
use async_std::task::block_on;
use clap::{Parser, Subcommand};
use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{identify, noise, ping, tcp, yamux, Multiaddr, PeerId, Swarm, SwarmBuilder};

#[derive(Parser)]
#[command(about = "Asks a libp2p peer who it is")]
struct Options {
    #[command(subcommand)]
    how: How,

    /// Seconds after which the lookup has failed
    #[arg(long, global = true, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout_s: u64,
}

#[derive(Subcommand)]
enum How {
    /// Dial an address
    Direct {
        /// The peer's address, such as /ip4/127.0.0.1/tcp/4001
        #[arg(long)]
        address: Multiaddr,
    },
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

impl Behaviour {
    fn new(key: &Keypair) -> Behaviour {
        Behaviour {
            identify: identify::Behaviour::new(identify::Config::new(
                "/TODO/0.0.1".into(),
                key.public(),
            )),
            ping: ping::Behaviour::default(),
        }
    }
}

fn main() -> ExitCode {
    support::log_lines::init();
    let options = Options::parse();
    let How::Direct { address } = options.how;

    let limit = Duration::from_secs(options.timeout_s);
    match block_on(timeout(limit, look_up(address, limit))) {
        Ok(Ok((peer_id, info))) => {
            print_peer(peer_id, &info);
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => failed(&error.to_string()),
        Err(_) => failed("Timeout"),
    }
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("Lookup failed: {reason}.");
    ExitCode::FAILURE
}

async fn look_up(
    address: Multiaddr,
    limit: Duration,
) -> Result<(PeerId, identify::Info), Box<dyn Error>> {
    let mut swarm = swarm(limit)?;
    swarm.dial(address)?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => match event {
                identify::Event::Received { peer_id, info, .. } => return Ok((peer_id, info)),
                identify::Event::Error { error, .. } => return Err(error.into()),
                event => log::debug!("{event:?}"),
            },
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
            SwarmEvent::ConnectionClosed { cause, .. } => {
                let cause = cause.map_or("no reason given".to_owned(), |cause| cause.to_string());
                return Err(format!("connection closed: {cause}").into());
            }
            event => log::debug!("{event:?}"),
        }
    }
}

/// libp2p's own limit for the handshakes, 10 s, is raised beyond `limit`: the lookup's end is the one
/// that is reported.
fn swarm(limit: Duration) -> Result<Swarm<Behaviour>, Box<dyn Error>> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_async_std()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(Behaviour::new)?
        .with_swarm_config(|config| config)
        .with_connection_timeout(limit * 2)
        .build();
    Ok(swarm)
}

fn print_peer(peer_id: PeerId, info: &identify::Info) {
    println!("Lookup for peer with id {peer_id:?} succeeded.\n");
    println!("Protocol version: {:?}", info.protocol_version);
    println!("Agent version: {:?}", info.agent_version);
    println!("Observed address: {:?}", info.observed_addr.to_string());
    println!("Listen addresses:");
    for address in &info.listen_addrs {
        println!("\t- {:?}", address.to_string());
    }
    println!("Protocols:");
    for protocol in &info.protocols {
        println!("\t- {:?}", protocol.as_ref());
    }
}
