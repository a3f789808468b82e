//! A network that can be broken on purpose, without root: a TCP proxy in front of every node.
//!
//! Each node listens on a loopback address of its own (127.0.1.N) and tells the others the address
//! of its [`Proxy`] listener. Nodes dial from their own address too (`cluster.outgoing`), so that
//! the proxy knows who dials whom although TLS hides everything else. What happens to bytes from
//! one party to another is that pair's [`Weather`], and it can be changed at any moment; both
//! directions of a connection have their own, so that one-way partitions are what they say.
//!
//! What it is not: a packet filter. Lost packets show as what TCP makes of them, stalls and now and
//! then a reset. A partition holds bytes back and delivers them after healing if the connection
//! still lives, as retransmission would. Bytes held back are bounded ([`pipe`]); so are connections
//! ([`CONNECTIONS`]).
//!
//! Next: [`weather`] for what can be set, [`pipe`] for how bytes are moved under it.

pub mod pipe;
pub mod weather;

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

pub use weather::{Sky, Weather};

/// Connections through one listener; more are closed at once.
const CONNECTIONS: usize = 16_384;
/// The node behind must accept within this, or the dialer sees its connection closed.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Who is at an end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// Clients, and whoever else dials without an address of a node's own.
    Clients,
    /// By index in the local cluster.
    Node(usize),
}

/// The address that belongs to a node alone. The whole of 127/8 is loopback on Linux.
pub fn address_of(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, (node % 250) as u8 + 1)
}

/// Whether this machine has such addresses (Linux does; others want them configured first).
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

/// One way through: what the world dials, and the node's real address behind.
#[derive(Clone, Debug)]
pub struct Door {
    pub listen: SocketAddr,
    pub behind: SocketAddr,
    pub node: usize,
}

/// Runs until it is dropped.
pub struct Proxy {
    sky: watch::Sender<Sky>,
    listeners: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Opens all doors, in fair weather. The seed draws losses and jitter.
    #[allow(clippy::disallowed_methods, reason = "the proxy stands outside of every node")]
    pub async fn open(doors: &[Door], seed: u64) -> Result<Proxy> {
        let sky = watch::Sender::new(Sky::default());
        let rng = Arc::new(Rng::from_seed(seed));
        let mut listeners = Vec::new();
        for door in doors {
            let listener = TcpListener::bind(door.listen)
                .await
                .with_context(|| format!("the proxy cannot listen on {}", door.listen))?;
            listeners.push(tokio::spawn(serve(listener, door.clone(), sky.subscribe(), Arc::clone(&rng))));
        }
        Ok(Proxy { sky, listeners })
    }

    /// What happens to bytes from one party to another, from now on.
    pub fn set(&self, from: Party, to: Party, weather: Weather) {
        self.sky.send_modify(|sky| sky.set(from, to, weather));
    }

    /// Resets every open connection between two parties, whoever dialed it.
    pub fn cut(&self, one: Party, other: Party) {
        self.sky.send_modify(|sky| sky.cut(one, other));
    }

    /// Fair weather everywhere.
    pub fn heal(&self) {
        self.sky.send_modify(Sky::clear);
    }

    /// What is set at the moment, fair pairs left out.
    pub fn sky(&self) -> BTreeMap<(Party, Party), Weather> {
        self.sky.borrow().pairs().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

async fn serve(listener: TcpListener, door: Door, sky: watch::Receiver<Sky>, rng: Arc<Rng>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped with this task, which ends the connections with it.
    let mut open = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while open.try_join_next().is_some() {}
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors, most likely: it passes.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (door, sky, rng) = (door.clone(), sky.clone(), Arc::clone(&rng));
        open.spawn(async move {
            // How it ended is for the two ends to notice; the proxy has no opinion.
            let _ = carry(stream, party(peer.ip()), &door, sky, &rng).await;
            drop(place);
        });
    }
}

/// One connection's life.
#[allow(clippy::disallowed_methods, reason = "the proxy stands outside of every node")]
async fn carry(
    dialer: TcpStream,
    from: Party,
    door: &Door,
    mut sky: watch::Receiver<Sky>,
    rng: &Rng,
) -> io::Result<()> {
    let to = Party::Node(door.node);
    dialer.set_nodelay(true)?;
    // A handshake needs both ways. The dialer has its connection already, but nothing answers on
    // it.
    let opened = sky.wait_for(|sky| !sky.weather(from, to).dark && !sky.weather(to, from).dark).await;
    let Ok(cuts) = opened.map(|sky| sky.cuts(from, to)) else { return Ok(()) };
    let listener = match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(door.behind)).await {
        Ok(Ok(listener)) => listener,
        _ => return pipe::reset(&dialer),
    };
    listener.set_nodelay(true)?;
    let (mut dialer_reads, mut dialer_writes) = dialer.into_split();
    let (mut listener_reads, mut listener_writes) = listener.into_split();
    let mut watch_cuts = sky.clone();
    let cut = {
        let there = pipe::Way { from, to, sky: sky.clone(), rng };
        let back = pipe::Way { from: to, to: from, sky, rng };
        tokio::select! {
            moved = async { tokio::try_join!(
                there.run(&mut dialer_reads, &mut listener_writes),
                back.run(&mut listener_reads, &mut dialer_writes),
            ) } => moved.is_err(),
            _ = watch_cuts.wait_for(|sky| sky.cuts(from, to) != cuts) => true,
        }
    };
    if cut {
        pipe::reset(dialer_writes.as_ref())?;
        pipe::reset(listener_writes.as_ref())?;
        // Dropped, they would say goodbye first.
        dialer_writes.forget();
        listener_writes.forget();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
