//! Messages that vanish, and the retention of a conversation.

use troupe_core::command::Intent;
use troupe_core::feature::Settings;
use troupe_core::{Body, ConversationId, Event, EventKind, Seq};

use crate::messages::erase_message;
use crate::reference::{Reference, beside};

impl Reference {
    /// The only setting of a direct conversation.
    pub fn is_retention_of_two(&self, intent: &Intent) -> bool {
        let Intent::Set(settings) = intent else { return false };
        let rest = Settings { retention_seconds: None, ..*settings.clone() };
        rest == Settings::default() && matches!(self.id, ConversationId::Direct { .. })
    }

    /// The body as it is placed: the retention counts where it is the shorter time.
    pub fn kept(&self, body: &Body) -> Body {
        match (after(body), self.retention_ms) {
            (_, 0) => body.clone(),
            (own, kept) if own != 0 && own <= kept => body.clone(),
            (_, kept) => body.clone().expiring_in_ms(kept),
        }
    }

    /// An edit vanishes with its message.
    pub fn vanishing_with(&self, now: u64, message: &Event, body: &Body) -> Body {
        match over(message) {
            Some(at) => body.clone().expiring_in_ms(at.saturating_sub(self.time(now).0).max(1)),
            None => body.clone(),
        }
    }

    /// Does what is due by then. The log of a group that has ended takes no event: the content goes
    /// without one.
    pub fn run_due(&mut self, now: u64, until: u64) -> u32 {
        let due = |event: &Event| over(event).filter(|at| *at <= until.min(now)).map(|at| (at, event.seq));
        let mut all: Vec<(u64, Seq)> = self.log.iter().filter_map(due).collect();
        all.sort();
        for (_, to) in &all {
            let Event { sender, client_message_id, .. } = self.log[to.0 as usize - 1];
            if self.ended {
                erase_message(self, *to);
            } else {
                self.push(now, sender, beside(client_message_id), EventKind::Vanished { to: *to });
            }
        }
        all.len() as u32
    }
}

/// The time of a message that is there.
fn over(event: &Event) -> Option<u64> {
    match &event.kind {
        EventKind::Message(body) if after(body) > 0 => Some(event.time.0 + after(body)),
        _ => None,
    }
}

fn after(body: &Body) -> u64 {
    body.context.as_ref().map_or(0, |context| context.expires_in_ms)
}
