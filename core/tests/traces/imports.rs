//! The words of a story about imports.
//!
//! ```text
//! import team k1 [open] q1 / <event> / ...       into the group of the key k1
//! import everyone - q1 / <event> / ...           into a conversation that has no key
//! 1 500 anna m1 created "The team"               an event: seq, time, sender, id, and one of:
//! said "hello" · renamed "Name" · added bert carl · removed bert · role bert admin
//! reacted 1 👍 · took-back 1 👍 · kind 77 [unread] · edited 1 "text" · recalled 1
//! said "hello" erased                            only the hash is left of the content
//! cursor bert 3/2                                instead of an event: delivered/read
//! ```

use troupe_core::command::{CursorMove, Destination, Import};
use troupe_core::event::{Flags, Role};
use troupe_core::{Body, Command, ConversationId, Event, EventKind, Reply, Seq, Timestamp};

use crate::accounts::author;
use crate::script::{id, number};
use crate::show;
use crate::world::World;

pub fn run(world: &mut World, words: &[&str]) -> Result<Vec<String>, String> {
    let mut parts = words.split(|word| *word == "/");
    let (into, called, request) = match parts.next() {
        Some([to, "-", request]) => (Destination::Known(world.conversation(to)?), None, request),
        Some([to, key, request]) => (Destination::Group { key: id(key)?, open: false }, Some(*to), request),
        Some([to, key, "open", request]) => (Destination::Group { key: id(key)?, open: true }, Some(*to), request),
        _ => return Err("expected a conversation, a key or '-', and a request".to_owned()),
    };
    let (mut events, mut cursors) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            ["cursor", user, to] => {
                let (delivered, read) = to.split_once('/').ok_or("expected delivered/read")?;
                let (delivered, read) = (Seq(number(delivered)?), Seq(number(read)?));
                cursors.push(CursorMove { user: world.user(user)?, delivered, read });
            }
            [seq, time, sender, message, what @ ..] => {
                let event = Event {
                    seq: Seq(number(seq)?),
                    time: Timestamp(number(time)?),
                    sender: world.user(sender)?,
                    client_message_id: id(message)?,
                    kind: kind(world, what)?,
                    seal: None,
                };
                let mut event = event.sealed();
                if let Some(seal) = event.seal.as_mut().filter(|_| what.last() == Some(&"unread")) {
                    seal.flags = Flags::COUNTS_AS_UNREAD;
                }
                if what.last() == Some(&"erased") {
                    event = event.erased().ok_or("it has no seal")?;
                }
                events.push(event);
            }
            _ => return Err("expected an event".to_owned()),
        }
    }
    let by = author(world, "root")?;
    let import = Import { into, request: id(request)?, by, source: "a story".to_owned(), events, cursors };
    let command = Command::from(import);
    let meta = world.meta();
    let (reply, effects) = world.machine.apply(&mut world.state, meta, &command);
    if let (Reply::Imported { conversation: ConversationId::Group(group), .. }, Some(called)) = (&reply, called) {
        world.groups.insert(called.to_owned(), *group);
    }
    let mut answers = vec![format!("= {}", show::reply(world, &reply))];
    answers.extend(effects.iter().map(|effect| format!("! {}", show::effect(world, effect))));
    Ok(answers)
}

fn kind(world: &World, what: &[&str]) -> Result<EventKind, String> {
    Ok(match what {
        ["said", text] | ["said", text, "erased"] => EventKind::Message(Body::text(text)),
        ["said", text, "expires", after] => EventKind::Message(Body::text(text).expiring_in_ms(number(after)?)),
        ["said", text, "stream"] => EventKind::Message(Body::text(text).streaming()),
        ["finished", to, text] => {
            EventKind::StreamEnded { to: Seq(number(to)?), body: Body::text(text), aborted: false }
        }
        ["created", name] => EventKind::Created { name: (*name).to_owned() },
        ["renamed", name] => EventKind::Renamed { name: (*name).to_owned() },
        ["added", users @ ..] => {
            EventKind::Added { users: users.iter().map(|user| world.user(user)).collect::<Result<_, _>>()? }
        }
        ["removed", user] => EventKind::Removed { user: world.user(user)? },
        ["role", user, role] => {
            let role = [Role::Member, Role::Admin, Role::Owner].into_iter().find(|known| show::role(*known) == *role);
            EventKind::RoleChanged { user: world.user(user)?, role: role.ok_or("no such role")? }
        }
        ["reacted" | "took-back", to, emoji] => EventKind::Reacted {
            to: Seq(number(to)?),
            emoji: (*emoji).to_owned(),
            removed: what.first() == Some(&"took-back"),
        },
        ["edited", to, text] | ["edited", to, text, "erased"] => {
            EventKind::Edited { to: Seq(number(to)?), body: Body::text(text) }
        }
        ["recalled", to] => EventKind::Recalled { to: Seq(number(to)?) },
        ["vanished", to] => EventKind::Vanished { to: Seq(number(to)?) },
        ["kind", kind, ..] => EventKind::Unknown { kind: number(kind)? as u32, content: vec![1, 2, 3].into() },
        _ => return Err("no such event".to_owned()),
    })
}
