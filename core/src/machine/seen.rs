//! The presence of a user: when it was last online, and who may see that.

use super::{Outcome, Step};
use crate::command::{NoteSeen, ShowPresence};
use crate::effect::Effect;
use crate::limits;
use crate::planted::Bug;
use crate::record::{Seen, User};
use crate::reply::Reply;
use crate::state::Rows;

impl Step<'_> {
    /// At most once in a while, so that a device that comes and goes costs little.
    pub(super) fn note_seen(&mut self, c: &NoteSeen) -> Outcome {
        let held = self.state.get::<Seen>(&c.user).unwrap_or_default();
        let at = c.at.min(self.now);
        let is_due = held.at.0 == 0 || at.0 >= held.at.0.saturating_add(limits::SEEN_EVERY_MS);
        if is_due && self.state.get::<User>(&c.user).is_some() {
            self.state.put(&c.user, &Seen { at, ..held });
        }
        Ok(Reply::Done)
    }

    pub(super) fn show_presence(&mut self, c: &ShowPresence) -> Outcome {
        let held = self.state.get::<Seen>(&c.user).unwrap_or_default();
        if held.shown_to != c.to && !self.planted(Bug::PresenceShown) {
            self.state.put(&c.user, &Seen { shown_to: c.to, ..held });
            self.effects.push(Effect::PresenceShown { user: c.user });
        }
        Ok(Reply::Done)
    }
}
