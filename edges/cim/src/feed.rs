//! The feed of one channel: it writes each conversation's messages in order, first those that came
//! while the client was away, then those that are pushed.
//!
//! A position per conversation says up to where everything is written. It starts at the cursor of
//! the user, and the cursor follows it after the write. A channel that breaks so leaves its
//! messages to the next one. Nothing is taken from the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use troupe_actors::budgets::{Payer, Verdict};
use troupe_actors::message::{Refusal, wire};
use troupe_actors::ops::Operation;
use troupe_actors::ops::acknowledge::Acknowledging;
use troupe_actors::service::Caller;
use troupe_core::event::Body;
use troupe_core::{ConversationId, Event, EventKind, Seq, UserId};

use crate::Edge;
use crate::frame::{Between, Frame};
use crate::inbox::{Inbox, Item};
use crate::logins::{Login, Positions};
use crate::writer::{Gone, Writer};

/// Messages of the channel `everyone` that a client gets for its absence; it reads older ones with
/// a client of Troupe.
const CHANNEL_CAUGHT_UP: u64 = 500;
/// Events in one request for what was missed.
const PAGE: u32 = 100;
/// Before a shard that did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(500);
/// Kind of a body that is text.
const TEXT: u32 = Body::TEXT;
/// CIM's client hands each frame to a pool that takes ten at once, and closes its channel above
/// that. So a frame follows another after this time, when a few have come at once.
const PACE: Duration = Duration::from_millis(10);
const AT_ONCE: u32 = 8;
/// Bytes of texts in one frame, unless a single text is longer.
const BATCH_BYTES: usize = 128 * 1024;

pub struct Feed {
    edge: Arc<Edge>,
    caller: Caller,
    payer: Arc<Payer>,
    inbox: Arc<Inbox>,
    writer: Writer,
    positions: Positions,
    /// Those that this channel has moved.
    moved: Positions,
    /// Conversations with missing events up to this head, whose shard did not answer.
    behind: Positions,
    again: Option<Instant>,
    /// When all frames so far are due, one after the other.
    paced: Instant,
    acknowledging: Acknowledging,
    acknowledgements: JoinSet<()>,
}

/// One write, and the position after it.
struct Step {
    frame: Option<Frame>,
    messages: u64,
    end: Seq,
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
            again: None,
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
            let page = self.ask(wire::ListConversations { after, limit: 0 }).await?;
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
            let again = self.again;
            let step = tokio::select! {
                item = self.inbox.next() => self.take(item).await,
                Some(_) = self.acknowledgements.join_next() => {
                    self.acknowledging.ended();
                    Ok(())
                }
                () = async { sleep_until(again.unwrap_or_else(Instant::now)).await }, if again.is_some() => {
                    self.again = None;
                    let behind = std::mem::take(&mut self.behind);
                    self.catch_up_all(behind).await
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
                if seq <= position {
                    return Ok(());
                }
                let next = seq == position.next() && !self.behind.contains_key(&conversation);
                // An event that cannot be read is fetched again, and then judged by its page.
                let event = wire::Event::decode(event).ok().filter(|_| next);
                match event {
                    Some(event) => self.live(conversation, event).await,
                    None => self.catch_up_all(Positions::from([(conversation, seq)])).await,
                }
            }
            Item::Joined { conversation, head } => self.catch_up_all(Positions::from([(conversation, head)])).await,
            Item::Left { conversation } => {
                self.positions.remove(&conversation);
                self.behind.remove(&conversation);
                Ok(())
            }
            Item::Fetch(answer) => {
                match self.list().await {
                    Ok(missing) => self.catch_up_all(missing).await?,
                    Err(refusal) => tracing::debug!(?refusal, "offline messages are not fetched"),
                }
                if self.behind.is_empty() {
                    let _ = answer.send(());
                }
                Ok(())
            }
        }
    }

    fn position(&self, conversation: ConversationId) -> Seq {
        self.positions.get(&conversation).copied().unwrap_or_default()
    }

    async fn live(&mut self, conversation: ConversationId, event: wire::Event) -> Result<(), Gone> {
        let end = Seq(event.seq);
        let Ok(names) = self.names(std::slice::from_ref(&event)).await else {
            self.wait_for(conversation, end);
            return Ok(());
        };
        let frame = self.text_of(&event).map(|text| Frame::message(&self.between(event.sender, &names), text));
        self.write(conversation, Step { frame, messages: 0, end }).await
    }

    /// Writes missing events of these conversations up to these heads.
    async fn catch_up_all(&mut self, missing: Positions) -> Result<(), Gone> {
        for (conversation, head) in missing {
            match self.catch_up(conversation, head).await? {
                Ok(()) => drop(self.behind.remove(&conversation)),
                // The user is no longer in the conversation.
                Err(Refusal::Rejected { .. }) => {
                    self.positions.remove(&conversation);
                    self.behind.remove(&conversation);
                }
                Err(_) => self.wait_for(conversation, head),
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, conversation: ConversationId, head: Seq) {
        let held = self.behind.entry(conversation).or_default();
        *held = (*held).max(head);
        self.again.get_or_insert_with(|| Instant::now() + AGAIN);
    }

    async fn catch_up(&mut self, conversation: ConversationId, head: Seq) -> Result<Result<(), Refusal>, Gone> {
        while self.position(conversation) < head {
            let seq = self.position(conversation);
            let fetch =
                wire::Fetch { conversation: conversation.to_string(), seq: seq.0, backward: false, limit: PAGE };
            let page = match self.ask(fetch).await {
                Ok(page) => page,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let names = match self.names(&page.events).await {
                Ok(names) => names,
                Err(refusal) => return Ok(Err(refusal)),
            };
            // Events that this user may not see precede its first page.
            let last = page.events.last().map_or(head, |event| Seq(event.seq));
            for step in self.steps(page.events, &names) {
                self.write(conversation, step).await?;
            }
            self.moved_to(conversation, last);
            if !page.more {
                break;
            }
        }
        Ok(Ok(()))
    }

    /// One frame for messages of one sender that follow each other. Frames carry the sender once.
    fn steps(&self, events: Vec<wire::Event>, names: &BTreeMap<UserId, String>) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut open: Option<(u64, usize)> = None;
        for event in events {
            let end = Seq(event.seq);
            let Some(text) = self.text_of(&event) else {
                match steps.last_mut() {
                    Some(step) => step.end = end,
                    None => steps.push(Step { frame: None, messages: 0, end }),
                }
                continue;
            };
            let bytes = text.len();
            match (&mut open, steps.last_mut()) {
                (Some((sender, held)), Some(Step { frame: Some(frame), messages, end: last }))
                    if *sender == event.sender && *held + bytes <= BATCH_BYTES =>
                {
                    *held += bytes;
                    *messages += 1;
                    *last = end;
                    frame.batch.push(text);
                }
                _ => {
                    open = Some((event.sender, bytes));
                    let frame = Frame::offline(&self.between(event.sender, names), vec![text]);
                    steps.push(Step { frame: Some(frame), messages: 1, end });
                }
            }
        }
        steps
    }

    /// The text that a CIM client shows. `None`: nothing, as for the client's own messages.
    fn text_of(&self, event: &wire::Event) -> Option<String> {
        if UserId(event.sender) == self.caller.user() {
            return None;
        }
        let EventKind::Message(body) = Event::try_from(event.clone()).ok()?.kind else { return None };
        Some(match body.kind {
            TEXT => String::from_utf8_lossy(&body.content).into_owned(),
            kind => format!("[a message of kind {kind}: open it with a client of Troupe]"),
        })
    }

    fn between(&self, sender: u64, names: &BTreeMap<UserId, String>) -> Between {
        let sender = UserId(sender);
        let sender_name = names.get(&sender).cloned().unwrap_or_else(|| sender.to_string());
        Between { sender, sender_name, receiver: self.caller.user() }
    }

    async fn names(&self, events: &[wire::Event]) -> Result<BTreeMap<UserId, String>, Refusal> {
        let senders = events.iter().filter(|event| self.text_of(event).is_some()).map(|event| UserId(event.sender));
        self.edge.names.of(&self.edge.service, &self.caller, senders.collect::<Vec<_>>()).await
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

    /// The user pays for what the edge reads for it. Above the budget it waits.
    async fn ask<O: Operation>(&self, operation: O) -> Result<O::Answer, Refusal> {
        loop {
            match self.payer.pay(operation.cost()) {
                Verdict::Pass => break,
                Verdict::Pace(pause) => {
                    sleep(pause).await;
                    break;
                }
                Verdict::Refuse(pause) => sleep(pause).await,
            }
        }
        self.edge.service.perform(&self.caller, operation).await
    }
}
