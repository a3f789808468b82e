//! The creation of a group. [`crate::feature`] has its later changes.

use super::conversation::{id_beside, new_conversation};
use super::{Outcome, Step, somebody};
use crate::command::CreateGroup;
use crate::error::Rejection;
use crate::event::EventKind;
use crate::feature::{check_count, check_name, distinct};
use crate::id::{ConversationId, GroupId, UserId};
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
            self.place(conversation, &mut row, c.creator, id_beside(c.request), added)?;
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
