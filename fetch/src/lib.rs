//! One HTTP request, for tools that query a node or send it an order.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A larger answer is invalid.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Status and body of `http://address/path`, within `limit`.
pub async fn get(address: &str, path: &str, limit: Duration) -> Result<(u16, Bytes)> {
    request(address, hyper::Request::get(path), path, Bytes::new(), limit).await.map(|(status, body, _)| (status, body))
}

/// The clock of the node at `address`, to the second, as its answers carry it.
pub async fn clock(address: &str, limit: Duration) -> Result<SystemTime> {
    let path = "/livez";
    let (_, _, date) = request(address, hyper::Request::get(path), path, Bytes::new(), limit).await?;
    let date = date.with_context(|| format!("{address}{path}: the answer has no date"))?;
    httpdate::parse_http_date(&date).with_context(|| format!("{address}{path}: the date of the answer is none"))
}

/// Status and body of an order with this body and the operator's key.
pub async fn post(address: &str, path: &str, key: Option<&str>, body: Bytes, limit: Duration) -> Result<(u16, Bytes)> {
    let mut asked = hyper::Request::post(path);
    if let Some(key) = key {
        asked = asked.header("authorization", format!("Bearer {key}"));
    }
    request(address, asked, path, body, limit).await.map(|(status, body, _)| (status, body))
}

/// An order without a body, with the operator's key if there is one.
pub async fn post_json(
    address: &str,
    path: &str,
    key: Option<&str>,
    limit: Duration,
) -> Result<(u16, serde_json::Value)> {
    keyed(address, hyper::Request::post(path), path, key, limit).await
}

/// Reads a page for operators.
pub async fn get_json_as(
    address: &str,
    path: &str,
    key: Option<&str>,
    limit: Duration,
) -> Result<(u16, serde_json::Value)> {
    keyed(address, hyper::Request::get(path), path, key, limit).await
}

async fn keyed(
    address: &str,
    mut asked: hyper::http::request::Builder,
    path: &str,
    key: Option<&str>,
    limit: Duration,
) -> Result<(u16, serde_json::Value)> {
    if let Some(key) = key {
        asked = asked.header("authorization", format!("Bearer {key}"));
    }
    let (status, body, _) = request(address, asked, path, Bytes::new(), limit).await?;
    let value =
        serde_json::from_slice(&body).with_context(|| format!("{address}{path}: not JSON (status {status})"))?;
    Ok((status, value))
}

/// Status, body and date of an answer.
#[allow(clippy::disallowed_methods, reason = "a tool that asks a node from outside; never part of one")]
async fn request(
    address: &str,
    request: hyper::http::request::Builder,
    path: &str,
    body: Bytes,
    limit: Duration,
) -> Result<(u16, Bytes, Option<String>)> {
    let ask = async {
        let stream = TcpStream::connect(address).await.with_context(|| format!("nothing answers at {address}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let request = request.header("host", address).body(Full::new(body))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let date = response.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        driver.abort();
        let Ok(body) = body else { bail!("{address}{path}: the answer is too large or was cut off") };
        Ok((status, body.to_bytes(), date))
    };
    tokio::time::timeout(limit, ask).await.with_context(|| format!("{address}{path}: no answer within {limit:?}"))?
}

/// The answer as JSON, for any status.
pub async fn get_json(address: &str, path: &str, limit: Duration) -> Result<(u16, serde_json::Value)> {
    let (status, body) = get(address, path, limit).await?;
    let value = serde_json::from_slice(&body).with_context(|| format!("{address}{path}: not JSON"))?;
    Ok((status, value))
}
