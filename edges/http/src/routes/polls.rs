//! Votes in polls. A poll is a message whose body has the type `poll`.

use axum::Json as Answer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use troupe_actors::message::{Refusal, wire};
use troupe_core::{Intent, Seq, limits};
use utoipa::{IntoParams, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::json::Json;
use crate::key::Key;
use crate::problem::Problem;
use crate::query::{Path, Query, limit};
use crate::routes::messages::{Placed, message_of_path};

/// The votes of a poll of a page.
#[derive(Serialize, ToSchema)]
pub struct PollState {
    /// Of each option. An open anonymous poll shows none.
    counts: Vec<u32>,
    /// Users that have a vote.
    voters: u32,
    /// The options of the caller's own vote.
    mine: Vec<u32>,
    closed: bool,
}

impl From<wire::PollState> for PollState {
    fn from(state: wire::PollState) -> PollState {
        let wire::PollState { seq: _, counts, voters, mine, closed } = state;
        PollState { counts, voters, mine, closed }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVote {
    /// The numbers of options, from 0: one, or several where the poll says so.
    #[schema(value_type = Vec<u32>, min_items = 1, max_items = 20)]
    options: Vec<OptionNumber>,
}

/// The place of an option in its poll.
#[derive(Clone, Copy, Deserialize)]
struct OptionNumber(#[serde(deserialize_with = "crate::json::whole")] u64);

/// Votes in a poll, or changes the caller's vote.
///
/// A caller that has this vote already gets 204: nothing is placed.
#[utoipa::path(put, path = "/v1/conversations/{conversation}/messages/{seq}/vote", tag = "messages",
    request_body = NewVote,
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "The caller has this vote already")))]
pub async fn vote(
    asker: Asker,
    Path((conversation, seq)): Path<(String, String)>,
    key: Key,
    Json(vote): Json<NewVote>,
) -> Result<Response, Problem> {
    // A number that no option has is refused with the others.
    let mut options: Vec<u32> = vote.options.iter().map(|option| option.0.try_into().unwrap_or(u32::MAX)).collect();
    options.sort_unstable();
    cast(&asker, &conversation, &seq, options, false, key).await
}

/// Takes the caller's vote back.
///
/// A caller without a vote gets 204: nothing is placed.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/messages/{seq}/vote", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "The caller has no vote")))]
pub async fn take_back(
    asker: Asker,
    Path((conversation, seq)): Path<(String, String)>,
    key: Key,
) -> Result<Response, Problem> {
    cast(&asker, &conversation, &seq, Vec::new(), true, key).await
}

async fn cast(
    asker: &Asker,
    conversation: &str,
    seq: &str,
    options: Vec<u32>,
    remove: bool,
    key: Key,
) -> Result<Response, Problem> {
    let conversation = conversation_of_path(conversation)?;
    let seq = message_of_path(seq)?;
    let intent = Intent::Vote { to: Seq(seq), options: options.clone(), remove };
    let vote = wire::Vote { conversation: conversation.to_string(), request: key.bytes(), seq, options, remove };
    match asker.try_perform(vote).await? {
        Ok(ack) => {
            if ack.duplicate && key.given {
                asker.is_the_same(conversation, Seq(ack.seq), &intent).await?;
            }
            Ok(Answer(Placed::of(&ack, &key)).into_response())
        }
        // `PUT` and `DELETE` name a state, and it is this one already.
        Err(refusal) if is_so(&refusal, remove) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => Err(asker.refused(refusal).under(key.id)),
    }
}

fn is_so(refusal: &Refusal, remove: bool) -> bool {
    let code_of_state = if remove { "no_such_vote" } else { "already_voted" };
    matches!(refusal, Refusal::Rejected { code, .. } if code == code_of_state)
}

/// Closes a poll, with its counts as the record. Its sender may, and admins of the group.
///
/// A poll that is closed already gets 204: nothing is placed.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/messages/{seq}/close", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed), (status = 204, description = "It is closed already")))]
pub async fn close(
    asker: Asker,
    Path((conversation, seq)): Path<(String, String)>,
    key: Key,
) -> Result<Response, Problem> {
    let conversation = conversation_of_path(&conversation)?;
    let seq = message_of_path(&seq)?;
    let close = wire::ClosePoll { conversation: conversation.to_string(), request: key.bytes(), seq };
    match asker.try_perform(close).await? {
        Ok(ack) => {
            if ack.duplicate && key.given {
                asker.is_the_same(conversation, Seq(ack.seq), &Intent::ClosePoll { to: Seq(seq) }).await?;
            }
            Ok(Answer(Placed::of(&ack, &key)).into_response())
        }
        Err(Refusal::Rejected { code, .. }) if code == "poll_closed" => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => Err(asker.refused(refusal).under(key.id)),
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VotesQuery {
    /// The last user of the page before.
    #[param(value_type = Option<String>, pattern = "^[1-9][0-9]{0,15}$")]
    after: Option<Id>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct Votes {
    /// In order of user id.
    votes: Vec<UserVote>,
    more: bool,
}

#[derive(Serialize, ToSchema)]
pub struct UserVote {
    user: Id,
    options: Vec<u32>,
}

/// The users that have voted in a poll, with their votes. An anonymous poll has no such list.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/messages/{seq}/votes", tag = "messages",
    params(("conversation" = inline(Conversation), Path),
        ("seq" = u64, Path, minimum = 1, maximum = 9007199254740991u64), VotesQuery),
    responses((status = 200, body = Votes)))]
pub async fn votes(
    asker: Asker,
    Path((conversation, seq)): Path<(String, String)>,
    Query(query): Query<VotesQuery>,
) -> Result<Answer<Votes>, Problem> {
    let after = query.after.map_or(0, |after| after.0);
    let limit = limit(query.limit, limits::PAGE_VOTES)?;
    let conversation = conversation_of_path(&conversation)?.to_string();
    let seq = message_of_path(&seq)?;
    let page = asker.perform(wire::ListVotes { conversation, seq, after, limit }).await?;
    let vote = |vote: wire::UserVote| UserVote { user: Id(vote.user_id), options: vote.options };
    Ok(Answer(Votes { votes: page.votes.into_iter().map(vote).collect(), more: page.more }))
}
