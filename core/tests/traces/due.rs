//! The words of a story about work that has a time.
//!
//! ```text
//! schedule anna team m1 5000 "hello" · cancel anna team m1
//! due team 9000 16 [anna ...]              what is due until then, without accounts of these users
//! show scheduled team anna · show due team
//! ```

use troupe_core::command::{CancelScheduled, RunDue, Schedule};
use troupe_core::feature::{Scheduled, ScheduledCount};
use troupe_core::record::{Due, DueKey, Work};
use troupe_core::{ClientMessageId, Command, ConversationId, Rows, Timestamp, UserId};

use crate::bodies::body;
use crate::script::{id, number, users};
use crate::show;
use crate::world::World;

pub fn knows(verb: &str) -> bool {
    ["schedule", "cancel", "due"].contains(&verb)
}

pub fn run(world: &mut World, verb: &str, words: &[&str]) -> Result<Vec<String>, String> {
    let command = match (verb, words) {
        ("schedule", [sender, conversation, message, at, rest @ ..]) => {
            let (body, rest) = body(world, rest)?;
            if !rest.is_empty() {
                return Err("a scheduled message ends with its body".to_owned());
            }
            Command::from(Schedule {
                conversation: world.conversation(conversation)?,
                sender: world.user(sender)?,
                client_message_id: id(message)?,
                at: Timestamp(number(at)?),
                body,
            })
        }
        ("cancel", [sender, conversation, message]) => Command::CancelScheduled(CancelScheduled {
            conversation: world.conversation(conversation)?,
            sender: world.user(sender)?,
            client_message_id: id(message)?,
        }),
        ("due", [conversation, until, most, gone @ ..]) => Command::RunDue(RunDue {
            slot: match world.user(conversation) {
                Ok(user) => user.slot(),
                Err(_) => world.conversation(conversation)?.slot(),
            },
            until: Timestamp(number(until)?),
            most: number(most)? as u32,
            gone: users(world, gone)?,
        }),
        _ => return Err("no such words".to_owned()),
    };
    Ok(world.apply(&command, None))
}

pub fn shown(world: &World, words: &[&str]) -> Result<Vec<String>, String> {
    match words {
        ["scheduled", conversation, user] => {
            let start = (world.conversation(conversation)?, world.user(user)?);
            let rows = world.state.page::<Scheduled>(&start, None, usize::MAX);
            let row = |((_, _, id), row): &((ConversationId, UserId, ClientMessageId), Scheduled)| {
                let body = row.body.as_ref().map_or("cancelled".to_owned(), |body| show::said(world, body));
                let refused =
                    if row.is_refused() { format!(", {} until {}", row.refused, row.until) } else { String::new() };
                format!("{} at {}: {body}{refused}", show::id(*id), row.at)
            };
            let mut lines: Vec<String> = rows.iter().map(row).collect();
            let count = world.state.get::<ScheduledCount>(&start).unwrap_or_default();
            lines.push(format!("{} wait, {} rows", count.waiting, count.kept));
            Ok(lines)
        }
        ["due", conversation] => {
            let rows = world.state.page::<Due>(&world.conversation(conversation)?.slot(), None, usize::MAX);
            let row = |key: &DueKey| match key.work {
                Work::Scheduled { sender, id, .. } => {
                    format!("{}: message {} of {}", key.at, show::id(id), show::name(world, sender))
                }
                Work::Poll { poll, .. } => format!("{}: poll {poll}", key.at),
                Work::Call { call, .. } => format!("{}: call {call}", key.at),
                Work::Stream { message, .. } => format!("{}: stream {message}", key.at),
                Work::Vanish { message, .. } => format!("{}: message {message} vanishes", key.at),
                Work::Upload { owner, id, .. } => {
                    format!("{}: upload {} of {}", key.at, show::id(id), show::name(world, owner))
                }
                Work::Room { user, .. } => format!("{}: room of {}", key.at, show::name(world, user)),
                Work::File { file, .. } => format!("{}: file {}", key.at, &file.to_string()[..8]),
                Work::Chunks { number, next, end, .. } => format!("{}: chunks {next} to {end} of {number}", key.at),
            };
            Ok(rows.iter().map(|(key, _)| row(key)).collect())
        }
        _ => Err("no such words".to_owned()),
    }
}
