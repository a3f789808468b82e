//! The words of a story about changes of messages.
//!
//! ```text
//! react anna team r8 3 "+" · unreact anna team r9 3 "+"        to the message 3
//! edit anna team r8 3 "text" · recall anna team r9 3 120000    a sender recalls within so many ms
//! pin anna team r10 3 · unpin anna team r11 3
//! vote anna team r8 3 0 [2 ...] · unvote anna team r9 3 · close-poll anna team r9 3
//! piece anna team 3 0 "text" · finish anna team r8 3 ["text"] · abort anna team r9 3
//! show reactions team anna bert ... · show edits team
//! show pins team · show polls team · show streams team
//! ```

use troupe_core::command::WritePiece;
use troupe_core::feature::{Count, Edits, OpenStream, OwnReactions, Pins, Reactions, StreamPiece, Tally, Vote};
use troupe_core::{Append, Command, ConversationId, Intent, Rows, Seq};

use crate::bodies::body;
use crate::script::{id, number};
use crate::show;
use crate::world::World;

pub fn knows(verb: &str) -> bool {
    let of_messages = ["react", "unreact", "edit", "recall", "pin", "unpin", "vote", "unvote", "close-poll"];
    of_messages.contains(&verb) || ["piece", "finish", "abort"].contains(&verb)
}

pub fn run(world: &mut World, verb: &str, words: &[&str]) -> Result<Vec<String>, String> {
    if let ("piece", [user, conversation, message, index, text]) = (verb, words) {
        let (conversation, sender) = (world.conversation(conversation)?, world.user(user)?);
        let (message, index, text) = (Seq(number(message)?), number(index)?, (*text).to_owned());
        let piece = WritePiece { conversation, sender, message, index, text };
        return Ok(world.apply(&Command::from(piece), None));
    }
    let [user, conversation, request, to, rest @ ..] = words else { return Err("no such words".to_owned()) };
    let to = Seq(number(to)?);
    let intent = match (verb, rest) {
        ("react" | "unreact", [emoji]) => Intent::React { to, emoji: (*emoji).to_owned(), remove: verb == "unreact" },
        ("edit", rest) => Intent::Edit { to, body: body(world, rest)?.0 },
        ("pin" | "unpin", []) => Intent::Pin { to, remove: verb == "unpin" },
        ("finish", [text]) => Intent::EndStream { to, text: (*text).to_owned(), aborted: false },
        ("finish" | "abort", []) => Intent::EndStream { to, text: String::new(), aborted: verb == "abort" },
        ("recall", [within_ms]) => Intent::Recall { to, within_ms: number(within_ms)? },
        ("vote" | "unvote", options) => {
            let options = options.iter().map(|option| number(option).map(|option| option as u32));
            Intent::Vote { to, options: options.collect::<Result<_, _>>()?, remove: verb == "unvote" }
        }
        ("close-poll", []) => Intent::ClosePoll { to },
        _ => return Err("no such words".to_owned()),
    };
    let (conversation, actor) = (world.conversation(conversation)?, world.user(user)?);
    let append = Append { conversation, actor, client_message_id: id(request)?, after: None, intent };
    Ok(world.apply(&Command::Append(append), None))
}

pub fn shown(world: &World, words: &[&str]) -> Result<Vec<String>, String> {
    match words {
        ["reactions", conversation, users @ ..] => {
            let conversation = world.conversation(conversation)?;
            let all = world.state.page::<Reactions>(&conversation, None, usize::MAX);
            let count = |count: &Count| format!("{} {}", count.emoji, count.users);
            let of = |((_, seq), all): &((ConversationId, Seq), Reactions)| {
                format!("{seq}: {}", all.counts.iter().map(count).collect::<Vec<_>>().join(", "))
            };
            let mut lines: Vec<String> = all.iter().map(of).collect();
            for user in users {
                let own = world.state.page::<OwnReactions>(&(conversation, world.user(user)?), None, usize::MAX);
                lines.extend(own.iter().map(|((_, _, seq), own)| format!("{user} {seq}: {}", own.emoji.join(" "))));
            }
            Ok(lines)
        }
        ["pins", conversation] => {
            let row = world.state.get::<Pins>(&world.conversation(conversation)?).unwrap_or_default();
            let name = |user: u64| crate::show::name(world, troupe_core::UserId(user));
            Ok(row.pins.iter().map(|pin| format!("{} by {} at {}", pin.seq, name(pin.by), pin.time_ms)).collect())
        }
        ["polls", conversation] => {
            let conversation = world.conversation(conversation)?;
            let mut lines = Vec::new();
            for ((_, seq), tally) in world.state.page::<Tally>(&conversation, None, usize::MAX) {
                let closed = if tally.closed { " closed" } else { "" };
                lines.push(format!("{seq}: {:?} of {}{closed}", tally.counts, tally.voters));
            }
            for ((_, seq, user), vote) in world.state.page::<Vote>(&conversation, None, usize::MAX) {
                lines.push(format!("{} {seq}: {:?}", show::name(world, user), vote.options));
            }
            Ok(lines)
        }
        ["streams", conversation] => {
            let conversation = world.conversation(conversation)?;
            let open = world.state.page::<OpenStream>(&conversation, None, usize::MAX);
            let row = |((_, seq), held): &((ConversationId, Seq), OpenStream)| {
                let pieces = world.state.page::<StreamPiece>(&(conversation, *seq), None, usize::MAX);
                let text: String = pieces.iter().map(|(_, piece)| piece.text.as_str()).collect();
                format!("{seq}: {} pieces, {} bytes, {text:?}", held.pieces, held.bytes)
            };
            let mut lines: Vec<String> = open.iter().map(row).collect();
            let left = world.state.page::<StreamPiece>(&conversation, None, usize::MAX).len();
            lines.push(format!("{left} pieces in all"));
            Ok(lines)
        }
        ["edits", conversation] => {
            let edits = world.state.page::<Edits>(&world.conversation(conversation)?, None, usize::MAX);
            Ok(edits.iter().map(|((_, seq), edits)| format!("{seq}: {:?}", edits.seqs)).collect())
        }
        _ => Err("no such words".to_owned()),
    }
}
