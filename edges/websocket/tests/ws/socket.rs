//! A client that speaks bare WebSocket frames, good ones and bad ones.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use troupe_proto::wire::client as wire;
use troupe_runtime::Stream;

use crate::harness::{Ask, ServerMessage, password, within};
use crate::server::Server;

pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;
pub const FIN: u8 = 0x80;

pub struct Socket {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    pushes: VecDeque<Value>,
    next_id: u64,
}

/// A frame of the server: first byte and payload.
pub type Frame = (u8, Bytes);

impl Socket {
    pub async fn connect(server: &Server) -> Socket {
        let stream = within(server.node.platform.net.connect(&server.address)).await.expect("a connection");
        Socket { stream, buffer: BytesMut::new(), pushes: VecDeque::new(), next_id: 1 }
    }

    /// The answer to an HTTP request: its head.
    pub async fn asks(&mut self, request: &str) -> String {
        self.write(request.as_bytes()).await;
        loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = self.buffer.split_to(end + 4);
                return String::from_utf8_lossy(&head).to_ascii_lowercase();
            }
            let read = within(self.stream.read_buf(&mut self.buffer)).await.expect("an answer");
            assert!(read > 0, "closed before the answer: {:?}", self.buffer);
        }
    }

    pub async fn open(server: &Server) -> Socket {
        let mut socket = Socket::connect(server).await;
        let head = socket.asks(&handshake(&server.address, "")).await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        socket
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.expect("written");
    }

    /// Bytes that may come after the server has closed.
    pub async fn write_late(&mut self, bytes: &[u8]) {
        let _ = within(self.stream.write_all(bytes)).await;
    }

    /// The next frame, pings of the server included. `None` at the end.
    pub async fn frame(&mut self) -> Option<Frame> {
        within(self.next_frame()).await
    }

    /// The next ping of the server; others before it are passed over. It may take longer than an
    /// answer.
    pub async fn pinged(&mut self) -> Bytes {
        loop {
            let (first, payload) = self.next_frame().await.expect("a ping before the end");
            if first == FIN | PING {
                return payload;
            }
        }
    }

    async fn next_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((head, length)) = head(&self.buffer)
                && self.buffer.len() >= head + length
            {
                let first = self.buffer[0];
                self.buffer.advance(head);
                return Some((first, self.buffer.split_to(length).freeze()));
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The code and the reason of the close frame; other frames before it are passed over. The
    /// server closes the socket after the answer.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            let (first, payload) = self.frame().await.expect("a close frame before the end");
            if first == FIN | CLOSE {
                self.write_late(&masked(FIN | CLOSE, &payload)).await;
                assert_eq!(self.frame().await, None, "bytes behind the close frame");
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                return (code, String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned());
            }
        }
    }

    /// Asks in binary.
    pub async fn ask(&mut self, request: Ask) -> ServerMessage {
        let request_id = self.next_id;
        self.next_id += 1;
        let frame = wire::ClientFrame { request_id, request: Some(request) };
        self.write(&masked(FIN | BINARY, &frame.encode_to_vec())).await;
        loop {
            let (first, payload) = self.frame().await.expect("an answer before the end");
            assert_eq!(first, FIN | BINARY, "{payload:?}");
            let frame = wire::ServerFrame::decode(payload).expect("a frame");
            if frame.request_id == request_id {
                return frame.message.expect("something said");
            }
        }
    }

    /// The next push in binary.
    pub async fn heard(&mut self) -> ServerMessage {
        let (first, payload) = self.frame().await.expect("a push before the end");
        assert_eq!(first, FIN | BINARY, "{payload:?}");
        wire::ServerFrame::decode(payload).expect("a frame").message.expect("something said")
    }

    pub async fn tell_json(&mut self, frame: &Value) {
        self.write(&masked(FIN | TEXT, frame.to_string().as_bytes())).await;
    }

    /// The next text message.
    pub async fn text(&mut self) -> Value {
        let (first, payload) = self.frame().await.expect("a message before the end");
        assert_eq!(first, FIN | TEXT, "{payload:?}");
        serde_json::from_slice(&payload).expect("JSON")
    }

    /// Asks in JSON; pushes meanwhile are kept.
    pub async fn ask_json(&mut self, name: &str, request: Value) -> Value {
        let id = self.next_id.to_string();
        self.next_id += 1;
        self.tell_json(&json!({ "request_id": id, name: request })).await;
        loop {
            let answer = self.text().await;
            if answer["request_id"] == json!(id) {
                return answer;
            }
            assert!(answer.get("request_id").is_none(), "{answer}");
            self.pushes.push_back(answer);
        }
    }

    /// The next push in JSON of this name that fits; others before it are passed over.
    pub async fn push_json(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let push = match self.pushes.pop_front() {
                Some(push) => push,
                None => self.text().await,
            };
            if push.get(name).is_some_and(&fits) {
                return push[name].clone();
            }
        }
    }

    /// Hello, registration and login in JSON; returns the user's id.
    pub async fn enters_json(&mut self, name: &str) -> String {
        let hello = json!({ "min_version": 1, "max_version": 1, "client": "test" });
        assert!(self.ask_json("hello", hello).await["welcome"]["cluster_id"].is_string());
        let register = json!({ "name": name, "password": password(name), "request": "AAAAAAAAAAAAAAAAAAAAAA==" });
        self.ask_json("register", register).await;
        let login = json!({ "name": name, "password": password(name), "device": "browser" });
        let logged_in = self.ask_json("login", login).await;
        logged_in["logged_in"]["user_id"].as_str().expect("an id, as a text").to_owned()
    }
}

pub fn handshake(host: &str, more: &str) -> String {
    format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// Bytes of the head of a server's frame, and of its payload.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let &[_, second, ref rest @ ..] = bytes else { return None };
    assert_eq!(second & 0x80, 0, "a server does not mask");
    Some(match second {
        126 => (4, u16::from_be_bytes(*rest.first_chunk()?).into()),
        127 => (10, u64::from_be_bytes(*rest.first_chunk()?) as usize),
        short => (2, short.into()),
    })
}

/// A frame as a client sends it.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
