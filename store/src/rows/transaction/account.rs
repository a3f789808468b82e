use troupe_core::record::{AuditKey, AuditRow, Invite, InviteId, Reservation};
use troupe_core::state::AccountRows;
use troupe_core::{ClientMessageId, Slot};
use troupe_proto::record::Record;

use super::Transaction;
use crate::engine::Family;
use crate::key::UsersKey;

impl AccountRows for Transaction {
    fn first_audit(&self, slot: Slot) -> Option<AuditKey> {
        self.read(self.rows.first_audit(slot))
    }

    fn last_audit(&self, slot: Slot, limit: usize) -> Vec<AuditRow> {
        self.read(self.rows.last_audit(slot, limit))
    }

    fn put_audit(&mut self, row: &AuditRow) {
        self.put(Family::Users, UsersKey::Audit(row.key).encode(), row.encode());
    }

    fn delete_audit(&mut self, key: &AuditKey) {
        self.rows.reader.delete(Family::Users, UsersKey::Audit(*key).encode());
    }

    fn invite(&self, id: InviteId) -> Option<Invite> {
        self.read(self.rows.invite(id))
    }

    fn put_invite(&mut self, row: &Invite) {
        self.put(Family::Users, UsersKey::Invite(row.id).encode(), row.encode());
    }

    fn reservation(&self, id: InviteId, request: ClientMessageId) -> Option<Reservation> {
        self.read(self.rows.reservation(id, request))
    }

    fn put_reservation(&mut self, row: &Reservation) {
        self.put(Family::Users, UsersKey::Reservation(row.invite, row.request).encode(), row.encode());
    }

    fn delete_reservation(&mut self, id: InviteId, request: ClientMessageId) {
        self.rows.reader.delete(Family::Users, UsersKey::Reservation(id, request).encode());
    }
}
