//! The messages of a conversation that are files.

use std::collections::BTreeMap;

use troupe_core::{ConversationId, Event, Seq};
use troupe_proto::wire::client as wire;

use super::Edited;
use super::history::edited;
use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePage {
    /// Newest first. An event that this version cannot read is none that it shows.
    pub events: Vec<Event>,
    /// The edited ones, by their seq.
    pub edited: BTreeMap<Seq, Edited>,
    /// For the next page. `None`: this is the end.
    pub next: Option<Seq>,
}

impl Client {
    /// Up to `limit` (50) images, voice messages, videos and files that this user sees, newest
    /// first. `before` is `next` of the page before. `kind`: only bodies of this kind.
    pub async fn files(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        kind: Option<u32>,
        limit: usize,
    ) -> Result<FilePage> {
        let (before, kind) = (before.map_or(0, |seq| seq.0), kind.unwrap_or_default());
        let list = wire::ListFiles { conversation: conversation.to_string(), before, kind, limit: limit as u32 };
        let page = match self.call(Request::ListFiles(list)).await? {
            Message::FileMessages(page) => page,
            other => return Err(unexpected(&other)),
        };
        Ok(FilePage {
            events: page.events.into_iter().filter_map(|event| Event::try_from(event).ok()).collect(),
            edited: page.states.into_iter().filter_map(edited).collect(),
            next: Some(Seq(page.next)).filter(|next| *next != Seq::ZERO),
        })
    }
}
