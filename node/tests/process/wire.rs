//! A socket that says whatever bytes it likes.

use bytes::BytesMut;
use prost::Message as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use troupe_core::limits;
use troupe_proto::frame::{FrameDecoder, encode_frame};
use troupe_proto::wire::client as wire;
use troupe_runtime::{Platform, Stream};

use crate::person::password;
use crate::server::within;

use wire::client_frame::Request as Ask;
pub use wire::server_frame::Message as ServerMessage;

pub struct Wire {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
}

impl Wire {
    pub async fn open(address: &str) -> Wire {
        let net = Platform::production().net;
        let stream = within(net.connect(address)).await.expect("a connection");
        Wire { stream, buffer: BytesMut::new() }
    }

    /// Past hello and login, by frames as they should be.
    pub async fn logged_in(address: &str, name: &str, device: &str) -> Wire {
        let mut wire = Wire::open(address).await;
        let hello = wire::Hello { min_version: 1, max_version: 1, client: "test".into() };
        wire.write(&frame(1, Ask::Hello(hello))).await;
        let login =
            wire::Login { name: name.into(), password: password(name), device: device.into(), ..Default::default() };
        wire.write(&frame(2, Ask::Login(login))).await;
        while !matches!(wire.read().await.expect("an answer"), ServerMessage::LoggedIn(_)) {}
        wire
    }

    /// The server may hang up in the middle, so a failure is no news.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = within(self.stream.write_all(bytes)).await;
    }

    /// Says that nothing more comes, and goes on listening.
    pub async fn finish(&mut self) {
        let _ = within(self.stream.shutdown()).await;
    }

    /// The next frame; `None` when the server has closed.
    pub async fn read(&mut self) -> Option<ServerMessage> {
        let decoder = FrameDecoder { cap: limits::SERVER_FRAME_BYTES };
        loop {
            if let Some(payload) = decoder.decode(&mut self.buffer).expect("a frame") {
                return wire::ServerFrame::decode(payload).expect("a message").message;
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The last frame before the server has closed.
    pub async fn end(&mut self) -> Option<ServerMessage> {
        let end = async {
            let mut last = None;
            while let Some(said) = self.read().await {
                last = Some(said);
            }
            last
        };
        within(end).await
    }

    /// Everything until the server closes, as text.
    pub async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        within(self.stream.read_to_end(&mut rest)).await.expect("an answer and its end");
        String::from_utf8_lossy(&rest).into_owned()
    }
}

pub fn frame(request_id: u64, request: Ask) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    encode_frame(&wire::ClientFrame { request_id, request: Some(request) }, &mut bytes);
    bytes.to_vec()
}

/// A frame of this length, which may be a lie, and this content.
pub fn announced(length: usize, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).expect("four bytes");
    [&length.to_be_bytes()[..], content].concat()
}
