//! Mutes and slow mode, and the cursors of members.

use troupe_core::command::{AdvanceCursors, Append, Intent};
use troupe_core::event::Role;
use troupe_core::{Event, EventKind, Reply, Seq, Timestamp};

use crate::messages::is_message;
use crate::reference::Reference;

impl Reference {
    /// Whether mutes and slow mode let the actor speak.
    pub fn speaks(&self, now: u64, c: &Append) -> Result<(), &'static str> {
        if !matches!(c.intent, Intent::Message(_) | Intent::Edit { .. } | Intent::React { remove: false, .. }) {
            return Ok(());
        }
        let time = self.time(now);
        let Some(role) = self.members.get(&c.actor) else { return Ok(()) };
        if self.muted.get(&c.actor).is_some_and(|until| *until > time) {
            return Err("muted");
        }
        if *role != Role::Member {
            return Ok(());
        }
        if self.muted_until > time {
            return Err("group_muted");
        }
        if self.slow_ms == 0 || !matches!(c.intent, Intent::Message(_)) {
            return Ok(());
        }
        // A coming counts like a message, and an event from before slow mode does not count.
        let counts = |event: &&Event| match &event.kind {
            EventKind::Added { users } => users.contains(&c.actor),
            _ => is_message(event) && event.sender == c.actor,
        };
        let mut slow = false;
        let mut spoke = None;
        for event in &self.log {
            match &event.kind {
                EventKind::SettingsChanged(settings) => slow = settings.slow_seconds.map_or(slow, |slow| slow > 0),
                EventKind::Added { users } if !slow && users.contains(&c.actor) => spoke = None,
                _ if slow && counts(&event) => spoke = Some(event.time),
                _ => {}
            }
        }
        if spoke.is_some_and(|spoke: Timestamp| time.0 < spoke.0 + self.slow_ms) { Err("slow_mode") } else { Ok(()) }
    }

    pub fn advance(&mut self, c: &AdvanceCursors) -> Reply {
        let head = Seq(self.log.len() as u64);
        for to in &c.moves {
            if !self.has(to.user) {
                continue;
            }
            let cursor = self.cursors.entry(to.user).or_default();
            if to.delivered <= head && to.delivered > cursor.delivered {
                cursor.delivered = to.delivered;
            }
            if to.read <= head && to.read > cursor.read {
                cursor.read = to.read;
            }
            cursor.delivered = cursor.delivered.max(cursor.read);
        }
        Reply::Done
    }
}
