//! Round trips, and that no bytes make a decoder panic.

use troupe_core::command::CloseSession;
use troupe_core::{Command, ConversationId, DeviceId, NameKey, TokenHash};

use super::*;
use crate::message::{Refusal, Session, Standing, say};

fn session() -> Session {
    Session {
        user: UserId(1025),
        device: DeviceId::new("phone").expect("a device"),
        token: TokenHash([7; 32]),
        node: NodeId(3),
    }
}

fn group() -> ConversationId {
    ConversationId::Group(GroupId(77))
}

fn requests() -> Vec<Request> {
    let name = NameKey::of("Ann");
    let close = CloseSession { user: UserId(1025), device: session().device, token: None };
    vec![
        Request::Commit(Command::CloseSession(close)),
        Request::OpenSession { session: session(), revision: 3 },
        Request::Credentials(UserKey::Name(name.clone())),
        Request::Credentials(UserKey::Id(UserId(9))),
        Request::Resume(session()),
        Request::Sessions(UserId(9)),
        Request::Attach { node: NodeId(2), whole: true, sessions: vec![session()] },
        Request::Detach(session()),
        Request::Inbox { user: UserId(9), after: Some(group()), limit: 5 },
        Request::Users { asker: UserId(9), ids: vec![UserId(4)], names: vec![name] },
        Request::Search { asker: UserId(9), prefix: "a".into(), after: None, limit: 3, online: true },
        Request::Subscribe {
            node: NodeId(2),
            interests: vec![(ConversationId::Everyone, vec![]), (group(), vec![UserId(1)])],
        },
        Request::Unsubscribe { node: NodeId(2), conversations: vec![group()] },
        Request::Summaries { user: UserId(9), conversations: vec![group()] },
        Request::Fetch { conversation: group(), reader: None, seq: Seq(4), backward: true, limit: 10 },
        Request::Members { user: UserId(9), conversation: group(), after: Some(UserId(3)), limit: 10 },
        Request::Delivered { conversation: group(), user: UserId(9), seq: Seq(4) },
        Request::Read { conversation: group(), user: UserId(9), seq: Seq(4) },
    ]
}

fn outcomes() -> Vec<Outcome> {
    vec![
        Err(Refusal::rejected("code", "text")),
        Err(Refusal::Overloaded { after_ms: 4 }),
        Err(Refusal::StorageLow),
        Err(Refusal::NotOwner { hint: Some(NodeId(2)) }),
        Err(Refusal::NotOwner { hint: None }),
        Err(Refusal::Unavailable),
        Ok(Answer::Done),
        Ok(Answer::Registered(UserId(5))),
        Ok(Answer::Placed { seq: Seq(8), time: Timestamp(9), duplicate: true }),
        Ok(Answer::GroupCreated(GroupId(77))),
        Ok(Answer::Account(Account {
            user: UserId(5),
            name: "Ann".into(),
            password_hash: "$".into(),
            standing: Default::default(),
        })),
        Ok(Answer::Ended(vec![session()])),
        Ok(Answer::Inbox { conversations: vec![group()], next: Some(group()) }),
        Ok(Answer::Subscribed(vec![Standing { conversation: group(), head: Seq(3), refused: vec![UserId(2)] }])),
        Ok(Answer::Summaries(vec![say::Conversation { head: 3, ..Default::default() }])),
        Ok(Answer::Sessions(say::Sessions::default())),
        Ok(Answer::Users(say::Users { more: true, ..Default::default() })),
        Ok(Answer::Page(say::Page { head: 9, ..Default::default() })),
        Ok(Answer::Invitations(say::Invitations { invitations: vec![say::Invitation::default()] })),
        Ok(Answer::Members(say::Members { more: true, ..Default::default() })),
    ]
}

fn pushes() -> Vec<Push> {
    let frame = Bytes::from_static(b"frame");
    vec![
        Push::Event(News { conversation: group(), seq: Seq(4), removed: Some(UserId(2)), frame: frame.clone() }),
        Push::Cursor { conversation: group(), only: None, frame: frame.clone() },
        Push::Cursor { conversation: group(), only: Some(UserId(7)), frame },
        Push::Heads(vec![(group(), Seq(4))]),
        Push::Inbox { user: UserId(2), conversation: group(), present: true, version: Seq(4) },
        Push::User { user: UserId(9), frame: Bytes::from_static(b"frame") },
        Push::SessionEnded { session: session(), code: "revoked".into() },
    ]
}

#[test]
fn every_request_comes_back_as_it_went() {
    for request in requests() {
        let back = decode_request(encode_request(&request)).expect("decodes");
        assert_eq!(format!("{back:?}"), format!("{request:?}"));
    }
}

#[test]
fn every_outcome_comes_back_as_it_went() {
    for outcome in outcomes() {
        let back = decode_outcome(encode_outcome(&outcome)).expect("decodes");
        assert_eq!(format!("{back:?}"), format!("{outcome:?}"));
    }
}

#[test]
fn every_push_comes_back_as_it_went() {
    for push in pushes() {
        let back = decode_push(encode_push(&push)).expect("decodes");
        assert_eq!(format!("{back:?}"), format!("{push:?}"));
    }
}

#[test]
fn damaged_payloads_are_errors_or_values_never_panics() {
    let mut all: Vec<Bytes> = requests().iter().map(encode_request).collect();
    all.extend(outcomes().iter().map(encode_outcome));
    all.extend(pushes().iter().map(encode_push));
    for bytes in all {
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x55;
            for bytes in [Bytes::from(damaged), bytes.slice(..at)] {
                let _ = decode_request(bytes.clone());
                let _ = decode_outcome(bytes.clone());
                let _ = decode_push(bytes);
            }
        }
    }
}
