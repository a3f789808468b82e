use super::MemoryState;
use crate::id::{ClientMessageId, Slot, Timestamp};
use crate::record::{AuditKey, AuditRow, Invite, InviteId, Reservation};
use crate::state::AccountRows;

impl MemoryState {
    fn audit_of(&self, slot: Slot) -> impl DoubleEndedIterator<Item = &AuditRow> {
        let key = |time, number| AuditKey { slot, time: Timestamp(time), number };
        self.audit.range(key(0, 0)..=key(u64::MAX, u64::MAX)).map(|(_, row)| row)
    }

    /// The audit log of all slots, in the order of its keys.
    pub fn audit(&self) -> Vec<AuditRow> {
        self.audit.values().cloned().collect()
    }

    pub fn invites(&self) -> Vec<Invite> {
        self.invites.values().cloned().collect()
    }
}

impl AccountRows for MemoryState {
    fn first_audit(&self, slot: Slot) -> Option<AuditKey> {
        self.audit_of(slot).next().map(|row| row.key)
    }

    fn last_audit(&self, slot: Slot, limit: usize) -> Vec<AuditRow> {
        self.audit_of(slot).rev().take(limit).cloned().collect()
    }

    fn put_audit(&mut self, row: &AuditRow) {
        self.audit.insert(row.key, row.clone());
    }

    fn delete_audit(&mut self, key: &AuditKey) {
        self.audit.remove(key);
    }

    fn invite(&self, id: InviteId) -> Option<Invite> {
        self.invites.get(&id).cloned()
    }

    fn put_invite(&mut self, row: &Invite) {
        self.invites.insert(row.id, row.clone());
    }

    fn reservation(&self, id: InviteId, request: ClientMessageId) -> Option<Reservation> {
        self.reservations.get(&(id, request)).cloned()
    }

    fn put_reservation(&mut self, row: &Reservation) {
        self.reservations.insert((row.invite, row.request), row.clone());
    }

    fn delete_reservation(&mut self, id: InviteId, request: ClientMessageId) {
        self.reservations.remove(&(id, request));
    }
}
