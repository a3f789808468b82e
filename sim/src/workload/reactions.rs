//! Reactions of a device. Few emoji and recent messages make users meet: they give what is there,
//! and take back what is not.

use std::sync::Arc;

use tokio::time::sleep;
use troupe_chaos::history::Reaction;
use troupe_client::{Connection, Error};
use troupe_core::{ClientMessageId, ConversationId, UserId};
use troupe_proto::wire::client::{Fetch, React, client_frame::Request, server_frame::Message};
use troupe_runtime::Rng;

use super::{AGAIN, WorkloadContext};

const EMOJI: [&str; 2] = ["👍", "❤\u{fe0f}"];
/// How far behind the device's position the messages are.
const RECENT: u64 = 6;
/// Attempts under one id. A connection that is closed answers none of them.
const ATTEMPTS: u64 = 4;
/// Answers to a change that changes nothing, to one by a member that was just removed or muted, and
/// on a connection that has just begun.
const EXPECTED: [&str; 8] = [
    "already_reacted",
    "no_such_reaction",
    "no_such_message",
    "erased",
    "not_member",
    "muted",
    "group_muted",
    NOT_LOGGED_IN,
];
const NOT_LOGGED_IN: &str = "not_logged_in";

/// One change, often taken back or asked for again, and a look at the counts.
pub async fn react(
    workload: Arc<WorkloadContext>,
    connection: Arc<Connection>,
    number: u32,
    me: UserId,
    conversation: ConversationId,
    rng: Arc<Rng>,
) {
    let place = conversation.to_string();
    let position = workload.evidence.look(|seen| seen.positions.get(&number)?.get(&place).copied());
    let Some(position) = position else { return };
    let react = React {
        conversation: place.clone(),
        seq: position.saturating_sub(rng.range(0, RECENT)),
        emoji: EMOJI[rng.range(0, EMOJI.len() as u64) as usize].to_owned(),
        remove: rng.range(0, 4) == 0,
        ..React::default()
    };
    let second = match rng.range(0, 3) {
        0 => None,
        1 => Some(React { remove: true, ..react.clone() }),
        _ => Some(react.clone()),
    };
    for react in std::iter::once(react).chain(second) {
        ask(&workload, &connection, number, me, conversation, &rng, react).await;
    }
    let fetch = Fetch { conversation: place, seq: 0, backward: true, limit: 20 };
    if let Ok(Message::Page(page)) = connection.request(Request::Fetch(fetch)).await {
        workload.evidence.looked_at(me, conversation, page.events.iter().map(|event| event.seq));
        workload.evidence.counted(number, me, &page);
    }
}

/// One change under one id, repeated without an answer, and sometimes with one.
async fn ask(
    workload: &WorkloadContext,
    connection: &Connection,
    number: u32,
    me: UserId,
    conversation: ConversationId,
    rng: &Rng,
    react: React,
) {
    let evidence = &workload.evidence;
    let id = ClientMessageId(rng.bytes());
    let react = React { request: id.0.to_vec().into(), ..react };
    let mut placed: Option<u64> = None;
    for _ in 0..1 + rng.range(0, ATTEMPTS) {
        match connection.request(Request::React(react.clone())).await {
            Ok(Message::SendAck(ack)) => {
                if placed.replace(ack.seq).is_some_and(|before| before != ack.seq) {
                    evidence.wrong(format!("the reaction {id} of user {me} has two places, {} is one", ack.seq));
                }
                let reaction = Reaction { to: react.seq, emoji: react.emoji.clone(), removed: react.remove };
                evidence.reacted(number, conversation, &format!("{me}/{id}"), ack.seq, reaction);
            }
            Err(Error::Rejected { code, text }) => {
                if !EXPECTED.contains(&&*code) {
                    evidence.wrong(format!("a reaction of user {me} in {conversation} was refused: {text}"));
                }
                if let Some(placed) = placed.filter(|_| code != NOT_LOGGED_IN) {
                    evidence.wrong(format!("the reaction {id} of user {me} is at {placed}, and was refused: {text}"));
                }
                return;
            }
            // The log shows whether it was applied.
            _ => sleep(AGAIN).await,
        }
    }
}
