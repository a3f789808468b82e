//! Silence in groups: a muted member, a mute of all, and slow mode.
//!
//! Only times of events count, never the clock of a reader: a message is placed if the rules of its
//! own time let it in. So every replica decides alike, and a failover changes nothing.

use super::policy::{Act, permit};
use super::{Append, Intent, demand};
use crate::error::{Refused, Rejection};
use crate::event::{EventKind, Role};
use crate::form::record;
use crate::id::{ConversationId, Timestamp, UserId};
use crate::limits;
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::{Conversation, Member, table};
use crate::state::Rows;

const MUTED: Refused =
    Refused { code: "muted", text: "an admin has muted you in this group: wait until the mute is over or lifted" };
const GROUP_MUTED: Refused =
    Refused { code: "group_muted", text: "only admins speak in this group at present: wait until all may again" };
const SLOW_MODE: Refused =
    Refused { code: "slow_mode", text: "this group is in slow mode: wait its seconds between two messages" };
const NOT_MUTED: Refused = Refused { code: "not_muted", text: "this user is not muted: there is nothing to lift" };
const TOO_MANY_MUTES: Refused =
    Refused { code: "too_many_mutes", text: "this group has its largest number of muted members: mute all instead" };
pub(super) const REFUSALS: &[Refused] = &[MUTED, GROUP_MUTED, SLOW_MODE, NOT_MUTED, TOO_MANY_MUTES];

record! {
    "mute";
    /// A mute outlives its membership: a member that leaves and returns is still muted.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Mute {
        pub until: Timestamp = 1,
        pub by: UserId = 2,
    }
}

table!(Mute, Conversations, Some(0x55), (ConversationId, UserId));

pub(super) fn check_mute(actor: UserId, user: UserId) -> Result<(), Rejection> {
    if user == actor {
        Err(Rejection::BadRequest("a member mutes others, not itself: name another one"))
    } else {
        Ok(())
    }
}

impl Intent {
    /// Whether its event is a message.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self, Intent::Message(_) | Intent::Bundle(_))
    }

    /// Whether members see new content by its actor. A mute prevents these.
    fn speaks(&self) -> bool {
        match self {
            Intent::Edit { .. } | Intent::React { remove: false, .. } => true,
            // To break a stream off adds nothing, unless it brings another text.
            Intent::EndStream { text, aborted, .. } => !aborted || !text.is_empty(),
            _ => self.is_message(),
        }
    }
}

impl Step<'_> {
    /// Whether the actor may speak now. Admins may despite slow mode and a mute of all.
    pub(crate) fn may_speak(&self, append: &Append, role: Option<Role>, row: &Conversation) -> Result<(), Rejection> {
        let is_restricted = row.slow_seconds > 0 || row.mutes > 0 || row.muted_until.0 > 0;
        let Some(role) = role.filter(|_| is_restricted && append.intent.speaks()) else { return Ok(()) };
        let time = self.time_in(row);
        let is_admin = role >= Role::Admin;
        if !self.planted(Bug::MuteIgnored) {
            let own = || self.state.get::<Mute>(&(append.conversation, append.actor));
            if row.mutes > 0 && own().is_some_and(|mute| mute.until > time) {
                return Err(MUTED.into());
            }
            if row.muted_until > time && !is_admin {
                return Err(GROUP_MUTED.into());
            }
        }
        if row.slow_seconds > 0 && !is_admin && append.intent.is_message() {
            let member = self.state.get::<Member>(&(append.conversation, append.actor));
            let spoke = member.map_or(Timestamp(0), |member| member.spoke);
            let pause = u64::from(row.slow_seconds) * 1_000;
            if spoke.0 > 0 && time.0 < spoke.0.saturating_add(pause) && !self.planted(Bug::SlowModeIgnored) {
                return Err(SLOW_MODE.into());
            }
        }
        Ok(())
    }

    /// In slow mode a member's row has the time of its last message.
    pub(super) fn note_speech(&mut self, conversation: ConversationId, row: &Conversation, user: UserId) {
        if row.slow_seconds == 0 {
            return;
        }
        if let Some(member) = self.state.get::<Member>(&(conversation, user)) {
            self.state.put(&(conversation, user), &Member { spoke: row.time, ..member });
        }
    }

    pub(super) fn decide_mute(
        &mut self,
        append: &Append,
        role: Option<Role>,
        row: &mut Conversation,
        user: UserId,
        until: Timestamp,
    ) -> Result<EventKind, Rejection> {
        let conversation = append.conversation;
        permit(role, row, Act::Mute)?;
        let is_held = self.state.get::<Mute>(&(conversation, user)).is_some();
        if until.0 == 0 {
            let theirs = self.role(conversation, user);
            demand(role == Some(Role::Owner) || theirs < role)?;
            return if is_held { Ok(EventKind::Muted { user, until }) } else { Err(NOT_MUTED.into()) };
        }
        let theirs = self.role(conversation, user).ok_or(Rejection::NoSuchMember)?;
        demand(role == Some(Role::Owner) || Some(theirs) < role)?;
        self.check_until(row, until)?;
        if !is_held && row.mutes as usize >= limits::GROUP_MUTES {
            self.drop_old_mutes(conversation, row);
            if row.mutes as usize >= limits::GROUP_MUTES {
                return Err(TOO_MANY_MUTES.into());
            }
        }
        Ok(EventKind::Muted { user, until })
    }

    /// At the bound, mutes that are over make room. The row keeps it even if the mute is refused
    /// all the same: otherwise each repetition would look through them again.
    fn drop_old_mutes(&mut self, conversation: ConversationId, row: &mut Conversation) {
        let time = self.time_in(row);
        let all = self.state.page::<Mute>(&conversation, None, limits::GROUP_MUTES);
        for (key, _) in all.iter().filter(|(_, mute)| mute.until <= time) {
            self.state.delete::<Mute>(key);
            row.mutes = row.mutes.saturating_sub(1);
        }
        self.state.put(&conversation, row);
    }

    pub(super) fn project_muted(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        by: UserId,
        user: UserId,
        until: Timestamp,
    ) {
        let key = (conversation, user);
        let is_held = self.state.get::<Mute>(&key).is_some();
        if until.0 == 0 {
            self.state.delete::<Mute>(&key);
            row.mutes = row.mutes.saturating_sub(u32::from(is_held));
        } else {
            self.state.put(&key, &Mute { until, by });
            row.mutes = row.mutes.saturating_add(u32::from(!is_held));
        }
    }
}
