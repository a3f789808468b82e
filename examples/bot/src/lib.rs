//! A bot over the SDK: it answers private texts, and texts in groups that begin with its name.
//!
//! It shows what every bot needs:
//!
//! - **Reconnection.** The SDK changes nodes and resends by itself; the bot has no code for it.
//! - **Position.** The store keeps session, outbox and cursors. A restarted bot continues with the
//!   first event that it has not processed, however long it was away.
//! - **One answer per question.** An event counts as processed once its answer is in the outbox. A
//!   bot that is killed in between gets the event again, and answers under the same id, which the
//!   cluster places once.

use anyhow::{Result, bail};
use troupe_client::{Client, Events, Incoming, State};
use troupe_core::{Body, ClientMessageId, ConversationId, Event, EventKind, Seq};

/// Each answer begins with it. The bot leaves such texts alone, so that two bots do not answer each
/// other forever.
const ANSWER: &str = "echo: ";

/// Answers until the client ends; an error says why the server ended its session.
pub async fn run(client: &Client, events: &mut Events) -> Result<()> {
    while let Some(incoming) = events.receive().await {
        match &incoming {
            Incoming::Event { conversation, event } if client.user() != Some(event.sender) => {
                let name = client.name().unwrap_or_default();
                if let Some(text) = answer(&name, *conversation, event) {
                    // In the outbox, and in the store, when `send_as` returns.
                    client.send_as(*conversation, answer_id(event.seq), Body::text(&text))?;
                }
            }
            Incoming::Invitation { .. } => accept_all(client).await?,
            Incoming::State(State::Kicked { code, text }) => bail!("{text} ({code})"),
            _ => {}
        }
        events.processed(&incoming);
    }
    Ok(())
}

/// The answer to an event, if it asks for one.
fn answer(name: &str, conversation: ConversationId, event: &Event) -> Option<String> {
    let EventKind::Message(body) = &event.kind else { return None };
    let text = body.as_text().filter(|text| !text.starts_with(ANSWER))?;
    let question = match conversation {
        ConversationId::Direct { .. } => text,
        ConversationId::Group(_) | ConversationId::Everyone => text.strip_prefix(name)?.strip_prefix(':')?,
    };
    Some(format!("{ANSWER}{}", question.trim()))
}

/// The id follows from the place of the question, which is unique in its conversation.
fn answer_id(question: Seq) -> ClientMessageId {
    let mut id = *b"answer: ........";
    id[8..].copy_from_slice(&question.0.to_be_bytes());
    ClientMessageId(id)
}

/// A bot enters every group to which it is invited. A failure is temporary or of an invitation that
/// no longer exists; the next invitation lists the remaining ones again.
async fn accept_all(client: &Client) -> Result<()> {
    let Ok(invitations) = client.invitations().await else { return Ok(()) };
    for invitation in invitations {
        let _ = client.accept_invitation(invitation.conversation, invitation.seq).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use troupe_core::{GroupId, Timestamp, UserId};

    use super::*;

    fn said(text: &str) -> Event {
        let (sender, client_message_id) = (UserId(7), ClientMessageId([0; 16]));
        let kind = EventKind::Message(Body::text(text));
        Event { seq: Seq(300), time: Timestamp(1), sender, client_message_id, kind, seal: None }
    }

    #[test]
    fn private_texts_are_answered_and_others_if_they_begin_with_the_name() {
        let direct = ConversationId::Direct { low: UserId(7), high: UserId(9) };
        let group = ConversationId::Group(GroupId(3));
        assert_eq!(answer("bot", direct, &said("hello")).as_deref(), Some("echo: hello"));
        assert_eq!(answer("bot", group, &said("bot: hello")).as_deref(), Some("echo: hello"));
        assert_eq!(answer("bot", group, &said("hello bot: hello")), None);
        assert_eq!(answer("bot", ConversationId::Everyone, &said("robot: hello")), None);
    }

    #[test]
    fn an_answer_is_not_answered() {
        let direct = ConversationId::Direct { low: UserId(7), high: UserId(9) };
        let first = answer("bot", direct, &said("hello")).expect("an answer");
        assert_eq!(answer("bot", direct, &said(&first)), None);
    }

    #[test]
    fn a_question_has_one_id_and_two_have_two() {
        assert_eq!(answer_id(Seq(300)), answer_id(Seq(300)));
        assert_ne!(answer_id(Seq(300)), answer_id(Seq(301)));
    }
}
