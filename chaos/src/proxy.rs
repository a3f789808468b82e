//! Network faults without root: a TCP proxy in front of every node.
//!
//! Each node listens on its own loopback address (127.0.1.N) and advertises the address of its
//! [`Proxy`] listener. Nodes also dial from their own address (`cluster.outgoing`), so that the
//! proxy knows both parties although TLS hides everything else. Each direction between two parties
//! has its [`LinkConditions`], which can change at any time and allow one-way partitions.
//!
//! It is not a packet filter. Lost packets appear as TCP shows them: stalls and occasional resets.
//! A partition holds bytes back and delivers them after healing if the connection still lives, as
//! retransmission would. Held bytes are bounded ([`pipe`]), and so are connections
//! ([`CONNECTIONS`]).
//!
//! Next: [`conditions`] for the settings, [`pipe`] for the movement of bytes.

pub mod conditions;
pub mod pipe;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use troupe_runtime::Rng;

pub use conditions::{LinkConditions, NetworkConditions};

/// Connections through one listener. Further ones are closed at once.
const CONNECTIONS: usize = 16_384;
/// The node must accept within this time, or the dialer's connection is closed.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// The party at one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// Clients, and all others that dial without a node's address.
    Clients,
    /// By index in the local cluster.
    Node(usize),
}

/// The loopback address of a node. On Linux the whole of 127/8 is loopback.
pub fn address_of(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, (node % 250) as u8 + 1)
}

/// Whether this machine has such addresses. Linux does; other systems need configuration.
#[allow(clippy::disallowed_methods, reason = "asks the machine before any node runs")]
pub fn is_possible() -> bool {
    std::net::TcpListener::bind((address_of(0), 0)).is_ok()
}

fn party(peer: IpAddr) -> Party {
    match peer {
        IpAddr::V4(ip) if ip.octets()[..3] == [127, 0, 1] && ip.octets()[3] > 0 => {
            Party::Node(usize::from(ip.octets()[3]) - 1)
        }
        _ => Party::Clients,
    }
}

/// A public address, and the node's real address behind it.
#[derive(Clone, Debug)]
pub struct Route {
    pub listen: SocketAddr,
    pub upstream: SocketAddr,
    pub node: usize,
}

/// Runs until it is dropped.
pub struct Proxy {
    network: watch::Sender<NetworkConditions>,
    listeners: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Opens all routes without degradation. The seed draws losses and jitter.
    #[allow(clippy::disallowed_methods, reason = "the proxy stands outside of every node")]
    pub async fn open(routes: &[Route], seed: u64) -> Result<Proxy> {
        let network = watch::Sender::new(NetworkConditions::default());
        let rng = Arc::new(Rng::from_seed(seed));
        let mut listeners = Vec::new();
        for route in routes {
            let listener = TcpListener::bind(route.listen)
                .await
                .with_context(|| format!("the proxy cannot listen on {}", route.listen))?;
            listeners.push(tokio::spawn(serve(listener, route.clone(), network.subscribe(), Arc::clone(&rng))));
        }
        Ok(Proxy { network, listeners })
    }

    /// Sets the conditions from one party to another.
    pub fn set(&self, from: Party, to: Party, conditions: LinkConditions) {
        self.network.send_modify(|network| network.set(from, to, conditions));
    }

    /// Resets every open connection between two parties.
    pub fn cut(&self, one: Party, other: Party) {
        self.network.send_modify(|network| network.cut(one, other));
    }

    /// Clears all conditions.
    pub fn heal(&self) {
        self.network.send_modify(NetworkConditions::clear);
    }

    /// The current conditions, without unaffected pairs.
    pub fn network(&self) -> BTreeMap<(Party, Party), LinkConditions> {
        self.network.borrow().pairs().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

async fn serve(listener: TcpListener, route: Route, network: watch::Receiver<NetworkConditions>, rng: Arc<Rng>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with this task, which closes the connections.
    let mut open = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while open.try_join_next().is_some() {}
        let Ok((stream, peer)) = accepted else {
            // Most likely a lack of descriptors, which passes.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (route, network, rng) = (route.clone(), network.clone(), Arc::clone(&rng));
        open.spawn(async move {
            // Both ends notice how the connection ended.
            let _ = carry(stream, party(peer.ip()), &route, network, &rng).await;
            drop(place);
        });
    }
}

/// Carries one connection until it ends.
#[allow(clippy::disallowed_methods, reason = "the proxy stands outside of every node")]
async fn carry(
    dialer: TcpStream,
    from: Party,
    route: &Route,
    mut network: watch::Receiver<NetworkConditions>,
    rng: &Rng,
) -> io::Result<()> {
    let to = Party::Node(route.node);
    dialer.set_nodelay(true)?;
    // A handshake needs both directions. The dialer is connected to the proxy already, but receives
    // no answer.
    let opened = network
        .wait_for(|network| !network.conditions(from, to).blocked && !network.conditions(to, from).blocked)
        .await;
    let Ok(cuts) = opened.map(|network| network.cuts(from, to)) else { return Ok(()) };
    let listener = match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(route.upstream)).await {
        Ok(Ok(listener)) => listener,
        _ => return pipe::reset(&dialer),
    };
    listener.set_nodelay(true)?;
    let (mut dialer_reads, mut dialer_writes) = dialer.into_split();
    let (mut listener_reads, mut listener_writes) = listener.into_split();
    let mut watch_cuts = network.clone();
    let cut = {
        let there = pipe::Direction { from, to, network: network.clone(), rng };
        let back = pipe::Direction { from: to, to: from, network, rng };
        tokio::select! {
            moved = async { tokio::try_join!(
                there.run(&mut dialer_reads, &mut listener_writes),
                back.run(&mut listener_reads, &mut dialer_writes),
            ) } => moved.is_err(),
            _ = watch_cuts.wait_for(|network| network.cuts(from, to) != cuts) => true,
        }
    };
    if cut {
        pipe::reset(dialer_writes.as_ref())?;
        pipe::reset(listener_writes.as_ref())?;
        // Dropping them would close the connection gracefully.
        dialer_writes.forget();
        listener_writes.forget();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
