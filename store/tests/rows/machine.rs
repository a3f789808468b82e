//! The machine gives the same replies and effects over the store as over maps.

use proptest::prelude::*;
use troupe_core::command::*;
use troupe_core::event::Role;
use troupe_core::feature::{OwnReactions, Reactions};
use troupe_core::record::{Conversation, Member, Session};
use troupe_core::state::memory::MemoryState;
use troupe_core::{
    Body, ConversationId, DeviceId, GroupId, Level, Machine, Meta, Reply, Rows, Seq, Timestamp, TokenHash, UserId,
    Username,
};
use troupe_store::View;

use super::{Store, id};

const NAMES: [&str; 4] = ["ann", "Bob", "ann.b", "ébène"];

/// Users and groups that the commands have made until now; later commands refer to them.
#[derive(Default)]
struct World {
    users: Vec<UserId>,
    groups: Vec<GroupId>,
}

impl World {
    fn user(&self, number: u8) -> UserId {
        *self.users.get(usize::from(number) % self.users.len().max(1)).unwrap_or(&UserId(1))
    }

    fn group(&self, number: u8) -> GroupId {
        *self.groups.get(usize::from(number) % self.groups.len().max(1)).unwrap_or(&GroupId(1))
    }

    fn conversation(&self, number: u8, sender: UserId) -> ConversationId {
        match number % 4 {
            0 => ConversationId::Everyone,
            1 => ConversationId::direct(sender, self.user(number / 4)).unwrap_or(ConversationId::Everyone),
            _ => ConversationId::Group(self.group(number / 4)),
        }
    }

    fn command(&self, [what, a, b, c]: [u8; 4]) -> Command {
        let actor = self.user(a);
        match what % 10 {
            0 => Command::Register(Register {
                name: Username::new(NAMES[usize::from(a) % NAMES.len()]).unwrap(),
                password_hash: "hash".to_owned(),
                request: id(b % 3),
            }),
            1 => Command::OpenSession(OpenSession {
                user: actor,
                device: DeviceId::new(&format!("device{}", b % 20)).unwrap(),
                token: TokenHash([c; 32]),
                revision: u64::from(c % 2),
                from: if b % 2 == 0 { String::new() } else { "192.0.2.7".to_owned() },
            }),
            2 => Command::CloseSession(CloseSession {
                user: actor,
                device: DeviceId::new(&format!("device{}", b % 20)).unwrap(),
                token: (c % 2 == 0).then_some(TokenHash([c; 32])),
            }),
            3 => Command::CreateGroup(CreateGroup {
                creator: actor,
                request: id(b % 4),
                name: "group".to_owned(),
                open: c % 2 == 0,
                members: self.users.iter().copied().take(usize::from(c % 4)).collect(),
            }),
            4 => Command::Append(Append {
                conversation: ConversationId::Group(self.group(b)),
                actor,
                client_message_id: id(c),
                after: None,
                intent: match c % 6 {
                    0 => Intent::Rename { name: format!("name {c}") },
                    1 => Intent::Add { users: vec![self.user(c)] },
                    2 => Intent::Remove { user: self.user(c / 6) },
                    3 => Intent::Leave,
                    4 => Intent::Join,
                    _ => Intent::SetRole { user: self.user(c / 6), role: Role::Admin },
                },
            }),
            5 => {
                let conversation = self.conversation(b, actor);
                let moves =
                    vec![CursorMove { user: actor, delivered: Seq(u64::from(c % 8)), read: Seq(u64::from(c % 5)) }];
                Command::AdvanceCursors(AdvanceCursors { conversation, moves })
            }
            6 => Command::UpdateInbox(UpdateInbox {
                user: actor,
                conversation: self.conversation(b, actor),
                present: c % 2 == 0,
                version: Seq(u64::from(c % 7)),
                by: (c % 3 == 0).then(|| self.user(b / 2)),
                unasked: false,
            }),
            _ => Command::Append(Append {
                conversation: self.conversation(b, actor),
                actor,
                client_message_id: id(c),
                after: (c % 5 == 0).then(|| id(c / 5)),
                intent: match what % 3 {
                    0 => {
                        let emoji = if c % 2 == 0 { "👍" } else { "🎉" };
                        Intent::React { to: Seq(u64::from(c % 8)), emoji: emoji.to_owned(), remove: c % 3 == 0 }
                    }
                    _ => Intent::Message(Body::text("hello")),
                },
            }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_machine_answers_alike(drawn in proptest::collection::vec(any::<[u8; 4]>(), 1..200), commit_at in 1usize..10) {
        let (mut store, mut model, mut world) = (Store::new(), MemoryState::default(), World::default());
        let machine = Machine::default();
        let mut drawn: Vec<[u8; 4]> = drawn;
        // Without users nothing happens.
        drawn.splice(0..0, [[0, 0, 0, 0], [0, 1, 1, 0], [0, 2, 2, 0]]);
        for (number, draw) in drawn.into_iter().enumerate() {
            if number % commit_at == 0 {
                store.commit();
            }
            let meta = Meta { now: Timestamp(1_000 + number as u64), level: Level::NEWEST };
            let command = world.command(draw);
            let expected = machine.apply(&mut model, meta, &command);
            prop_assert_eq!(&machine.apply(&mut store.open, meta, &command), &expected, "{:?}", &command);
            match expected.0 {
                Reply::Registered { user } if !world.users.contains(&user) => world.users.push(user),
                Reply::GroupCreated { group } if !world.groups.contains(&group) => world.groups.push(group),
                _ => {}
            }
            // Outbox rows are settled now and then.
            if draw[3] % 16 == 0 && let Some(row) = model.outbox().into_iter().next() {
                let settle = Command::SettleOutbox(SettleOutbox { slot: row.key.slot, rows: vec![row.key] });
                let expected = machine.apply(&mut model, meta, &settle);
                prop_assert_eq!(machine.apply(&mut store.open, meta, &settle), expected);
            }
        }
        prop_assert!(store.open.error().is_none());
        prop_assert!(model.users().len() >= 3, "the first commands register");
        store.commit();

        let view = View::new(store.reader());
        prop_assert_eq!(view.outbox(0..1024, None, 10_000).unwrap(), model.outbox());
        for conversation in model.conversations() {
            prop_assert_eq!(view.conversation(conversation).unwrap(), model.get::<Conversation>(&conversation));
            prop_assert_eq!(view.events(conversation, Seq::ZERO, 10_000, usize::MAX).unwrap(), model.events(conversation));
            let members = model.page::<Member>(&conversation, None, 10_000).into_iter();
            let members: Vec<_> = members.map(|((_, user), member)| (user, member)).collect();
            prop_assert_eq!(view.members(conversation, None, 10_000).unwrap(), members);
            let all = view.page::<Reactions>(&conversation, None, 10_000).unwrap();
            prop_assert_eq!(all, model.page::<Reactions>(&conversation, None, 10_000));
            let own = view.page::<OwnReactions>(&conversation, None, 10_000).unwrap();
            prop_assert_eq!(own, model.page::<OwnReactions>(&conversation, None, 10_000));
        }
        for user in model.users() {
            prop_assert_eq!(view.user(user.id).unwrap(), Some(user.clone()));
            prop_assert_eq!(view.inbox(user.id, None, 10_000).unwrap(), model.inbox(user.id));
            let sessions = model.page::<Session>(&user.id, None, 10_000).into_iter().map(|(_, session)| session);
            prop_assert_eq!(view.sessions(user.id).unwrap(), sessions.collect::<Vec<_>>());
        }
    }
}
