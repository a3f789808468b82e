//! The conversation list of a user, and the invitations of strangers, in the slot of the user.
//!
//! A group's shard makes an added user a member and enqueues the change for the user's shard. The
//! user's shard judges it, because only this shard knows the user's acquaintances: the users to
//! whom it has written, those whose invitation it has accepted, and its contacts. An addition by a
//! stranger becomes a pending invitation, and so does a stranger's first direct message where the
//! user takes messages of contacts only. Until the user accepts, the conversation is in no list, so
//! no device follows it and no push goes out. To decline is to leave the group. An unanswered
//! invitation expires after thirty days, noticed at its next use instead of by a timer.

use super::contact::NOT_TAKEN;
use super::{Outcome, Step};
use crate::command::{AcceptInvitation, UpdateInbox};
use crate::effect::Effect;
use crate::error::Rejection;
use crate::id::{ConversationId, Seq, UserId};
use crate::limits;
use crate::planted::Bug;
use crate::record::{Audience, InboxEntry, Invitation, Known, Profile};
use crate::reply::Reply;
use crate::state::Rows;

/// Whether it has expired without an answer.
pub fn has_expired(invitation: &Invitation, now: u64) -> bool {
    now.saturating_sub(invitation.created.0) >= limits::INVITATION_MS
}

impl Step<'_> {
    /// Outbox rows may arrive twice and in any order; the highest version wins, for the list and
    /// for invitations.
    pub(super) fn update_inbox(&mut self, c: &UpdateInbox) -> Outcome {
        let entry = self.state.get::<InboxEntry>(&(c.user, c.conversation));
        let pending = self.state.get::<Invitation>(&(c.user, c.conversation));
        let invited = pending.as_ref().map_or(Seq::ZERO, |pending| pending.version);
        let held = entry.as_ref().map_or(Seq::ZERO, |entry| entry.version).max(invited);
        if c.version < held || c.version == Seq::ZERO {
            return Ok(Reply::Done);
        }
        // A declined row comes again as present.
        let mut present = entry.as_ref().map_or(c.present, |entry| entry.present);
        if c.version > held {
            present = c.present;
            // Invariant: private. The shard of the group takes the user out again, as by its own
            // request.
            if c.present && c.conversation.is_group() && c.by.is_some_and(|by| self.blocks(c.user, by)) {
                return Err(NOT_TAKEN.into());
            }
            let asks = !self.planted(Bug::InvitationEntersUnasked);
            if let Some(by) = self.stranger(c).filter(|_| asks) {
                return self.invite(c, by, entry);
            }
            if pending.is_some() {
                self.state.delete::<Invitation>(&(c.user, c.conversation));
            }
            let unanswered = matches!(c.conversation, ConversationId::Direct { .. }) && c.by.is_some();
            self.put_entry(c, c.present, unanswered);
        }
        // Also when the row arrives a second time: the leader that committed it first may not have
        // sent the push.
        match pending.filter(|_| c.version == invited) {
            Some(pending) => self.tell_invitation(c, pending.by),
            None => self.tell_list(c.user, c.conversation, present, c.version),
        }
        Ok(Reply::Done)
    }

    pub(super) fn accept_invitation(&mut self, c: &AcceptInvitation) -> Outcome {
        let pending = self.state.get::<Invitation>(&(c.user, c.conversation));
        let now = self.now.0;
        let open = |pending: &Invitation| pending.version == c.version && !has_expired(pending, now);
        let Some(pending) = pending.filter(open) else {
            let answered = |entry: &InboxEntry| entry.present != c.decline && entry.version == c.version;
            let entry = self.state.get::<InboxEntry>(&(c.user, c.conversation)).filter(answered);
            let entry = entry.ok_or(Rejection::NoSuchInvitation)?;
            self.tell_list(c.user, c.conversation, entry.present, entry.version);
            return Ok(Reply::Done);
        };
        self.state.delete::<Invitation>(&(c.user, c.conversation));
        let (user, conversation, version) = (c.user, c.conversation, pending.version);
        // A declined one stays on the list as absent, so that a late row does not invite again.
        let entry = InboxEntry { conversation, present: !c.decline, version, unanswered: c.decline };
        self.state.put(&(c.user, entry.conversation), &entry);
        if c.decline {
            self.effects.push(Effect::InvitationExpired { user, conversation, version });
        } else {
            self.state.put(&(c.user, pending.by), &Known);
            self.tell_list(user, conversation, true, version);
        }
        Ok(Reply::Done)
    }

    /// The user that has added this one to a group, or has written to it first, if it is a stranger
    /// of whom the user wants to be asked.
    fn stranger(&self, c: &UpdateInbox) -> Option<UserId> {
        let by = c.by.filter(|_| c.present)?;
        let asks = match c.conversation {
            ConversationId::Group(_) => !c.unasked,
            ConversationId::Direct { .. } => {
                let profile = self.state.get::<Profile>(&c.user).unwrap_or_default();
                profile.messages_from == Audience::Contacts
            }
            ConversationId::Everyone => false,
        };
        (asks && !self.knows(c.user, by)).then_some(by)
    }

    /// Whether the user has written to the other one, has accepted an invitation by it, or wants it
    /// as a contact.
    fn knows(&self, user: UserId, by: UserId) -> bool {
        let wrote = |entry: InboxEntry| entry.present && !entry.unanswered;
        let direct = ConversationId::direct(user, by);
        self.state.get::<Known>(&(user, by)).is_some()
            || self.wants(user, by)
            || direct.and_then(|direct| self.state.get::<InboxEntry>(&(user, direct))).is_some_and(wrote)
    }

    /// Those that are over count no more, and their user leaves those groups. At the bounds the
    /// invitation is refused; the shard that owes it then takes the member out of
    /// the group.
    fn invite(&mut self, c: &UpdateInbox, by: UserId, entry: Option<InboxEntry>) -> Outcome {
        let others = self.state.page::<Invitation>(&c.user, None, usize::MAX).into_iter().map(|(_, other)| other);
        let others = others.filter(|other| other.conversation != c.conversation);
        let (over, others): (Vec<_>, Vec<_>) = others.partition(|other| has_expired(other, self.now.0));
        let of_one = others.iter().filter(|other| other.by == by).count();
        if others.len() >= limits::INVITATIONS_PENDING || of_one >= limits::INVITATIONS_PENDING_OF_ONE {
            return Err(Rejection::TooManyInvitations);
        }
        for Invitation { conversation, version, .. } in over {
            self.effects.push(Effect::InvitationExpired { user: c.user, conversation, version });
        }
        let created = self.now;
        let invitation = Invitation { conversation: c.conversation, by, version: c.version, created };
        if !self.planted(Bug::InvitationLost) {
            self.state.put(&(c.user, invitation.conversation), &invitation);
        }
        // A late removal from before this change has no effect.
        if entry.is_some_and(|entry| entry.present) {
            self.put_entry(c, false, false);
            self.tell_list(c.user, c.conversation, false, c.version);
        }
        self.tell_invitation(c, by);
        Ok(Reply::Done)
    }

    fn put_entry(&mut self, c: &UpdateInbox, present: bool, unanswered: bool) {
        let entry = InboxEntry { conversation: c.conversation, present, version: c.version, unanswered };
        self.state.put(&(c.user, entry.conversation), &entry);
    }

    fn tell_list(&mut self, user: UserId, conversation: ConversationId, present: bool, version: Seq) {
        self.effects.push(Effect::InboxChanged { user, conversation, present, version });
    }

    fn tell_invitation(&mut self, c: &UpdateInbox, by: UserId) {
        self.effects.push(Effect::Invited { user: c.user, conversation: c.conversation, by });
    }
}
