//! One HTTP GET, for the tools that ask a node how it is.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer larger than this is not one of ours.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Status and body of `http://address/path`, within `limit`.
#[allow(clippy::disallowed_methods, reason = "a tool that asks a node from outside; never part of one")]
pub async fn get(address: &str, path: &str, limit: Duration) -> Result<(u16, Bytes)> {
    let ask = async {
        let stream = TcpStream::connect(address).await.with_context(|| format!("nothing answers at {address}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let request = hyper::Request::get(path).header("host", address).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        driver.abort();
        let Ok(body) = body else { bail!("{address}{path}: the answer is too large or was cut off") };
        Ok((status, body.to_bytes()))
    };
    tokio::time::timeout(limit, ask).await.with_context(|| format!("{address}{path}: no answer within {limit:?}"))?
}

/// The same, as JSON, whatever the status.
pub async fn get_json(address: &str, path: &str, limit: Duration) -> Result<(u16, serde_json::Value)> {
    let (status, body) = get(address, path, limit).await?;
    let value = serde_json::from_slice(&body).with_context(|| format!("{address}{path}: not JSON"))?;
    Ok((status, value))
}
