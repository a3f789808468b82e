//! The WebSocket edge: browsers and scripts speak frames of client.proto, each in one message.
//!
//! ```text
//! handshake     the upgrade of an HTTP request, and which web pages may make it
//! frame         frames of RFC 6455, both ways
//! framing       messages out of frames, and requests out of messages
//! form          frames of client.proto as binary or text messages
//! json          the JSON form of client.proto
//! ```
//!
//! The connection behind it is the one of all edges, in `troupe-edge-session`. The first message of
//! the client decides between binary and JSON. The frames are read here and not by a library, so
//! that an idle connection keeps no buffer, and a push is framed once for all connections.

mod form;
mod frame;
mod framing;
pub mod handshake;
pub mod json;

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::BytesMut;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use troupe_actors::address::Address;
use troupe_actors::service::Service;
use troupe_edge_session::{Guest, Opened, Sessions};
use troupe_runtime::Stream;

use crate::form::BINARY;
use crate::framing::Counted;
use crate::handshake::{Origins, Refused};

/// From the answer to the upgrade until the socket is ours.
const UPGRADE: Duration = Duration::from_secs(10);

/// The WebSocket edge of a node. Cheap to clone.
#[derive(Clone)]
pub struct WebSocketEdge {
    sessions: Sessions,
    origins: Origins,
}

impl WebSocketEdge {
    pub fn start(service: Service, origins: Origins) -> WebSocketEdge {
        WebSocketEdge { sessions: Sessions::start(service), origins }
    }

    /// Answers a request for `/v1/ws`. The HTTP server must keep its streams as `TokioIo` of a
    /// `Box<dyn Stream>`, so that nothing of it stays in memory behind the upgrade.
    pub fn upgrade(&self, peer: SocketAddr, mut request: Request) -> Response {
        let nodes = || self.sessions.service().nodes().into_iter().flat_map(|node| [node.client, node.http]).collect();
        let (method, headers) = (request.method(), request.headers());
        let accept = match handshake::check(method, request.version(), headers, &self.origins, nodes) {
            Ok(accept) => accept,
            Err(refused) => return refused.response(),
        };
        let Some(guest) = self.sessions.admit(Address::of(peer), &BINARY) else {
            return Refused::NoPlace.response();
        };
        let (upgrading, sessions) = (hyper::upgrade::on(&mut request), self.sessions.clone());
        tokio::spawn(async move {
            let upgraded = tokio::select! {
                upgraded = tokio::time::timeout(UPGRADE, upgrading) => upgraded,
                () = guest.outbox.closing() => return,
            };
            match upgraded {
                Ok(Ok(upgraded)) => adopt(&sessions, guest, upgraded).await,
                Ok(Err(error)) => tracing::debug!(%error, "an upgrade to WebSocket failed"),
                Err(_) => tracing::debug!("an upgrade to WebSocket took too long"),
            }
        });
        handshake::switching(&accept)
    }

    /// Ends all connections, each with a last frame.
    pub async fn stop(&self) {
        self.sessions.stop().await;
    }
}

async fn adopt(sessions: &Sessions, guest: Guest, upgraded: Upgraded) {
    let Some((stream, received)) = taken_out(upgraded) else {
        return tracing::error!("the HTTP server serves streams of another type: no WebSocket can be opened");
    };
    let framing = Box::new(Counted::new(sessions.service().clone()));
    sessions.adopt(guest, Opened { stream, framing, received }).await;
}

/// The stream under an HTTP connection, and what was read of it already.
fn taken_out(upgraded: Upgraded) -> Option<(Box<dyn Stream>, BytesMut)> {
    type Io = TokioIo<Box<dyn Stream>>;
    match auto::upgrade::downcast::<Io>(upgraded) {
        Ok(parts) => Some((parts.io.into_inner(), BytesMut::from(&parts.read_buf[..]))),
        Err(upgraded) => {
            let parts = upgraded.downcast::<Io>().ok()?;
            Some((parts.io.into_inner(), BytesMut::from(&parts.read_buf[..])))
        }
    }
}
