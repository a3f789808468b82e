//! Round trips, and that no bytes make a decoder panic.

use troupe_core::command::CloseSession;
use troupe_core::{Command, ConversationId, DeviceId, Level, NameKey, Signal, TokenHash};
use troupe_proto::client::{self, EndReason};

use super::*;
use crate::message::{
    ClientRequest, CursorPush, EventPush, PresenceNews, Push, Refusal, ServerMessage, Session, Shown,
    SubscriptionState, wire,
};

const LEVELS: [Level; 2] = [Level::FIRST, Level::SECOND];

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
        Request::OpenSession { session: session(), revision: 3, from: "192.0.2.7".to_owned() },
        Request::Credentials(UserKey::Name(name.clone())),
        Request::Credentials(UserKey::Id(UserId(9))),
        Request::Resume(session()),
        Request::Attach { node: NodeId(2), whole: true, sessions: vec![session()] },
        Request::Detach(session()),
        Request::Inbox { user: UserId(9), after: Some(group()), limit: 5 },
        Request::Users { asker: UserId(9), ids: vec![UserId(4)], names: vec![name] },
        Request::Subscribe {
            node: NodeId(2),
            interests: vec![(ConversationId::Everyone, vec![]), (group(), vec![UserId(1)])],
        },
        Request::Unsubscribe { node: NodeId(2), conversations: vec![group()] },
        Request::Summaries { user: UserId(9), conversations: vec![group()] },
        Request::Fill { conversation: group(), after: Seq(4), limit: 10 },
        Request::Absent(Absent {
            users: vec![UserId(4)],
            notice: Notice { conversation: group(), seq: Seq(4), sender: UserId(9), kind: 1, preview: "hello".into() },
        }),
        Request::PushKey(PushKey { private: "a".into(), public: "b".into() }),
        Request::Watch { session: session(), users: vec![UserId(3)] },
        Request::Watches { node: NodeId(2), watches: vec![(UserId(3), vec![UserId(4)]), (UserId(5), vec![])] },
    ]
}

/// Operations that nodes of 0.1 know.
fn operations() -> Vec<Request> {
    let conversation = group().to_string();
    let asked = |request| Request::Operation { caller: UserId(9), request };
    let of = |prefix: &str| wire::FindUsers { prefix: prefix.into(), after: "b".into(), limit: 3 };
    let fetch = wire::Fetch { conversation: conversation.clone(), seq: 4, backward: true, limit: 10 };
    let list = wire::ListMembers { conversation: conversation.clone(), after: 3, limit: 10 };
    vec![
        asked(ClientRequest::ListSessions(wire::ListSessions {})),
        asked(ClientRequest::ListInvitations(wire::ListInvitations {})),
        asked(ClientRequest::FindUsers(of("a"))),
        asked(ClientRequest::ListOnline(wire::ListOnline { after: "b".into(), limit: 3 })),
        asked(ClientRequest::Fetch(fetch)),
        asked(ClientRequest::ListMembers(list)),
        asked(ClientRequest::Acknowledge(wire::Acknowledge { conversation: conversation.clone(), seq: 4 })),
        asked(ClientRequest::MarkRead(wire::MarkRead { conversation, seq: 4 })),
    ]
}

/// Of the second level only.
fn later_operations() -> Vec<Request> {
    let list = wire::admin::Operation::ListAccounts(wire::ListAccounts { after: 7, limit: 8 });
    let admin = wire::Admin { operation: Some(list), ..Default::default() };
    vec![Request::Operation { caller: UserId(9), request: ClientRequest::Admin(admin) }]
}

fn answers() -> Vec<Outcome> {
    vec![
        Ok(Answer::message(ServerMessage::Sessions(wire::Sessions::default()))),
        Ok(Answer::message(ServerMessage::Invitations(wire::Invitations {
            invitations: vec![wire::Invitation::default()],
        }))),
        Ok(Answer::message(ServerMessage::Members(wire::Members { more: true, ..Default::default() }))),
        Ok(Answer::message(ServerMessage::Users(wire::Users { more: true, ..Default::default() }))),
        Ok(Answer::message(ServerMessage::Page(wire::Page { head: 9, ..Default::default() }))),
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
            bot: None,
        })),
        Ok(Answer::Ended(vec![session()])),
        Ok(Answer::Inbox { conversations: vec![group()], next: Some(group()) }),
        Ok(Answer::Subscribed(vec![SubscriptionState {
            conversation: group(),
            head: Seq(3),
            refused: vec![UserId(2)],
        }])),
        Ok(Answer::Summaries(vec![wire::Conversation { head: 3, ..Default::default() }])),
        Ok(Answer::Users(wire::Users { more: true, ..Default::default() })),
        Ok(Answer::Page(wire::Page { head: 9, ..Default::default() })),
        Ok(Answer::Presences(presences())),
    ]
}

fn signal() -> Signal {
    let payload = Bytes::from_static(b"any bytes");
    Signal { conversation: group(), from: UserId(2), device: 8, to: 9, kind: 10, payload, at: Seq(4) }
}

fn presences() -> Vec<PresenceNews> {
    let shown = Shown { online: true, last_seen: Timestamp(8) };
    vec![
        PresenceNews { user: UserId(3), shown, to: vec![UserId(4), UserId(5)] },
        PresenceNews { user: UserId(3), shown: Shown::default(), to: vec![UserId(6)] },
    ]
}

fn pushes() -> Vec<Push> {
    let event = Bytes::from_static(b"any bytes");
    let cursor = CursorPush { conversation: group(), user: UserId(2), delivered: Seq(5), read: Seq(4) };
    vec![
        Push::Event(EventPush { conversation: group(), seq: Seq(4), removed: Some(UserId(2)), event, committed_us: 9 }),
        Push::Cursor { only: None, cursor },
        Push::Cursor { only: Some(UserId(7)), cursor },
        Push::Heads(vec![(group(), Seq(4))]),
        Push::Inbox { user: UserId(2), conversation: group(), present: true, version: Seq(4) },
        Push::Invitation { user: UserId(9), conversation: group(), by: UserId(2) },
        Push::Own { user: UserId(9), message: Box::new(ServerMessage::Profile(Default::default())) },
        Push::Signal(signal()),
        Push::Watch { session: session(), users: vec![UserId(3), UserId(4)] },
        Push::Presences(presences()),
        Push::SessionEnded { session: session(), reason: EndReason::of_code("revoked") },
        Push::SessionEnded { session: session(), reason: EndReason::of_code("a later one") },
    ]
}

#[test]
fn every_request_comes_back_as_it_went() {
    let old = requests().into_iter().chain(operations()).map(|request| (request, &LEVELS[..]));
    let later = later_operations().into_iter().chain([Request::Verify(session()), Request::Signal(signal())]);
    for (request, levels) in old.chain(later.map(|request| (request, &LEVELS[1..]))) {
        for &level in levels {
            let back = decode_request(encode_request(&request, level)).expect("decodes");
            assert_eq!(format!("{back:?}"), format!("{request:?}"), "at level {level}");
        }
    }
}

#[test]
fn every_outcome_comes_back_as_it_went() {
    for outcome in outcomes() {
        for level in LEVELS {
            let back = decode_outcome(encode_outcome(&outcome, level)).expect("decodes");
            assert_eq!(format!("{back:?}"), format!("{outcome:?}"));
        }
    }
}

#[test]
fn every_answer_to_an_operation_comes_back_as_the_same_message() {
    for outcome in answers() {
        let message = |outcome: Outcome| format!("{:?}", outcome.map(Answer::into_message));
        for level in LEVELS {
            let back = decode_outcome(encode_outcome(&outcome, level)).expect("decodes");
            assert_eq!(message(back), message(outcome.clone()), "at level {level}");
        }
    }
}

/// Nodes of 0.1 know no other bytes.
#[test]
fn at_the_first_level_operations_are_asked_as_0_1_asks_them() {
    use mesh::request::What;
    for request in operations() {
        let bytes = encode_request(&request, Level::FIRST);
        let what = mesh::Request::decode(bytes).expect("decodes").what.expect("a request");
        assert!(!matches!(what, What::Operation(_)), "{request:?}");
    }
    let verified = decode_request(encode_request(&Request::Verify(session()), Level::FIRST));
    assert!(matches!(verified, Ok(Request::Resume(_))));
    for outcome in answers() {
        let bytes = encode_outcome(&outcome, Level::FIRST);
        let what = mesh::Answer::decode(bytes).expect("decodes").what.expect("an answer");
        assert!(!matches!(what, mesh::answer::What::Operation(_)), "{outcome:?}");
    }
    for request in later_operations() {
        let Request::Operation { request, .. } = request else { panic!("an operation") };
        assert!(!is_known_at(Level::FIRST, &request) && is_known_at(Level::SECOND, &request));
    }
}

#[test]
fn every_push_comes_back_as_it_went_at_every_level() {
    for push in pushes() {
        for level in LEVELS {
            let back = decode_push(encode_push(&push, level)).expect("decodes");
            assert_eq!(format!("{back:?}"), format!("{push:?}"));
        }
    }
}

/// A node of 0.1 passes the frame on to its connections as it is.
#[test]
fn a_push_at_the_first_level_has_the_frame_for_clients_and_at_the_second_only_values() {
    let event = wire::Event { seq: 4, kind: 77, content: Bytes::from_static(b"later"), ..wire::Event::default() };
    let push = wire::EventPush { conversation: group().to_string(), event: Some(event.clone()) };
    let frame = client::push_frame(wire::server_frame::Message::Event(push));
    let push = Push::Event(EventPush::fetched(group(), event));
    let news = |level| match mesh::Push::decode(encode_push(&push, level)).expect("decodes").what {
        Some(mesh::push::What::Event(news)) => news,
        what => panic!("{what:?} is no event"),
    };
    let [first, second] = LEVELS.map(news);
    assert_eq!((first.frame, first.event.is_empty()), (frame, true));
    assert!(second.frame.is_empty() && !second.event.is_empty());
}

#[test]
fn damaged_payloads_are_errors_or_values_never_panics() {
    let mut all = Vec::new();
    for level in LEVELS {
        all.extend(requests().iter().chain(&operations()).map(|request| encode_request(request, level)));
        all.extend(outcomes().iter().chain(&answers()).map(|outcome| encode_outcome(outcome, level)));
        all.extend(pushes().iter().map(|push| encode_push(push, level)));
    }
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
