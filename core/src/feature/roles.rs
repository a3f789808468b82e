//! The permissions of members. From level 2 on a conversation's row counts its owners, so that no
//! rule scans the members.

use super::demand;
use crate::error::Rejection;
use crate::event::{EventKind, Role};
use crate::id::{ConversationId, Seq, Timestamp, UserId};
use crate::level::Level;
use crate::machine::Step;
use crate::record::{Conversation, Member};
use crate::state::Rows;

/// Members read in one step when owners are counted.
const COUNT_PAGE: usize = 256;

impl Step<'_> {
    pub(super) fn decide_role(
        &mut self,
        conversation: ConversationId,
        actor: Option<Role>,
        row: &mut Conversation,
        user: UserId,
        role: Role,
    ) -> Result<EventKind, Rejection> {
        demand(actor == Some(Role::Owner))?;
        self.count_owners_once(conversation, row);
        let before = self.role(conversation, user).ok_or(Rejection::NoSuchMember)?;
        let steps_down = before == Role::Owner && role != Role::Owner;
        if steps_down && self.is_last_owner(conversation, row) {
            return Err(Rejection::LastOwner);
        }
        Ok(EventKind::RoleChanged { user, role })
    }

    pub(super) fn project_role(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        seq: Seq,
        user: UserId,
        role: Role,
    ) {
        let held = self.state.get::<Member>(&(conversation, user));
        if row.owners > 0 {
            row.owners -= u32::from(held.as_ref().is_some_and(|held| held.role == Role::Owner));
            row.owners += u32::from(role == Role::Owner);
        }
        let (since, spoke) = held.map_or((seq, Timestamp(0)), |held| (held.since, held.spoke));
        self.state.put(&(conversation, user), &Member { role, since, spoke });
    }

    /// Rows of 74c331d count no owners. The first change by an owner that asks for the number scans
    /// the members, and the row keeps it even if that change is refused: otherwise each repetition
    /// of a refused change would scan again.
    pub(super) fn count_owners_once(&mut self, conversation: ConversationId, row: &mut Conversation) {
        if self.level >= Level::SECOND && row.owners == 0 {
            row.owners = self.count_owners(conversation);
            self.state.put(&conversation, row);
        }
    }

    fn count_owners(&self, conversation: ConversationId) -> u32 {
        let (mut owners, mut from) = (0, None);
        loop {
            let page = self.state.page::<Member>(&conversation, from.as_ref(), COUNT_PAGE);
            owners += page.iter().filter(|(_, member)| member.role == Role::Owner).count() as u32;
            match page.last() {
                Some((last, _)) if page.len() == COUNT_PAGE => from = Some(*last),
                _ => return owners,
            }
        }
    }

    /// Of a group whose actor is an owner.
    pub(super) fn is_last_owner(&self, conversation: ConversationId, row: &Conversation) -> bool {
        let owners = if self.level >= Level::SECOND { row.owners } else { self.count_owners(conversation) };
        owners <= 1
    }
}

impl Role {
    pub const fn number(self) -> u8 {
        match self {
            Role::Member => 1,
            Role::Admin => 2,
            Role::Owner => 3,
        }
    }

    /// For programs, in forms other than protobuf.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Member => "member",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }

    pub(crate) fn of(number: u64) -> Option<Role> {
        [Role::Member, Role::Admin, Role::Owner].into_iter().find(|role| u64::from(role.number()) == number)
    }
}
