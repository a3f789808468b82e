//! Hooks of a group.

use bytes::Bytes;
use troupe_core::{ClientMessageId, ConversationId, Seq, Timestamp, UserId, limits};
use troupe_proto::wire::client as wire;
use troupe_proto::wire::client::change_hook::Change;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// A hook that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewHook {
    /// A URL that posts to the group.
    Incoming,
    /// A URL that gets the events of the group.
    Outgoing { url: String },
    /// A URL that is asked before each message. `closed`: messages are refused while it does not
    /// answer.
    Before { url: String, closed: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookInfo {
    pub hook: u64,
    pub outgoing: bool,
    /// It is asked before each message.
    pub before: bool,
    pub name: String,
    /// The member that made it.
    pub by: UserId,
    pub created: Timestamp,
    /// Empty for an incoming one.
    pub url: String,
    /// Of one that is asked before: messages are refused while it does not answer.
    pub closed: bool,
    /// The receiver has the events up to this one, but those that are dead.
    pub delivered: Seq,
    pub dead: u32,
}

impl From<wire::Hook> for HookInfo {
    fn from(hook: wire::Hook) -> HookInfo {
        let outgoing = hook.kind() == wire::HookKind::Outgoing;
        let before = hook.kind() == wire::HookKind::Before;
        let wire::Hook { hook, name, by, created_ms, url, delivered, dead, closed, .. } = hook;
        let (by, created, delivered) = (UserId(by), Timestamp(created_ms), Seq(delivered));
        HookInfo { hook, outgoing, before, name, by, created, url, closed, delivered, dead }
    }
}

impl Client {
    /// Makes a hook. The secret has 16 to 64 letters, digits, `-` and `_`.
    pub async fn make_hook(
        &self,
        conversation: ConversationId,
        name: &str,
        secret: &str,
        new: NewHook,
    ) -> Result<HookInfo> {
        let (kind, url, closed) = match new {
            NewHook::Incoming => (wire::HookKind::Incoming, String::new(), false),
            NewHook::Outgoing { url } => (wire::HookKind::Outgoing, url, false),
            NewHook::Before { url, closed } => (wire::HookKind::Before, url, closed),
        };
        let new = wire::NewHook { kind: kind.into(), name: name.to_owned(), secret: secret.to_owned(), url, closed };
        self.change_hook(conversation, Change::Make(new)).await
    }

    /// Ends a hook, with its dead events.
    pub async fn end_hook(&self, conversation: ConversationId, hook: u64) -> Result<()> {
        self.change_hook(conversation, Change::End(hook)).await.map(drop)
    }

    /// Tries a dead event of a hook again, or all of them.
    pub async fn retry_dead(&self, conversation: ConversationId, hook: u64, seq: Option<Seq>) -> Result<()> {
        let retry = wire::RetryDead { hook, seq: seq.map_or(0, |seq| seq.0) };
        self.change_hook(conversation, Change::Retry(retry)).await.map(drop)
    }

    /// The hooks of a group, without their secrets.
    pub async fn hooks(&self, conversation: ConversationId) -> Result<Vec<HookInfo>> {
        let list = wire::ListHooks { conversation: conversation.to_string() };
        match self.call(Request::ListHooks(list)).await? {
            Message::Hooks(list) => Ok(list.hooks.into_iter().map(HookInfo::from).collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// A page of the events that the receiver of a hook did not take, behind `after`.
    pub async fn dead_events(
        &self,
        conversation: ConversationId,
        hook: u64,
        after: Seq,
    ) -> Result<(Vec<wire::DeadEvent>, bool)> {
        let limit = limits::PAGE_DEAD as u32;
        let list = wire::ListDead { conversation: conversation.to_string(), hook, after: after.0, limit };
        match self.call(Request::ListDead(list)).await? {
            Message::DeadEvents(page) => Ok((page.events, page.more)),
            other => Err(unexpected(&other)),
        }
    }

    async fn change_hook(&self, conversation: ConversationId, change: Change) -> Result<HookInfo> {
        let request = Bytes::copy_from_slice(&ClientMessageId(self.shared.context.rng.bytes()).0);
        let change = wire::ChangeHook { request, conversation: conversation.to_string(), change: Some(change) };
        match self.call(Request::ChangeHook(change)).await? {
            Message::Hook(hook) => Ok(hook.into()),
            other => Err(unexpected(&other)),
        }
    }
}
