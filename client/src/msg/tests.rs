use troupe_core::UserId;
use troupe_core::event::Role;

use super::*;

#[test]
fn json_keeps_its_value_and_steers_no_terminal() {
    for text in ["plain", "tab\tnew\nline", "\u{1b}[2J\u{9b}31m\u{7f}", "a\u{202e}b\u{2028}c\u{e0041}", "Grüße 张三 👩‍🚀"]
    {
        let value = json!({ "text": text });
        let line = as_line(&value);
        assert_eq!(line, clean(&line), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).expect("it is JSON"), value);
    }
}

#[test]
fn an_event_of_a_later_version_is_a_line_like_any_other() {
    let event = Event {
        seq: Seq(4),
        time: troupe_core::Timestamp(5),
        sender: UserId(6),
        client_message_id: troupe_core::ClientMessageId([7; 16]),
        kind: EventKind::Unknown { kind: 77, content: vec![1, 2, 3].into() },
        seal: None,
    };
    assert_eq!(as_text(ConversationId::Everyone, &event), "everyone 4 6: (unsupported event, kind 77)");
    let line: Value = serde_json::from_str(&as_json(ConversationId::Everyone, &event)).expect("it is JSON");
    assert_eq!((&line["seq"], &line["sender"]), (&json!(4), &json!(6)));
    assert_eq!((&line["kind"], &line["number"], &line["bytes"]), (&json!("unsupported"), &json!(77), &json!(3)));
}

#[test]
fn every_kind_of_event_has_its_fields_in_json() {
    let event = |kind| Event {
        seq: Seq(4),
        time: troupe_core::Timestamp(5),
        sender: UserId(6),
        client_message_id: troupe_core::ClientMessageId([7; 16]),
        kind,
        seal: None,
    };
    for (kind, expected) in [
        (EventKind::Created { name: "Team".into() }, json!({ "kind": "created", "name": "Team" })),
        (EventKind::Added { users: vec![UserId(1), UserId(2)] }, json!({ "kind": "added", "users": [1, 2] })),
        (EventKind::Removed { user: UserId(1) }, json!({ "kind": "removed", "user": 1 })),
        (
            EventKind::RoleChanged { user: UserId(1), role: Role::Admin },
            json!({ "kind": "role_changed", "user": 1, "role": "admin" }),
        ),
        (
            EventKind::Reacted { to: Seq(3), emoji: "👍".into(), removed: true },
            json!({ "kind": "reacted", "to": 3, "emoji": "👍", "removed": true }),
        ),
    ] {
        let line: Value = serde_json::from_str(&as_json(ConversationId::Everyone, &event(kind))).expect("it is JSON");
        for (field, value) in expected.as_object().expect("an object") {
            assert_eq!(&line[field], value, "{field} of {line}");
        }
    }
    let like = event(EventKind::Reacted { to: Seq(3), emoji: "👍\u{202e}".into(), removed: false });
    assert_eq!(as_text(ConversationId::Everyone, &like), "everyone 4 6: reacted with 👍 to 3");
}
