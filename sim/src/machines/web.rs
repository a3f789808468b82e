//! The HTTP API on the client port of a simulated node, in HTTP/1.1.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use troupe_actors::connection::Carrier;
use troupe_actors::service::Service;
use troupe_edge_http::{Bodies, Connection};
use troupe_edge_tcp::Web;
use troupe_runtime::Stream;
use troupe_runtime::net::BoxFuture;

pub(super) struct ClientPort(Router);

impl ClientPort {
    pub fn new(service: &Service) -> ClientPort {
        ClientPort(troupe_edge_http::router(service.clone()))
    }
}

impl Web for ClientPort {
    fn serve(&self, stream: Box<dyn Stream>, peer: SocketAddr, carrier: Carrier) -> BoxFuture<'static, ()> {
        let app = TowerToHyperService::new(self.0.clone());
        Box::pin(async move {
            let (connection, bodies) = (Connection::default(), Bodies::default());
            let service = service_fn(|mut request: hyper::Request<Incoming>| {
                let extensions = request.extensions_mut();
                extensions.insert(ConnectInfo(peer));
                extensions.insert(connection.clone());
                extensions.insert(bodies.clone());
                extensions.insert(carrier.clone());
                app.call(request)
            });
            let mut http = http1::Builder::new();
            // The wall clock of this machine belongs to no seed.
            http.auto_date_header(false);
            // The peer learns of a failure by the end of its connection.
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        })
    }
}
