//! A stream of server-sent events, read event by event from the bare connection.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use serde_json::Value;

use super::Http;

/// A longer line of the transfer coding is none.
const CHUNK_LINE: usize = 64;
/// A larger event is none.
const EVENT_BYTES: usize = 1024 * 1024;

/// Taken from a connection, which carries nothing else any more.
pub struct EventStream {
    http: Http,
    text: BytesMut,
    /// Of the present chunk.
    left: usize,
}

/// An event with all its fields.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerEvent {
    pub name: String,
    /// The cursor behind the event, if it has one.
    pub id: Option<String>,
    pub data: Value,
}

/// The answer to a request for a stream.
pub enum Opened {
    Stream(EventStream),
    /// With its status.
    Refused(u16),
}

impl Http {
    /// Requests a stream, from a cursor on.
    pub async fn open_events(mut self, token: &str, cursor: Option<&str>) -> Result<Opened> {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(cursor.map(|cursor| ("last-event-id", cursor)));
        let request = self.request("GET", "/v1/events", &headers, None);
        self.write(&request).await?;
        let head = self.head().await?;
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).context("a status")?;
        if status != 200 {
            return Ok(Opened::Refused(status));
        }
        ensure!(head.contains("transfer-encoding: chunked"), "a stream of a known length: {head}");
        Ok(Opened::Stream(EventStream { http: self, text: BytesMut::new(), left: 0 }))
    }
}

impl EventStream {
    /// The next event. An error is the end of the stream; what came of an event before it is none.
    pub async fn next(&mut self) -> Result<ServerEvent> {
        loop {
            while let Some(end) = self.text.windows(2).position(|bytes| bytes == b"\n\n") {
                let event = self.text.split_to(end + 2);
                if let Some(event) = read(std::str::from_utf8(&event)?)? {
                    return Ok(event);
                }
            }
            ensure!(self.text.len() <= EVENT_BYTES, "an event without an end");
            self.chunk().await?;
        }
    }

    /// More of the text, or of the connection.
    async fn chunk(&mut self) -> Result<()> {
        let received = &mut self.http.received;
        if self.left > 0 && !received.is_empty() {
            let taken = received.split_to(received.len().min(self.left));
            self.left -= taken.len();
            self.text.extend_from_slice(&taken);
            return Ok(());
        }
        if self.left == 0 {
            // The end of the chunk before.
            while received.starts_with(b"\r\n") {
                received.advance(2);
            }
            if let Some(end) = received.windows(2).position(|bytes| bytes == b"\r\n") {
                let line = received.split_to(end + 2);
                self.left = usize::from_str_radix(std::str::from_utf8(&line)?.trim(), 16).context("a chunk")?;
                ensure!(self.left > 0, "the stream has ended");
                return Ok(());
            }
            ensure!(received.len() <= CHUNK_LINE, "a chunk without a length");
        }
        self.http.read().await
    }
}

/// `None`: comments, and the time before a reconnect.
fn read(text: &str) -> Result<Option<ServerEvent>> {
    let (mut name, mut id, mut data) = (None, None, None);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
        let (field, value) = line.split_once(": ").with_context(|| format!("no field: {line}"))?;
        match field {
            "event" => name = Some(value.to_owned()),
            "id" => id = Some(value.to_owned()),
            "data" => data = Some(serde_json::from_str(value).context("no JSON")?),
            "retry" => {}
            _ => bail!("an unknown field: {line}"),
        }
    }
    Ok(data.map(|data| ServerEvent { name: name.unwrap_or_else(|| "message".to_owned()), id, data }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn events_come_out_of_chunks_of_any_size() {
        const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        const TEXT: &str =
            "retry: 700\n\n:\n\nevent: ready\nid: AQ\ndata: {\"a\":\"\u{e9}\"}\n\ndata: 7\n\nevent: cut\n";
        for size in 1..TEXT.len() {
            let (near, mut far) = tokio::io::duplex(1 << 16);
            let mut sent = HEAD.to_owned().into_bytes();
            for piece in TEXT.as_bytes().chunks(size) {
                sent.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                sent.extend([piece, b"\r\n"].concat());
            }
            sent.extend(b"0\r\n\r\n");
            far.write_all(&sent).await.expect("there is room");
            let opened = Http::over(Box::new(near), "x").open_events("token", None).await.expect("an answer");
            let Opened::Stream(mut stream) = opened else { panic!("refused") };
            let ready = ServerEvent { name: "ready".into(), id: Some("AQ".into()), data: json!({ "a": "\u{e9}" }) };
            assert_eq!(stream.next().await.expect("an event"), ready, "{size}");
            assert_eq!(stream.next().await.expect("an event").data, json!(7), "{size}");
            assert!(stream.next().await.is_err(), "half an event is none");
        }
    }
}
