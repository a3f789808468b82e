//! Shared parts of the tests of both meshes: a mailbox for events, and numbered envelopes.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout};
use troupe_actors::mesh::links::PeerSet;
use troupe_actors::mesh::{Envelope, Inbox, Kind, Mesh, MeshError, MeshEvent};
use troupe_core::NodeId;

/// Longer than any step may take; the wait fails then.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The tests bound the envelopes that they send, and with them this queue.
pub struct Events(UnboundedReceiver<MeshEvent>);

pub fn mailbox() -> (Inbox, Events) {
    let (inbox, events): (UnboundedSender<MeshEvent>, _) = unbounded_channel();
    // A test that has ended reads no more events.
    (Arc::new(move |event| drop(inbox.send(event))), Events(events))
}

impl Events {
    pub async fn next(&mut self) -> MeshEvent {
        timeout(PATIENCE, self.0.recv()).await.expect("an event in time").expect("the mesh runs")
    }

    pub async fn expect(&mut self, wanted: MeshEvent) {
        assert_eq!(self.next().await, wanted);
    }

    /// Receives up to `wanted`, and returns the envelopes before it.
    pub async fn until(&mut self, wanted: MeshEvent) -> Vec<Envelope> {
        let mut skipped = Vec::new();
        loop {
            match self.next().await {
                event if event == wanted => return skipped,
                MeshEvent::Received { envelope, .. } => skipped.push(envelope),
                other => panic!("{other:?} while waiting for {wanted:?}"),
            }
        }
    }

    pub async fn envelope(&mut self) -> Envelope {
        match self.next().await {
            MeshEvent::Received { envelope, .. } => envelope,
            other => panic!("{other:?} instead of an envelope"),
        }
    }

    /// The events that are here already.
    pub fn drain(&mut self) -> Vec<MeshEvent> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

pub fn nodes(ids: &[u64]) -> PeerSet {
    Arc::new(ids.iter().copied().map(NodeId).collect::<BTreeSet<_>>())
}

pub fn push(number: u64, bytes: usize) -> Envelope {
    let body = Bytes::from(vec![1; bytes]);
    Envelope { kind: Kind::Push, correlation: number, shard: None, deadline_ms: 0, body }
}

/// Sends. While the lane is full, other tasks run.
pub async fn send(mesh: &dyn Mesh, to: NodeId, lane: u32, envelope: Envelope) -> Result<(), MeshError> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match mesh.send(to, lane, envelope.clone()) {
            Err(MeshError::Full) if Instant::now() < give_up => tokio::task::yield_now().await,
            settled => return settled,
        }
    }
}
