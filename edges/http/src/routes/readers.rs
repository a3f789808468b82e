//! The members that have read a message.

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_core::limits;
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::problem::Problem;
use crate::query::{GREATEST, Path, Query, limit};
use crate::routes::messages::message_of_path;

#[derive(Serialize, ToSchema)]
pub struct Readers {
    /// Members that have read the message. Its sender does not count.
    read_by: u32,
    /// Members that see it: those that came later do not.
    seen_by: u32,
    /// A page of those that have read it, in order of their ids.
    users: Vec<Id>,
    more: bool,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReadersQuery {
    /// The last user of the page before.
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,15}$")]
    after: Option<Id>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// The members that have read a message, in conversations of at most 1,000 members.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/messages/{seq}/readers", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64), ReadersQuery),
    responses((status = 200, body = Readers)))]
pub async fn list(
    asker: Asker,
    Path((conversation, seq)): Path<(String, String)>,
    Query(query): Query<ReadersQuery>,
) -> Result<Answer<Readers>, Problem> {
    let limit = limit(query.limit, limits::PAGE_READERS)?;
    let after = query.after.map_or(0, |after| after.0);
    let (conversation, seq) = (conversation_of_path(&conversation)?.to_string(), message_of_path(&seq)?);
    let page = asker.perform(wire::ListReaders { conversation, seq, after, limit }).await?;
    let wire::Readers { read_by, seen_by, users, more } = page;
    Ok(Answer(Readers { read_by, seen_by, users: users.into_iter().map(Id).collect(), more }))
}

#[derive(Serialize, ToSchema)]
pub struct ReadCounts {
    counts: Vec<ReadCount>,
}

#[derive(Serialize, ToSchema)]
pub struct ReadCount {
    seq: u64,
    read_by: u32,
    seen_by: u32,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CountQuery {
    /// At most 50 messages by their seqs, with commas between them.
    #[param(pattern = "^[1-9][0-9]{0,14}(,[1-9][0-9]{0,14}){0,49}$")]
    seqs: String,
}

/// How many members have read each of several messages.
///
/// Numbers that are none of messages that the caller sees are left out.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/readers", tag = "messages",
    params(("conversation" = inline(Conversation), Path), CountQuery), responses((status = 200, body = ReadCounts)))]
pub async fn count(
    asker: Asker,
    Path(conversation): Path<String>,
    Query(query): Query<CountQuery>,
) -> Result<Answer<ReadCounts>, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    let seq = |text: &str| text.parse::<u64>().ok().filter(|seq| !text.starts_with(['0', '+']) && *seq <= GREATEST);
    let seqs: Option<Vec<u64>> = query.seqs.split(',').map(seq).collect();
    let Some(seqs) = seqs.filter(|seqs| seqs.len() <= limits::READ_COUNTS) else {
        return Err(Problem::bad_request("seqs: give 1 to 50 numbers of messages, with commas between them"));
    };
    let page = asker.perform(wire::CountReaders { conversation, seqs }).await?;
    let count = |count: wire::ReadCount| {
        let wire::ReadCount { seq, read_by, seen_by } = count;
        ReadCount { seq, read_by, seen_by }
    };
    Ok(Answer(ReadCounts { counts: page.counts.into_iter().map(count).collect() }))
}
