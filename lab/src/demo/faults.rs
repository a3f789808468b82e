//! Faults at the press of a button: the web client asks this control, on loopback, to kill, freeze
//! or cut off a node of the demo.
//!
//! It begins a [storm](super::storm), too, and says how far that is.
//!
//! It takes requests with the secret of the printed links only, and from pages of the demo's nodes
//! only. It hands orders to the socket of the demo, as `troupe chaos` does.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use troupe_chaos::control::{self, Order, Victims};
use troupe_runtime::Rng;

use super::Account;
use super::storm::Storm;

/// A frozen node comes back after this.
const FROZEN_SECONDS: u64 = 10;

/// A control that listens already: nodes name its address in the policy of their page.
pub struct Control {
    listener: TcpListener,
    port: u16,
    secret: String,
}

/// The cluster, as the control sees it.
#[derive(Default)]
pub struct Stage {
    /// The folder of the demo.
    pub dir: PathBuf,
    /// Numbers of nodes, in the order of addresses.
    pub nodes: Vec<u64>,
    /// `host:port` at which nodes serve pages.
    pub pages: Vec<String>,
    /// Whether there are proxies between the nodes.
    pub cuts: bool,
    /// `host:port` of the HTTP ports, in the order of nodes.
    pub http: Vec<String>,
    /// `host:port` of the client ports.
    pub clients: Vec<String>,
    pub accounts: Vec<Account>,
}

struct Shared {
    stage: Arc<Stage>,
    storm: Arc<Storm>,
    secret: String,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    Kill,
    Freeze,
    Cut,
    Heal,
}

#[derive(Deserialize)]
struct Asked {
    fault: Fault,
    node: u64,
}

impl Control {
    #[allow(clippy::disallowed_methods, reason = "a tool listens here, and no node")]
    pub async fn bind() -> Result<Control> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for the control of faults")?;
        let port = listener.local_addr()?.port();
        let rng = Rng::from_os();
        Ok(Control { listener, port, secret: format!("{}{}", rng.password(), rng.password()) })
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The part of a link that lets a page ask.
    pub fn key(&self) -> String {
        format!("{}.{}", self.port, self.secret)
    }

    /// Serves until the process ends.
    pub fn serve(self, stage: Stage) {
        let shared = Arc::new(Shared { stage: Arc::new(stage), storm: Arc::default(), secret: self.secret });
        let app = Router::new()
            .route("/faults", get(look).post(press).options(preflight))
            .route("/storm", get(look_at_storm).post(begin_storm).options(preflight))
            .with_state(shared);
        tokio::spawn(async move { axum::serve(self.listener, app).await });
    }
}

impl Shared {
    /// The origin of the page, if it is one of the demo's. Browsers have two names for this
    /// machine.
    fn page(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let place = origin.to_str().ok()?.strip_prefix("http://")?.replace("localhost:", "127.0.0.1:");
        self.stage.pages.contains(&place).then(|| origin.clone())
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        shown.and_then(|value| value.strip_prefix("Bearer ")) == Some(self.secret.as_str())
    }

    fn order(&self, asked: &Asked) -> Option<Order> {
        let index = self.stage.nodes.iter().position(|node| *node == asked.node)?;
        let victims = Victims::Nodes(vec![index + 1]);
        Some(match asked.fault {
            Fault::Kill => Order::Kill { victims },
            Fault::Freeze => Order::Freeze { victims, seconds: FROZEN_SECONDS },
            Fault::Cut => Order::Partition { groups: vec![victims], one_way: false },
            Fault::Heal => Order::Heal,
        })
    }

    /// An answer that the page may read.
    fn answer(&self, headers: &HeaderMap, status: StatusCode, body: serde_json::Value) -> Response {
        let mut response = (status, Json(body)).into_response();
        if let Some(page) = self.page(headers) {
            let answer = response.headers_mut();
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
            answer.insert(header::VARY, HeaderValue::from_static("Origin"));
            let allowed = HeaderValue::from_static("authorization, content-type");
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
        response
    }
}

async fn preflight(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.answer(&headers, StatusCode::OK, json!({}))
}

/// The faults that this demo can make.
async fn look(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if !shared.admits(&headers) {
        return refused(&shared, &headers);
    }
    let faults = if shared.stage.cuts { &["kill", "freeze", "cut", "heal"][..] } else { &["kill", "freeze"] };
    shared.answer(&headers, StatusCode::OK, json!({ "faults": faults }))
}

async fn press(State(shared): State<Arc<Shared>>, headers: HeaderMap, Json(asked): Json<Asked>) -> Response {
    if !shared.admits(&headers) || shared.page(&headers).is_none() {
        return refused(&shared, &headers);
    }
    let Some(order) = shared.order(&asked) else {
        return shared.answer(&headers, StatusCode::NOT_FOUND, json!({ "text": "this demo has no such node" }));
    };
    match control::send(&shared.stage.dir, &order).await {
        Ok(text) => shared.answer(&headers, StatusCode::OK, json!({ "text": text })),
        Err(error) => {
            let text = format!("{error:#}");
            shared.answer(&headers, StatusCode::CONFLICT, json!({ "text": text }))
        }
    }
}

async fn look_at_storm(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if !shared.admits(&headers) {
        return refused(&shared, &headers);
    }
    shared.answer(&headers, StatusCode::OK, json!(shared.storm.look()))
}

async fn begin_storm(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if !shared.admits(&headers) || shared.page(&headers).is_none() {
        return refused(&shared, &headers);
    }
    if shared.storm.begin(shared.stage.clone()) {
        shared.answer(&headers, StatusCode::OK, json!(shared.storm.look()))
    } else {
        let text = "a storm is under way: wait for its end";
        shared.answer(&headers, StatusCode::CONFLICT, json!({ "text": text }))
    }
}

fn refused(shared: &Shared, headers: &HeaderMap) -> Response {
    let text = "open the link that troupe demo printed: it has the key";
    shared.answer(headers, StatusCode::FORBIDDEN, json!({ "text": text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        let pages = vec!["127.0.0.1:7780".to_owned()];
        let stage = Stage { dir: PathBuf::from("."), nodes: vec![1, 4, 2], pages, ..Stage::default() };
        Shared { stage: Arc::new(stage), storm: Arc::default(), secret: "secret".to_owned() }
    }

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn only_pages_of_the_demo_with_its_secret_are_heard() {
        let shared = shared();
        for (origin, heard) in [
            ("http://127.0.0.1:7780", true),
            ("http://localhost:7780", true),
            ("http://127.0.0.1:7781", false),
            ("https://127.0.0.1:7780", false),
            ("http://evil.example", false),
            ("null", false),
        ] {
            assert_eq!(shared.page(&headers(header::ORIGIN, origin)).is_some(), heard, "{origin}");
        }
        assert!(shared.admits(&headers(header::AUTHORIZATION, "Bearer secret")));
        for wrong in ["Bearer secre", "Bearer ", "secret", "bearer secret"] {
            assert!(!shared.admits(&headers(header::AUTHORIZATION, wrong)), "{wrong}");
        }
        assert!(!shared.admits(&HeaderMap::new()));
    }

    #[test]
    fn a_node_is_named_by_its_number_and_found_by_its_place() {
        let shared = shared();
        let kill = |node| shared.order(&Asked { fault: Fault::Kill, node });
        assert_eq!(kill(4), Some(Order::Kill { victims: Victims::Nodes(vec![2]) }));
        assert_eq!(kill(3), None);
    }
}
