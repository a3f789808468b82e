//! Invite links of a group: a secret code that lets its holder join, a number of times and until a
//! time.
//!
//! The cluster keeps the hash of a code only. The log has each link and its end, so that members
//! see who let others in. A use is counted in the step that places the join, once for each event.

use sha2::{Digest, Sha256};

use super::policy::{Act, permit};
use super::{Append, demand};
use crate::error::{Refused, Rejection};
use crate::event::{Event, EventKind, Role};
use crate::form::record;
use crate::id::{ConversationId, Timestamp, TokenHash, UserId};
use crate::limits;
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::{Conversation, table};
use crate::state::Rows;

pub const BAD_LINK: Refused =
    Refused { code: "bad_link", text: "this invite link is not valid (any more): ask for another one" };
const LINK_USED_UP: Refused =
    Refused { code: "link_used_up", text: "this invite link has been used as often as it may: ask for another one" };
const LINK_EXPIRED: Refused =
    Refused { code: "link_expired", text: "this invite link was valid for a time that is over: ask for another one" };
const TOO_MANY_LINKS: Refused =
    Refused { code: "too_many_links", text: "this group has its largest number of invite links: revoke one" };
pub(super) const REFUSALS: &[Refused] = &[BAD_LINK, LINK_USED_UP, LINK_EXPIRED, TOO_MANY_LINKS];

record! {
    "group_link";
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct GroupLink {
        pub hash: TokenHash = 1,
        pub by: UserId = 2,
        pub created: Timestamp = 3,
        /// Zero: it does not expire.
        pub expires: Timestamp = 4,
        pub uses: u32 = 5,
        pub used: u32 = 6,
    }
}

/// The first bytes of the hash of a code, which name its link.
pub fn link_id(hash: &TokenHash) -> u64 {
    let [a, b, c, d, e, f, g, ..] = hash.0;
    // Below 2^53, so that JSON keeps it exact.
    u64::from_be_bytes([0, a & 0x1f, b, c, d, e, f, g])
}

/// The hash of an invitation code. Case and dashes do not count: people copy it by hand.
pub fn code_hash(code: &str) -> Option<TokenHash> {
    let length = limits::INVITE_CODE_MIN_BYTES..=limits::INVITE_CODE_MAX_BYTES;
    let good = length.contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let plain: String = code.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    good.then(|| TokenHash(Sha256::digest(plain).into()))
}

table!(GroupLink, Conversations, Some(0x57), (ConversationId, u64));

impl GroupLink {
    /// Whether it lets a user in at this time.
    pub fn admits(&self, now: Timestamp) -> Result<(), Rejection> {
        if self.expires.0 != 0 && self.expires <= now {
            return Err(LINK_EXPIRED.into());
        }
        if self.used >= self.uses { Err(LINK_USED_UP.into()) } else { Ok(()) }
    }
}

pub(super) fn check_link(uses: u32) -> Result<(), Rejection> {
    if (1..=limits::LINK_USES).contains(&uses) {
        Ok(())
    } else {
        Err(Rejection::BadRequest("an invite link has 1 to 10000 uses"))
    }
}

impl Step<'_> {
    pub(crate) fn link_of(&self, conversation: ConversationId, hash: &TokenHash) -> Option<GroupLink> {
        self.state.get::<GroupLink>(&(conversation, link_id(hash))).filter(|link| link.hash == *hash)
    }

    pub(super) fn decide_link(
        &self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
        (hash, uses, expires): (TokenHash, u32, Timestamp),
    ) -> Result<EventKind, Rejection> {
        permit(role, row, Act::Invite)?;
        self.check_until(row, expires)?;
        let key = (append.conversation, link_id(&hash));
        if self.state.get::<GroupLink>(&key).is_some() {
            return Err(Rejection::InviteExists);
        }
        if row.links as usize >= limits::GROUP_LINKS {
            return Err(TOO_MANY_LINKS.into());
        }
        Ok(EventKind::LinkMade { hash, uses, expires })
    }

    /// The member that made a link may revoke it, like those that may make one.
    pub(super) fn decide_revoke(
        &self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
        link: u64,
    ) -> Result<EventKind, Rejection> {
        let held = self.state.get::<GroupLink>(&(append.conversation, link));
        let is_own = held.as_ref().is_some_and(|held| held.by == append.actor);
        demand(is_own || permit(role, row, Act::Invite).is_ok())?;
        if held.is_none() { Err(BAD_LINK.into()) } else { Ok(EventKind::LinkRevoked { link }) }
    }

    /// The use is counted here, because the event is that of any other join. Nothing fails behind
    /// it.
    pub(super) fn decide_join_by_link(
        &mut self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
        hash: &TokenHash,
    ) -> Result<EventKind, Rejection> {
        let link = self.link_of(append.conversation, hash).ok_or(BAD_LINK)?;
        let kind = self.decide_join(append, role, row)?;
        link.admits(self.time_in(row))?;
        if !self.planted(Bug::LinkUsedTwice) {
            let used = GroupLink { used: link.used + 1, ..link };
            self.state.put(&(append.conversation, link_id(hash)), &used);
        }
        Ok(kind)
    }

    pub(super) fn project_link(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        event: &Event,
        (hash, uses, expires): (TokenHash, u32, Timestamp),
    ) {
        let link = GroupLink { hash, by: event.sender, created: event.time, expires, uses, used: 0 };
        self.state.put(&(conversation, link_id(&hash)), &link);
        row.links = row.links.saturating_add(1);
    }

    pub(super) fn project_revoked(&mut self, conversation: ConversationId, row: &mut Conversation, link: u64) {
        self.state.delete::<GroupLink>(&(conversation, link));
        row.links = row.links.saturating_sub(1);
    }
}
