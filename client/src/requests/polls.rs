//! Polls: votes, and their end.

use bytes::Bytes;
use troupe_core::{ClientMessageId, ConversationId, Seq, Timestamp, UserId};
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// The votes of a poll.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollState {
    /// Of each option. An open anonymous poll shows none.
    pub counts: Vec<u32>,
    pub voters: u32,
    /// The options of this user's vote.
    pub mine: Vec<u32>,
    pub closed: bool,
}

impl From<wire::PollState> for PollState {
    fn from(state: wire::PollState) -> PollState {
        let wire::PollState { seq: _, counts, voters, mine, closed } = state;
        PollState { counts, voters, mine, closed }
    }
}

impl Client {
    /// Votes in a poll, or changes the vote. The options count from 0. The same vote again is
    /// refused with the code `already_voted`.
    pub async fn vote(&self, conversation: ConversationId, poll: Seq, options: &[u32]) -> Result<Acked> {
        self.vote_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, poll, options).await
    }

    pub async fn vote_as(
        &self,
        request: ClientMessageId,
        conversation: ConversationId,
        poll: Seq,
        options: &[u32],
    ) -> Result<Acked> {
        let mut options = options.to_vec();
        options.sort_unstable();
        self.cast(request, conversation, poll, options, false).await
    }

    /// Takes the vote back. Without one it is refused with the code `no_such_vote`.
    pub async fn take_vote_back(&self, conversation: ConversationId, poll: Seq) -> Result<Acked> {
        self.cast(ClientMessageId(self.shared.context.rng.bytes()), conversation, poll, Vec::new(), true).await
    }

    async fn cast(
        &self,
        id: ClientMessageId,
        conversation: ConversationId,
        poll: Seq,
        options: Vec<u32>,
        remove: bool,
    ) -> Result<Acked> {
        let (request, conversation) = (Bytes::copy_from_slice(&id.0), conversation.to_string());
        self.place(id, Request::Vote(wire::Vote { request, conversation, seq: poll.0, options, remove })).await
    }

    /// Ends a poll with its counts: its sender may, and admins of a group. Another time is refused
    /// with the code `poll_closed`.
    pub async fn close_poll(&self, conversation: ConversationId, poll: Seq) -> Result<Acked> {
        self.close_poll_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, poll).await
    }

    pub async fn close_poll_as(&self, id: ClientMessageId, conversation: ConversationId, poll: Seq) -> Result<Acked> {
        let (request, conversation) = (Bytes::copy_from_slice(&id.0), conversation.to_string());
        self.place(id, Request::ClosePoll(wire::ClosePoll { request, conversation, seq: poll.0 })).await
    }

    /// All votes of a poll that is not anonymous, in order of the ids of their users.
    pub async fn votes(&self, conversation: ConversationId, poll: Seq) -> Result<Vec<(UserId, Vec<u32>)>> {
        let (mut votes, mut after) = (Vec::new(), 0);
        loop {
            let list = wire::ListVotes { conversation: conversation.to_string(), seq: poll.0, after, limit: 0 };
            let page = match self.call(Request::ListVotes(list)).await? {
                Message::Votes(page) => page,
                other => return Err(unexpected(&other)),
            };
            let last = page.votes.last().map_or(0, |vote| vote.user_id);
            votes.extend(page.votes.into_iter().map(|vote| (UserId(vote.user_id), vote.options)));
            if !page.more || last <= after {
                return Ok(votes);
            }
            after = last;
        }
    }

    async fn place(&self, id: ClientMessageId, request: Request) -> Result<Acked> {
        match self.call(request).await? {
            Message::SendAck(ack) => Ok(Acked { id, seq: Seq(ack.seq), time: Timestamp(ack.time_ms) }),
            other => Err(unexpected(&other)),
        }
    }
}
