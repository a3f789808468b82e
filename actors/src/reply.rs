//! Where an answer goes: to a waiter on this node, to a node that asked, or nowhere.

use std::sync::Arc;

use tokio::sync::oneshot;
use troupe_core::NodeId;

use crate::admission::Permit;
use crate::mesh;
use crate::message::{Outcome, Refusal};

/// Sends answers to other nodes.
pub trait Replies: Send + Sync {
    fn reply(&self, node: NodeId, correlation: u64, outcome: &Outcome);
}

/// To be used exactly once. Dropped unused it answers a local waiter with [`Refusal::Unavailable`];
/// a remote one finds out at its deadline.
pub struct ReplyTo {
    origin: Origin,
    /// Places that the request holds until it is answered.
    permits: Vec<Permit>,
    _gauge: Option<mesh::Permit>,
}

enum Origin {
    Here(oneshot::Sender<Outcome>),
    Node { replies: Arc<dyn Replies>, node: NodeId, correlation: u64 },
    None,
}

impl ReplyTo {
    pub fn here() -> (ReplyTo, oneshot::Receiver<Outcome>) {
        let (sender, receiver) = oneshot::channel();
        (ReplyTo { origin: Origin::Here(sender), permits: Vec::new(), _gauge: None }, receiver)
    }

    pub fn node(replies: Arc<dyn Replies>, node: NodeId, correlation: u64, gauge: mesh::Permit) -> ReplyTo {
        ReplyTo { origin: Origin::Node { replies, node, correlation }, permits: Vec::new(), _gauge: Some(gauge) }
    }

    pub fn none() -> ReplyTo {
        ReplyTo { origin: Origin::None, permits: Vec::new(), _gauge: None }
    }

    pub fn holding(mut self, permit: Permit) -> ReplyTo {
        self.permits.push(permit);
        self
    }

    pub fn send(self, outcome: Outcome) {
        match self.origin {
            // A waiter that has given up is no harm.
            Origin::Here(waiter) => drop(waiter.send(outcome)),
            Origin::Node { replies, node, correlation } => replies.reply(node, correlation, &outcome),
            Origin::None => {}
        }
    }

    pub fn refuse(self, refusal: Refusal) {
        self.send(Err(refusal));
    }
}
