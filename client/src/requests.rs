//! All requests except sends.
//!
//! Each request is safe to repeat, reads by nature and changes by their request id. It is repeated
//! at any node that answers, until the client's patience ends.

mod bots;
mod calls;
mod changes;
mod contacts;
mod favourites;
mod file_messages;
mod files;
mod forwards;
mod history;
mod hooks;
mod join_requests;
mod links;
mod moderation;
mod personal;
mod pins;
mod polls;
mod profile;
mod readers;
mod reports;
mod scheduled;
mod search;
mod shown;
mod signals;
mod streams;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use troupe_core::command::Intent;
use troupe_core::{ClientMessageId, ConversationId, Rejection, Seq, Timestamp, UserId, limits};
use troupe_proto::client::{self, Refusal};
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client, State};
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};

pub use contacts::*;
pub use favourites::*;
pub use file_messages::*;
pub use files::*;
pub use forwards::*;
pub use history::*;
pub use hooks::*;
pub use join_requests::*;
pub use links::*;
pub use moderation::*;
pub use personal::Personal;
pub(crate) use personal::pushed;
pub use pins::*;
pub use polls::*;
pub use profile::*;
pub use readers::*;
pub use scheduled::*;
pub use search::*;
pub use shown::*;

/// Delay between two attempts at the same node.
const PAUSE: Duration = Duration::from_millis(50);

impl Client {
    /// Asks any node until one answers. Only for requests that may be repeated.
    pub async fn call(&self, request: Request) -> Result<Message> {
        let deadline = Instant::now() + self.shared.patience;
        loop {
            self.wait_online(deadline.saturating_duration_since(Instant::now())).await?;
            let mut last = None;
            let pause = match self.connection() {
                // Between two connections. The state changes soon.
                None => PAUSE,
                Some(connection) => match connection.request(request.clone()).await {
                    Err(error @ Error::Overloaded { retry_after, .. }) => {
                        last = Some(error);
                        retry_after.max(PAUSE)
                    }
                    Err(Error::Unavailable(_)) => PAUSE,
                    Err(Error::Rejected { code, .. }) if code == Refusal::NotLoggedIn.code() => PAUSE,
                    answer => return answer,
                },
            };
            if Instant::now() + pause >= deadline {
                // Nothing was applied, and the server has named the reason and a delay.
                let late = || Error::Unavailable("no node could do it in time: try again".into());
                return Err(last.unwrap_or_else(late));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn done(&self, request: Request) -> Result<()> {
        match self.call(request).await? {
            Message::Done(wire::Done {}) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends this session everywhere. The client stops.
    pub async fn logout(&self) -> Result<()> {
        match self.done(Request::Logout(wire::Logout {})).await {
            // The last frame may be the kick instead of the answer.
            Err(_) if matches!(self.state(), State::Kicked { .. }) => Ok(()),
            other => other,
        }
    }

    pub async fn sessions(&self) -> Result<Vec<SessionInfo>> {
        match self.call(Request::ListSessions(wire::ListSessions {})).await? {
            Message::Sessions(list) => Ok(list.sessions.into_iter().map(SessionInfo::from).collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// Logs out another device of this user.
    pub async fn revoke(&self, device: &str) -> Result<()> {
        self.done(Request::RevokeSession(wire::RevokeSession { device: device.into() })).await
    }

    /// The whole conversation list.
    pub async fn conversations(&self) -> Result<ConversationList> {
        let mut list = ConversationList::default();
        let mut after = None;
        loop {
            let limit = limits::PAGE_CONVERSATIONS as u32;
            let from = after.map_or_else(String::new, |after: ConversationId| after.to_string());
            let request = Request::ListConversations(wire::ListConversations { after: from, limit });
            let page = match self.call(request).await? {
                Message::Conversations(page) => page,
                other => return Err(unexpected(&other)),
            };
            // A page may hold only unavailable conversations. The next page begins after the last
            // of both.
            let both = page.conversations.iter().map(|line| &line.conversation).chain(&page.unavailable);
            let last = both.filter_map(|id| id.parse::<ConversationId>().ok()).max();
            list.unavailable.extend(page.unavailable.iter().filter_map(|c| c.parse::<ConversationId>().ok()));
            for line in page.conversations {
                list.conversations.push(line.try_into()?);
            }
            match last {
                Some(last) if page.more && after.is_none_or(|after| last > after) => after = Some(last),
                _ => return Ok(list),
            }
        }
    }

    /// One conversation of this user; `None`: there is none, or the user is not in it.
    pub async fn conversation(&self, conversation: ConversationId) -> Result<Option<ConversationInfo>> {
        let request = wire::GetConversations { conversations: vec![conversation.to_string()] };
        match self.call(Request::GetConversations(request)).await? {
            Message::Conversations(found) if !found.unavailable.is_empty() => {
                Err(Error::Unavailable("the shard of this conversation does not answer: try again".into()))
            }
            Message::Conversations(found) => found.conversations.into_iter().next().map(TryInto::try_into).transpose(),
            other => Err(unexpected(&other)),
        }
    }

    /// Groups that strangers have added this user to, and direct conversations that they have
    /// begun, neither accepted nor declined.
    pub async fn invitations(&self) -> Result<Vec<InvitationInfo>> {
        match self.call(Request::ListInvitations(wire::ListInvitations {})).await? {
            Message::Invitations(list) => list.invitations.into_iter().map(InvitationInfo::try_from).collect(),
            other => Err(unexpected(&other)),
        }
    }

    /// Accepts the invitation. The conversation appears in the list of all devices. `seq` is
    /// the invitation's, as listed.
    pub async fn accept_invitation(&self, conversation: ConversationId, seq: Seq) -> Result<()> {
        let conversation = conversation.to_string();
        self.done(Request::AcceptInvitation(wire::AcceptInvitation { conversation, seq: seq.0, decline: false })).await
    }

    /// Declines the message of a stranger: its direct conversation stays unlisted.
    pub async fn decline_messages(&self, conversation: ConversationId, seq: Seq) -> Result<()> {
        let conversation = conversation.to_string();
        self.done(Request::AcceptInvitation(wire::AcceptInvitation { conversation, seq: seq.0, decline: true })).await
    }

    /// Leaves the group, which ends the invitation.
    pub async fn decline_invitation(&self, conversation: ConversationId) -> Result<()> {
        self.change_group(conversation, Intent::Leave).await.map(drop)
    }

    /// Tells the members that this user has read up to `seq`.
    pub async fn mark_read(&self, conversation: ConversationId, seq: Seq) -> Result<()> {
        self.done(Request::MarkRead(wire::MarkRead { conversation: conversation.to_string(), seq: seq.0 })).await
    }

    /// Creates a group once, however often the request is repeated.
    ///
    /// ```no_run
    /// # use troupe_client::{Client, Result};
    /// # use troupe_core::{Body, command::Intent};
    /// # async fn example(client: Client) -> Result<()> {
    /// let members: Vec<_> =
    ///     client.get_users(&[], &["bob".into()]).await?.iter().map(|user| user.user).collect();
    /// let group = client.create_group("The team", false, &members).await?;
    /// client.send(group, Body::text("welcome"))?.await?;
    /// client.change_group(group, Intent::Rename { name: "The other team".into() }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_group(&self, name: &str, open: bool, members: &[UserId]) -> Result<ConversationId> {
        self.create_group_as(ClientMessageId(self.shared.context.rng.bytes()), name, open, members).await
    }

    pub async fn create_group_as(
        &self,
        request: ClientMessageId,
        name: &str,
        open: bool,
        members: &[UserId],
    ) -> Result<ConversationId> {
        let create = wire::CreateGroup {
            request: Bytes::copy_from_slice(&request.0),
            name: name.into(),
            open,
            members: members.iter().map(|user| user.0).collect(),
        };
        match self.call(Request::CreateGroup(create)).await? {
            Message::GroupCreated(created) => {
                created.conversation.parse().map_err(|_| Error::Protocol("a group without an id".into()))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Changes a group once. The change is an event of its log.
    pub async fn change_group(&self, group: ConversationId, change: Intent) -> Result<Acked> {
        self.change_group_as(ClientMessageId(self.shared.context.rng.bytes()), group, change).await
    }

    pub async fn change_group_as(
        &self,
        request: ClientMessageId,
        group: ConversationId,
        change: Intent,
    ) -> Result<Acked> {
        let change = client::change(&change).filter(|_| group.is_group());
        let Some(change) = change else { return Err(Error::rejected(&Rejection::NotAGroup)) };
        let change = wire::ChangeGroup {
            request: Bytes::copy_from_slice(&request.0),
            conversation: group.to_string(),
            change: Some(change),
        };
        match self.call(Request::ChangeGroup(change)).await? {
            Message::SendAck(ack) => Ok(Acked { id: request, seq: Seq(ack.seq), time: Timestamp(ack.time_ms) }),
            other => Err(unexpected(&other)),
        }
    }

    /// All members, in order of their ids.
    pub async fn members(&self, conversation: ConversationId) -> Result<Vec<GroupMember>> {
        let mut members = Vec::new();
        let mut after = 0;
        loop {
            let limit = limits::PAGE_EVENTS as u32;
            let request = wire::ListMembers { conversation: conversation.to_string(), after, limit };
            let page = match self.call(Request::ListMembers(request)).await? {
                Message::Members(page) => page,
                other => return Err(unexpected(&other)),
            };
            let last = page.members.last().map(|member| member.user_id);
            members.extend(page.members.into_iter().map(GroupMember::from));
            match last {
                Some(last) if page.more && last > after => after = last,
                _ => return Ok(members),
            }
        }
    }

    /// A page of users whose name begins with `prefix`, after the name `after`, and whether there
    /// are more.
    pub async fn find_users(&self, prefix: &str, after: &str) -> Result<(Vec<UserInfo>, bool)> {
        let limit = limits::PAGE_USERS as u32;
        let request = wire::FindUsers { prefix: prefix.into(), after: after.into(), limit };
        self.users(Request::FindUsers(request)).await
    }

    /// A page of online users, after the name `after`, and whether there are more.
    pub async fn online_users(&self, after: &str) -> Result<(Vec<UserInfo>, bool)> {
        self.users(Request::ListOnline(wire::ListOnline { after: after.into(), limit: limits::PAGE_USERS as u32 }))
            .await
    }

    /// The users with these ids and names. Unknown ones are omitted.
    pub async fn get_users(&self, ids: &[UserId], names: &[String]) -> Result<Vec<UserInfo>> {
        let request = wire::GetUsers { ids: ids.iter().map(|user| user.0).collect(), names: names.to_vec() };
        Ok(self.users(Request::GetUsers(request)).await?.0)
    }

    async fn users(&self, request: Request) -> Result<(Vec<UserInfo>, bool)> {
        match self.call(request).await? {
            Message::Users(users) => Ok((users.users.into_iter().map(UserInfo::from).collect(), users.more)),
            other => Err(unexpected(&other)),
        }
    }
}
