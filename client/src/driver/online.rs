//! One connection: requests in flight, incoming messages ([`heard`]), and liveness.

mod heard;
mod restored;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use troupe_core::planted::Bug;
use troupe_core::{ClientMessageId, ConversationId, Seq, UserId, limits};
use troupe_proto::wire::client as wire;

use super::WATCH;
use crate::client::Shared;
use crate::connection::{Connection, Message, PendingReply, Push, Pushes, Request};
use crate::error::Result;
use crate::inbox::{Inbox, Wanted};
use crate::outbox::Refused;

/// A node with pending requests is pinged after this silence ...
const PING_AFTER: Duration = Duration::from_secs(1);
/// ... and given up after this.
const GIVE_UP: Duration = Duration::from_millis(2500);
/// A node without pending requests is pinged at this interval.
const PING_IDLE: Duration = Duration::from_secs(5);
/// Acknowledgements are collected for this long.
const ACKNOWLEDGE: Duration = Duration::from_millis(200);
/// Delay before the conversation list is requested again, if a part of it was missing.
const RELIST: Duration = Duration::from_millis(500);

pub(super) enum Heard {
    Push(Push),
    Sent(ConversationId, ClientMessageId, Result<Message>),
    Page(Wanted, Result<Message>),
    Listed(Result<Message>),
    Pong,
    Ended,
}

pub(super) struct Online {
    pub connection: Arc<Connection>,
    pushes: Pushes,
    me: UserId,
    answers: FuturesUnordered<BoxFuture<'static, Heard>>,
    pinging: bool,
    acknowledge_at: Option<Instant>,
    list_at: Option<Instant>,
    listing: bool,
    /// Listed conversations whose line was unavailable.
    lineless: BTreeSet<ConversationId>,
    /// Lines received since the list was requested.
    listed: BTreeSet<ConversationId>,
    /// Conversations announced while the list was in flight.
    unlisted: BTreeMap<ConversationId, Seq>,
}

impl Online {
    pub fn new(connection: Connection, pushes: Pushes, me: UserId) -> Online {
        Online {
            connection: Arc::new(connection),
            pushes,
            me,
            answers: FuturesUnordered::new(),
            pinging: false,
            acknowledge_at: None,
            list_at: Some(Instant::now()),
            lineless: BTreeSet::new(),
            listing: true,
            listed: BTreeSet::new(),
            unlisted: BTreeMap::new(),
        }
    }

    pub async fn next(&mut self) -> Heard {
        tokio::select! {
            biased;
            // The send window bounds answers, so pushes get their turn.
            Some(answer) = self.answers.next() => answer,
            push = self.pushes.next() => push.map_or(Heard::Ended, Heard::Push),
        }
    }

    pub fn wake_at(&self, now: Instant) -> Instant {
        let watch = if self.connection.in_flight() > 0 { WATCH } else { PING_IDLE };
        [self.acknowledge_at, self.list_at].into_iter().flatten().fold(now + watch, Instant::min)
    }

    /// Checks liveness. Returns the reason if the connection is given up.
    pub fn watch(&mut self, now: Instant) -> Option<String> {
        let silence = self.connection.silence();
        if silence >= GIVE_UP {
            return Some(format!("{} is silent", self.connection.address()));
        }
        if !self.pinging && (silence >= PING_AFTER || self.connection.unheard() >= PING_IDLE) {
            self.pinging = self.ask(Request::Ping(wire::Ping { nonce: 1 }), |_| Heard::Pong);
        }
        if self.list_at.is_some_and(|at| at <= now) {
            self.list_at = None;
            self.listing = true;
            self.lineless.clear();
            self.listed.clear();
            self.list(String::new());
        }
        None
    }

    pub fn send(&mut self, shared: &Shared, now: Instant) {
        let mut sending = shared.sending.lock();
        while let Some(outgoing) = sending.outbox.next(now) {
            let (conversation, id) = (outgoing.conversation, outgoing.id);
            let afresh = outgoing.again && shared.context.planted(Bug::SdkFreshIds);
            let said_as = if afresh { ClientMessageId(shared.context.rng.bytes()) } else { id };
            let after = outgoing.after.filter(|_| !shared.context.planted(Bug::SdkWithoutAfter));
            let send = wire::Send {
                conversation: conversation.to_string(),
                client_message_id: Bytes::copy_from_slice(&said_as.0),
                after: after.map(|after| Bytes::copy_from_slice(&after.0)).unwrap_or_default(),
                body: Some((&outgoing.body).into()),
            };
            if !self.ask(Request::Send(send), move |result| Heard::Sent(conversation, id, result)) {
                sending.outbox.refused(&id, Refused::Later(Duration::ZERO), now);
                return;
            }
        }
    }

    pub fn fetch(&mut self, inbox: &mut Inbox, now: Instant) {
        while let Some(wanted) = inbox.next_fetch(now) {
            let fetch = wire::Fetch {
                conversation: wanted.conversation.to_string(),
                seq: wanted.after.0,
                backward: false,
                limit: limits::PAGE_EVENTS as u32,
            };
            if !self.ask(Request::Fetch(fetch), move |result| Heard::Page(wanted, result)) {
                inbox.fetch_failed(wanted, Duration::ZERO, now);
                return;
            }
        }
    }

    pub fn acknowledge(&mut self, shared: &Shared, now: Instant) {
        let mut taken = shared.taken.lock();
        if taken.is_empty() {
            return;
        }
        match self.acknowledge_at {
            None => self.acknowledge_at = Some(now + ACKNOWLEDGE),
            Some(at) if at <= now => {
                self.acknowledge_at = None;
                // An acknowledgement that does not fit into the queue is sent in the next round.
                taken.retain(|conversation, seq| {
                    let acknowledge = wire::Acknowledge { conversation: conversation.to_string(), seq: seq.0 };
                    self.connection.tell(Request::Acknowledge(acknowledge)).is_err()
                });
            }
            Some(_) => {}
        }
    }

    /// Sends the last acknowledgements, and a ping to confirm that they arrived.
    pub async fn finish(&mut self, shared: &Shared) {
        self.acknowledge_at = Some(Instant::now());
        self.acknowledge(shared, Instant::now());
        let ping = self.connection.request(Request::Ping(wire::Ping { nonce: 2 }));
        drop(tokio::time::timeout(PING_AFTER, ping).await);
    }

    fn list(&mut self, after: String) {
        let request = wire::ListConversations { after, limit: limits::PAGE_CONVERSATIONS as u32 };
        if !self.ask(Request::ListConversations(request), Heard::Listed) {
            self.list_at = Some(Instant::now() + RELIST);
        }
    }

    /// Sends a request whose answer `next` returns. `false`: the queue is full.
    fn ask(&mut self, request: Request, heard: impl FnOnce(Result<Message>) -> Heard + Send + 'static) -> bool {
        match self.connection.start(request) {
            Ok(reply) => {
                let answer = async move { heard(PendingReply::wait(reply).await) };
                self.answers.push(Box::pin(answer));
                true
            }
            Err(_) => false,
        }
    }
}
