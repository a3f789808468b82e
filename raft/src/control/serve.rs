//! The receiving side of the links: takes frames of a peer in order, passes them to the addressed
//! replica, and answers.
//!
//! Appends of a group must reach its Raft core in order. Each call is polled once here, which
//! queues it in the core. Its answer is awaited beside the next frames, in the task of the
//! connection, so that several answers cost one wake-up.

use std::io;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt, ready};
use futures::stream::FuturesUnordered;
use prost::Message;
use tokio::io::{AsyncWriteExt, WriteHalf, split};
use tokio::sync::mpsc;
use tokio::task::coop::unconstrained;
use tokio::task::{JoinSet, yield_now};
use troupe_runtime::Platform;

use crate::codec;
use crate::control::meta::Meta;
use crate::control::routing;
use crate::replication::group::{Group, Groups};
use crate::transport::frame::{Frame, FrameReader, Kind};
use crate::transport::port::{Inbound, Port, Protocol};
use crate::transport::vitals::LocalVitals;
use crate::types::GroupId;

/// Calls of one peer in progress. At the limit its next frames wait.
const ANSWERING: usize = 1_024;
/// Bytes gathered into one write.
const WRITE_BYTES: usize = 1024 * 1024;

/// Serves Raft connections until it is dropped.
pub async fn run(platform: Platform, port: Port, groups: Groups, meta: Meta, local_vitals: LocalVitals) {
    let mut inbound = port.inbound(Protocol::Raft);
    let mut connections = JoinSet::new();
    while let Some(Inbound { from, stream, .. }) = inbound.recv().await {
        while connections.try_join_next().is_some() {}
        let replicas = Replicas {
            platform: platform.clone(),
            groups: groups.clone(),
            meta: meta.clone(),
            local_vitals: local_vitals.clone(),
        };
        let port = port.clone();
        connections.spawn(async move {
            let (reader, writer) = split(stream);
            let (replies, waiting) = mpsc::channel(ANSWERING);
            let still_welcome = move || !port.is_removed(from);
            let read = read(FrameReader::new(reader), replicas, replies, still_welcome);
            let ended = tokio::select! {
                ended = read => ended,
                ended = write(writer, waiting) => ended,
            };
            if let Err(error) = ended {
                tracing::debug!(%from, %error, "a peer's connection ended");
            }
        });
    }
}

async fn read(
    mut frames: FrameReader<impl tokio::io::AsyncRead + Unpin>,
    replicas: Replicas,
    replies: mpsc::Sender<Frame>,
    still_welcome: impl Fn() -> bool,
) -> io::Result<()> {
    // Dropped with the connection, which has no receiver for the answers any more.
    let mut answering = FuturesUnordered::new();
    loop {
        let frame = tokio::select! {
            Some(answer) = answering.next() => {
                if replies.send(answer).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            frame = frames.next(), if answering.len() < ANSWERING => frame?,
        };
        let Some(frame) = frame else { return Ok(()) };
        // A removed peer is disconnected at its next ping. When it redials, it receives the reason.
        if frame.kind == Kind::Ping && !still_welcome() {
            return Ok(());
        }
        let (request, group) = (frame.request, frame.group);
        // The target of the answer to a ping names its form.
        let (target, vitals) =
            if frame.kind == Kind::Ping { replicas.vitals(&frame.payload) } else { (frame.target, None) };
        let reply = move |answer: Option<Vec<u8>>| {
            let kind = if answer.is_some() { Kind::Reply } else { Kind::Refused };
            Frame { kind, request, group, target, payload: Bytes::from(answer.unwrap_or_default()) }
        };
        let mut call = match vitals {
            Some(vitals) => ready(Some(vitals)).boxed(),
            None => replicas.begin(frame),
        };
        match unconstrained(&mut call).now_or_never() {
            Some(answer) => {
                if replies.send(reply(answer)).await.is_err() {
                    return Ok(());
                }
            }
            None => answering.push(call.map(reply)),
        }
    }
}

/// The state that frames of a connection can reach.
struct Replicas {
    platform: Platform,
    groups: Groups,
    meta: Meta,
    local_vitals: LocalVitals,
}

impl Replicas {
    /// The answer to a ping, and the target of its frame.
    fn vitals(&self, ping: &[u8]) -> (u64, Option<Vec<u8>>) {
        let groups = routing::leaderships(&self.groups);
        let (target, vitals) =
            self.local_vitals.answer(ping, &routing::led(&self.groups), groups, self.platform.clock.now());
        (target, Some(vitals))
    }

    /// Starts the call of a frame; `None` is a refusal.
    fn begin(&self, frame: Frame) -> BoxFuture<'static, Option<Vec<u8>>> {
        let Frame { kind, group, target, payload, .. } = frame;
        let meta = self.meta.clone();
        let replica = self.groups.get(group).filter(|group| group.replica == target);
        async move {
            match kind {
                Kind::Meta if group == GroupId::META => Some(meta.answer(payload).await),
                Kind::Append | Kind::Vote | Kind::PreVote | Kind::Transfer => call(replica?, kind, payload).await,
                Kind::Ping | Kind::Meta | Kind::Reply | Kind::Refused | Kind::Piece => None,
            }
        }
        .boxed()
    }
}

async fn call(group: Group, kind: Kind, payload: Bytes) -> Option<Vec<u8>> {
    let raft = group.raft;
    match kind {
        Kind::Append => {
            let answer = raft.append_entries(codec::append_request_in(payload).ok()?).await.ok()?;
            Some(codec::append_response_out(&answer).encode_to_vec())
        }
        Kind::Vote => {
            let answer = raft.vote(codec::vote_request_in(payload).ok()?).await.ok()?;
            Some(codec::vote_response_out(&answer).encode_to_vec())
        }
        Kind::PreVote => {
            let answer = raft.pre_vote(codec::vote_request_in(payload).ok()?).await.ok()?;
            Some(codec::vote_response_out(&answer).encode_to_vec())
        }
        Kind::Transfer => {
            let answer = raft.handle_transfer_leader(codec::transfer_request_in(payload).ok()?).await.ok()?;
            Some(codec::transfer_response_out(&answer).encode_to_vec())
        }
        Kind::Ping | Kind::Meta | Kind::Reply | Kind::Refused | Kind::Piece => None,
    }
}

async fn write<W: tokio::io::AsyncWrite>(
    mut writer: WriteHalf<W>,
    mut waiting: mpsc::Receiver<Frame>,
) -> io::Result<()> {
    let mut out = BytesMut::new();
    while let Some(first) = waiting.recv().await {
        // Answers that are about to be given share the write.
        yield_now().await;
        let mut next = Some(first);
        while let Some(frame) = next {
            frame.put(&mut out);
            next = if out.len() < WRITE_BYTES { waiting.try_recv().ok() } else { None };
        }
        writer.write_all(&out.split()).await?;
        writer.flush().await?;
    }
    Ok(())
}
