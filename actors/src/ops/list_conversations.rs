//! `list_conversations`: a page of the user's list, in order of the ids, with where each
//! conversation stands.
//!
//! The user's shard has the list, and the shards of the conversations have the rest. Each shard
//! gets one request. A shard that does not answer in time delays no other, and its conversations
//! are listed as unavailable.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use troupe_core::event::Role;
use troupe_core::record::{Conversation, Mention, Personal};
use troupe_core::{ConversationId, Seq, ShardId, Slot, UserId, limits, unread};
use troupe_proto::client;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::cost::{Cost, SEARCH};
use super::{Answered, Found, Operation};
use crate::message::{Answer, Refusal, Request, wire};
use crate::service::{Caller, Service};
use crate::visible::visible_from;

const PART_PATIENCE: Duration = Duration::from_secs(2);

impl Operation for wire::ListConversations {
    /// The page itself, then a question to each shard that has one of its conversations.
    fn cost(&self) -> Cost {
        Cost::Units(SEARCH / 2)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        let after = match self.after.as_str() {
            "" => None,
            text => Some(client::conversation("list_conversations.after", text)?),
        };
        let limit = match self.limit as usize {
            0 => limits::PAGE_CONVERSATIONS,
            limit => limit.min(limits::PAGE_CONVERSATIONS),
        };
        // The channel is on each user's list and in no row: it comes first.
        let first = after.is_none();
        let after_row = after.filter(|after| *after != ConversationId::Everyone);
        let request = Request::Inbox { user, after: after_row, limit };
        let (mut ids, mut more) = match service.ask(user.slot(), request).await? {
            Answer::Inbox { conversations, next } => (conversations, next.is_some()),
            _ => return Err(Refusal::Unavailable),
        };
        if first {
            ids.insert(0, ConversationId::Everyone);
            more |= ids.len() > limit;
            ids.truncate(limit);
        }
        let (mut rows, unavailable) = summaries(&service, user, &ids).await?;
        name_peers(&service, user, &ids, &mut rows).await;
        let conversations = ids.iter().filter_map(|id| rows.remove(id)).collect();
        let unavailable = unavailable.iter().map(ConversationId::to_string).collect();
        Ok(wire::Conversations { conversations, more, unavailable })
    }
}

type Rows = BTreeMap<ConversationId, wire::Conversation>;

/// The rows of these conversations, and the conversations of shards that do not answer.
pub async fn summaries(
    service: &Service,
    user: UserId,
    ids: &[ConversationId],
) -> Result<(Rows, Vec<ConversationId>), Refusal> {
    let mut by_shard: BTreeMap<ShardId, Vec<ConversationId>> = BTreeMap::new();
    for id in ids {
        let shard = service.context.router.shard_of(id.slot()).ok_or(Refusal::OVERLOADED)?;
        by_shard.entry(shard).or_default().push(*id);
    }
    let asked = by_shard.into_values().map(|conversations| async {
        let slot = conversations.first().map_or(Slot(0), |id| id.slot());
        let request = Request::Summaries { user, conversations: conversations.clone() };
        (service.context.router.ask(slot, request, PART_PATIENCE).await, conversations)
    });
    let (mut rows, mut unavailable) = (Rows::new(), Vec::new());
    for (outcome, asked) in join_all(asked).await {
        match outcome {
            Ok(Answer::Summaries(found)) => rows.extend(
                found.into_iter().filter_map(|row| row.conversation.parse().ok().map(|id: ConversationId| (id, row))),
            ),
            _ => unavailable.extend(asked),
        }
    }
    Ok((rows, unavailable))
}

/// A direct conversation has the name of the other user, or none while that is unknown.
pub(super) async fn name_peers(service: &Service, user: UserId, ids: &[ConversationId], rows: &mut Rows) {
    let peers: Vec<UserId> = ids.iter().filter_map(|id| id.peer_of(user)).collect();
    let names = service.directory.names(&service.context, user, peers, PART_PATIENCE).await.unwrap_or_default();
    for (id, row) in rows {
        match id {
            ConversationId::Everyone => row.name = "everyone".to_owned(),
            ConversationId::Direct { .. } => {
                row.name = id.peer_of(user).and_then(|peer| names.get(&peer).cloned()).unwrap_or_default();
            }
            ConversationId::Group(_) => {}
        }
    }
}

/// At the leader of the user's shard: a page of the list, and what to ask the next one after.
pub fn inbox(view: &View, user: UserId, after: Option<ConversationId>, limit: usize) -> Found<Answer> {
    let limit = limit.clamp(1, limits::PAGE_CONVERSATIONS);
    let (mut conversations, mut from) = (Vec::new(), after);
    // Entries that were left behind are passed over, so that a page is only short at the end.
    let next = loop {
        let rows = view.inbox(user, from, limit)?;
        let end = rows.len() < limit;
        from = rows.last().map(|row| row.conversation).or(from);
        conversations.extend(rows.into_iter().filter(|row| row.present).map(|row| row.conversation));
        if conversations.len() > limit {
            conversations.truncate(limit);
            break conversations.last().copied();
        }
        if end {
            break None;
        }
    };
    Ok(Ok(Answer::Inbox { conversations, next }))
}

/// At the leader of the conversations' shard. Those that this user may not see are left out.
pub fn rows_of(view: &View, user: UserId, conversations: &[ConversationId]) -> Found<Answer> {
    let mut rows = Vec::new();
    for &id in conversations.iter().take(limits::PAGE_CONVERSATIONS + 1) {
        let Some(first) = visible_from(view, id, user)? else { continue };
        let row = view.conversation(id)?;
        let role = view.member(id, user)?.map_or(Role::Member, |member| member.role);
        let cursor = view.cursor(id, user)?;
        let head = row.as_ref().map_or(Seq::ZERO, |row| row.head);
        let personal = view.get::<Personal>(&(id, user))?;
        let first = first.max(personal.as_ref().map_or(Seq(1), |personal| personal.cleared.next()));
        let direct = matches!(id, ConversationId::Direct { .. });
        let numbered = |of, seq| view.numbered_up_to(id, of, seq);
        let mut unread = unread::unread(user, head, cursor.read, first, numbered)?;
        if let Some((from, to)) = row.as_ref().and_then(Conversation::vanished) {
            let read = cursor.read.max(Seq(from.0.saturating_sub(1)));
            unread = unread.saturating_sub(unread::unread(user, to, read, first, numbered)?);
        }
        let deleted = personal.as_ref().map_or(&[][..], |personal| &personal.deleted_unread);
        let from = first.max(cursor.read.next());
        let unread = unread.saturating_sub(deleted.iter().filter(|seq| **seq >= from).count() as u64);
        let mentions = mentions(view, (id, user), head, from, deleted)?;
        rows.push(wire::Conversation {
            conversation: id.to_string(),
            head: head.0,
            time_ms: row.as_ref().map_or(0, |row| row.time.0),
            delivered: cursor.delivered.0,
            read: cursor.read.0,
            unread,
            members: if direct { 2 } else { row.as_ref().map_or(0, |row| row.members) },
            role: wire::Role::from(role) as i32,
            open: row.as_ref().is_some_and(|row| row.open),
            kept: view.kept(id)?.unwrap_or_default().0,
            personal: personal.map(|personal| {
                let personal = client::personal(id, personal, head, cursor.read);
                wire::Personal { deleted: Vec::new(), ..personal }
            }),
            mentions,
            name: row.map(|row| row.name).unwrap_or_default(),
        });
    }
    Ok(Ok(Answer::Summaries(rows)))
}

/// Events from `first` on that mention the user or everyone, up to a bound, without deleted ones. A
/// conversation without unread events costs no read.
fn mentions(
    view: &View,
    (conversation, user): (ConversationId, UserId),
    head: Seq,
    first: Seq,
    deleted: &[Seq],
) -> Result<u32, EngineError> {
    if first > head {
        return Ok(0);
    }
    let before = Seq(first.0.saturating_sub(1));
    let mut found = BTreeSet::new();
    for mentioned in [user, UserId(0)] {
        let after = (conversation, mentioned, before);
        let rows = view.page::<Mention>(&(conversation, mentioned), Some(&after), limits::MENTIONS_COUNTED)?;
        let others = rows.into_iter().filter(|(_, Mention(sender))| *sender != user.0);
        found.extend(others.map(|((_, _, seq), _)| seq).filter(|seq| deleted.binary_search(seq).is_err()));
    }
    Ok(found.len().min(limits::MENTIONS_COUNTED) as u32)
}
