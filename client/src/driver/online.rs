//! One connection's worth of work: what is in flight on it, what was heard on it ([`heard`]), and
//! whether it still lives.

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
use troupe_core::plant::Plant;
use troupe_core::{ClientMessageId, ConversationId, Seq, UserId, limits};
use troupe_proto::wire::client as wire;

use super::WATCH;
use crate::client::Shared;
use crate::connection::{Connection, Message, PendingReply, Push, Pushes, Request};
use crate::error::Result;
use crate::inbox::{Inbox, Wanted};
use crate::outbox::Refused;

/// A node that owes an answer is asked for a sign of life after this silence ...
const PING_AFTER: Duration = Duration::from_secs(1);
/// ... and left after this.
const GIVE_UP: Duration = Duration::from_millis(2500);
/// One that owes nothing is asked now and then.
const PING_IDLE: Duration = Duration::from_secs(5);
/// Acknowledgements are gathered for this long.
const ACKNOWLEDGE: Duration = Duration::from_millis(200);
/// The conversation list is asked for again after this, if a part of it was missing.
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
    /// In the list, but their line could not be had yet.
    lineless: BTreeSet<ConversationId>,
    /// Lines that have come since the list was begun.
    listed: BTreeSet<ConversationId>,
    /// Heard of while the list was on its way.
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
            // Answers are bounded by the send window, so pushes get their turn.
            Some(answer) = self.answers.next() => answer,
            push = self.pushes.next() => push.map_or(Heard::Ended, Heard::Push),
        }
    }

    pub fn wake_at(&self, now: Instant) -> Instant {
        let watch = if self.connection.in_flight() > 0 { WATCH } else { PING_IDLE };
        [self.acknowledge_at, self.list_at].into_iter().flatten().fold(now + watch, Instant::min)
    }

    /// Looks after the connection; says why it is given up.
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
            let afresh = outgoing.again && shared.context.planted(Plant::SdkFreshIds);
            let said_as = if afresh { ClientMessageId(shared.context.rng.bytes()) } else { id };
            let after = outgoing.after.filter(|_| !shared.context.planted(Plant::SdkWithoutAfter));
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
                // What cannot be queued now goes with the next round.
                taken.retain(|conversation, seq| {
                    let acknowledge = wire::Acknowledge { conversation: conversation.to_string(), seq: seq.0 };
                    self.connection.tell(Request::Acknowledge(acknowledge)).is_err()
                });
            }
            Some(_) => {}
        }
    }

    /// The last words: acknowledgements, and a ping to know that they were heard.
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

    /// Sends a request whose answer comes by `next`. `false`: not now.
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
