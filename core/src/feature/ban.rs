//! Bans: a user that is out of a group and stays out, until the ban is lifted.
//!
//! A ban of a member is two events: the removal, which every version understands, and the ban.

use super::policy::{Act, permit};
use super::{Append, demand};
use crate::error::{Refused, Rejection};
use crate::event::{Event, EventKind, Role};
use crate::form::record;
use crate::id::{ConversationId, Timestamp, UserId};
use crate::limits;
use crate::machine::{Step, somebody};
use crate::planted::Bug;
use crate::record::{Conversation, table};
use crate::state::Rows;

pub(super) const BANNED: Refused =
    Refused { code: "banned", text: "this user is banned from the group: an admin lifts the ban first" };
const ALREADY_BANNED: Refused =
    Refused { code: "already_banned", text: "this user is banned already: there is nothing to do" };
const NOT_BANNED: Refused = Refused { code: "not_banned", text: "this user is not banned: there is nothing to lift" };
const TOO_MANY_BANS: Refused =
    Refused { code: "too_many_bans", text: "this group has its largest number of bans: lift one, or close the group" };
pub(super) const REFUSALS: &[Refused] = &[BANNED, ALREADY_BANNED, NOT_BANNED, TOO_MANY_BANS];

record! {
    "ban";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Ban {
        pub by: UserId = 1,
        pub at: Timestamp = 2,
    }
}

table!(Ban, Conversations, Some(0x56), (ConversationId, UserId));

pub(super) fn check_ban(actor: UserId, user: UserId) -> Result<(), Rejection> {
    somebody(user)?;
    if user == actor { Err(Rejection::LeaveInstead) } else { Ok(()) }
}

impl Step<'_> {
    pub(super) fn decide_ban(
        &self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
        user: UserId,
        lift: bool,
    ) -> Result<EventKind, Rejection> {
        permit(role, row, Act::Ban)?;
        let is_banned = self.state.get::<Ban>(&(append.conversation, user)).is_some();
        match (lift, is_banned) {
            (true, false) => return Err(NOT_BANNED.into()),
            (false, true) => return Err(ALREADY_BANNED.into()),
            (false, false) => {
                demand(role == Some(Role::Owner) || self.role(append.conversation, user) < role)?;
                if row.bans as usize >= limits::GROUP_BANS {
                    return Err(TOO_MANY_BANS.into());
                }
            }
            (true, true) => {}
        }
        Ok(EventKind::Banned { user, lifted: lift })
    }

    /// Refuses users that are banned from the group.
    pub(super) fn none_banned(
        &self,
        conversation: ConversationId,
        row: &Conversation,
        users: &[UserId],
    ) -> Result<(), Rejection> {
        let is_banned = |user: &UserId| self.state.get::<Ban>(&(conversation, *user)).is_some();
        let any = row.bans > 0 && !self.planted(Bug::BannedReturns) && users.iter().any(is_banned);
        if any { Err(BANNED.into()) } else { Ok(()) }
    }

    pub(super) fn project_banned(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        event: &Event,
        user: UserId,
        lifted: bool,
    ) {
        if lifted {
            self.state.delete::<Ban>(&(conversation, user));
            row.bans = row.bans.saturating_sub(1);
        } else {
            self.state.put(&(conversation, user), &Ban { by: event.sender, at: event.time });
            row.bans = row.bans.saturating_add(1);
            self.end_request(conversation, row, user);
        }
    }
}
