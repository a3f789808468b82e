//! Random writes to both states, all reads compared after each.

use proptest::prelude::*;
use troupe_core::event::Role;
use troupe_core::record::{
    AuditKey, AuditRow, Author, Conversation, Cursor, InboxEntry, Member, OutboxKey, OutboxRow, Session, Standing, User,
};
use troupe_core::state::memory::MemoryState;
use troupe_core::{Body, DeviceId, Event, EventKind, GroupId, Seq, Slot, State, Timestamp, TokenHash};
use troupe_store::View;

use super::{Store, conversation, id, user};

/// One write; the numbers choose among a few keys and values.
#[derive(Clone, Copy, Debug)]
struct Write {
    what: u8,
    a: u8,
    b: u8,
    value: u8,
}

const KINDS: u8 = 17;

fn device(number: u8) -> DeviceId {
    DeviceId::new(["phone", "phone2", "laptop"][usize::from(number % 3)]).unwrap()
}

fn outbox_key(a: u8, b: u8) -> OutboxKey {
    let conversation = conversation(a);
    OutboxKey { slot: conversation.slot(), conversation, version: Seq(u64::from(b)), user: user(a % 3) }
}

fn audit_key(slot: Slot, b: u8, value: u8) -> AuditKey {
    AuditKey { slot, time: Timestamp(u64::from(b % 3)), number: u64::from(value % 4) }
}

fn write(state: &mut dyn State, Write { what, a, b, value }: Write) {
    let number = u64::from(value) + 1;
    let (owner, conv, slot) = (user(a % 3), conversation(b), Slot(u16::from(a % 3)));
    let name = format!("name{}", a % 4);
    match what % KINDS {
        0 => state.put_user(&User {
            id: owner,
            name,
            password_hash: format!("hash{value}"),
            created: Timestamp(number),
            request: id(value),
            standing: Standing { admin: value % 2 == 0, revision: number, ..Standing::default() },
        }),
        1 => state.put_name(&name, owner),
        2 => state.put_session(
            owner,
            &Session {
                device: device(b),
                token: TokenHash([value; 32]),
                created: Timestamp(number),
                used: Timestamp(0),
            },
        ),
        3 => state.delete_session(owner, &device(b)),
        4 => state.put_inbox_entry(
            owner,
            &InboxEntry {
                conversation: conv,
                present: value % 2 == 0,
                version: Seq(number),
                unanswered: value % 3 == 0,
            },
        ),
        5 => state.put_conversation(
            conv,
            &Conversation {
                name,
                open: value % 2 == 0,
                head: Seq(number),
                time: Timestamp(number),
                members: value.into(),
                chain: number << 40,
                created: Timestamp(1),
                owners: u32::from(value / 2),
                low_wrote: value % 3 == 0,
                high_wrote: value % 5 == 0,
            },
        ),
        6 => state.put_member(
            conv,
            owner,
            &Member { role: [Role::Member, Role::Admin, Role::Owner][usize::from(value % 3)], since: Seq(number) },
        ),
        7 => state.delete_member(conv, owner),
        8 => state.put_cursor(conv, owner, Cursor { delivered: Seq(number), read: Seq(number / 2) }),
        9 => state.put_event(
            conv,
            &Event {
                seq: Seq(u64::from(a % 4) + 1),
                time: Timestamp(number),
                sender: owner,
                client_message_id: id(value),
                kind: EventKind::Message(Body::text(&name)),
                seal: None,
            },
        ),
        10 => state.put_placed(conv, owner, id(value % 3), Seq(number)),
        11 => state.put_group_of_request(slot, owner, id(b % 3), GroupId(number)),
        12 => state.put_outbox(&OutboxRow { key: outbox_key(b, value % 3), present: value % 2 == 0, by: None }),
        13 => state.delete_outbox(&outbox_key(b, value % 3)),
        14 => state.put_audit(&AuditRow {
            key: audit_key(slot, b, value),
            by: Author::default(),
            action: "act".to_owned(),
            target: String::new(),
            detail: String::new(),
            request: id(value),
        }),
        15 => state.delete_audit(&audit_key(slot, b, value)),
        _ => state.put_counter(slot, number),
    }
}

/// All readable values of the few written keys.
fn everything(state: &dyn State) -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |what: &dyn std::fmt::Debug| all.push(format!("{what:?}"));
    for u in (0..3).map(user) {
        say(&state.user(u));
        say(&state.sessions(u));
        for number in 0..3 {
            say(&state.session(u, &device(number)));
            say(&state.group_of_request(Slot(number.into()), user(number), id(0)));
            say(&state.group_of_request(Slot(0), u, id(number)));
        }
    }
    for number in 0..4 {
        say(&state.user_of_name(&format!("name{number}")));
        say(&state.counter(Slot(number)));
        say(&state.first_audit(Slot(number)));
        for limit in 0..4 {
            say(&state.last_audit(Slot(number), limit));
        }
    }
    for conv in (0..5).map(conversation) {
        say(&state.conversation(conv));
        for from in [None, Some(user(0)), Some(user(1)), Some(user(2))] {
            for limit in 0..4 {
                say(&state.members(conv, from, limit));
            }
        }
        for u in (0..3).map(user) {
            say(&state.member(conv, u));
            say(&state.cursor(conv, u));
            say(&state.inbox_entry(u, conv));
            (0..3).for_each(|number| say(&state.placed(conv, u, id(number))));
        }
        (0..6).for_each(|seq| say(&state.event(conv, Seq(seq))));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// `commit_at`: the transaction ends before writes whose number it divides, so that rows come
    /// from below and from above.
    #[test]
    fn a_transaction_is_the_state_in_maps(
        writes in proptest::collection::vec((0..KINDS, 0u8..12, 0u8..12, 0u8..12), 1..80),
        commit_at in 1usize..20,
    ) {
        let (mut store, mut model) = (Store::new(), MemoryState::default());
        for (number, (what, a, b, value)) in writes.into_iter().enumerate() {
            if number % commit_at == 0 {
                store.commit();
            }
            let next = Write { what, a, b, value };
            write(&mut store.open, next);
            write(&mut model, next);
            prop_assert_eq!(everything(&store.open), everything(&model), "after {:?}", next);
        }
        store.commit();
        let view = View::new(store.reader());
        prop_assert_eq!(view.outbox(0..1024, None, 1000).unwrap(), model.outbox());
        for u in (0..3).map(user) {
            prop_assert_eq!(view.inbox(u, None, 1000).unwrap(), model.inbox(u));
        }
        for conv in (0..5).map(conversation) {
            prop_assert_eq!(view.events(conv, Seq::ZERO, 1000, usize::MAX).unwrap(), model.events(conv));
        }
        let mut conversations: Vec<_> = view.conversations(0..1024, None, 1000).unwrap();
        conversations.sort_by_key(|(id, _)| *id);
        let expected: Vec<_> = model.conversations().into_iter().map(|id| (id, model.conversation(id).unwrap())).collect();
        prop_assert_eq!(conversations, expected);
    }

    /// The order of the batch does not depend on the order of the writes.
    #[test]
    fn a_batch_is_in_order_of_keys(writes in proptest::collection::vec((0..KINDS, 0u8..12, 0u8..12), 1..40)) {
        let batch = |writes: &mut dyn Iterator<Item = &(u8, u8, u8)>| {
            let mut store = Store::new();
            for (what, a, b) in writes {
                // One value per key, so that the last write to a key is any of them.
                write(&mut store.open, Write { what: *what, a: *a, b: *b, value: 0 });
            }
            store.open.into_batch().unwrap()
        };
        let keyed: std::collections::BTreeSet<_> = writes.iter().copied().filter(|w| !matches!(w.0, 0 | 1 | 3 | 5 | 7 | 9 | 13 | 15)).collect();
        prop_assert_eq!(batch(&mut keyed.iter()), batch(&mut keyed.iter().rev()));
    }
}
