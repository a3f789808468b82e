//! The members of a group.
//!
//! Member rows are the fold of the log's events. A group has an owner as long as it has a member;
//! the last member that leaves closes it.

use std::collections::BTreeSet;

use super::policy::{Act, permit};
use super::{Append, demand};
use crate::error::Rejection;
use crate::event::{Event, EventKind, Role};
use crate::id::{ConversationId, Seq, Timestamp, UserId};
use crate::level::Level;
use crate::limits;
use crate::machine::{Step, somebody};
use crate::planted::Bug;
use crate::record::{Conversation, Member};
use crate::state::Rows;

/// Each user once, by id.
pub(crate) fn distinct(users: &[UserId]) -> Result<Vec<UserId>, Rejection> {
    users.iter().try_for_each(|&user| somebody(user))?;
    Ok(users.iter().copied().collect::<BTreeSet<_>>().into_iter().collect())
}

pub(crate) fn check_count(users: &[UserId]) -> Result<(), Rejection> {
    if users.len() > limits::MEMBERS_PER_REQUEST { Err(Rejection::TooMany) } else { Ok(()) }
}

pub(super) fn check_remove(actor: UserId, user: UserId) -> Result<(), Rejection> {
    if user == actor { Err(Rejection::LeaveInstead) } else { Ok(()) }
}

impl Step<'_> {
    pub(super) fn decide_join(
        &self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
    ) -> Result<EventKind, Rejection> {
        if role.is_some() {
            return Err(Rejection::AlreadyMember);
        }
        self.added(append.conversation, row, vec![append.actor])
    }

    pub(super) fn decide_add(
        &self,
        conversation: ConversationId,
        role: Option<Role>,
        row: &Conversation,
        users: &[UserId],
    ) -> Result<EventKind, Rejection> {
        let mut users = distinct(users)?;
        self.may_add(conversation, role, row, &users)?;
        users.retain(|&user| self.role(conversation, user).is_none());
        self.added(conversation, row, users)
    }

    /// Each way into a group goes through it.
    pub(super) fn added(
        &self,
        conversation: ConversationId,
        row: &Conversation,
        users: Vec<UserId>,
    ) -> Result<EventKind, Rejection> {
        self.none_banned(conversation, row, &users)?;
        if users.is_empty() {
            return Err(Rejection::AlreadyMember);
        }
        let after = (row.members as usize).saturating_add(users.len());
        if after > limits::GROUP_MEMBERS { Err(Rejection::GroupFull) } else { Ok(EventKind::Added { users }) }
    }

    pub(super) fn decide_remove(
        &self,
        conversation: ConversationId,
        actor: Option<Role>,
        row: &Conversation,
        user: UserId,
    ) -> Result<EventKind, Rejection> {
        permit(actor, row, Act::Remove)?;
        let role = self.role(conversation, user).ok_or(Rejection::NoSuchMember)?;
        demand(actor == Some(Role::Owner) || Some(role) < actor)?;
        Ok(EventKind::Removed { user })
    }

    pub(super) fn decide_leave(
        &mut self,
        c: &Append,
        role: Option<Role>,
        row: &mut Conversation,
    ) -> Result<EventKind, Rejection> {
        if role == Some(Role::Owner) {
            self.count_owners_once(c.conversation, row);
            if row.members > 1 && self.is_last_owner(c.conversation, row) {
                return Err(Rejection::LastOwner);
            }
        }
        Ok(EventKind::Removed { user: c.actor })
    }

    pub(super) fn project_created(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        event: &Event,
        name: &str,
    ) {
        name.clone_into(&mut row.name);
        row.members = 1;
        row.owners = u32::from(self.level >= Level::SECOND);
        self.enter(conversation, row, event, Role::Owner, &[event.sender]);
    }

    pub(super) fn project_added(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        event: &Event,
        users: &[UserId],
    ) {
        row.members = row.members.saturating_add(users.len() as u32);
        let has_asked = |user: &UserId| row.join_requests > 0 && self.has_asked(conversation, *user);
        let asked: Vec<UserId> = users.iter().copied().filter(has_asked).collect();
        self.enter(conversation, row, event, Role::Member, users);
        for user in asked {
            self.end_request(conversation, row, user);
            // It comes by its own wish, so no stranger has invited it.
            self.enqueue(conversation, event.seq, true, user, &[user]);
        }
    }

    /// In slow mode a newcomer waits like after a message, so that to leave and return is no way
    /// around it.
    fn enter(&mut self, conversation: ConversationId, row: &Conversation, event: &Event, role: Role, users: &[UserId]) {
        let sees_all = row.shows_history || self.planted(Bug::AddedSeesAll);
        let since = if sees_all { Seq(1) } else { event.seq };
        let spoke = if row.slow_seconds > 0 { event.time } else { Timestamp(0) };
        for &user in users {
            self.state.put(&(conversation, user), &Member { role, since, spoke });
        }
        self.enqueue(conversation, event.seq, true, event.sender, users);
    }

    pub(super) fn project_removed(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        event: &Event,
        user: UserId,
    ) {
        row.members = row.members.saturating_sub(1);
        row.owners -= u32::from(row.owners > 0 && self.role(conversation, user) == Some(Role::Owner));
        // No one could make a later visitor its owner.
        (row.open, row.asks) = (row.open && row.members > 0, row.asks && row.members > 0);
        if !self.planted(Bug::RemovedStaysMember) {
            self.state.delete::<Member>(&(conversation, user));
        }
        self.enqueue(conversation, event.seq, false, event.sender, &[user]);
    }
}
