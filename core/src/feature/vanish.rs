//! Messages that vanish: their content is erased on every replica at a time that the message itself
//! says.
//!
//! The sender names a time, or the conversation has a retention; the shorter of the two is in the
//! message, so every device knows when to drop it. The commit that places the message plans its end
//! as a due row. At its time an event says that the message has vanished, and the same commit
//! erases its content and those of its edits. Until that commit a page hides what is over by the
//! clock of the leader that reads it.

use crate::event::{Body, Event, EventKind};
use crate::id::{ConversationId, Seq, Timestamp};
use crate::limits;
use crate::machine::{Step, id_beside};
use crate::planted::Bug;
use crate::record::{Conversation, Work};
use crate::state::Rows;

/// The body with the retention of its conversation, if that is the shorter time.
pub(super) fn retained(body: Body, row: &Conversation) -> Body {
    let own = body.context.as_ref().map_or(0, |context| context.expires_in_ms);
    let kept = u64::from(row.retention_seconds) * 1_000;
    let is_shorter = kept > 0 && (own == 0 || kept < own);
    if is_shorter { body.expiring_in_ms(kept) } else { body }
}

impl Event {
    /// The time at which the content of a message, or of an edit, is over.
    pub fn vanishes(&self) -> Option<Timestamp> {
        let (EventKind::Message(body) | EventKind::Edited { body, .. } | EventKind::StreamEnded { body, .. }) =
            &self.kind
        else {
            return None;
        };
        let after = body.context.as_ref().map_or(0, |context| context.expires_in_ms);
        (after > 0).then(|| Timestamp(self.time.0.saturating_add(after)))
    }
}

impl Step<'_> {
    /// The body of a later version of this message: it vanishes with the message, and says so
    /// itself.
    pub(super) fn expiring_with(&self, message: &Event, row: &Conversation, body: Body) -> Body {
        match message.vanishes() {
            Some(at) => body.expiring_in_ms(at.0.saturating_sub(self.time_in(row).0).max(1)),
            None => body,
        }
    }

    pub(super) fn plan_vanishing(&mut self, conversation: ConversationId, event: &Event) {
        let Some(at) = event.vanishes() else { return };
        let imported = Timestamp(self.now().0.saturating_add(limits::EXPIRES_IMPORTED_MS));
        let at = if self.imports() { at.max(imported) } else { at };
        self.plan(at, Work::Vanish { conversation, message: event.seq });
    }

    /// The time of a message is over. Nothing is left to do if it was recalled.
    pub(crate) fn vanish_by_time(&mut self, conversation: ConversationId, message: Seq) {
        let held = self.state.get::<Event>(&(conversation, message));
        let (Some(event), Some(mut row)) = (held, self.state.get::<Conversation>(&conversation)) else { return };
        let Some(at) = event.vanishes() else { return };
        if at > self.time_in(&row) {
            return self.plan(at, Work::Vanish { conversation, message });
        }
        let (sender, id) = (event.sender, id_beside(event.client_message_id));
        let vanished = EventKind::Vanished { to: message };
        // A group that was disbanded, and a log without places, take no event any more.
        if row.disbanded || self.place(conversation, &mut row, sender, id, vanished).is_err() {
            self.erase_message(conversation, &mut row, message);
            self.state.put(&conversation, &row);
        }
    }

    /// Whether an imported event may say so: the content is gone already, or its time is over.
    pub(crate) fn may_have_vanished(&self, conversation: ConversationId, vanished: &Event, message: Seq) -> bool {
        let held = self.state.get::<Event>(&(conversation, message));
        held.is_some_and(|held| {
            let is_over = held.is_erased() || held.vanishes().is_some_and(|at| at <= vanished.time);
            is_over && held.kind.number() == EventKind::MESSAGE && held.sender == vanished.sender
        })
    }

    pub(super) fn project_vanished(&mut self, conversation: ConversationId, row: &mut Conversation, message: Seq) {
        if self.planted(Bug::VanishingKept) {
            return;
        }
        self.erase_message(conversation, row, message);
        self.join_vanished(conversation, row, message);
    }

    /// Joins the message with the run of vanished ones, if nothing to read stands between them. One
    /// that stands alone begins a run only in place of another one.
    fn join_vanished(&self, conversation: ConversationId, row: &mut Conversation, message: Seq) {
        let (from, to) = (row.vanished_from, row.vanished_to);
        if message > to && to > Seq::ZERO && self.is_nothing_between(conversation, to, message) {
            row.vanished_to = message;
        } else if message < from && self.is_nothing_between(conversation, message, from) {
            row.vanished_from = message;
        } else if from == to {
            (row.vanished_from, row.vanished_to) = (message, message);
        }
    }

    fn is_nothing_between(&self, conversation: ConversationId, from: Seq, to: Seq) -> bool {
        let between = to.0.saturating_sub(from.0 + 1);
        let events = || self.state.page::<Event>(&conversation, Some(&(conversation, from)), between as usize);
        between <= limits::VANISHED_LOOKED_AT
            && events().iter().all(|(_, event)| !event.counts_as_unread() || event.is_erased())
    }
}
