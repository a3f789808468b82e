//! Requests to the router of a node.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, header};
use axum::response::Response;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use troupe_edge_http::router;

use crate::harness::{Node, direct, password, within};

/// A caller of the API. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    pub router: Router,
    token: Option<String>,
    pub user: String,
}

pub struct Said {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The JSON of a success.
    pub fn good(self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The code of a refusal, which has the form of one.
    pub fn code(&self, status: u16) -> String {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!((self.status, self.header("content-type")), (status, "application/problem+json"), "{text}");
        let problem = self.json();
        assert_eq!(problem["status"], json!(status));
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{text}");
        problem["code"].as_str().expect("a code").to_owned()
    }
}

impl Http {
    pub fn of(node: &Node) -> Http {
        Http { router: router(node.handle.service().clone()), token: None, user: String::new() }
    }

    /// Registers, and logs in.
    pub async fn user(node: &Node, name: &str) -> Http {
        let guest = Http::of(node);
        let register = json!({ "name": name, "password": password(name) });
        guest.post("/v1/register", register).await.good();
        guest.logged_in(name, "http").await
    }

    pub async fn logged_in(&self, name: &str, device: &str) -> Http {
        let login = json!({ "name": name, "password": password(name), "device": device });
        let entered = self.post("/v1/login", login).await.good();
        let text = |field: &str| entered[field].as_str().expect("a text").to_owned();
        Http { router: self.router.clone(), token: Some(text("token")), user: text("user_id") }
    }

    pub fn with_token(&self, token: &str) -> Http {
        Http { token: Some(token.to_owned()), ..self.clone() }
    }

    pub fn token(&self) -> &str {
        self.token.as_deref().expect("it is logged in")
    }

    pub async fn get(&self, path: &str) -> Said {
        self.ask(Method::GET, path, &[], Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Said {
        self.with_key(Method::POST, path, None, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Said {
        self.with_key(Method::PATCH, path, None, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Said {
        self.with_key(Method::DELETE, path, None, None).await
    }

    pub async fn with_key(&self, method: Method, path: &str, key: Option<&str>, body: Option<Value>) -> Said {
        let mut headers: Vec<(&str, &str)> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        headers.extend(body.is_some().then_some(("content-type", "application/json")));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.ask(method, path, &headers, body).await
    }

    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Said {
        let response = self.open(method, path, headers, body).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = within(to_bytes(response.into_body(), 16 * 1024 * 1024)).await.expect("a body");
        Said { status, headers, body: body.to_vec() }
    }

    /// The answer without its body, which may have no end.
    pub async fn open(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("a request");
        match within(TowerToHyperService::new(self.router.clone()).call(request)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// The direct conversation with another user.
    pub fn direct(&self, other: &Http) -> String {
        let number = |http: &Http| http.user.parse::<u64>().expect("an id");
        direct(number(self), number(other))
    }

    /// Sends a text; returns its seq.
    pub async fn send(&self, conversation: &str, text: &str) -> u64 {
        let sent = self.post(&format!("/v1/conversations/{conversation}/messages"), json!({ "text": text })).await;
        sent.good()["seq"].as_u64().expect("a seq")
    }

    /// The texts of a conversation, and the kinds of what is no text.
    pub async fn texts(&self, conversation: &str) -> Vec<String> {
        let page = self.get(&format!("/v1/conversations/{conversation}/messages?after=0")).await.good();
        let events = page["messages"].as_array().expect("a list").clone();
        let shown = |event: &Value| event["body"]["text"].as_str().or(event["kind"].as_str()).map(str::to_owned);
        events.iter().map(|event| shown(event).expect("a kind")).collect()
    }

    pub async fn group(&self, name: &str, members: &[&str]) -> String {
        let created = self.post("/v1/groups", json!({ "name": name, "members": members })).await.good();
        created["conversation"].as_str().expect("an id").to_owned()
    }
}
