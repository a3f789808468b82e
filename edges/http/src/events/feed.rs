//! The feed of a stream: each conversation in the order of its log, from its position on.
//!
//! A push that follows the position is delivered at once. Otherwise the conversation is *behind*:
//! its missing events are fetched in pages, and its pushes only say how far. Pages of several
//! conversations are asked for at once, so a shard that does not answer delays its own only.

mod held;
mod list;
mod log;

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use troupe_actors::budgets::{Payer, Verdict};
use troupe_actors::message::{Refusal, wire};
use troupe_actors::ops::Operation;
use troupe_actors::service::{Caller, Clients, Service};
use troupe_core::{ConversationId, Seq};
use troupe_proto::client::EndReason;

use self::held::Held;
use self::list::Unlisted;
use super::cursor::{Cursor, Origin, Unfit};
use super::inbox::Inbox;
use super::pipe::Pipe;
use super::positions::Positions;
use super::told::{self, Form, Out};
use crate::asker::Asker;
use crate::ids::Id;
use crate::problem::Problem;

/// Between two writes of a silent stream. Proxies close connections that are silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// Bytes that are gathered for one write, unless one page is larger.
const GATHERED: usize = 16 * 1024;
/// Bytes, and events, of the answer to a poll, unless one page is larger.
const POLLED: (usize, usize) = (1024 * 1024, 500);
/// An answer that has something waits for more for this time at most.
const LINGER: Duration = Duration::from_millis(100);
/// The time for the last event of a stream, behind what waits.
const LAST_WRITE: Duration = Duration::from_secs(5);

pub struct Feed {
    service: Service,
    caller: Caller,
    payer: Arc<Payer>,
    inbox: Arc<Inbox>,
    positions: Positions,
    /// Conversations with missing events, up to these heads.
    behind: BTreeMap<ConversationId, Seq>,
    /// Of those: pushes that follow each other.
    held: Held,
    /// Of those: no page is asked for yet.
    due: VecDeque<ConversationId>,
    /// Of those: their shard did not answer.
    failed: Vec<ConversationId>,
    again: Option<Instant>,
    pages: FuturesUnordered<Pin<Box<dyn Future<Output = Paged> + Send>>>,
    clients: watch::Receiver<Clients>,
    fanout_lost: watch::Receiver<u64>,
    out: Out,
    /// Whether pushes come in. Otherwise the feed ends with what it has fetched.
    attached: bool,
}

type Paged = (ConversationId, Result<wire::Page, Refusal>);

/// How a stream ends.
enum End {
    Reason(EndReason),
    /// The cursor names events that are not there.
    Ahead,
    /// The node has lost its subscriptions, or stops without a word.
    Broken,
}

impl Feed {
    /// Reads where each conversation stands. So a cursor that is ahead is refused, and a stream
    /// without one knows where it begins.
    pub async fn begin(asker: &Asker, inbox: Arc<Inbox>, cursor: Option<Cursor>, form: Form) -> Result<Feed, Problem> {
        let service = asker.api().service.clone();
        let caller = asker.known.caller.clone();
        let origin = Origin::of(&service.welcome(), caller.user());
        if cursor.as_ref().is_some_and(|cursor| cursor.origin != origin) {
            return Err(Unfit::Foreign.into());
        }
        let (clients, mut fanout_lost) = (service.clients(), service.fanout_lost());
        // A loss from before is none of this stream.
        fanout_lost.mark_unchanged();
        let mut feed = Feed {
            positions: Positions::new(origin, cursor),
            payer: asker.payer(),
            behind: BTreeMap::new(),
            held: Held::default(),
            due: VecDeque::new(),
            failed: Vec::new(),
            again: None,
            pages: FuturesUnordered::new(),
            out: Out::new(form),
            attached: false,
            service,
            caller,
            inbox,
            clients,
            fanout_lost,
        };
        feed.list().await.map_err(|why| match why {
            Unlisted::Refused(refusal) => asker.refused(refusal),
            Unlisted::Ahead => Unfit::Ahead.into(),
        })?;
        Ok(feed)
    }

    /// Pushes come into the inbox from now on.
    pub fn attached(&mut self) {
        self.attached = true;
    }

    /// Tells the stream until its client is gone or it has to end.
    pub async fn stream(mut self, pipe: Pipe) {
        let inbox = self.inbox.clone();
        let end = tokio::select! {
            end = self.follow(&pipe) => end,
            () = pipe.gone() => return,
            end = overdue(&inbox) => end,
        };
        let last = self.end(end);
        pipe.finish(last);
    }

    async fn follow(&mut self, pipe: &Pipe) -> End {
        let id = Id::from(self.caller.user());
        let ready = told::ready(&self.service.welcome(), id);
        let cursor = self.positions.cursor();
        self.out.add(told::READY, &ready, Some(&cursor));
        if self.tell_where_to_go() {
            return End::Reason(EndReason::ShuttingDown);
        }
        let mut beat = Instant::now() + HEARTBEAT;
        loop {
            self.ask_for_pages();
            if self.out.len() >= GATHERED || (self.out.len() > 0 && self.inbox.is_empty()) {
                if pipe.write(self.out.take()).await.is_err() {
                    return End::Reason(EndReason::SlowConsumer);
                }
                beat = Instant::now() + HEARTBEAT;
            }
            match self.step(beat).await {
                Step::Went => {}
                Step::Due => {
                    if pipe.write(Bytes::from_static(b":\n\n")).await.is_err() {
                        return End::Reason(EndReason::SlowConsumer);
                    }
                    beat = Instant::now() + HEARTBEAT;
                }
                Step::Ends(end) => return end,
            }
        }
    }

    /// Tells a poll: as soon as there is something, and nothing more is at hand. The answer has the
    /// events and the cursor behind them.
    pub async fn poll(mut self, until: Instant) -> Bytes {
        let mut until = until;
        loop {
            self.ask_for_pages();
            let full = self.out.len() >= POLLED.0 || self.out.many >= POLLED.1;
            let at_rest = self.inbox.is_empty() && self.pages.is_empty();
            if full || (at_rest && (self.out.many > 0 || !self.attached)) {
                break;
            }
            if self.out.many > 0 {
                until = until.min(Instant::now() + LINGER);
            }
            match self.step(until).await {
                Step::Went => {}
                Step::Due => break,
                Step::Ends(end) => {
                    let end = self.end_of(end);
                    if let Some(end) = end {
                        self.out.add(told::END, &end, None);
                    }
                    break;
                }
            }
        }
        let events = self.out.take();
        // A cursor is of the base64 alphabet.
        let cursor = self.positions.cursor();
        [b"{\"events\":[", &events[..], b"],\"cursor\":\"", cursor.as_bytes(), b"\"}"].concat().into()
    }

    async fn step(&mut self, until: Instant) -> Step {
        let again = self.again;
        tokio::select! {
            item = self.inbox.next() => match item {
                Ok(item) => self.take(item),
                Err(reason) => return Step::Ends(End::Reason(reason)),
            },
            Some((conversation, outcome)) = self.pages.next() => {
                if let Err(end) = self.paged(conversation, outcome) {
                    return Step::Ends(end);
                }
            }
            () = sleep_until(again.unwrap_or(until)), if again.is_some() => {
                self.try_again();
            }
            changed = self.clients.changed() => {
                // A node that has stopped says nothing more.
                if changed.is_err() {
                    return Step::Ends(End::Broken);
                }
                if self.tell_where_to_go() {
                    return Step::Ends(End::Reason(EndReason::ShuttingDown));
                }
            }
            _ = self.fanout_lost.changed() => return Step::Ends(End::Broken),
            () = sleep_until(until) => return Step::Due,
        }
        Step::Went
    }

    /// Whether the node is about to stop. A client that is better served elsewhere learns it, but a
    /// poll does not end for that: the client would come back at once.
    fn tell_where_to_go(&mut self) -> bool {
        match &*self.clients.borrow_and_update() {
            Clients::Elsewhere { nodes } if self.out.form == Form::Stream => {
                self.out.add(told::GO_AWAY, &told::go_away(nodes), None);
                false
            }
            Clients::Here | Clients::Elsewhere { .. } => false,
            Clients::Draining { .. } => true,
        }
    }

    /// The last text of a stream.
    fn end(&mut self, end: End) -> Bytes {
        if let Some(end) = self.end_of(end) {
            self.out.add(told::END, &end, None);
        }
        self.out.take()
    }

    fn end_of(&self, end: End) -> Option<Bytes> {
        match end {
            End::Reason(reason) => {
                let nodes = self.clients.borrow().elsewhere().map(<[String]>::to_vec).unwrap_or_default();
                Some(told::ended(&reason, &nodes))
            }
            End::Ahead => Some(told::ahead()),
            End::Broken => None,
        }
    }
}

enum Step {
    Went,
    /// The time is over.
    Due,
    Ends(End),
}

/// The stream is to end, and the time for what waits before the end is over.
async fn overdue(inbox: &Inbox) -> End {
    let reason = inbox.ended().await;
    sleep(LAST_WRITE).await;
    End::Reason(reason)
}

/// The user pays for what is read on its behalf. Above the budget it waits.
fn ask<O: Operation + Send + 'static>(
    service: &Service,
    caller: &Caller,
    payer: &Arc<Payer>,
    operation: O,
) -> impl Future<Output = Result<O::Answer, Refusal>> + Send + use<O> {
    let (service, caller, payer) = (service.clone(), caller.clone(), payer.clone());
    async move {
        loop {
            match payer.pay(operation.cost()) {
                Verdict::Pass => break,
                Verdict::Pace(pause) => {
                    sleep(pause).await;
                    break;
                }
                Verdict::Refuse(pause) => sleep(pause).await,
            }
        }
        service.perform(&caller, operation).await
    }
}
