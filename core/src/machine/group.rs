//! The creation of a group. [`crate::feature`] has its later changes.

use xxhash_rust::xxh3::xxh3_128;

use super::conversation::new_conversation;
use super::{Outcome, Step, somebody};
use crate::command::CreateGroup;
use crate::error::Rejection;
use crate::event::EventKind;
use crate::feature::{check_count, check_name, distinct};
use crate::id::{ClientMessageId, ConversationId, GroupId, UserId};
use crate::record::GroupOfRequest;
use crate::reply::Reply;
use crate::state::Rows;

impl Step<'_> {
    pub(super) fn create_group(&mut self, c: &CreateGroup) -> Outcome {
        let slot = c.slot();
        if let Some(GroupOfRequest(group)) = self.state.get(&(slot, c.creator, c.request)) {
            return Ok(Reply::GroupCreated { group });
        }
        check_create(c)?;
        let others = others(c)?;

        let group = GroupId(self.mint(slot)?);
        let conversation = ConversationId::Group(group);
        self.state.put(&(slot, c.creator, c.request), &GroupOfRequest(group));
        let mut row = new_conversation(self.now);
        row.open = c.open;
        let created = EventKind::Created { name: c.name.clone() };
        self.place(conversation, &mut row, c.creator, c.request, created)?;
        if !others.is_empty() {
            let added = EventKind::Added { users: others };
            self.place(conversation, &mut row, c.creator, id_of_first_members(c.request), added)?;
        }
        Ok(Reply::GroupCreated { group })
    }
}

/// Refusals that need no state.
pub(super) fn check_create(c: &CreateGroup) -> Result<(), Rejection> {
    somebody(c.creator)?;
    check_name(&c.name)?;
    check_count(&others(c)?)
}

/// The first members, each once and without the creator.
fn others(c: &CreateGroup) -> Result<Vec<UserId>, Rejection> {
    let mut others = distinct(&c.members)?;
    others.retain(|&user| user != c.creator);
    Ok(others)
}

/// The client message id of seq 2 of a group created with members, whose seq 1 has taken the
/// request's own: the request with its last bit flipped, hashed (xxh3, 128 bits, big-endian) so
/// that it meets no id that a device counts up to.
fn id_of_first_members(request: ClientMessageId) -> ClientMessageId {
    let mut flipped = request.0;
    flipped[15] ^= 1;
    ClientMessageId(xxh3_128(&flipped).to_be_bytes())
}
