//! Accepts connections at the cluster port while it listens.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};
use troupe_runtime::net::host;
use troupe_runtime::{Backoff, Listener, Stream};

use super::handshake::{Rejected, receive_handshake};
use super::handshake_permits::{HandshakePermit, HandshakePermits};
use super::shared::{HANDSHAKE_TIME, Shared};
use super::stream::FirstByteObserver;

const ACCEPT_BACKOFF: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
/// Remembered addresses from which nodes have dialed. At the limit further addresses get no
/// reserved permits.
pub const SOURCES: usize = 256;

/// Accepts until it is dropped. Each handshake runs in its own task, so a stuck one blocks no
/// other.
pub async fn listen_on(listener: Box<dyn Listener>, shared: Arc<Shared>) {
    let mut places = HandshakePermits::default();
    // Dropped with this task, which ends the handshakes.
    let mut handshakes = JoinSet::new();
    let mut backoff = ACCEPT_BACKOFF;
    loop {
        let accepted = listener.accept().await;
        while handshakes.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Probably out of file descriptors. The failure is temporary and must not become a
                // busy loop.
                if let Some(more) = shared.log_limiters.pass("accept") {
                    warn!(%error, more, "the cluster port cannot accept a connection, retrying");
                }
                sleep(backoff.pause(&shared.rng)).await;
                continue;
            }
        };
        backoff.reset();
        let source = peer.ip().to_canonical();
        let known = is_known(&shared, source);
        let spoke = Arc::new(AtomicBool::new(false));
        let handshake = shake(Arc::clone(&shared), stream, peer, Arc::clone(&spoke));
        let end = handshakes.spawn(handshake);
        if places.take(HandshakePermit { source, known, spoke, end })
            && let Some(more) = shared.log_limiters.pass("places")
        {
            warn!(%peer, known, more, "too many handshakes at once on the cluster port: an older one was closed for a new one");
        }
    }
}

fn is_known(shared: &Shared, source: IpAddr) -> bool {
    let is = |address: &String| host(address).parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical() == source);
    shared.sources.lock().contains(&source) || shared.address_book.all().values().any(is)
}

async fn shake(shared: Arc<Shared>, stream: Box<dyn Stream>, peer: SocketAddr, spoke: Arc<AtomicBool>) {
    let stream = Box::new(FirstByteObserver { stream, spoke: Arc::clone(&spoke) });
    let outcome = timeout(HANDSHAKE_TIME, receive_handshake(&shared, stream, peer)).await;
    match outcome {
        Ok(Ok(is_node)) => {
            let mut sources = shared.sources.lock();
            if is_node && sources.len() < SOURCES {
                sources.insert(peer.ip().to_canonical());
            }
        }
        // A port scan.
        Ok(Err(_)) if !spoke.load(Ordering::Relaxed) => debug!(%peer, "closed without a byte on the cluster port"),
        Ok(Err(reason)) => log_rejection(&shared, peer, &reason),
        Err(_) => debug!(%peer, "closed: no handshake in time on the cluster port"),
    }
}

fn log_rejection(shared: &Shared, peer: SocketAddr, reason: &Rejected) {
    match reason.warning().map(|kind| shared.log_limiters.pass(kind)) {
        Some(Some(more)) => warn!(%peer, %reason, more, "rejected at the cluster port"),
        Some(None) | None => debug!(%peer, %reason, "rejected at the cluster port"),
    }
}
