//! The words of a story about the room of users.
//!
//! ```text
//! room anna team 70000 of 100000       70000 bytes for an upload, of 100000
//! relay-room team anna [late]             what the conversation owes is heard; late: and not settled
//! show room anna
//! ```

use troupe_core::command::{HearRoom, ReserveRoom, SettleRooms, SettledRoom};
use troupe_core::record::{FileUsage, OwedRoom, Room, RoomReserved, RoomUsed};
use troupe_core::{Command, ConversationId, Rows, Timestamp, UserId};

use crate::script::number;
use crate::world::World;

pub fn knows(verb: &str) -> bool {
    matches!(verb, "room" | "relay-room")
}

pub fn run(world: &mut World, verb: &str, rest: &[&str]) -> Result<Vec<String>, String> {
    match (verb, rest) {
        ("room", [user, conversation, bytes, "of", most]) => {
            let (user, conversation) = (world.user(user)?, world.conversation(conversation)?);
            let (bytes, most) = (number(bytes)?, number(most)?);
            Ok(world.apply(&ReserveRoom { user, conversation, bytes, most }.into(), None))
        }
        ("relay-room", [conversation, user, late @ ..]) => {
            let (conversation, user) = (world.conversation(conversation)?, world.user(user)?);
            let owed = world.state.get::<OwedRoom>(&(conversation, user)).ok_or("nothing is owed")?;
            let bytes = world.state.get::<FileUsage>(&(conversation, user)).unwrap_or_default().bytes;
            let OwedRoom { version, reserved } = owed;
            let mut answers = world.apply(&HearRoom { user, conversation, version, bytes, reserved }.into(), None);
            if late.is_empty() {
                let rows = vec![SettledRoom { conversation, user, version }];
                let settle = Command::SettleRooms(SettleRooms { slot: conversation.slot(), rows });
                answers.extend(world.apply(&settle, None));
            }
            Ok(answers)
        }
        _ => Err("no such words about room".to_owned()),
    }
}

pub fn shown(world: &World, words: &[&str]) -> Option<Result<Vec<String>, String>> {
    match words {
        ["room", user] => Some(world.user(user).map(|user| room(world, user))),
        _ => None,
    }
}

fn room(world: &World, user: UserId) -> Vec<String> {
    let Room { bytes, reserved, reservations, .. } = world.state.get::<Room>(&user).unwrap_or_default();
    let used = |((_, conversation), row): &((UserId, ConversationId), RoomUsed)| {
        format!("{conversation}: {} by version {}", row.bytes, row.version)
    };
    let held = |((_, conversation, until), row): &((UserId, ConversationId, Timestamp), RoomReserved)| {
        format!("{conversation}: {} reserved until {until}", row.bytes)
    };
    let sum = format!("{bytes} bytes, and {reserved} reserved by {reservations}");
    let rows = world.state.page::<RoomUsed>(&user, None, usize::MAX);
    let reservations = world.state.page::<RoomReserved>(&user, None, usize::MAX);
    [sum].into_iter().chain(rows.iter().map(used)).chain(reservations.iter().map(held)).collect()
}
