//! The end of an ownership: an owner hands a group over, or disbands it.
//!
//! A disbanded group takes no event any more, and its log is kept for backups and exports. Its
//! members go page by page: first with the event, then with each commit that settles the rows of
//! the page before. So no commit grows with the group, and no timer is needed.

use super::demand;
use crate::error::{Refused, Rejection};
use crate::event::{Event, EventKind, Role};
use crate::id::{ConversationId, Seq, UserId};
use crate::limits;
use crate::machine::Step;
use crate::record::{Conversation, Member};
use crate::state::Rows;

pub(crate) const DISBANDED: Refused =
    Refused { code: "group_disbanded", text: "the owner has disbanded this group: start another one" };
pub(super) const REFUSALS: &[Refused] = &[DISBANDED];

impl Step<'_> {
    pub(super) fn decide_transfer(
        &mut self,
        conversation: ConversationId,
        role: Option<Role>,
        row: &mut Conversation,
        actor: UserId,
        to: UserId,
    ) -> Result<EventKind, Rejection> {
        demand(role == Some(Role::Owner))?;
        if to == actor {
            return Err(Rejection::BadRequest("a group is handed over to another member: name one"));
        }
        self.role(conversation, to).ok_or(Rejection::NoSuchMember)?;
        self.count_owners_once(conversation, row);
        Ok(EventKind::Transferred { to })
    }

    /// The former owner stays as an admin.
    pub(super) fn project_transferred(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        event: &Event,
        to: UserId,
    ) {
        self.project_role(conversation, row, event.seq, to, Role::Owner);
        self.project_role(conversation, row, event.seq, event.sender, Role::Admin);
    }

    pub(super) fn project_disbanded(&mut self, conversation: ConversationId, row: &mut Conversation, event: &Event) {
        (row.disbanded, row.open, row.asks) = (true, false, false);
        self.dismiss(conversation, row, event.seq, event.sender);
    }

    /// Goes on with a disbanded group when rows of it are settled.
    pub(crate) fn dismiss_on(&mut self, conversation: ConversationId) {
        let row = self.state.get::<Conversation>(&conversation);
        let Some(mut row) = row.filter(|row| row.disbanded && row.members > 0) else { return };
        let head = row.head;
        self.dismiss(conversation, &mut row, head, UserId(0));
        self.state.put(&conversation, &row);
    }

    fn dismiss(&mut self, conversation: ConversationId, row: &mut Conversation, version: Seq, by: UserId) {
        let page = self.state.page::<Member>(&conversation, None, limits::DISMISSED_AT_ONCE);
        for (key, _) in &page {
            self.state.delete::<Member>(key);
        }
        let users: Vec<UserId> = page.into_iter().map(|((_, user), _)| user).collect();
        // A count that is wrong must not keep this going.
        row.members = if users.is_empty() { 0 } else { row.members.saturating_sub(users.len() as u32) };
        row.owners = 0;
        if !users.is_empty() {
            self.enqueue(conversation, version, false, by, &users);
        }
    }
}
