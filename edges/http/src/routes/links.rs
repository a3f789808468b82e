//! Invite links of a group.

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_actors::message::wire::change_group::Change;
use troupe_core::feature::{code_hash, link_id};
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::json::{Json, whole};
use crate::key::Key;
use crate::problem::Problem;
use crate::query::Path;
use crate::routes::groups::change_group;
use crate::routes::messages::Placed;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// The client chooses it, and the cluster keeps its hash only.
    #[schema(pattern = "^[A-Za-z0-9-]{12,64}$")]
    code: String,
    /// Users that it may let in.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 10000)]
    uses: u32,
    /// 0: it does not expire.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 9007199254740991u64)]
    expires_ms: u64,
}

#[derive(Serialize, ToSchema)]
pub struct LinkMade {
    /// To list and to revoke it.
    link: String,
    /// For people, and as the text of a QR code: the group and the code.
    text: String,
    #[serde(flatten)]
    placed: Placed,
}

/// Makes an invite link.
///
/// Its text is `<group>.<code>`: the holder joins with both.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/invites", tag = "members",
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = NewLink, responses((status = 200, body = LinkMade)))]
pub async fn create(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(link): Json<NewLink>,
) -> Result<Answer<LinkMade>, Problem> {
    let NewLink { code, uses, expires_ms } = link;
    let Some(hash) = code_hash(&code) else {
        return Err(Problem::bad_request("code: a code has 12 to 64 letters, digits and dashes"));
    };
    let group = conversation_of_path(&conversation)?;
    let text = format!("{group}.{code}");
    let change = Change::MakeLink(wire::NewLink { code, uses, expires_ms });
    let Answer(placed) = change_group(&asker, &conversation, key, change).await?;
    Ok(Answer(LinkMade { link: link_id(&hash).to_string(), text, placed }))
}

#[derive(Serialize, ToSchema)]
pub struct Links {
    links: Vec<Link>,
}

#[derive(Serialize, ToSchema)]
pub struct Link {
    link: String,
    by: Id,
    created_ms: u64,
    /// 0: it does not expire.
    expires_ms: u64,
    uses: u32,
    used: u32,
}

/// The invite links of a group, without their codes.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/invites", tag = "members",
    params(("conversation" = inline(Conversation), Path)), responses((status = 200, body = Links)))]
pub async fn list(asker: Asker, Path(conversation): Path<String>) -> Result<Answer<Links>, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    let list = asker.perform(wire::ListLinks { conversation }).await?;
    let link = |link: wire::Link| Link {
        link: link.link.to_string(),
        by: Id(link.by),
        created_ms: link.created_ms,
        expires_ms: link.expires_ms,
        uses: link.uses,
        used: link.used,
    };
    Ok(Answer(Links { links: list.links.into_iter().map(link).collect() }))
}

/// Ends an invite link.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/invites/{link}", tag = "members",
    params(("conversation" = inline(Conversation), Path), ("link" = String, Path, description = "As listed"),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 200, body = Placed)))]
pub async fn revoke(
    asker: Asker,
    Path((conversation, link)): Path<(String, String)>,
    key: Key,
) -> Result<Answer<Placed>, Problem> {
    // A text that is no number is no link's.
    let link = link.parse().unwrap_or(u64::MAX);
    change_group(&asker, &conversation, key, Change::RevokeLink(link)).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    #[schema(max_length = 64)]
    code: String,
}

#[derive(Serialize, ToSchema)]
pub struct Preview {
    conversation: String,
    name: String,
    avatar: String,
    notice: String,
    members: u32,
}

/// Shows the group of a link to the holder of its code, before it joins.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/invites/preview", tag = "members",
    params(("conversation" = inline(Conversation), Path)), request_body = Code,
    responses((status = 200, body = Preview)))]
pub async fn preview(
    asker: Asker,
    Path(conversation): Path<String>,
    Json(Code { code }): Json<Code>,
) -> Result<Answer<Preview>, Problem> {
    let conversation = conversation_of_path(&conversation)?.to_string();
    let seen = asker.perform(wire::PreviewLink { conversation, code }).await?;
    let wire::LinkPreview { conversation, name, avatar, notice, members } = seen;
    Ok(Answer(Preview { conversation, name, avatar, notice, members }))
}

/// Joins a group with the code of a link.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/invites/join", tag = "members",
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    request_body = Code, responses((status = 200, body = Placed)))]
pub async fn join(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(Code { code }): Json<Code>,
) -> Result<Answer<Placed>, Problem> {
    change_group(&asker, &conversation, key, Change::JoinLink(code)).await
}
