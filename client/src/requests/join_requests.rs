//! Requests to join groups that let users in by approval.

use troupe_core::command::Intent;
use troupe_core::{ConversationId, Timestamp, UserId, limits};
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// An open request to join a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequestInfo {
    pub user: UserId,
    pub text: String,
    pub asked: Timestamp,
}

impl Client {
    pub async fn ask_to_join(&self, group: ConversationId, text: &str) -> Result<Acked> {
        self.change_group(group, Intent::AskToJoin { text: text.to_owned() }).await
    }

    /// Takes the own request back.
    pub async fn withdraw_request(&self, group: ConversationId) -> Result<Acked> {
        self.change_group(group, Intent::Withdraw).await
    }

    /// Lets a user in that has asked to join, or refuses it.
    pub async fn answer_request(&self, group: ConversationId, user: UserId, accept: bool) -> Result<Acked> {
        self.change_group(group, Intent::AnswerRequest { user, accept }).await
    }

    /// All open requests, in order of the ids of their users; an outsider's own one.
    pub async fn join_requests(&self, group: ConversationId) -> Result<Vec<JoinRequestInfo>> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let limit = limits::PAGE_JOIN_REQUESTS as u32;
            let list = wire::ListJoinRequests { conversation: group.to_string(), after, limit };
            let page = match self.call(Request::ListJoinRequests(list)).await? {
                Message::JoinRequests(page) => page,
                other => return Err(unexpected(&other)),
            };
            let last = page.requests.last().map_or(0, |request| request.user_id);
            all.extend(page.requests.into_iter().map(|request| JoinRequestInfo {
                user: UserId(request.user_id),
                text: request.text,
                asked: Timestamp(request.time_ms),
            }));
            if !page.more || last <= after {
                return Ok(all);
            }
            after = last;
        }
    }
}
