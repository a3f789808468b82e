//! The accept loop, and the way of a connection from its first byte to what serves it.
//!
//! An opening takes a place like any other connection without a login, gives way like one, and ends
//! with the time to log in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use troupe_actors::address::Address;
use troupe_actors::connection::Carrier;
use troupe_core::limits;
use troupe_edge_session::form::{Lengths, STREAM};
use troupe_edge_session::{Guest, Opened, Sessions};
use troupe_proto::client::EndReason;
use troupe_runtime::log_limiter::LogLimiter;
use troupe_runtime::{Listener as Socket, Stream};

use crate::Web;
use crate::door::{Begun, Door, HANDSHAKE, Spoken};

/// After a failed accept (no file descriptors left, for instance).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Between two lines about connections that were not taken.
const LOG_EVERY: Duration = Duration::from_secs(10);

pub async fn run(sessions: Sessions, socket: Arc<dyn Socket>, door: Arc<Door>, web: Option<Arc<dyn Web>>) {
    let (mut refused, mut failed) = (LogLimiter::new(LOG_EVERY), LogLimiter::new(LOG_EVERY));
    // Openings and HTTP connections; dropped with this function, which ends them.
    let mut openings = JoinSet::new();
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                while openings.try_join_next().is_some() {}
                let address = Address::of(peer);
                let Some(guest) = sessions.admit(address, &STREAM) else {
                    if let Some(others) = refused.due() {
                        tracing::warn!(%address, others, "no place for a client connection: see limits.connections");
                    }
                    continue;
                };
                let (sessions, door, web) = (sessions.clone(), door.clone(), web.clone());
                openings.spawn(async move {
                    match open(stream, &door, &guest, web.is_some()).await {
                        Some(Entered::Frames(opened)) => sessions.adopt(guest, opened).await,
                        Some(Entered::Http(stream)) => visit(web, stream, peer, guest).await,
                        None => {}
                    }
                });
            }
            Err(error) => {
                if let Some(others) = failed.due() {
                    tracing::warn!(%error, others, "a client connection was not accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

enum Entered {
    Frames(Opened),
    Http(Box<dyn Stream>),
}

/// Serves HTTP until the connection ends, or has to give way to another.
async fn visit(web: Option<Arc<dyn Web>>, stream: Box<dyn Stream>, peer: SocketAddr, guest: Guest) {
    let Some(web) = web else { return };
    let guest = Arc::new(guest);
    let carried = guest.clone();
    tokio::select! {
        () = web.serve(stream, peer, Carrier::new(move || carried.stays())) => {}
        () = guest.outbox.closing() => {}
    }
}

/// From the first byte to the first frame or request, within the time to log in. `None`: it ends.
async fn open(mut stream: Box<dyn Stream>, door: &Door, guest: &Guest, has_web: bool) -> Option<Entered> {
    let over = sleep_until(guest.begun() + Duration::from_secs(limits::UNAUTHENTICATED_SECONDS));
    tokio::pin!(over);
    let outbox = &guest.outbox;
    let first = tokio::select! {
        first = stream.read_u8() => first.ok()?,
        // Frames for a silent client are still written, unless only TLS may carry them.
        () = outbox.closing() => return door.takes_plain().then(|| frames(stream, None)),
        () = &mut over => {
            outbox.end(&EndReason::NoLogin);
            return door.takes_plain().then(|| frames(stream, None));
        }
    };
    let (mut stream, spoken) = tokio::select! {
        entered = door.enter(first, stream) => {
            entered.inspect_err(|error| tracing::debug!(%error, "no way in at the client port")).ok()?
        }
        () = outbox.closing() => return None,
        () = &mut over => return None,
    };
    let first = match spoken {
        Spoken::Http => return Some(Entered::Http(stream)),
        Spoken::Begins(first) => first,
        Spoken::Nothing => tokio::select! {
            first = stream.read_u8() => first.ok()?,
            () = outbox.closing() => return Some(frames(stream, None)),
            () = &mut over => {
                outbox.end(&EndReason::NoLogin);
                return Some(frames(stream, None));
            }
        },
    };
    if has_web && is_http(first) {
        return Some(Entered::Http(Box::new(Begun::new(first, stream))));
    }
    Some(frames(stream, Some(first)))
}

fn frames(stream: Box<dyn Stream>, first: Option<u8>) -> Entered {
    let received = first.iter().copied().collect::<BytesMut>();
    Entered::Frames(Opened { stream, framing: Box::new(Lengths), received })
}

/// A request line begins with a method, and HTTP/2 with `PRI`. A frame begins with the high byte of
/// its length, which is zero, and TLS with [`HANDSHAKE`].
fn is_http(first: u8) -> bool {
    const { assert!(!HANDSHAKE.is_ascii_uppercase()) };
    first.is_ascii_uppercase()
}
