//! Edits and recalls of a device, of its own recent messages as a rule, and of those of others,
//! which must be refused.

use std::sync::Arc;

use tokio::time::sleep;
use troupe_chaos::history::{Change, digest};
use troupe_client::{Connection, Error};
use troupe_core::{Body, ClientMessageId, ConversationId, EventKind, UserId};
use troupe_proto::wire::client::{
    EditMessage, Fetch, Page, RecallMessage, client_frame::Request, server_frame::Message,
};
use troupe_runtime::Rng;

use super::{AGAIN, WorkloadContext};

/// Events of a page from which a message is chosen.
const RECENT: u32 = 20;
/// One change in this many is of any message, one's own or not.
const ANY: u64 = 6;
/// One change in this many is a recall.
const RECALL: u64 = 3;
/// Attempts under one id. A connection that is closed answers none of them.
const ATTEMPTS: u64 = 4;
/// Answers to a change of a message that is gone, is not the user's, is no text, or was edited
/// often, to one by a user that was just removed, muted or blocked, and on a connection that has
/// just begun.
const EXPECTED: [&str; 12] = [
    "erased",
    "another_kind",
    "not_your_message",
    "too_many_edits",
    "no_such_message",
    "not_erasable",
    "not_member",
    "muted",
    "group_muted",
    "not_taken",
    "upgrade_pending",
    NOT_LOGGED_IN,
];
const NOT_LOGGED_IN: &str = "not_logged_in";

/// One change, and a look at the page around it.
pub async fn change(
    workload: Arc<WorkloadContext>,
    connection: Arc<Connection>,
    number: u32,
    me: UserId,
    conversation: ConversationId,
    rng: Arc<Rng>,
) {
    let Some(page) = look(&workload, &connection, number, me, conversation).await else { return };
    let is_any = rng.range(0, ANY) == 0;
    let messages = page.events.iter().filter(|event| event.kind == EventKind::MESSAGE);
    let messages: Vec<u64> = messages.filter(|event| is_any || event.sender == me.0).map(|event| event.seq).collect();
    if messages.is_empty() {
        return;
    }
    let to = messages[rng.range(0, messages.len() as u64) as usize];
    let id = ClientMessageId(rng.bytes());
    let (request, place) = (id.0.to_vec().into(), conversation.to_string());
    let (request, said) = if rng.range(0, RECALL) == 0 {
        (Request::RecallMessage(RecallMessage { request, conversation: place, seq: to }), Change::Recalled { to })
    } else {
        let body = Body::text(&format!("{id} instead of {to}"));
        let said = Change::Edited { to, digest: digest(&body) };
        let edit = EditMessage { request, conversation: place, seq: to, body: Some((&body).into()) };
        (Request::EditMessage(edit), said)
    };
    ask(&workload, &connection, (number, me, conversation), &rng, id, request, said).await;
    look(&workload, &connection, number, me, conversation).await;
}

/// One change under one id, repeated without an answer, and sometimes with one.
async fn ask(
    workload: &WorkloadContext,
    connection: &Connection,
    (number, me, conversation): (u32, UserId, ConversationId),
    rng: &Rng,
    id: ClientMessageId,
    request: Request,
    said: Change,
) {
    let evidence = &workload.evidence;
    let mut placed: Option<u64> = None;
    for _ in 0..1 + rng.range(0, ATTEMPTS) {
        match connection.request(request.clone()).await {
            Ok(Message::SendAck(ack)) => {
                if placed.replace(ack.seq).is_some_and(|before| before != ack.seq) {
                    evidence.wrong(format!("the change {id} of user {me} has two places, {} is one", ack.seq));
                }
                evidence.changed(number, conversation, &format!("{me}/{id}"), ack.seq, said.clone());
            }
            Err(Error::Rejected { code, text }) => {
                if !EXPECTED.contains(&&*code) {
                    evidence.wrong(format!("{said:?} of user {me} in {conversation} was refused: {text}"));
                }
                if let Some(placed) = placed.filter(|_| code != NOT_LOGGED_IN) {
                    evidence.wrong(format!("the change {id} of user {me} is at {placed}, and was refused: {text}"));
                }
                return;
            }
            // The log shows whether it was applied.
            _ => sleep(AGAIN).await,
        }
    }
}

async fn look(
    workload: &WorkloadContext,
    connection: &Connection,
    number: u32,
    me: UserId,
    conversation: ConversationId,
) -> Option<Page> {
    let asked = workload.evidence.now();
    let fetch = Fetch { conversation: conversation.to_string(), seq: 0, backward: true, limit: RECENT };
    let Ok(Message::Page(page)) = connection.request(Request::Fetch(fetch)).await else { return None };
    workload.evidence.looked_at(me, conversation, page.events.iter().map(|event| event.seq));
    workload.evidence.counted(number, me, &page);
    workload.evidence.shown(number, asked, &page);
    Some(page)
}
