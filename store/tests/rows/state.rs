//! Random writes to both states, all reads compared after each.

use proptest::prelude::*;
use troupe_core::event::Role;
use troupe_core::record::{
    AuditKey, AuditRow, Conversation, Counter, Cursor, GroupOfRequest, InboxEntry, Member, NameOf, OutboxKey,
    OutboxRow, Placed, Session, Standing, User,
};
use troupe_core::state::memory::MemoryState;
use troupe_core::{Body, DeviceId, Event, EventKind, GroupId, Rows, Seq, Slot, State, Timestamp, TokenHash};
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
        0 => {
            let standing = Standing { admin: value % 2 == 0, revision: number, ..Standing::default() };
            let (password_hash, created) = (format!("hash{value}"), Timestamp(number));
            state.put(&owner, &User { id: owner, name, password_hash, created, request: id(value), standing });
        }
        1 => state.put(&NameOf::of(&name), &NameOf(owner)),
        2 => {
            let (token, created) = (TokenHash([value; 32]), Timestamp(number));
            state.put(&(owner, device(b)), &Session { device: device(b), token, created, used: Timestamp(0) });
        }
        3 => state.delete::<Session>(&(owner, device(b))),
        4 => {
            let (present, unanswered) = (value % 2 == 0, value % 3 == 0);
            let entry = InboxEntry { conversation: conv, present, version: Seq(number), unanswered };
            state.put(&(owner, conv), &entry);
        }
        5 => state.put(
            &conv,
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
                large: Seq(number / 2),
                ..Conversation::default()
            },
        ),
        6 => {
            let role = [Role::Member, Role::Admin, Role::Owner][usize::from(value % 3)];
            state.put(&(conv, owner), &Member::new(role, Seq(number)));
        }
        7 => state.delete::<Member>(&(conv, owner)),
        8 => state.put(&(conv, owner), &Cursor { delivered: Seq(number), read: Seq(number / 2) }),
        9 => {
            let (seq, kind) = (Seq(u64::from(a % 4) + 1), EventKind::Message(Body::text(&name)));
            let (time, client_message_id) = (Timestamp(number), id(value));
            state.put(&(conv, seq), &Event { seq, time, sender: owner, client_message_id, kind, seal: None });
        }
        10 => state.put(&(conv, owner, id(value % 3)), &Placed(Seq(number))),
        11 => state.put(&(slot, owner, id(b % 3)), &GroupOfRequest(GroupId(number))),
        12 => {
            let key = outbox_key(b, value % 3);
            state.put(&key.clone(), &OutboxRow { key, present: value % 2 == 0, by: None });
        }
        13 => state.delete::<OutboxRow>(&outbox_key(b, value % 3)),
        14 => {
            let (key, action) = (audit_key(slot, b, value), "act".to_owned());
            let (by, target, detail) = Default::default();
            state.put(&key, &AuditRow { key, by, action, target, detail, request: id(value) });
        }
        15 => state.delete::<AuditRow>(&audit_key(slot, b, value)),
        _ => state.put(&slot, &Counter(number)),
    }
}

/// All readable values of the few written keys.
fn everything(state: &dyn State) -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |what: &dyn std::fmt::Debug| all.push(format!("{what:?}"));
    for u in (0..3).map(user) {
        say(&state.get::<User>(&u));
        say(&state.page::<Session>(&u, None, usize::MAX));
        for number in 0..3 {
            say(&state.get::<Session>(&(u, device(number))));
            say(&state.get::<GroupOfRequest>(&(Slot(number.into()), user(number), id(0))));
            say(&state.get::<GroupOfRequest>(&(Slot(0), u, id(number))));
        }
    }
    for number in 0..4 {
        say(&state.get::<NameOf>(&NameOf::of(&format!("name{number}"))));
        say(&state.get::<Counter>(&Slot(number)));
        say(&state.page::<AuditRow>(&Slot(number), None, 1));
        for limit in 0..4 {
            say(&state.last::<AuditRow>(&Slot(number), limit));
        }
    }
    for conv in (0..5).map(conversation) {
        say(&state.get::<Conversation>(&conv));
        for from in [None, Some(user(0)), Some(user(1)), Some(user(2))] {
            for limit in 0..4 {
                say(&state.page::<Member>(&conv, from.map(|user| (conv, user)).as_ref(), limit));
            }
        }
        for u in (0..3).map(user) {
            say(&state.get::<Member>(&(conv, u)));
            say(&state.get::<Cursor>(&(conv, u)));
            say(&state.get::<InboxEntry>(&(u, conv)));
            (0..3).for_each(|number| say(&state.get::<Placed>(&(conv, u, id(number)))));
        }
        (0..6).for_each(|seq| say(&state.get::<Event>(&(conv, Seq(seq)))));
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
        let expected: Vec<_> = model.conversations().into_iter().map(|id| (id, model.get::<Conversation>(&id).unwrap())).collect();
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
