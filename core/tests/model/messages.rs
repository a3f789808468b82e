//! Reactions to messages, edits and recalls.

use troupe_core::command::{Append, Intent};
use troupe_core::event::Role;
use troupe_core::{Event, EventKind, Seq, UserId, limits};

use crate::reference::{Reference, is_message};

impl Reference {
    /// The message, if the actor sees it and it was not recalled.
    pub fn message(&self, actor: UserId, to: Seq) -> Result<&Event, &'static str> {
        let found = self.log.iter().find(|event| event.seq == to && is_message(event));
        let found = found.filter(|_| to >= self.since(actor)).ok_or("no_such_message")?;
        if matches!(found.kind, EventKind::Message(_)) { Ok(found) } else { Err("erased") }
    }

    pub fn changes(&self, now: u64, c: &Append) -> Result<EventKind, &'static str> {
        match &c.intent {
            Intent::Edit { to, body } => {
                let message = self.message(c.actor, *to)?;
                let held = self.edits.get(to).map_or(0, Vec::len);
                match &message.kind {
                    _ if message.sender != c.actor => Err("not_your_message"),
                    EventKind::Message(held) if held.kind != body.kind => Err("another_kind"),
                    _ if held >= limits::EDITS_PER_MESSAGE => Err("too_many_edits"),
                    _ => Ok(EventKind::Edited { to: *to, body: body.clone() }),
                }
            }
            Intent::Recall { to, within_ms } => {
                let message = self.message(c.actor, *to)?;
                let is_admin = self.members.get(&c.actor).is_some_and(|role| *role > Role::Member);
                match is_admin {
                    false if message.sender != c.actor => Err("not_your_message"),
                    false if self.time(now).0 - message.time.0 > *within_ms => Err("recall_too_late"),
                    _ => Ok(EventKind::Recalled { to: *to }),
                }
            }
            other => panic!("no change of a message: {other:?}"),
        }
    }

    pub fn reacts(&self, actor: UserId, to: Seq, emoji: &str, remove: bool) -> Result<EventKind, &'static str> {
        self.message(actor, to)?;
        let of = self.reactions.get(&to);
        let has = of.and_then(|of| of.get(emoji)).is_some_and(|users| users.contains(&actor));
        let is_full = of.is_some_and(|of| of.len() >= limits::REACTIONS_PER_MESSAGE && !of.contains_key(emoji));
        match (remove, has) {
            (true, false) => Err("no_such_reaction"),
            (false, true) => Err("already_reacted"),
            (false, false) if is_full => Err("too_many_reactions"),
            _ => Ok(EventKind::Reacted { to, emoji: emoji.to_owned(), removed: remove }),
        }
    }
}
