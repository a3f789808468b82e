//! Rows of accounts: the audit log, invitations and their uses.

use std::ops::Range;

use troupe_core::record::{AuditKey, AuditRow, Invite, InviteId, Reservation, User};
use troupe_core::{ClientMessageId, Slot, UserId};

use super::{View, rows};
use crate::engine::{EngineError, Reader};
use crate::rows::restore::Mark;

impl<R: Reader> View<R> {
    pub fn invite(&self, id: InviteId) -> Result<Option<Invite>, EngineError> {
        self.get(&id)
    }

    pub fn reservation(&self, id: InviteId, request: ClientMessageId) -> Result<Option<Reservation>, EngineError> {
        self.get(&(id, request))
    }

    /// The uses of an invitation, in order of their requests; the machine bounds their number.
    pub fn reservations(&self, id: InviteId) -> Result<Vec<Reservation>, EngineError> {
        Ok(rows(self.page(&id, None, usize::MAX)?))
    }

    /// The users of `slots`, after `from` in order of slot and id.
    pub fn users(&self, slots: Range<u16>, from: Option<UserId>, limit: usize) -> Result<Vec<User>, EngineError> {
        Ok(rows(self.over_slots(slots, from.as_ref(), limit)?))
    }

    /// The invitations of `slots`, after `from` in order of slot and id.
    pub fn invites(&self, slots: Range<u16>, from: Option<InviteId>, limit: usize) -> Result<Vec<Invite>, EngineError> {
        Ok(rows(self.over_slots(slots, from.as_ref(), limit)?))
    }

    /// The first acts of `slots` behind `from` (time, slot and number), merged in that order.
    pub fn audit(&self, slots: Range<u16>, from: AuditKey, limit: usize) -> Result<Vec<AuditRow>, EngineError> {
        let mut acts: Vec<AuditRow> = Vec::new();
        for slot in slots.map(Slot) {
            // At the time of `from`, earlier slots are done; its own slot continues at its number.
            let number = match slot.cmp(&from.slot) {
                std::cmp::Ordering::Less => u64::MAX,
                std::cmp::Ordering::Equal => from.number,
                std::cmp::Ordering::Greater => 0,
            };
            let last = AuditKey { slot, time: from.time, number };
            acts.extend(rows(self.page(&slot, Some(&last), limit)?));
            if acts.len() > 8 * limit {
                acts.sort_by_key(|row| row.key.place());
                acts.truncate(limit);
            }
        }
        acts.sort_by_key(|row| row.key.place());
        acts.truncate(limit);
        Ok(acts)
    }

    /// Whether a backup was restored, or is being restored, into the shard whose slots begin here.
    pub fn is_restored(&self, first: Slot) -> Result<bool, EngineError> {
        Ok(self.get::<Mark>(&first)?.is_some())
    }

    /// Whether `slots` hold no users, or only the first administrator that the cluster made and
    /// that has never logged in.
    pub fn only_born_with_cluster(&self, slots: Range<u16>) -> Result<bool, EngineError> {
        for slot in slots.map(Slot) {
            for (_, user) in self.page::<User>(&slot, None, 2)? {
                if !(user.standing.born_with_cluster && user.standing.one_time) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
