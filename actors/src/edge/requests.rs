//! What a logged-in user may ask, each as one function from the request to the answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use troupe_core::command::{CloseSession, Intent};
use troupe_core::{
    ClientMessageId, Command, ConversationId, DeviceId, NameKey, Rejection, Seq, ShardId, Slot, TokenHash, UserId,
    limits, machine, text,
};
use troupe_proto::client;

use super::{Front, ServerMessage, directory, done};
use crate::message::{Answer, Refusal, Request, wire};
use crate::router::PATIENCE;

type Answered = Result<ServerMessage, Refusal>;

/// One of many shards that does not answer within this time is left out and named, and holds nobody
/// else up.
const PART_PATIENCE: Duration = Duration::from_secs(2);

pub fn placed(answer: Answer, conversation: ConversationId, id: ClientMessageId) -> Answered {
    match answer {
        Answer::Placed { seq, time, duplicate } => Ok(ServerMessage::SendAck(wire::SendAck {
            client_message_id: Bytes::copy_from_slice(&id.0),
            seq: seq.0,
            time_ms: time.0,
            duplicate,
            conversation: conversation.to_string(),
        })),
        _ => Err(Refusal::Unavailable),
    }
}

pub async fn sessions(front: Arc<Front>, user: UserId, device: DeviceId) -> Answered {
    match front.world.router.ask(user.slot(), Request::Sessions(user), PATIENCE).await? {
        Answer::Sessions(mut list) => {
            for session in &mut list.sessions {
                session.current = session.device == device.as_str();
            }
            Ok(ServerMessage::Sessions(list))
        }
        _ => Err(Refusal::Unavailable),
    }
}

pub async fn revoke(front: Arc<Front>, user: UserId, revoke: wire::RevokeSession) -> Answered {
    let device = client::device("revoke_session.device", &revoke.device)?;
    close(&front, user, device, None).await?;
    Ok(ServerMessage::Done(wire::Done {}))
}

pub async fn close(front: &Front, user: UserId, device: DeviceId, token: Option<TokenHash>) -> Result<(), Refusal> {
    let command = Command::CloseSession(CloseSession { user, device, token });
    done(front.world.router.ask(user.slot(), Request::Commit(command), PATIENCE).await?)
}

pub async fn fetch(front: Arc<Front>, user: UserId, fetch: wire::Fetch) -> Answered {
    let conversation = client::conversation("fetch.conversation", &fetch.conversation)?;
    let request = Request::Fetch {
        conversation,
        reader: Some(user),
        seq: Seq(fetch.seq),
        backward: fetch.backward,
        limit: if fetch.limit == 0 { limits::PAGE_EVENTS } else { fetch.limit as usize },
    };
    match front.world.router.ask(conversation.slot(), request, PATIENCE).await? {
        Answer::Page(page) => Ok(ServerMessage::Page(page)),
        _ => Err(Refusal::Unavailable),
    }
}

/// A page of the user's list, then what their shards know of each: one question per shard, the slow
/// ones named.
pub async fn conversations(front: Arc<Front>, user: UserId, list: wire::ListConversations) -> Answered {
    let after = match list.after.as_str() {
        "" => None,
        text => Some(client::conversation("list_conversations.after", text)?),
    };
    let limit = match list.limit as usize {
        0 => limits::PAGE_CONVERSATIONS,
        limit => limit.min(limits::PAGE_CONVERSATIONS),
    };
    // The channel is on everybody's list and in nobody's rows: it comes first.
    let first = after.is_none();
    let after_row = after.filter(|after| *after != ConversationId::Everyone);
    let request = Request::Inbox { user, after: after_row, limit };
    let (mut ids, mut more) = match front.world.router.ask(user.slot(), request, PATIENCE).await? {
        Answer::Inbox { conversations, next } => (conversations, next.is_some()),
        _ => return Err(Refusal::Unavailable),
    };
    if first {
        ids.insert(0, ConversationId::Everyone);
        more |= ids.len() > limit;
        ids.truncate(limit);
    }
    let (mut rows, unavailable) = summaries(&front, user, &ids).await?;
    name_peers(&front, user, &ids, &mut rows).await;
    let conversations = ids.iter().filter_map(|id| rows.remove(id)).collect();
    let unavailable = unavailable.iter().map(ConversationId::to_string).collect();
    Ok(ServerMessage::Conversations(wire::Conversations { conversations, more, unavailable }))
}

type Rows = BTreeMap<ConversationId, wire::Conversation>;

pub(super) async fn summaries(
    front: &Front,
    user: UserId,
    ids: &[ConversationId],
) -> Result<(Rows, Vec<ConversationId>), Refusal> {
    let mut by_shard: BTreeMap<ShardId, Vec<ConversationId>> = BTreeMap::new();
    for id in ids {
        let shard = front.world.router.shard_of(id.slot()).ok_or(Refusal::OVERLOADED)?;
        by_shard.entry(shard).or_default().push(*id);
    }
    let asked = by_shard.into_values().map(|conversations| async {
        let slot = conversations.first().map_or(Slot(0), |id| id.slot());
        let request = Request::Summaries { user, conversations: conversations.clone() };
        (front.world.router.ask(slot, request, PART_PATIENCE).await, conversations)
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

/// A direct conversation is called by the other user; where that is not known now, it has no name.
async fn name_peers(front: &Front, user: UserId, ids: &[ConversationId], rows: &mut Rows) {
    let peers: Vec<UserId> = ids.iter().filter_map(|id| id.peer_of(user)).collect();
    let names = front.directory.names(&front.world, user, peers, PART_PATIENCE).await.unwrap_or_default();
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

/// The machine checks less, because logs hold titles of earlier versions.
fn title(title: &str) -> Result<(), Refusal> {
    const WHY: &str = "a group's name shows something and has no control or invisible characters: choose another";
    if text::is_title(title) { Ok(()) } else { Err(Refusal::rejected(Rejection::BadName.code(), WHY)) }
}

pub async fn create_group(front: Arc<Front>, user: UserId, create: wire::CreateGroup) -> Answered {
    let create = client::create_group(user, create)?;
    title(&create.name)?;
    if create.members.len() > limits::MEMBERS_PER_REQUEST {
        return Err(Rejection::TooMany.into());
    }
    let slot = create.slot();
    let command = Command::CreateGroup(create);
    machine::check(&command)?;
    if let Command::CreateGroup(create) = &command {
        front.budgets.group(user)?;
        front.budgets.members(user, create.members.len())?;
        exist(&front, user, &create.members).await?;
    }
    match front.world.router.ask(slot, Request::Commit(command), PATIENCE).await? {
        Answer::GroupCreated(group) => {
            let conversation = ConversationId::Group(group).to_string();
            Ok(ServerMessage::GroupCreated(wire::GroupCreated { conversation }))
        }
        _ => Err(Refusal::Unavailable),
    }
}

pub async fn change_group(front: Arc<Front>, user: UserId, change: wire::ChangeGroup) -> Answered {
    let change = client::change_group(user, change)?;
    let (conversation, id) = (change.conversation, change.client_message_id);
    let named = match &change.intent {
        Intent::Add { users } if users.len() > limits::MEMBERS_PER_REQUEST => {
            return Err(Rejection::TooMany.into());
        }
        Intent::Add { users } => users.clone(),
        Intent::Rename { name } => {
            title(name)?;
            Vec::new()
        }
        _ => Vec::new(),
    };
    let command = Command::Append(change);
    machine::check(&command)?;
    front.budgets.members(user, named.len())?;
    exist(&front, user, &named).await?;
    let request = Request::Commit(command);
    placed(front.world.router.ask(conversation.slot(), request, PATIENCE).await?, conversation, id)
}

/// Core cannot know the users of other slots: who is named is looked up here.
async fn exist(front: &Front, asker: UserId, users: &[UserId]) -> Result<(), Refusal> {
    let found = front.directory.all_exist(&front.world, asker, users, PATIENCE).await;
    // Only looked up so far: nothing was done.
    found.map_err(|refusal| if refusal == Refusal::Unavailable { Refusal::OVERLOADED } else { refusal })
}

pub async fn members(front: Arc<Front>, user: UserId, list: wire::ListMembers) -> Answered {
    let conversation = client::conversation("list_members.conversation", &list.conversation)?;
    let request = Request::Members {
        user,
        conversation,
        after: Some(UserId(list.after)).filter(|after| after.0 != 0),
        limit: if list.limit == 0 { limits::PAGE_MEMBERS } else { list.limit as usize },
    };
    match front.world.router.ask(conversation.slot(), request, PATIENCE).await? {
        Answer::Members(members) => Ok(ServerMessage::Members(members)),
        _ => Err(Refusal::Unavailable),
    }
}

pub async fn find_users(front: Arc<Front>, user: UserId, find: wire::FindUsers) -> Answered {
    search(&front, user, find.prefix, find.after, find.limit, false).await
}

pub async fn list_online(front: Arc<Front>, user: UserId, list: wire::ListOnline) -> Answered {
    search(&front, user, String::new(), list.after, list.limit, true).await
}

/// Asks every shard for its page, a few at once, and merges them by name.
async fn search(front: &Front, asker: UserId, prefix: String, after: String, limit: u32, online: bool) -> Answered {
    let limit = match limit as usize {
        0 => limits::PAGE_USERS,
        limit => limit.min(limits::PAGE_USERS),
    };
    // No name is as long, and none comes after one.
    if prefix.len().max(after.len()) > limits::USERNAME_MAX_BYTES {
        return Ok(ServerMessage::Users(wire::Users::default()));
    }
    let map = front.world.router.routing().shards.ok_or(Refusal::OVERLOADED)?;
    let slots: Vec<Slot> = map.shards().map(|shard| Slot(map.slots(shard).0)).collect();
    let asked = slots.into_iter().map(|slot| {
        let after = Some(after.clone()).filter(|after| !after.is_empty());
        let request = Request::Search { asker, prefix: prefix.clone(), after, limit, online };
        let router = front.world.router.clone();
        async move { router.ask(slot, request, PATIENCE).await }
    });
    let mut answers = futures::stream::iter(asked).buffered(limits::SEARCHED_AT_ONCE);
    let (mut users, mut more) = (Vec::new(), false);
    while let Some(outcome) = answers.next().await {
        match outcome? {
            Answer::Users(page) => {
                more |= page.more;
                users.extend(page.users);
            }
            _ => return Err(Refusal::Unavailable),
        }
    }
    users.sort_by_cached_key(|user: &wire::User| NameKey::of(&user.name));
    more |= users.len() > limit;
    users.truncate(limit);
    front.directory.remember(&users);
    Ok(ServerMessage::Users(wire::Users { users, more }))
}

pub async fn get_users(front: Arc<Front>, user: UserId, get: wire::GetUsers) -> Answered {
    if get.ids.len() + get.names.len() > limits::PAGE_USERS * 2 {
        return Err(Rejection::TooMany.into());
    }
    let ids = get.ids.into_iter().map(UserId).collect();
    let mut users = directory::lookup(&front.world, user, ids, Vec::new(), PATIENCE).await?;
    users.extend(directory::lookup_names(&front.world, user, &get.names, PATIENCE).await?);
    front.directory.remember(&users);
    Ok(ServerMessage::Users(wire::Users { users, more: false }))
}
