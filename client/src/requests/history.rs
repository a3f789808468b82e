//! Pages of history, and reactions to their messages.

use std::collections::BTreeMap;

use bytes::Bytes;
use troupe_core::{Body, ClientMessageId, ConversationId, Event, Seq, Timestamp, limits};
use troupe_proto::DecodeError;
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};
use crate::requests::PollState;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// Oldest first.
    pub events: Vec<Event>,
    pub head: Seq,
    /// There are more events in the requested direction.
    pub more: bool,
    /// By the seq of their message. They count every event up to `head`: the application adds those
    /// of later `Reacted` events.
    pub reactions: BTreeMap<Seq, Vec<Reaction>>,
    /// The edited messages, by their seq, as of `head`; later `Edited` events change them.
    /// A recalled message is in `events`, and [`is_erased`](Event::is_erased).
    pub edited: BTreeMap<Seq, Edited>,
    /// The polls that have votes or are closed, by their seq, as of `head`.
    pub polls: BTreeMap<Seq, PollState>,
    /// The messages that grow, by their seq, as of the time of the page.
    pub streaming: BTreeMap<Seq, Streaming>,
}

/// A message that grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streaming {
    /// The message and its pieces until now.
    pub text: String,
    /// The index of the next piece.
    pub pieces: u64,
}

/// The present state of a message that was edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Of its `Edited` events, in order.
    pub edits: Vec<Seq>,
    pub body: Body,
}

/// The users that have an emoji on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    pub emoji: String,
    pub users: u64,
    /// This user is one of them.
    pub mine: bool,
}

impl From<wire::Reaction> for Reaction {
    fn from(reaction: wire::Reaction) -> Reaction {
        Reaction { emoji: reaction.emoji, users: reaction.users, mine: reaction.mine }
    }
}

impl Client {
    /// Up to `limit` (500) events after `seq`.
    pub async fn history_after(&self, conversation: ConversationId, seq: Seq, limit: usize) -> Result<HistoryPage> {
        self.history(conversation, seq, false, limit).await
    }

    /// Up to `limit` (500) events before `seq`; zero means up to the newest.
    ///
    /// ```no_run
    /// # use troupe_client::{Client, Result};
    /// # use troupe_core::{ConversationId, Seq};
    /// # async fn example(client: Client, conversation: ConversationId) -> Result<()> {
    /// let newest = client.history_before(conversation, Seq::ZERO, 50).await?;
    /// if let Some(oldest) = newest.events.first() {
    ///     let before = client.history_before(conversation, oldest.seq, 50).await?;
    ///     println!("{} and {} events", before.events.len(), newest.events.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn history_before(&self, conversation: ConversationId, seq: Seq, limit: usize) -> Result<HistoryPage> {
        self.history(conversation, seq, true, limit).await
    }

    /// Gives a reaction to the message at `seq`. A user has each emoji once per message: another
    /// time is refused with the code `already_reacted`.
    pub async fn react(&self, conversation: ConversationId, seq: Seq, emoji: &str) -> Result<Acked> {
        self.react_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, seq, emoji, false).await
    }

    /// Takes an own reaction back. One that is not there is refused with the code
    /// `no_such_reaction`.
    pub async fn take_reaction_back(&self, conversation: ConversationId, seq: Seq, emoji: &str) -> Result<Acked> {
        self.react_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, seq, emoji, true).await
    }

    pub async fn react_as(
        &self,
        request: ClientMessageId,
        conversation: ConversationId,
        seq: Seq,
        emoji: &str,
        remove: bool,
    ) -> Result<Acked> {
        let react = wire::React {
            request: Bytes::copy_from_slice(&request.0),
            conversation: conversation.to_string(),
            seq: seq.0,
            emoji: emoji.into(),
            remove,
        };
        match self.call(Request::React(react)).await? {
            Message::SendAck(ack) => Ok(Acked { id: request, seq: Seq(ack.seq), time: Timestamp(ack.time_ms) }),
            other => Err(unexpected(&other)),
        }
    }

    async fn history(
        &self,
        conversation: ConversationId,
        seq: Seq,
        backward: bool,
        limit: usize,
    ) -> Result<HistoryPage> {
        let limit = limit.min(limits::PAGE_EVENTS) as u32;
        let fetch = wire::Fetch { conversation: conversation.to_string(), seq: seq.0, backward, limit };
        match self.call(Request::Fetch(fetch)).await? {
            Message::Page(page) => Ok(HistoryPage {
                events: page.events.into_iter().map(Event::try_from).collect::<Result<_, _>>().map_err(unreadable)?,
                head: Seq(page.head),
                more: page.more,
                reactions: page.reactions.into_iter().map(reactions).collect(),
                streaming: page.states.iter().filter_map(streaming).collect(),
                edited: page.states.into_iter().filter_map(edited).collect(),
                polls: page.polls.into_iter().map(|poll| (Seq(poll.seq), poll.into())).collect(),
            }),
            other => Err(unexpected(&other)),
        }
    }
}

fn reactions(of: wire::Reactions) -> (Seq, Vec<Reaction>) {
    (Seq(of.seq), of.counts.into_iter().map(Reaction::from).collect())
}

fn streaming(of: &wire::MessageState) -> Option<(Seq, Streaming)> {
    let body = of.body.clone().filter(|_| of.streaming).map(Body::from)?;
    let text = body.as_text().unwrap_or_default().to_owned();
    Some((Seq(of.seq), Streaming { text, pieces: of.pieces }))
}

pub(super) fn edited(of: wire::MessageState) -> Option<(Seq, Edited)> {
    if of.streaming {
        return None;
    }
    let edits = of.edits.into_iter().map(Seq).collect();
    Some((Seq(of.seq), Edited { edits, body: of.body?.into() }))
}

fn unreadable(error: DecodeError) -> Error {
    Error::Protocol(error.to_string())
}
