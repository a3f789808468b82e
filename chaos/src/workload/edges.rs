//! The devices that use the other ways into the cluster: the SDK over WebSocket, two clients of the
//! HTTP API, one of which receives by server-sent events, and a client that speaks JSON over
//! WebSocket. Each has a user of its own.
//!
//! The three without the SDK have one send at a time, which is repeated under its id until it has
//! an outcome. They record like all devices, so that the same checkers judge them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use troupe_core::{ClientMessageId, ConversationId, UserId};
use troupe_runtime::Rng;

use super::participants::DeviceLog;
use crate::history::{Conversation, DeviceNumber, History, Record};

/// A way into the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    Tcp,
    WebSocket,
    WebSocketJson,
    Http,
    HttpEvents,
}

impl Edge {
    pub const ALL: [Edge; 5] = [Edge::Tcp, Edge::WebSocket, Edge::WebSocketJson, Edge::Http, Edge::HttpEvents];
    /// Those that a workload uses beside TCP.
    pub const OTHERS: [Edge; 4] = [Edge::WebSocket, Edge::WebSocketJson, Edge::Http, Edge::HttpEvents];

    pub fn name(self) -> &'static str {
        match self {
            Edge::Tcp => "tcp",
            Edge::WebSocket => "websocket",
            Edge::WebSocketJson => "websocket-json",
            Edge::Http => "http",
            Edge::HttpEvents => "http-events",
        }
    }
}

/// Acknowledged sends, deliveries and reactions of the devices of one edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    pub acked: u64,
    pub delivered: u64,
    pub reacted: u64,
}

/// Fewer sends or deliveries by one edge prove nothing about it.
const ENOUGH: u64 = 10;

/// Counts the work of the devices of each edge. `edges` has the edge of each device.
pub fn done(history: &History, edges: &BTreeMap<DeviceNumber, Edge>) -> BTreeMap<&'static str, Done> {
    let mut all: BTreeMap<&'static str, Done> = edges.values().map(|edge| (edge.name(), Done::default())).collect();
    let mut count = |device: &DeviceNumber, add: fn(&mut Done)| {
        if let Some(edge) = edges.get(device) {
            add(all.entry(edge.name()).or_default());
        }
    };
    for record in &history.records {
        match record {
            Record::Ack { device, .. } => count(device, |done| done.acked += 1),
            Record::Deliver { device, .. } => count(device, |done| done.delivered += 1),
            Record::Reacted { device, .. } => count(device, |done| done.reacted += 1),
            _ => {}
        }
    }
    all
}

/// Edges that did too little for a verdict.
pub fn idle(done: &BTreeMap<&'static str, Done>) -> Vec<String> {
    let too_little = done.iter().filter(|(_, done)| done.acked < ENOUGH || done.delivered < ENOUGH);
    let said = |(edge, Done { acked, delivered, .. }): (&&str, &Done)| {
        format!("only {acked} sends and {delivered} deliveries by {edge}; {ENOUGH} of each are needed")
    };
    too_little.map(said).collect()
}

/// Delay between two sends of a device.
const PACE: Duration = Duration::from_millis(100);

/// A device without the SDK.
pub(super) struct Participant {
    pub log: DeviceLog,
    pub name: String,
    pub user: UserId,
    /// Rotated for each device.
    pub nodes: Vec<String>,
    pub conversations: Vec<ConversationId>,
    pub rng: Arc<Rng>,
    /// Sends without an outcome, of all devices.
    pub pending: Arc<Mutex<u64>>,
    pub sending: watch::Receiver<bool>,
}

/// A message that has no outcome yet.
pub(super) struct Unsent {
    pub id: ClientMessageId,
    pub conversation: ConversationId,
    /// An earlier attempt may still be placed, so that a refusal is no outcome.
    pub in_doubt: bool,
}

impl Participant {
    /// Waits until the next message is due. `last`: the time of the one before.
    pub async fn due(&self, last: Instant) {
        let mut sending = self.sending.clone();
        // The workload holds the sender until it stops all devices.
        if sending.wait_for(|sending| *sending).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep_until(last + PACE).await;
        // It may have ended meanwhile.
        if !*self.sending.borrow() {
            std::future::pending::<()>().await;
        }
    }

    /// The next message, when it is due.
    pub async fn begin_when_due(&self, last: Instant) -> Unsent {
        self.due(last).await;
        self.begin()
    }

    pub fn begin(&self) -> Unsent {
        let conversation = self.conversations[self.rng.range(0, self.conversations.len() as u64) as usize];
        let id = ClientMessageId(self.rng.bytes());
        *self.pending.lock() += 1;
        self.log.recorder.record(|at| Record::Invoke {
            at,
            device: self.log.device,
            user: self.user.0,
            conversation: conversation.to_string(),
            id: self.named(id),
        });
        Unsent { id, conversation, in_doubt: false }
    }

    pub fn acked(&self, unsent: &Unsent, seq: u64) {
        self.log.recorder.record(|at| Record::Ack {
            at,
            device: self.log.device,
            conversation: unsent.conversation.to_string(),
            id: self.named(unsent.id),
            seq,
        });
        *self.pending.lock() -= 1;
    }

    /// The answer to a request under the key of a message.
    pub fn keyed(&self, unsent: &Unsent, body: &str, seq: Option<u64>, duplicate: bool) {
        let (conversation, id, body) = (unsent.conversation.to_string(), self.named(unsent.id), body.to_owned());
        let device = self.log.device;
        self.log.recorder.record(|at| Record::Keyed { at, device, conversation, id, body, seq, duplicate });
    }

    pub fn rejected(&self, unsent: &Unsent, code: &str) {
        self.log.recorder.record(|at| Record::Reject {
            at,
            device: self.log.device,
            conversation: unsent.conversation.to_string(),
            id: self.named(unsent.id),
            code: code.to_owned(),
        });
        *self.pending.lock() -= 1;
    }

    fn named(&self, id: ClientMessageId) -> String {
        format!("{}/{id}", self.user)
    }

    pub fn position(&self, conversation: &str) -> u64 {
        let positions = self.log.positions.lock();
        positions.get(&self.log.device).and_then(|of| of.get(conversation)).copied().unwrap_or(0)
    }

    /// An event as it came.
    pub fn deliver(&self, conversation: &str, seq: u64, sender: u64, id: &str, message: bool) {
        let device = self.log.device;
        self.log.recorder.record(|at| Record::Deliver {
            at,
            device,
            conversation: conversation.to_owned(),
            seq,
            sender,
            id: format!("{sender}/{id}"),
            message,
        });
        self.log.positions.lock().entry(device).or_default().insert(Conversation::from(conversation), seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_did_nothing_is_named() {
        let edges = BTreeMap::from([(0, Edge::Tcp), (1, Edge::Http)]);
        let mut history = History::default();
        for seq in 1..=ENOUGH {
            let (conversation, id) = ("everyone".to_owned(), format!("1/{seq}"));
            history.records.push(Record::Ack { at: seq, device: 0, conversation, id, seq });
            let (conversation, id) = ("everyone".to_owned(), format!("1/{seq}"));
            let (at, sender, message) = (seq, 1, true);
            history.records.push(Record::Deliver { at, device: 0, conversation, seq, sender, id, message });
        }
        let done = done(&history, &edges);
        assert_eq!(done["tcp"], Done { acked: ENOUGH, delivered: ENOUGH, reacted: 0 });
        let idle = idle(&done);
        assert_eq!(idle.len(), 1, "{idle:?}");
        assert!(idle[0].contains("by http"), "{idle:?}");
    }
}
