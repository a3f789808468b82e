//! The client's conversions: there and back, and their refusals.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use troupe_core::command::{Append, CreateGroup, Intent};
use troupe_core::event::Role;
use troupe_core::{ClientMessageId, Event, Rejection, UserId};
use troupe_proto::DecodeError;
use troupe_proto::client::{self, Refusal, SessionToken};
use troupe_proto::wire::client as wire;
use troupe_proto::wire::client::failure::Kind;

use crate::values;

proptest! {
    #[test]
    fn events(event in values::event()) {
        prop_assert_eq!(Event::try_from(wire::Event::from(&event)), Ok(event));
    }

    #[test]
    fn sends(send in values::send()) {
        prop_assert_eq!(client::send(send.actor, sent(&send)), Ok(send));
    }

    #[test]
    fn creations(create in values::create_group(values::real_user())) {
        prop_assert_eq!(client::create_group(create.creator, created(&create)), Ok(create));
    }

    #[test]
    fn changes(change in values::change_group()) {
        prop_assert_eq!(client::change_group(change.actor, changed(&change)), Ok(change));
    }

    #[test]
    fn tokens(token in values::session_token()) {
        let bytes = token.encode();
        prop_assert!(bytes.len() <= SessionToken::MAX_BYTES);
        prop_assert_eq!(SessionToken::decode(&bytes), Ok(token.clone()));
        for length in 0..bytes.len() {
            prop_assert!(SessionToken::decode(&bytes[..length]).is_err(), "cut to {}", length);
        }
        prop_assert!(SessionToken::decode(&[bytes, vec![0]].concat()).is_err(), "one byte too many");
    }
}

fn id(id: ClientMessageId) -> Bytes {
    Bytes::copy_from_slice(&id.0)
}

fn sent(send: &Append) -> wire::Send {
    let Intent::Message(body) = &send.intent else { panic!("{send:?}") };
    wire::Send {
        conversation: send.conversation.to_string(),
        client_message_id: id(send.client_message_id),
        after: send.after.map(id).unwrap_or_default(),
        body: Some(body.into()),
    }
}

fn created(create: &CreateGroup) -> wire::CreateGroup {
    wire::CreateGroup {
        request: id(create.request),
        name: create.name.clone(),
        open: create.open,
        members: create.members.iter().map(|user| user.0).collect(),
    }
}

fn changed(change: &Append) -> wire::ChangeGroup {
    wire::ChangeGroup {
        request: id(change.client_message_id),
        conversation: change.conversation.to_string(),
        change: client::change(&change.intent),
    }
}

fn sample() -> wire::Send {
    wire::Send {
        conversation: "d5-9".into(),
        client_message_id: Bytes::from_static(&[1; 16]),
        after: Bytes::new(),
        body: Some(wire::Body { kind: 1, content: Bytes::from_static(b"hi"), context: None }),
    }
}

#[test]
fn wrong_requests_are_refused_by_field() {
    let user = UserId(5);
    let field = |send| client::send(user, send).map_err(|error| error.field().expect("one field is at fault"));
    assert!(field(sample()).is_ok());
    assert_eq!(field(wire::Send { conversation: "d9-5".into(), ..sample() }), Err("send.conversation"));
    let id = Bytes::from_static(&[1; 17]);
    assert_eq!(field(wire::Send { client_message_id: id.clone(), ..sample() }), Err("send.client_message_id"));
    assert_eq!(field(wire::Send { after: id, ..sample() }), Err("send.after"));
    assert_eq!(field(wire::Send { body: None, ..sample() }), Err("send.body"));

    let change = |conversation: &str, change| {
        let request = Bytes::from_static(&[1; 16]);
        client::change_group(user, wire::ChangeGroup { request, conversation: conversation.into(), change })
            .map_err(|error| error.field().expect("one field is at fault"))
    };
    use wire::change_group::Change;
    assert!(change("g9", Some(Change::Remove(7))).is_ok());
    assert_eq!(change("d9-5", Some(Change::Remove(7))), Err("change_group.conversation"));
    assert_eq!(change("g9", None), Err("change_group.change"));
    assert_eq!(change("g9", Some(Change::Remove(0))), Err("change_group.remove"));
    assert_eq!(change("g9", Some(Change::Remove(1 << 53))), Err("change_group.remove"));
    let roleless = wire::RoleChanged { user: 7, role: 0 };
    assert_eq!(change("g9", Some(Change::SetRole(roleless))), Err("change_group.set_role.role"));
}

#[test]
fn roles_keep_their_numbers() {
    for (role, number) in [(Role::Member, 1), (Role::Admin, 2), (Role::Owner, 3)] {
        assert_eq!(i32::from(wire::Role::from(role)), number);
        assert_eq!(client::role("role", number), Ok(role));
    }
    assert!(client::role("role", 4).is_err());
}

#[test]
fn a_token_does_not_print_its_secret() {
    let token =
        SessionToken { user: UserId(5), device: client::device("", "phone").expect("a device"), secret: [77; 32] };
    assert!(!format!("{token:?}").contains("77"), "{token:?}");
}

#[test]
fn failures_say_whether_they_are_definite() {
    use wire::Failure;
    let rejected = Failure::rejected(&Rejection::NameTaken);
    assert_eq!((rejected.kind(), &rejected.code[..], rejected.is_definite()), (Kind::Rejected, "name_taken", true));
    let busy = Failure::overloaded(250);
    assert_eq!((busy.kind(), &busy.code[..], busy.retry_after_ms), (Kind::Overloaded, "overloaded", 250));
    assert!(busy.is_definite());
    assert!(Failure::shutting_down().is_definite());
    let unknown = Failure::unavailable(100);
    assert_eq!((unknown.kind(), &unknown.code[..], unknown.is_definite()), (Kind::Unavailable, "unavailable", false));
    assert!(!Failure::default().is_definite(), "a kind of a later version may be anything");

    let field = Failure::bad_request(&DecodeError::Missing { field: "send.body" });
    assert_eq!((&field.code[..], &field.text[..]), ("bad_request", "send.body is missing"));
}

#[test]
fn codes_are_distinct() {
    let codes: BTreeSet<_> = Refusal::ALL.map(Refusal::code).into();
    assert_eq!(codes.len(), Refusal::ALL.len());
}
