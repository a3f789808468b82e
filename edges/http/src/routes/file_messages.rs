//! The messages of a conversation that are files.

use std::collections::BTreeMap;

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, conversation_of_path};
use crate::problem::Problem;
use crate::query::{Path, Query, limit, seq};
use crate::routes::event::{Edited, Event};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FilesQuery {
    /// `next` of the page before.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9007199254740991u64)]
    before: Option<u64>,
    /// The kind of the body: 2 image, 3 voice message, 4 video, 5 file. Without it: all.
    #[param(value_type = Option<u32>, minimum = 2, maximum = 5)]
    kind: Option<u32>,
    /// Without it: as many as a page takes.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 50)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct FileMessages {
    /// Newest first, in their present states.
    messages: Vec<Event>,
    /// To name in `before`: a page looks at a bounded number of messages, and may have few or none.
    /// Absent: this is the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// The images, voice messages, videos and files of a conversation that the caller sees.
///
/// A message is not on the list when its content is gone, or when the caller has deleted it for
/// itself.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/files", tag = "files",
    params(("conversation" = inline(Conversation), Path), FilesQuery),
    responses((status = 200, body = FileMessages)))]
pub async fn list(
    asker: Asker,
    Path(conversation): Path<String>,
    Query(query): Query<FilesQuery>,
) -> Result<Answer<FileMessages>, Problem> {
    let limit = limit(query.limit, limits::PAGE_FILES)?;
    if query.before == Some(0) {
        return Err(Problem::bad_request("before: the first event is 1"));
    }
    if query.kind == Some(0) {
        return Err(Problem::bad_request("kind: it is 2 to 5"));
    }
    let (before, kind) = (seq("before", query.before.unwrap_or_default())?, query.kind.unwrap_or_default());
    let conversation = conversation_of_path(&conversation)?.to_string();
    let page = asker.perform(wire::ListFiles { conversation, before, kind, limit }).await?;
    let mut edited: BTreeMap<u64, Edited> =
        page.states.into_iter().filter_map(|state| Some((state.seq, Edited::of(state)?))).collect();
    let mut messages: Vec<Event> = page.events.into_iter().map(Event::from).collect();
    messages.iter_mut().for_each(|message| message.edited = edited.remove(&message.seq));
    Ok(Answer(FileMessages { messages, next: Some(page.next).filter(|next| *next > 0) }))
}
