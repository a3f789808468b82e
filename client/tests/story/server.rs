//! The server of a story: connections in memory, whose frames wait until a step takes them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use protox::prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, mpsc};
use tokio_util::codec::FramedRead;
use tokio_util::sync::CancellationToken;
use troupe_proto::frame::FrameCodec;
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Listener, Net, Stream};

use super::frames::{Frames, Ids};

/// The server's end of one connection.
pub struct Peer {
    pub node: String,
    out: mpsc::UnboundedSender<Bytes>,
    pub cut: CancellationToken,
    pub closed: AtomicBool,
    pub frozen: AtomicBool,
    /// Frames that no step has taken, by kind.
    pub heard: Mutex<BTreeMap<String, VecDeque<(u64, DynamicMessage)>>>,
}

impl Peer {
    pub fn take(&self, kind: &str) -> Option<(u64, DynamicMessage)> {
        self.heard.lock().get_mut(kind)?.pop_front()
    }

    pub fn say(&self, payload: Bytes) {
        // A client that has gone hears nothing, which later steps notice.
        drop(self.out.send(payload));
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

pub struct Server {
    pub frames: Frames,
    pub arrived: Mutex<VecDeque<Arc<Peer>>>,
    pub down: Mutex<BTreeSet<String>>,
    /// The lines of the conversation list.
    pub list: Mutex<Value>,
    /// Something has happened.
    pub changed: Notify,
}

impl Server {
    pub fn new() -> Arc<Server> {
        Arc::new(Server {
            frames: Frames::new(),
            arrived: Mutex::default(),
            down: Mutex::default(),
            list: Mutex::new(json!([])),
            changed: Notify::new(),
        })
    }

    fn hear(&self, peer: &Peer, payload: Bytes) {
        let (id, kind, message) = self.frames.read(payload);
        let answer = match kind.as_str() {
            "ping" => Some(json!({"pong": {}})),
            "list_conversations" => Some(json!({"conversations": {"conversations": *self.list.lock()}})),
            _ => None,
        };
        match answer {
            Some(answer) if !peer.frozen.load(Ordering::Relaxed) => {
                peer.say(self.frames.write(id, &answer, &Ids::new()).expect("the lines of a story are valid"));
            }
            _ => peer.heard.lock().entry(kind).or_default().push_back((id, message)),
        }
        self.changed.notify_one();
    }

    async fn serve(
        self: Arc<Server>,
        peer: Arc<Peer>,
        stream: Box<dyn Stream>,
        mut out: mpsc::UnboundedReceiver<Bytes>,
    ) {
        let (read, mut write) = tokio::io::split(stream);
        let mut frames = FramedRead::new(read, FrameCodec::server());
        loop {
            tokio::select! {
                () = peer.cut.cancelled() => break,
                payload = out.recv() => {
                    let Some(payload) = payload else { break };
                    let frame = [&(payload.len() as u32).to_be_bytes()[..], &payload].concat();
                    if write.write_all(&frame).await.is_err() {
                        break;
                    }
                }
                frame = frames.next() => match frame {
                    Some(Ok(payload)) => self.hear(&peer, payload),
                    _ => break,
                }
            }
        }
        peer.closed.store(true, Ordering::Relaxed);
        self.changed.notify_one();
    }
}

pub struct Wires(pub Arc<Server>);

impl Net for Wires {
    fn bind<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            if self.0.down.lock().contains(address) {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (here, there) = tokio::io::duplex(256 * 1024);
            let (out, queue) = mpsc::unbounded_channel();
            let peer = Arc::new(Peer {
                node: address.to_owned(),
                out,
                cut: CancellationToken::new(),
                closed: AtomicBool::new(false),
                frozen: AtomicBool::new(false),
                heard: Mutex::default(),
            });
            self.0.arrived.lock().push_back(peer.clone());
            tokio::spawn(self.0.clone().serve(peer, Box::new(there), queue));
            self.0.changed.notify_one();
            Ok(Box::new(here) as Box<dyn Stream>)
        })
    }
}
