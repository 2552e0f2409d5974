//! A libp2p relay (circuit relay v2) that also answers identify and ping, over TCP, noise and
//! yamux.
//!
//! `relay --port 4001 --secret-key-seed 0`

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};

use clap::Parser;
use futures::executor::block_on;
use futures::StreamExt;
use libp2p::core::multiaddr::Protocol;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{identify, noise, ping, relay, tcp, yamux, Multiaddr, Swarm, SwarmBuilder};

#[derive(Parser)]
#[command(about = "A libp2p relay over TCP")]
struct Options {
    /// TCP port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 4001)]
    port: u16,

    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    host: IpAddr,

    /// First byte of the secret key: the same seed gives the same peer id. Not a secret at all
    #[arg(long, default_value_t = 0)]
    secret_key_seed: u8,
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

impl Behaviour {
    fn new(key: &Keypair) -> Behaviour {
        let peer_id = key.public().to_peer_id();
        Behaviour {
            relay: relay::Behaviour::new(peer_id, relay::Config::default()),
            identify: identify::Behaviour::new(identify::Config::new(
                "/TODO/0.0.1".into(),
                key.public(),
            )),
            ping: ping::Behaviour::default(),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    support::log_lines::init();
    let options = Options::parse();

    let mut swarm = swarm(options.secret_key_seed)?;
    println!("Peer id {}", swarm.local_peer_id());
    swarm.listen_on(Multiaddr::from(options.host).with(Protocol::Tcp(options.port)))?;
    block_on(serve(swarm))
}

fn swarm(secret_key_seed: u8) -> Result<Swarm<Behaviour>, Box<dyn Error>> {
    let mut secret = [0; 32];
    secret[0] = secret_key_seed;
    let swarm = SwarmBuilder::with_existing_identity(Keypair::ed25519_from_bytes(secret)?)
        .with_async_std()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(Behaviour::new)?
        .build();
    Ok(swarm)
}

async fn serve(mut swarm: Swarm<Behaviour>) -> Result<(), Box<dyn Error>> {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => println!("Listening on {address}"),
            SwarmEvent::ListenerError { error, .. } => eprintln!("Listener: {error}"),
            SwarmEvent::ListenerClosed { reason, .. } => return Ok(reason?),
            // A reservation is worth something only with an address under which others reach
            // this relay; a peer that has reached it knows one.
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                info,
                ..
            })) => swarm.add_external_address(info.observed_addr),
            event => log::debug!("{event:?}"),
        }
    }
}
