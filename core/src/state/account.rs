//! The rows around accounts, as the machine sees them.

use crate::id::{ClientMessageId, Slot};
use crate::record::{AuditKey, AuditRow, Invite, InviteId, Reservation};

pub trait AccountRows {
    /// The oldest row of a slot's audit log.
    fn first_audit(&self, slot: Slot) -> Option<AuditKey>;
    /// The newest rows of a slot's audit log, the last first, at most `limit`.
    fn last_audit(&self, slot: Slot, limit: usize) -> Vec<AuditRow>;
    fn put_audit(&mut self, row: &AuditRow);
    fn delete_audit(&mut self, key: &AuditKey);

    fn invite(&self, id: InviteId) -> Option<Invite>;
    fn put_invite(&mut self, row: &Invite);
    fn reservation(&self, id: InviteId, request: ClientMessageId) -> Option<Reservation>;
    fn put_reservation(&mut self, row: &Reservation);
    fn delete_reservation(&mut self, id: InviteId, request: ClientMessageId);
}
