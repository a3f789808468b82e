//! Rows of accounts: the audit log, invitations and their uses.

use std::ops::{Bound, Range};

use troupe_core::record::{AuditKey, AuditRow, Invite, InviteId, Reservation, User};
use troupe_core::{ClientMessageId, Slot, UserId};

use super::{View, after, damaged, decode};
use crate::engine::{EngineError, Family, Reader};
use crate::key::{self, UsersKey};

impl<R: Reader> View<R> {
    pub fn first_audit(&self, slot: Slot) -> Result<Option<AuditKey>, EngineError> {
        let range = after(&key::users::audit_of(slot), None);
        let first = self.reader.scan(Family::Users, range, false, 1)?;
        first.first().map(|(key, _)| audit_key(key)).transpose()
    }

    /// The newest rows of a slot, newest first.
    pub fn last_audit(&self, slot: Slot, limit: usize) -> Result<Vec<AuditRow>, EngineError> {
        let range = after(&key::users::audit_of(slot), None);
        let last = self.reader.scan(Family::Users, range, true, limit)?;
        last.iter().map(|(key, value)| decode(Family::Users, key, value)).collect()
    }

    pub fn invite(&self, id: InviteId) -> Result<Option<Invite>, EngineError> {
        self.record(Family::Users, &UsersKey::Invite(id).encode())
    }

    pub fn reservation(&self, id: InviteId, request: ClientMessageId) -> Result<Option<Reservation>, EngineError> {
        self.record(Family::Users, &UsersKey::Reservation(id, request).encode())
    }

    /// The uses of an invitation, in order of their requests; the machine bounds their number.
    pub fn reservations(&self, id: InviteId) -> Result<Vec<Reservation>, EngineError> {
        let range = after(&key::users::reservations_of(id), None);
        let pairs = self.reader.scan(Family::Users, range, false, usize::MAX)?;
        pairs.iter().map(|(key, value)| decode(Family::Users, key, value)).collect()
    }

    /// The users of `slots`, after `from` in order of slot and id.
    pub fn users(&self, slots: Range<u16>, from: Option<UserId>, limit: usize) -> Result<Vec<User>, EngineError> {
        let from_slot = from.map_or(slots.start, |id| slots.start.max(id.slot().0));
        let mut users = Vec::new();
        for slot in (from_slot..slots.end).map(Slot) {
            let last = from.filter(|id| id.slot() == slot).map(|id| UsersKey::User(id).encode());
            let range = after(&key::users::users_of(slot), last);
            for (key, value) in self.reader.scan(Family::Users, range, false, limit - users.len())? {
                users.push(decode(Family::Users, &key, &value)?);
            }
            if users.len() == limit {
                break;
            }
        }
        Ok(users)
    }

    /// The invitations of `slots`, after `from` in order of slot and id.
    pub fn invites(&self, slots: Range<u16>, from: Option<InviteId>, limit: usize) -> Result<Vec<Invite>, EngineError> {
        let from_slot = from.map_or(slots.start, |id| slots.start.max(id.slot().0));
        let mut invites = Vec::new();
        for slot in (from_slot..slots.end).map(Slot) {
            let last = from.filter(|id| id.slot() == slot).map(|id| UsersKey::Invite(id).encode());
            let range = after(&key::users::invites_of(slot), last);
            for (key, value) in self.reader.scan(Family::Users, range, false, limit - invites.len())? {
                invites.push(decode(Family::Users, &key, &value)?);
            }
            if invites.len() == limit {
                break;
            }
        }
        Ok(invites)
    }

    /// The first acts of `slots` behind `from` (time, slot and number), merged in that order.
    pub fn audit(&self, slots: Range<u16>, from: AuditKey, limit: usize) -> Result<Vec<AuditRow>, EngineError> {
        let mut rows: Vec<AuditRow> = Vec::new();
        for slot in slots.map(Slot) {
            // At the time of `from`, earlier slots are done; its own slot continues at its number.
            let number = match slot.cmp(&from.slot) {
                std::cmp::Ordering::Less => u64::MAX,
                std::cmp::Ordering::Equal => from.number,
                std::cmp::Ordering::Greater => 0,
            };
            let last = UsersKey::Audit(AuditKey { slot, time: from.time, number }).encode();
            let (_, end) = after(&key::users::audit_of(slot), None);
            let range = (Bound::Excluded(last), end);
            for (key, value) in self.reader.scan(Family::Users, range, false, limit)? {
                rows.push(decode(Family::Users, &key, &value)?);
            }
            if rows.len() > 8 * limit {
                rows.sort_by_key(|row| row.key.place());
                rows.truncate(limit);
            }
        }
        rows.sort_by_key(|row| row.key.place());
        rows.truncate(limit);
        Ok(rows)
    }

    /// Whether a backup was restored, or is being restored, into the shard whose slots begin here.
    pub fn is_restored(&self, first: Slot) -> Result<bool, EngineError> {
        Ok(self.reader.get(Family::Users, &UsersKey::Restored(first).encode())?.is_some())
    }

    /// Whether `slots` hold no users, or only the first administrator that the cluster made and
    /// that has never logged in.
    pub fn only_born_with_cluster(&self, slots: Range<u16>) -> Result<bool, EngineError> {
        for slot in slots.map(Slot) {
            let range = after(&key::users::users_of(slot), None);
            for (key, value) in self.reader.scan(Family::Users, range, false, 2)? {
                let user: User = decode(Family::Users, &key, &value)?;
                if !(user.standing.born_with_cluster && user.standing.one_time) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

fn audit_key(key: &[u8]) -> Result<AuditKey, EngineError> {
    match UsersKey::decode(key) {
        Some(UsersKey::Audit(key)) => Ok(key),
        _ => Err(damaged(Family::Users, key, "not the key of an act")),
    }
}
