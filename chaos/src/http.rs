//! A client of the HTTP API on a bare stream, so that it can send what no library would.

pub mod events;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use troupe_runtime::Stream;
use troupe_runtime::net::Net;

/// A larger head, or a larger body, is no answer.
const HEAD_BYTES: usize = 64 * 1024;
const BODY_BYTES: usize = 64 * 1024 * 1024;

/// One connection in HTTP/1.1, with one request at a time.
pub struct Http {
    stream: Box<dyn Stream>,
    received: BytesMut,
    host: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: u16,
    pub body: Bytes,
    /// From `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Said {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("status {}, and no JSON: {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// The JSON of a success.
    pub fn good(&self) -> Result<Value> {
        ensure!(self.status == 200, "status {}: {}", self.status, String::from_utf8_lossy(&self.body));
        self.json()
    }
}

impl Http {
    pub async fn connect(net: &dyn Net, address: &str) -> Result<Http> {
        Ok(Http::over(net.connect(address).await?, address))
    }

    pub fn over(stream: Box<dyn Stream>, host: &str) -> Http {
        Http { stream, received: BytesMut::new(), host: host.to_owned() }
    }

    /// The bytes of a request, with a body in JSON.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Vec<u8> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = body.map(Value::to_string);
        match &body {
            Some(body) => {
                text.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len()));
                text.push_str(body);
            }
            None => text.push_str("\r\n"),
        }
        text.into_bytes()
    }

    pub async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Said> {
        let request = self.request(method, path, headers, body);
        self.write(&request).await?;
        self.said().await
    }

    /// With the token of a session.
    pub async fn ask_as(&mut self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Said> {
        self.ask(method, path, &[("authorization", &format!("Bearer {token}"))], body).await
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// The next answer. An error is the end of the connection.
    pub async fn said(&mut self) -> Result<Said> {
        let head = self.head().await?;
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse::<u16>().ok());
        let status = status.with_context(|| format!("no answer in HTTP: {head}"))?;
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(|value| value.trim().to_owned())
        };
        let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let length = match header("content-length") {
            Some(length) => length.parse::<usize>().context("content-length")?,
            None if status < 200 || status == 204 || status == 304 => 0,
            None => bail!("an answer without a length: {head}"),
        };
        ensure!(length <= BODY_BYTES, "an answer of {length} bytes");
        while self.received.len() < length {
            self.read().await?;
        }
        let body = self.received.split_to(length).freeze();
        Ok(Said { status, body, retry_after })
    }

    /// In small letters.
    async fn head(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = self.received.split_to(end + 4);
                return Ok(String::from_utf8_lossy(&head).to_ascii_lowercase());
            }
            ensure!(self.received.len() < HEAD_BYTES, "an endless head");
            self.read().await?;
        }
    }

    /// Reads a stream until it has held these bytes; nothing of it is kept.
    pub async fn until(&mut self, text: &[u8]) -> Result<()> {
        loop {
            if self.received.windows(text.len()).any(|bytes| bytes == text) {
                return Ok(());
            }
            // The bytes may come in two parts.
            let old = self.received.len().saturating_sub(text.len());
            self.received.advance(old);
            self.read().await?;
        }
    }

    /// Reads to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.received.len() < BODY_BYTES && self.read().await.is_ok() {}
        let all = self.received.to_vec();
        self.received.advance(all.len());
        all
    }

    async fn read(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.received).await? > 0, "closed before the end of an answer");
        Ok(())
    }
}
