//! Accepts connections at the cluster port, as long as it listens.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};
use troupe_runtime::net::host;
use troupe_runtime::{Listener, Stream};

use super::places::{Place, Places};
use super::stream::Listened;
use super::welcome::{TurnedAway, welcome};
use super::{HANDSHAKE_TIME, Shared};

const ACCEPT_BACKOFF_MIN: Duration = Duration::from_millis(10);
const ACCEPT_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Addresses that nodes have dialed from and that are remembered. Above it the others have no
/// places of their own.
pub const SOURCES: usize = 256;

/// Accepts for ever; each connection shakes hands in a task of its own, so that a stuck one holds
/// up nobody.
pub async fn listen_on(listener: Box<dyn Listener>, shared: Arc<Shared>) {
    let mut places = Places::default();
    // Dropped with this task, which ends the handshakes with it.
    let mut handshakes = JoinSet::new();
    let mut backoff = ACCEPT_BACKOFF_MIN;
    loop {
        let accepted = listener.accept().await;
        while handshakes.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: it passes, and must not become a busy loop
                // meanwhile.
                if let Some(more) = shared.quiet.pass("accept") {
                    warn!(%error, more, "the cluster port cannot accept a connection, trying again");
                }
                sleep(backoff).await;
                backoff = (backoff * 2).min(ACCEPT_BACKOFF_MAX);
                continue;
            }
        };
        backoff = ACCEPT_BACKOFF_MIN;
        let source = peer.ip().to_canonical();
        let known = is_known(&shared, source);
        let spoke = Arc::new(AtomicBool::new(false));
        let handshake = shake(Arc::clone(&shared), stream, peer, Arc::clone(&spoke));
        let end = handshakes.spawn(handshake);
        if places.take(Place { source, known, spoke, end })
            && let Some(more) = shared.quiet.pass("places")
        {
            warn!(%peer, known, more, "too many handshakes at once on the cluster port: an older one was closed for a new one");
        }
    }
}

fn is_known(shared: &Shared, source: IpAddr) -> bool {
    let is = |address: &String| host(address).parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical() == source);
    shared.sources.lock().contains(&source) || shared.whereabouts.all().values().any(is)
}

async fn shake(shared: Arc<Shared>, stream: Box<dyn Stream>, peer: SocketAddr, spoke: Arc<AtomicBool>) {
    let stream = Box::new(Listened { stream, spoke: Arc::clone(&spoke) });
    let outcome = timeout(HANDSHAKE_TIME, welcome(&shared, stream, peer)).await;
    match outcome {
        Ok(Ok(is_node)) => {
            let mut sources = shared.sources.lock();
            if is_node && sources.len() < SOURCES {
                sources.insert(peer.ip().to_canonical());
            }
        }
        // Somebody has looked whether the port is open.
        Ok(Err(_)) if !spoke.load(Ordering::Relaxed) => debug!(%peer, "closed without a word on the cluster port"),
        Ok(Err(reason)) => turned_away(&shared, peer, &reason),
        Err(_) => debug!(%peer, "closed: no handshake in time on the cluster port"),
    }
}

fn turned_away(shared: &Shared, peer: SocketAddr, reason: &TurnedAway) {
    match reason.warning().map(|kind| shared.quiet.pass(kind)) {
        Some(Some(more)) => warn!(%peer, %reason, more, "turned away at the cluster port"),
        Some(None) | None => debug!(%peer, %reason, "turned away at the cluster port"),
    }
}
