//! The feed of one channel: it writes each conversation's messages in order, first those that came
//! while the client was away, then those that are pushed.
//!
//! A position per conversation says up to where everything is written. It starts at the cursor of
//! the user, and the cursor follows it after the write. A channel that breaks so leaves its
//! messages to the next one. Nothing is taken from the log.
//!
//! A conversation is *behind* while events are missing: they are fetched in pages, and its pushes
//! only say how far. Several conversations are asked for at once, so a shard that does not answer
//! delays its own only.

mod page;

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use prost::Message as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use troupe_actors::budgets::{Payer, Verdict};
use troupe_actors::message::{Refusal, wire};
use troupe_actors::ops::Operation;
use troupe_actors::ops::acknowledge::Acknowledging;
use troupe_actors::service::Caller;
use troupe_core::{ConversationId, Seq, UserId};

use self::page::Step;
use crate::Edge;
use crate::frame::Frame;
use crate::inbox::{Inbox, Item};
use crate::logins::{Login, Positions};
use crate::writer::{Gone, Writer};

/// Messages of the channel `everyone` that a client gets for its absence; it reads older ones with
/// a client of Troupe.
const CHANNEL_CAUGHT_UP: u64 = 500;
/// Events in one request for what was missed.
const PAGE: u32 = 100;
/// Pages that are asked for at once.
const PAGES: usize = 4;
/// Before a shard that did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(500);
/// CIM's client hands each frame to a pool that takes ten at once, and closes its channel above
/// that. So a frame follows another after this time, when a few have come at once.
const PACE: Duration = Duration::from_millis(10);
const AT_ONCE: u32 = 8;

pub struct Feed {
    edge: Arc<Edge>,
    caller: Caller,
    payer: Arc<Payer>,
    inbox: Arc<Inbox>,
    writer: Writer,
    positions: Positions,
    /// Those that this channel has moved.
    moved: Positions,
    /// Conversations with missing events, up to these heads.
    behind: Positions,
    /// Of those: no page is asked for yet.
    due: VecDeque<ConversationId>,
    /// Of those: a shard did not answer.
    failed: Vec<ConversationId>,
    again: Option<Instant>,
    pages: FuturesUnordered<Asked>,
    /// Clients that have asked for what they missed, until nothing is behind.
    fetching: Vec<oneshot::Sender<()>>,
    /// When all frames so far are due, one after the other.
    paced: Instant,
    acknowledging: Acknowledging,
    acknowledgements: JoinSet<()>,
}

type Outcome = Result<Found, Refusal>;
type Asked = Pin<Box<dyn Future<Output = (ConversationId, Outcome)> + Send>>;

/// Missing events, and the names of their senders.
enum Found {
    Page(wire::Page, BTreeMap<UserId, String>),
    /// The next event, whose sender was unknown.
    Live(wire::Event, BTreeMap<UserId, String>),
}

impl Feed {
    /// Reads the user's cursors, before fan-out knows the channel: no event falls between the two.
    pub async fn begin(edge: Arc<Edge>, login: &Login, inbox: Arc<Inbox>, writer: Writer) -> Result<Feed, Refusal> {
        let (caller, payer) = (login.visitor.caller.clone(), login.payer.clone());
        let mut feed = Feed {
            positions: edge.logins.remembered(caller.user()),
            edge,
            caller,
            payer,
            inbox,
            writer,
            moved: Positions::new(),
            behind: Positions::new(),
            due: VecDeque::new(),
            failed: Vec::new(),
            again: None,
            pages: FuturesUnordered::new(),
            fetching: Vec::new(),
            paced: Instant::now(),
            acknowledging: Acknowledging::default(),
            acknowledgements: JoinSet::new(),
        };
        feed.list().await?;
        Ok(feed)
    }

    /// Reads where each conversation stands, and returns those with missing events.
    async fn list(&mut self) -> Result<Positions, Refusal> {
        let (mut missing, mut after) = (Positions::new(), String::new());
        loop {
            let page = ask(&self.edge, &self.caller, &self.payer, wire::ListConversations { after, limit: 0 }).await?;
            if !page.unavailable.is_empty() {
                return Err(Refusal::OVERLOADED);
            }
            let last = page.conversations.last().map(|row| row.conversation.clone());
            for row in page.conversations {
                let Ok(conversation) = row.conversation.parse::<ConversationId>() else { continue };
                let mut from = row.delivered;
                if conversation == ConversationId::Everyone {
                    from = from.max(row.head.saturating_sub(CHANNEL_CAUGHT_UP));
                }
                let position = self.positions.entry(conversation).or_default();
                *position = (*position).max(Seq(from));
                if *position < Seq(row.head) {
                    missing.insert(conversation, Seq(row.head));
                }
            }
            match last.filter(|_| page.more) {
                Some(last) => after = last,
                None => return Ok(missing),
            }
        }
    }

    /// Runs until the client is gone.
    pub async fn run(&mut self) -> Gone {
        loop {
            self.pass_on_acknowledged();
            self.ask_for_pages();
            let again = self.again;
            let step = tokio::select! {
                item = self.inbox.next() => self.take(item).await,
                Some((conversation, outcome)) = self.pages.next() => self.paged(conversation, outcome).await,
                Some(_) = self.acknowledgements.join_next() => {
                    self.acknowledging.ended();
                    Ok(())
                }
                () = async { sleep_until(again.unwrap_or_else(Instant::now)).await }, if again.is_some() => {
                    self.try_again();
                    Ok(())
                }
            };
            if let Err(gone) = step {
                return gone;
            }
        }
    }

    /// The channel has ended: cursors that wait still follow, and the next channel at this node
    /// begins at these positions.
    pub fn finish(mut self) -> Positions {
        let (service, caller) = (self.edge.service.clone(), self.caller.clone());
        tokio::spawn(async move {
            while self.acknowledgements.join_next().await.is_some() {
                self.acknowledging.ended();
                while let Some(acknowledge) = self.acknowledging.start() {
                    let told = service.perform(&caller, acknowledge);
                    self.acknowledgements.spawn(async move { drop(told.await) });
                }
            }
        });
        self.moved
    }

    async fn take(&mut self, item: Item) -> Result<(), Gone> {
        match item {
            Item::Event { conversation, seq, event } => {
                let position = self.position(conversation);
                let next = seq == position.next() && !self.behind.contains_key(&conversation);
                // An event that cannot be read is fetched, and then judged by its page.
                let event = wire::Event::decode(event).ok().filter(|_| next);
                match event {
                    Some(event) => match self.edge.names.known(page::sender_of(&self.caller, &event)) {
                        Some(names) => self.live(conversation, &event, &names).await?,
                        None => self.ask_for_name(conversation, event),
                    },
                    None if seq > position => self.falls_behind(conversation, seq),
                    None => {}
                }
            }
            Item::Joined { conversation, head } => self.joined(conversation, head),
            Item::Fetch(answer) => {
                match self.list().await {
                    Ok(missing) => missing.into_iter().for_each(|(conversation, head)| self.joined(conversation, head)),
                    Err(refusal) => tracing::debug!(?refusal, "offline messages are not fetched"),
                }
                self.fetching.push(answer);
                self.tell_fetched();
            }
        }
        Ok(())
    }

    fn position(&self, conversation: ConversationId) -> Seq {
        self.positions.get(&conversation).copied().unwrap_or_default()
    }

    async fn live(
        &mut self,
        conversation: ConversationId,
        event: &wire::Event,
        names: &BTreeMap<UserId, String>,
    ) -> Result<(), Gone> {
        let frame = page::text_of(&self.caller, event);
        let frame = frame.map(|text| Frame::message(&page::between(&self.caller, event.sender, names), text));
        self.write(conversation, Step { frame, messages: 0, end: Seq(event.seq) }).await
    }

    /// The conversation has this head.
    fn joined(&mut self, conversation: ConversationId, head: Seq) {
        if self.position(conversation) < head {
            self.falls_behind(conversation, head);
        }
    }

    fn falls_behind(&mut self, conversation: ConversationId, head: Seq) {
        if !self.behind.contains_key(&conversation) {
            self.due.push_back(conversation);
        }
        let held = self.behind.entry(conversation).or_default();
        *held = (*held).max(head);
    }

    fn caught_up(&mut self, conversation: ConversationId) {
        self.behind.remove(&conversation);
        self.tell_fetched();
    }

    fn tell_fetched(&mut self) {
        if self.behind.is_empty() {
            // A caller that has gone away waits no more.
            self.fetching.drain(..).for_each(|answer| answer.send(()).unwrap_or_default());
        }
    }

    fn wait_for(&mut self, conversation: ConversationId) {
        self.failed.push(conversation);
        self.again.get_or_insert_with(|| Instant::now() + AGAIN);
    }

    /// Leaves places for conversations whose shards answer.
    fn try_again(&mut self) {
        self.due.extend(self.failed.drain(..self.failed.len().min(PAGES / 2)));
        self.again = (!self.failed.is_empty()).then(|| Instant::now() + AGAIN);
    }

    /// The conversation is behind until the name is there.
    fn ask_for_name(&mut self, conversation: ConversationId, event: wire::Event) {
        self.behind.insert(conversation, Seq(event.seq));
        let (edge, caller) = (self.edge.clone(), self.caller.clone());
        self.pages.push(Box::pin(async move {
            let names = edge.names.of(&edge.service, &caller, page::sender_of(&caller, &event)).await;
            (conversation, names.map(|names| Found::Live(event, names)))
        }));
    }

    fn ask_for_pages(&mut self) {
        while self.pages.len() < PAGES
            && let Some(conversation) = self.due.pop_front()
        {
            let seq = self.position(conversation).0;
            let fetch = wire::Fetch { conversation: conversation.to_string(), seq, backward: false, limit: PAGE };
            let (edge, caller, payer) = (self.edge.clone(), self.caller.clone(), self.payer.clone());
            let page = async move {
                let page = ask(&edge, &caller, &payer, fetch).await?;
                let senders: Vec<UserId> =
                    page.events.iter().filter_map(|event| page::sender_of(&caller, event)).collect();
                let names = edge.names.of(&edge.service, &caller, senders).await?;
                Ok(Found::Page(page, names))
            };
            self.pages.push(Box::pin(async move { (conversation, page.await) }));
        }
    }

    /// Writes the missing events of a page.
    async fn paged(&mut self, conversation: ConversationId, outcome: Outcome) -> Result<(), Gone> {
        let (page, names) = match outcome {
            Ok(Found::Page(page, names)) => (page, names),
            Ok(Found::Live(event, names)) => {
                self.live(conversation, &event, &names).await?;
                self.read_up_to(conversation, Seq(event.seq));
                return Ok(());
            }
            // The user is no longer in the conversation. The position stays for its return.
            Err(Refusal::Rejected { .. }) => {
                self.caught_up(conversation);
                return Ok(());
            }
            Err(_) => {
                self.wait_for(conversation);
                return Ok(());
            }
        };
        // Events that this user may not see precede its first page.
        let last = Seq(page.events.last().map_or(page.head, |event| event.seq));
        for step in page::steps(&self.caller, page.events, &names) {
            self.write(conversation, step).await?;
        }
        self.moved_to(conversation, last);
        if page.more {
            self.due.push_back(conversation);
        } else {
            self.read_up_to(conversation, last);
        }
        Ok(())
    }

    fn read_up_to(&mut self, conversation: ConversationId, last: Seq) {
        if self.behind.get(&conversation).is_none_or(|head| *head <= last) {
            self.caught_up(conversation);
        } else {
            // A later event was pushed meanwhile.
            self.due.push_back(conversation);
        }
    }

    /// The position moves after the write, and never without it.
    async fn write(&mut self, conversation: ConversationId, step: Step) -> Result<(), Gone> {
        if let Some(frame) = step.frame {
            self.paced = self.paced.max(Instant::now()) + PACE;
            if let Some(early) = self.paced.checked_sub(PACE * AT_ONCE) {
                sleep_until(early).await;
            }
            self.writer.write(&frame).await?;
            self.edge.service.metrics().cim_caught_up.add(step.messages);
        }
        self.moved_to(conversation, step.end);
        Ok(())
    }

    fn moved_to(&mut self, conversation: ConversationId, seq: Seq) {
        if seq <= self.position(conversation) {
            return;
        }
        self.positions.insert(conversation, seq);
        self.moved.insert(conversation, seq);
        self.acknowledging.push(wire::Acknowledge { conversation: conversation.to_string(), seq: seq.0 });
        self.pass_on_acknowledged();
    }

    fn pass_on_acknowledged(&mut self) {
        while let Some(acknowledge) = self.acknowledging.start() {
            let told = self.edge.service.perform(&self.caller, acknowledge);
            // After a failure the next message moves the cursor further.
            self.acknowledgements.spawn(async move { drop(told.await) });
        }
    }
}

/// The user pays for what the edge reads for it. Above the budget it waits.
async fn ask<O: Operation>(edge: &Edge, caller: &Caller, payer: &Payer, operation: O) -> Result<O::Answer, Refusal> {
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
    edge.service.perform(caller, operation).await
}
