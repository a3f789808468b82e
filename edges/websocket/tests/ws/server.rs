//! An HTTP server with `/v1/ws` in front of a node of this process, as the node's program has it.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinSet;
use troupe_edge_websocket::WebSocketEdge;
use troupe_edge_websocket::handshake::Origins;
use troupe_raft::api::LoginPolicy;

use crate::harness::{Node, one_node};
use crate::socket::Socket;

pub struct Server {
    pub node: Node,
    pub address: String,
    edge: WebSocketEdge,
    _serving: JoinSet<()>,
}

impl Server {
    pub async fn start() -> Server {
        Server::over(one_node(LoginPolicy::Replace).await).await
    }

    pub async fn over(node: Node) -> Server {
        let origins = Origins::new("https://chat.example", []).expect("good");
        let edge = WebSocketEdge::start(node.handle.service().clone(), origins);
        let listener = node.platform.net.bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let mut serving = JoinSet::new();
        let upgrading = edge.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, peer)) = listener.accept().await {
                let app = app(upgrading.clone(), peer);
                connections.spawn(async move {
                    let http = auto::Builder::new(TokioExecutor::new());
                    let service = TowerToHyperService::new(app);
                    let _ = http.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
                });
            }
        });
        Server { node, address, edge, _serving: serving }
    }

    /// A WebSocket that is open.
    pub async fn open(&self) -> Socket {
        Socket::open(self).await
    }

    pub async fn stop(self) {
        self.edge.stop().await;
        self.node.stop().await;
    }

    /// As at the stop of a node.
    pub async fn end_all(&self) {
        self.edge.stop().await;
    }
}

fn app(edge: WebSocketEdge, peer: SocketAddr) -> Router {
    let answer = move |request: Request| async move { edge.upgrade(peer, request) };
    Router::new().route("/v1/ws", any(answer))
}
