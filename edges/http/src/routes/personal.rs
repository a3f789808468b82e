//! The caller's own state of a conversation, the same on its devices.

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Conversation as ConversationText, conversation_of_path};
use crate::json::{Json, whole_given};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, seq};
use crate::routes::messages::given;

/// Properties that the caller has set for a conversation; others do not see them.
#[derive(Default, Serialize, ToSchema)]
pub struct PersonalState {
    /// Counts the changes: a device drops a `state` event below the one that it has.
    version: u64,
    /// The place among the pinned conversations; 0: not pinned.
    pin: u64,
    /// 0: not muted.
    muted_until_ms: u64,
    archived: bool,
    /// Until its next event.
    hidden: bool,
    draft: String,
    /// Until the read position moves.
    marked_unread: bool,
    /// The history up to this seq is not shown to the caller.
    cleared: u64,
    /// Messages that the caller has deleted for itself. Empty in lists of conversations.
    deleted: Vec<u64>,
}

impl From<wire::Personal> for PersonalState {
    fn from(row: wire::Personal) -> PersonalState {
        PersonalState {
            version: row.version,
            pin: row.pin,
            muted_until_ms: row.muted_until_ms,
            archived: row.archived,
            hidden: row.hidden,
            draft: row.draft,
            marked_unread: row.marked_unread,
            cleared: row.cleared,
            deleted: row.deleted,
        }
    }
}

/// The state of a conversation that was changed on any device.
#[derive(Serialize)]
pub struct Changed {
    conversation: String,
    #[serde(flatten)]
    state: PersonalState,
}

impl From<wire::Personal> for Changed {
    fn from(row: wire::Personal) -> Changed {
        Changed { conversation: row.conversation.clone(), state: row.into() }
    }
}

/// The caller's own state of a conversation.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/me", tag = "conversations",
    params(("conversation" = inline(ConversationText), Path)),
    responses((status = 200, body = PersonalState)))]
pub async fn show(asker: Asker, Path(conversation): Path<String>) -> Result<Answer<PersonalState>, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    Ok(Answer(asker.perform(wire::ShowPersonal { conversation }).await?.into()))
}

/// Properties to set; absent ones stay as they are.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeState {
    /// The version that the device has seen: if another device has changed one of these properties
    /// since, the change is refused with `state_changed`. Absent: the last change wins.
    #[serde(deserialize_with = "whole_given")]
    #[schema(value_type = u64, minimum = 0, maximum = 9007199254740991u64)]
    seen: Option<u64>,
    /// The place among the pinned conversations; 0: not pinned.
    #[serde(deserialize_with = "whole_given")]
    #[schema(value_type = u64, minimum = 0, maximum = 1000000)]
    pin: Option<u64>,
    /// 0: not muted.
    #[serde(deserialize_with = "whole_given")]
    #[schema(value_type = u64, minimum = 0, maximum = 9007199254740991u64)]
    muted_until_ms: Option<u64>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = bool)]
    archived: Option<bool>,
    /// Until the next event.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = bool)]
    hidden: Option<bool>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = String, max_length = 4096)]
    draft: Option<String>,
    /// Until the read position moves.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = bool)]
    marked_unread: Option<bool>,
    /// The history up to this seq is not shown to the caller any more. It only grows.
    #[serde(deserialize_with = "whole_given")]
    #[schema(value_type = u64, minimum = 0, maximum = 9007199254740991u64)]
    clear_to: Option<u64>,
}

/// Changes the caller's own state of a conversation, on all of its devices.
#[utoipa::path(patch, path = "/v1/conversations/{conversation}/me", tag = "conversations",
    params(("conversation" = inline(ConversationText), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = ChangeState, responses((status = 200, body = PersonalState)))]
pub async fn change(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(change): Json<ChangeState>,
) -> Result<Answer<PersonalState>, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    if let Some(version) = change.seen {
        seq("seen", version)?;
    }
    let ChangeState { seen, pin, muted_until_ms, archived, hidden, draft, marked_unread, clear_to } = change;
    let change = wire::ChangePersonal {
        conversation,
        request: key.bytes(),
        seen,
        pin,
        muted_until_ms,
        archived,
        hidden,
        draft,
        marked_unread,
        clear_to,
    };
    let state = asker.perform(change).await.map_err(|problem| problem.of_meaning().under(key.id))?;
    Ok(Answer(state.into()))
}

/// Messages of one conversation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    #[schema(value_type = Vec<u64>, min_items = 1, max_items = 100, minimum = 1, maximum = 9007199254740991u64)]
    seqs: Vec<SeqNumber>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct SeqNumber(#[serde(deserialize_with = "crate::json::whole")] u64);

/// Deletes messages for the caller: it sees them no more, on any device.
///
/// The others keep them. It cannot be undone.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/me/deleted", tag = "messages",
    params(("conversation" = inline(ConversationText), Path)), request_body = Messages,
    responses((status = 200, body = PersonalState)))]
pub async fn delete(
    asker: Asker,
    Path(conversation): Path<String>,
    Json(Messages { seqs }): Json<Messages>,
) -> Result<Answer<PersonalState>, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    let seqs = seqs.into_iter().map(|asked| seq("seqs", asked.0)).collect::<Result<Vec<_>, _>>()?;
    let deleted = asker.perform(wire::DeleteForMe { conversation, seqs }).await;
    deleted.map(|state| Answer(state.into())).map_err(Problem::of_meaning)
}
