//! Two peers that meet through the relay: one reserves a place there, the other dials it by way of
//! the relay and pings it.

use std::process::Command;

use futures::executor::block_on;
use futures::future::{select, Either};
use futures::StreamExt;
use libp2p::core::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{identify, noise, ping, relay, tcp, yamux, Multiaddr, PeerId, Swarm, SwarmBuilder};
use support::{Server, Watchdog};

#[derive(NetworkBehaviour)]
struct Peer {
    relay: relay::client::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

fn peer() -> Swarm<Peer> {
    SwarmBuilder::with_new_identity()
        .with_async_std()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key, relay| Peer {
            relay,
            identify: identify::Behaviour::new(identify::Config::new(
                "/test/1".into(),
                key.public(),
            )),
            ping: ping::Behaviour::default(),
        })
        .unwrap()
        .build()
}

/// The relay must know an address of its own before a reservation is worth anything: it learns one
/// from identify.
async fn introduce(swarm: &mut Swarm<Peer>, relay: Multiaddr) {
    swarm.dial(relay).unwrap();
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(PeerEvent::Identify(identify::Event::Sent { .. })) => return,
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
            _ => {}
        }
    }
}

async fn reserve(swarm: &mut Swarm<Peer>, circuit: Multiaddr) {
    swarm.listen_on(circuit).unwrap();
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(PeerEvent::Relay(
                relay::client::Event::ReservationReqAccepted { .. },
            )) => return,
            SwarmEvent::ListenerClosed { reason, .. } => panic!("no reservation: {reason:?}"),
            _ => {}
        }
    }
}

async fn ping(swarm: &mut Swarm<Peer>, peer: PeerId) {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(PeerEvent::Ping(event)) if event.peer == peer => {
                event.result.unwrap();
                return;
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
            _ => {}
        }
    }
}

async fn drive(swarm: &mut Swarm<Peer>) {
    loop {
        swarm.select_next_some().await;
    }
}

#[test]
fn peers_meet_through_the_relay() {
    let _watchdog = Watchdog::new("peers_meet_through_the_relay", 60);
    let mut relay = Server::start(Command::new(env!("CARGO_BIN_EXE_relay")).args([
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]))
    .unwrap();
    let relay_id: PeerId = relay.line_after("Peer id ").unwrap().parse().unwrap();
    let relay_address: Multiaddr = relay.line_after("Listening on ").unwrap().parse().unwrap();
    let circuit = relay_address.clone().with(Protocol::P2p(relay_id)).with(Protocol::P2pCircuit);

    let (mut host, mut guest) = (peer(), peer());
    let host_id = *host.local_peer_id();
    block_on(async {
        introduce(&mut host, relay_address).await;
        reserve(&mut host, circuit.clone()).await;

        guest.dial(circuit.with(Protocol::P2p(host_id))).unwrap();
        let both = select(Box::pin(drive(&mut host)), Box::pin(ping(&mut guest, host_id)));
        assert!(matches!(both.await, Either::Right(_)));
    });
}
