//! The members that have read a message.

use troupe_core::{ConversationId, Seq, UserId, limits};
use troupe_proto::wire::client as wire;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// How many members see a message, and have read it. Its sender does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadCount {
    pub seq: Seq,
    pub read_by: u32,
    pub seen_by: u32,
}

impl Client {
    /// All members that have read a message, in order of their ids.
    pub async fn readers(&self, conversation: ConversationId, seq: Seq) -> Result<Vec<UserId>> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let (conversation, limit) = (conversation.to_string(), limits::PAGE_READERS as u32);
            let list = wire::ListReaders { conversation, seq: seq.0, after, limit };
            let page = match self.call(Request::ListReaders(list)).await? {
                Message::Readers(page) => page,
                other => return Err(unexpected(&other)),
            };
            let last = page.users.last().copied().unwrap_or(0);
            all.extend(page.users.into_iter().map(UserId));
            if !page.more || last <= after {
                return Ok(all);
            }
            after = last;
        }
    }

    /// Of those that are messages and that this user sees.
    pub async fn read_counts(&self, conversation: ConversationId, seqs: &[Seq]) -> Result<Vec<ReadCount>> {
        let seqs = seqs.iter().map(|seq| seq.0).collect();
        let count = |count: wire::ReadCount| {
            let wire::ReadCount { seq, read_by, seen_by } = count;
            ReadCount { seq: Seq(seq), read_by, seen_by }
        };
        let counts = wire::CountReaders { conversation: conversation.to_string(), seqs };
        match self.call(Request::CountReaders(counts)).await? {
            Message::ReadCounts(page) => Ok(page.counts.into_iter().map(count).collect()),
            other => Err(unexpected(&other)),
        }
    }
}
