use super::*;
use crate::command::{Append, Intent, OpenSession, RecordAct};
use crate::id::{ClientMessageId, ConversationId, DeviceId, GroupId, Seq, Slot, TokenHash, UserId};
use crate::name::Username;
use crate::record::Author;
use crate::{Body, limits};

fn author() -> Author {
    Author { user: UserId(1), name: String::new(), address: String::new() }
}

const REQUEST: ClientMessageId = ClientMessageId([7; 16]);

fn register(text: &str) -> Level {
    let name = Username::for_operator(text).unwrap();
    Command::Register(Register { name, password_hash: String::new(), request: REQUEST }).level()
}

#[test]
fn names_that_the_first_version_takes_need_no_level() {
    for name in ["alice", "Alice", "bob", "x9-_.", "müller", "東京人"] {
        assert_eq!(register(name), Level::FIRST, "{name}");
    }
}

#[test]
fn names_that_it_refuses_or_puts_elsewhere_need_the_second() {
    // Two letters; a mark on a letter that has no composed form; a key that is not the lower case.
    for name in ["bo", "x\u{304}yz", "straße", "наташа"] {
        assert_eq!(register(name), Level::SECOND, "{name}");
    }
    let longest = "a".repeat(limits::USERNAME_MAX_CHARS);
    assert_eq!(register(&longest), Level::FIRST);
}

#[test]
fn a_name_that_only_its_key_tells_apart_needs_the_second() {
    let name = Username::kept("alice", Some("al1ce"));
    let command = Command::Register(Register { name, password_hash: String::new(), request: REQUEST });
    assert_eq!(command.level(), Level::SECOND);
}

#[test]
fn who_is_named_in_a_change_of_a_list_decides_its_level() {
    let update = |by| {
        let (user, conversation) = (UserId(1), ConversationId::Everyone);
        Command::UpdateInbox(UpdateInbox { user, conversation, present: true, version: Seq(1), by, unasked: false })
            .level()
    };
    assert_eq!((update(None), update(Some(UserId(2)))), (Level::FIRST, Level::SECOND));
}

#[test]
fn sessions_of_a_first_password_and_messages_are_of_the_first_level_and_acts_of_the_second() {
    let (user, token) = (UserId(1), TokenHash([1; 32]));
    let device = DeviceId::new("phone").unwrap();
    let open = |revision, from: &str| {
        let (device, from) = (device.clone(), from.to_owned());
        Command::OpenSession(OpenSession { user, device, token, revision, from }).level()
    };
    assert_eq!((open(0, ""), open(1, ""), open(0, "192.0.2.7")), (Level::FIRST, Level::SECOND, Level::SECOND));
    let append = |conversation, after, intent| {
        Command::Append(Append { conversation, actor: user, client_message_id: REQUEST, after, intent }).level()
    };
    let (group, before) = (ConversationId::Group(GroupId(7)), Some(ClientMessageId([9; 16])));
    assert_eq!(append(ConversationId::Everyone, before, Intent::Message(Body::text("hi"))), Level::FIRST);
    assert_eq!(append(group, None, Intent::Leave), Level::FIRST);
    assert_eq!(append(group, before, Intent::Leave), Level::SECOND, "0.1 has no form for what it follows");
    let reaction = Intent::React { to: Seq(1), emoji: "👍".to_owned(), remove: false };
    assert_eq!(append(ConversationId::Everyone, None, reaction.clone()), Level::SECOND);
    assert_eq!(append(group, None, reaction), Level::SECOND);
    let (action, target, detail) = Default::default();
    let act = RecordAct { slot: Slot::of(b"x"), request: REQUEST, by: author(), action, target, detail };
    assert_eq!(Command::from(act).level(), Level::SECOND);
}

#[test]
fn what_says_nothing_is_of_the_first_level() {
    assert_eq!((Level::kept(0), Level::kept(1), Level::kept(2)), (Level::FIRST, Level::FIRST, Level(2)));
    assert_eq!((Level::FIRST.number(), Level(2).number()), (0, 2));
    assert!(Range::OURS.contains(Level::NEWEST) && !Range::UNSAID.contains(Level::SECOND));
}
