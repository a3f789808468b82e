//! `docs/protocol.md` is tested like code: its example bytes, codes and limits are those of this
//! program.

use bytes::{Bytes, BytesMut};
use prost::Message;
use tokio_util::codec::{Decoder, Encoder};
use troupe_core::effect::Ending;
use troupe_core::{Intent, Rejection, limits, machine, signal};
use troupe_proto::client::{self, Refusal};
use troupe_proto::frame::FrameCodec;
use troupe_proto::wire::client::client_frame::Request;
use troupe_proto::wire::client::server_frame::Message as Answer;
use troupe_proto::wire::client::{Body, ClientFrame, Hello, Send, SendAck, ServerFrame};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md"));

/// The bytes of the example after `<!-- frame: name -->`: the part left of the bars.
fn example(name: &str) -> Vec<u8> {
    let (_, after) =
        PAGE.split_once(&format!("<!-- frame: {name} -->\n```text\n")).expect("the example is on the page");
    let (block, _) = after.split_once("```").expect("the block ends");
    let digits = block.lines().filter_map(|line| line.split('|').next()).flat_map(str::split_whitespace);
    digits.map(|byte| u8::from_str_radix(byte, 16).expect("a byte in hex")).collect()
}

/// `from` writes the page's bytes, and `to` reads them.
#[track_caller]
fn shown<M: Message + Default + PartialEq + std::fmt::Debug>(
    name: &str,
    message: M,
    mut from: FrameCodec,
    mut to: FrameCodec,
) {
    let mut wire = BytesMut::new();
    from.encode(&message, &mut wire).expect("examples are small");
    let hex = wire.iter().map(|byte| format!("{byte:02x} ")).collect::<String>();
    assert_eq!(wire, example(name), "the bytes of {name} are: {hex}");
    let payload = to.decode(&mut wire).expect("a good frame").expect("a whole frame");
    assert_eq!(M::decode(payload).expect("a message"), message);
}

#[test]
fn hello() {
    let hello = Hello { min_version: 1, max_version: 1, client: "example/1.0".into() };
    let frame = ClientFrame { request_id: 1, request: Some(Request::Hello(hello)) };
    shown("hello", frame, FrameCodec::client(), FrameCodec::server());
}

const ID: Bytes = Bytes::from_static(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

#[test]
fn send() {
    let body = Body { kind: 1, content: Bytes::from_static("hé".as_bytes()), context: None };
    let conversation = "d1029-2050".to_owned();
    let send = Send { conversation, client_message_id: ID, after: Bytes::new(), body: Some(body) };
    let frame = ClientFrame { request_id: 7, request: Some(Request::Send(send)) };
    shown("send", frame, FrameCodec::client(), FrameCodec::server());
}

#[test]
fn send_ack() {
    let ack = SendAck {
        client_message_id: ID,
        seq: 300,
        time_ms: 1_700_000_000_123,
        duplicate: false,
        conversation: "d1029-2050".into(),
    };
    let frame = ServerFrame { request_id: 7, message: Some(Answer::SendAck(ack)) };
    shown("send_ack", frame, FrameCodec::server(), FrameCodec::client());
}

#[test]
fn every_code_is_explained() {
    let rejections = [
        Rejection::NameTaken,
        Rejection::NoSuchUser,
        Rejection::NoSuchConversation,
        Rejection::NotMember,
        Rejection::NotAllowed,
        Rejection::NotOpen,
        Rejection::GroupFull,
        Rejection::LastOwner,
        Rejection::AlreadyMember,
        Rejection::NoSuchMember,
        Rejection::LeaveInstead,
        Rejection::NoSuchInvitation,
        Rejection::TooManyInvitations,
        Rejection::TooLarge,
        Rejection::TooMany,
        Rejection::BadName,
        Rejection::BadRequest(""),
        Rejection::OutOfOrder,
        Rejection::AccountDisabled,
        Rejection::PasswordChangeRequired,
        Rejection::AccountChanged,
        Rejection::OwnAccount,
        Rejection::BadInvite,
        Rejection::NotAGroup,
        Rejection::InviteExists,
        Rejection::RequestReused,
    ];
    let others =
        [client::OVERLOADED, client::NO_LEADER, client::STORAGE_LOW, client::SHUTTING_DOWN, client::UNAVAILABLE];
    let limited = client::Limit::ALL.map(client::Limit::code);
    let codes = rejections
        .iter()
        .map(Rejection::code)
        .chain(signal::REFUSALS.map(|of| of.code))
        .chain(Intent::refusals().map(|of| of.code))
        .chain(
            [
                machine::import::REFUSALS,
                machine::file::REFUSALS,
                machine::room::REFUSALS,
                machine::preview::REFUSALS,
                machine::contact::REFUSALS,
                machine::favourite::REFUSALS,
                machine::personal::REFUSALS,
                machine::report::REFUSALS,
                machine::bot::REFUSALS,
                machine::push::REFUSALS,
            ]
            .concat()
            .into_iter()
            .map(|of| of.code),
        )
        .chain(Refusal::ALL.map(Refusal::code))
        .chain(others)
        .chain(limited);
    for code in codes {
        assert!(PAGE.contains(&format!("\n| `{code}` | ")), "{code} has no row");
    }
}

#[test]
fn every_end_of_a_session_is_explained() {
    for ending in Ending::ALL {
        assert!(PAGE.contains(&format!("\n   | `{}` | ", ending.code())), "{ending:?} has no row");
    }
}

#[test]
fn every_request_is_explained() {
    let file = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/proto/client.proto"));
    for oneof in ["oneof request {", "oneof operation {"] {
        let (_, after) = file.split_once(oneof).expect("requests are a oneof");
        let (requests, _) = after.split_once('}').expect("the oneof ends");
        let names: Vec<_> = requests.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert!(names.len() >= 16, "{names:?}");
        for name in names {
            assert!(PAGE.contains(&format!("\n| `{name}` | ")), "{name} has no row");
        }
    }
}

#[test]
fn limits_are_those_of_the_program() {
    let rows = [
        ("one message's body", limits::MESSAGE_BYTES, "bytes"),
        ("one frame from a client", limits::FRAME_BYTES, "bytes"),
        ("one frame before the login", limits::GREETING_FRAME_BYTES, "bytes"),
        ("one frame from a server", limits::SERVER_FRAME_BYTES, "bytes"),
        ("user name, least", limits::USERNAME_MIN_LETTERS, "letters or digits"),
        ("user name, most", limits::USERNAME_MAX_CHARS, "characters"),
        ("password, least", limits::PASSWORD_MIN_CHARS, "characters"),
        ("password, most", limits::PASSWORD_MAX_BYTES, "bytes"),
        ("device", limits::DEVICE_ID_BYTES, "bytes"),
        ("group name", limits::GROUP_NAME_CHARS, "characters"),
        ("members of a group", limits::GROUP_MEMBERS, "users"),
        ("users named in one request", limits::MEMBERS_PER_REQUEST, "users"),
        ("notice of a group", limits::NOTICE_BYTES, "bytes"),
        ("avatar of a group or user", limits::AVATAR_BYTES, "bytes"),
        ("display name of a user", limits::DISPLAY_NAME_CHARS, "characters"),
        ("text of a user about itself", limits::ABOUT_BYTES, "bytes"),
        ("language tag of a user", limits::LANGUAGE_BYTES, "bytes"),
        ("slow mode", limits::SLOW_SECONDS as usize, "seconds"),
        ("muted users of a group", limits::GROUP_MUTES, "users"),
        ("banned users of a group", limits::GROUP_BANS, "users"),
        ("chunk of a file, and one write", limits::CHUNK_BYTES, "bytes"),
        ("one file", limits::FILE_BYTES as usize, "bytes"),
        ("name of a file", limits::FILE_NAME_BYTES, "bytes"),
        ("unfinished uploads of a user in a conversation", limits::UPLOADS_OPEN as usize, "uploads"),
        ("files of a user in a conversation", limits::FILES_BYTES_OF_USER as usize, "bytes"),
        ("files of a conversation", limits::FILES_BYTES_OF_CONVERSATION as usize, "bytes"),
        ("page of the files of a conversation", limits::PAGE_FILES, "messages"),
        ("messages that a page of files looks at", limits::FILES_LOOKED_AT, "messages"),
        ("page of bans", limits::PAGE_BANS, "users"),
        ("words of a search", limits::SEARCH_WORDS, "words"),
        ("query of a search", limits::SEARCH_CHARS, "characters"),
        ("page of a search", limits::PAGE_FOUND, "messages"),
        ("rows that a page of a search reads", limits::SEARCH_ROWS, "rows"),
        ("conversations that a page of a search looks into", limits::SEARCH_CONVERSATIONS, "conversations"),
        ("users that a link lets in", limits::LINK_USES as usize, "users"),
        ("invite links of a group", limits::GROUP_LINKS, "links"),
        ("members of a conversation that shows readers", limits::READERS_MEMBERS, "users"),
        ("page of readers", limits::PAGE_READERS, "users"),
        ("messages whose readers are counted in one request", limits::READ_COUNTS, "messages"),
        ("pinned messages of a conversation", limits::PINS, "messages"),
        ("open requests to join a group", limits::JOIN_REQUESTS, "requests"),
        ("text of a request to join", limits::JOIN_TEXT_BYTES, "bytes"),
        ("page of requests to join", limits::PAGE_JOIN_REQUESTS, "requests"),
        ("requests of a user to join groups in a day, at one node", limits::JOIN_REQUESTS_PER_DAY as usize, "requests"),
        ("emoji of a reaction", limits::EMOJI_BYTES, "bytes"),
        ("question of a poll", limits::POLL_QUESTION_BYTES, "bytes"),
        ("options of a poll", limits::POLL_OPTIONS, "options"),
        ("page of votes", limits::PAGE_VOTES, "users"),
        ("polls with votes in a page of history", limits::PAGE_POLLS, "polls"),
        ("messages of a forward, and of a bundle", limits::FORWARDED, "messages"),
        ("conversations of a forward", limits::FORWARD_TO, "conversations"),
        ("messages that a forward sends", limits::FORWARD_SENDS, "messages"),
        ("one piece of a stream", limits::PIECE_BYTES, "bytes"),
        ("pieces of a stream", limits::STREAM_PIECES as usize, "pieces"),
        ("open streams of a user in a conversation", limits::STREAMS_OPEN as usize, "streams"),
        ("a stream without a piece", limits::STREAM_IDLE_MS as usize, "milliseconds"),
        ("a stream lasts", limits::STREAM_MS as usize, "milliseconds"),
        ("users that a session watches", limits::WATCHED_USERS, "users"),
        ("watchers of a user, counted at each node", limits::WATCHERS_OF_USER, "watchers"),
        ("watched users of all connections of a node", limits::WATCHES_PER_NODE, "users"),
        ("bytes that a forward sends", limits::FORWARD_BYTES / 1024, "KiB"),
        ("contacts of one broadcast", limits::BROADCAST_CONTACTS, "contacts"),
        ("edits of a message", limits::EDITS_PER_MESSAGE, "edits"),
        ("different reactions to a message", limits::REACTIONS_PER_MESSAGE, "emoji"),
        ("scheduled messages of a user in a conversation", limits::SCHEDULED_OF_USER, "messages"),
        ("the same with refused and cancelled ones", limits::SCHEDULED_KEPT_OF_USER, "messages"),
        ("scheduled messages in a conversation", limits::SCHEDULED, "messages"),
        ("time ahead of a scheduled message", limits::SCHEDULED_AHEAD_MS as usize, "milliseconds"),
        ("page of scheduled messages", limits::PAGE_SCHEDULED, "messages"),
        ("payload of a signal", limits::SIGNAL_BYTES, "bytes"),
        ("members of a group with signals", limits::SIGNAL_MEMBERS, "users"),
        ("signals of a user", limits::SIGNALS.0 as usize, "per second"),
        ("a call rings", limits::CALL_RINGS_MS as usize, "milliseconds"),
        ("a call lasts", limits::CALL_MS as usize, "milliseconds"),
        ("sessions of a user", limits::SESSIONS_PER_USER, "sessions"),
        ("page of history", limits::PAGE_EVENTS, "events"),
        ("page of history, bodies", limits::PAGE_BYTES, "bytes"),
        ("page of users", limits::PAGE_USERS, "users"),
        ("page of members", limits::PAGE_MEMBERS, "users"),
        ("page of conversations", limits::PAGE_CONVERSATIONS, "conversations"),
        ("sends in flight", limits::SEND_WINDOW, "sends"),
        ("bytes waiting for a slow client", limits::CONNECTION_OUT_BYTES, "bytes"),
        ("members that see cursors move", limits::MEMBERS_SEEING_CURSORS, "users"),
        ("invitations of a user", limits::INVITATIONS_PENDING, "invitations"),
        ("invitations of a user by one other", limits::INVITATIONS_PENDING_OF_ONE, "invitations"),
        ("conversations that are pushed", limits::CONVERSATIONS_FOLLOWED, "conversations"),
        ("time to log in", limits::UNAUTHENTICATED_SECONDS as usize, "seconds"),
        ("silence of a client", limits::IDLE_SECONDS as usize, "seconds"),
        ("bytes that a client's machine does not acknowledge", limits::UNACKNOWLEDGED_SECONDS as usize, "seconds"),
        ("a connection that takes nothing", limits::WRITE_STALL_SECONDS as usize, "seconds"),
        ("session token", client::SessionToken::MAX_BYTES, "bytes"),
    ];
    for (what, limit, unit) in rows {
        let row = format!("\n| {what} | {limit} {unit} |");
        assert!(PAGE.contains(&row), "the page lacks: {row}");
    }
}
