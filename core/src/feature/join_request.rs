//! Requests to join a group whose members are let in by approval.
//!
//! An outsider asks with a short text, and members that may invite accept or refuse. The log has
//! each request and its end, so that all devices see it once. The text is in a row only: those that
//! decide read it, and it goes with the request. An acceptance is the event of any user that comes
//! in, and each way in ends the request.

use super::Append;
use super::policy::{Act, permit};
use crate::error::{Refused, Rejection};
use crate::event::{Event, EventKind, Role};
use crate::form::record;
use crate::id::{ConversationId, Timestamp, UserId};
use crate::limits;
use crate::machine::Step;
use crate::planted::Bug;
use crate::record::{Conversation, table};
use crate::state::Rows;
use crate::text::is_prose;

const ALREADY_ASKED: Refused =
    Refused { code: "already_asked", text: "you have asked to join this group already: wait for the answer" };
pub(super) const NO_SUCH_REQUEST: Refused =
    Refused { code: "no_such_request", text: "this request to join is not open (any more): list them again" };
const TOO_MANY_JOIN_REQUESTS: Refused = Refused {
    code: "too_many_join_requests",
    text: "this group has its largest number of open requests to join: ask again later",
};
pub(super) const REFUSALS: &[Refused] = &[ALREADY_ASKED, NO_SUCH_REQUEST, TOO_MANY_JOIN_REQUESTS];

record! {
    "join_request";
    /// Open as long as its row is there. A member has none.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct JoinRequest {
        pub text: String = 1,
        pub at: Timestamp = 2,
    }
}

table!(JoinRequest, Conversations, Some(0x58), (ConversationId, UserId));

pub(super) fn check_ask(text: &str) -> Result<(), Rejection> {
    if text.len() <= limits::JOIN_TEXT_BYTES && is_prose(text) {
        return Ok(());
    }
    Err(Rejection::BadRequest("the text of a request has at most 512 bytes and no control characters but line ends"))
}

impl Step<'_> {
    pub(crate) fn has_asked(&self, conversation: ConversationId, user: UserId) -> bool {
        self.state.get::<JoinRequest>(&(conversation, user)).is_some()
    }

    /// The row has the text, which is in no event. Nothing fails behind it.
    pub(super) fn decide_ask(
        &mut self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
        text: &str,
    ) -> Result<EventKind, Rejection> {
        let (conversation, user) = (append.conversation, append.actor);
        if role.is_some() {
            return Err(Rejection::AlreadyMember);
        }
        self.none_banned(conversation, row, &[user])?;
        if self.has_asked(conversation, user) {
            return Err(ALREADY_ASKED.into());
        }
        if row.join_requests as usize >= limits::JOIN_REQUESTS {
            return Err(TOO_MANY_JOIN_REQUESTS.into());
        }
        if self.planted(Bug::AskLetsIn) {
            return self.added(conversation, row, vec![user]);
        }
        self.state.put(&(conversation, user), &JoinRequest { text: text.to_owned(), at: self.time_in(row) });
        Ok(EventKind::JoinAsked)
    }

    pub(super) fn decide_answer_request(
        &self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
        user: UserId,
        accept: bool,
    ) -> Result<EventKind, Rejection> {
        permit(role, row, Act::Invite)?;
        if !self.has_asked(append.conversation, user) {
            return Err(NO_SUCH_REQUEST.into());
        }
        if accept { self.added(append.conversation, row, vec![user]) } else { Ok(EventKind::JoinClosed { user }) }
    }

    pub(super) fn decide_withdraw(&self, append: &Append) -> Result<EventKind, Rejection> {
        let user = append.actor;
        if self.has_asked(append.conversation, user) {
            Ok(EventKind::JoinClosed { user })
        } else {
            Err(NO_SUCH_REQUEST.into())
        }
    }

    /// Those that decide about requests may add users that have asked, as any acceptance does.
    pub(super) fn may_add(
        &self,
        conversation: ConversationId,
        role: Option<Role>,
        row: &Conversation,
        users: &[UserId],
    ) -> Result<(), Rejection> {
        let have_asked = || !users.is_empty() && users.iter().all(|user| self.has_asked(conversation, *user));
        permit(role, row, Act::Add)
            .or_else(|why| if permit(role, row, Act::Invite).is_ok() && have_asked() { Ok(()) } else { Err(why) })
    }

    /// An import has no text.
    pub(super) fn project_asked(&mut self, conversation: ConversationId, row: &mut Conversation, event: &Event) {
        let key = (conversation, event.sender);
        if self.state.get::<JoinRequest>(&key).is_none() {
            self.state.put(&key, &JoinRequest { text: String::new(), at: event.time });
        }
        row.join_requests = row.join_requests.saturating_add(1);
    }

    /// The user is in, banned, refused, or wants it no more.
    pub(super) fn end_request(&mut self, conversation: ConversationId, row: &mut Conversation, user: UserId) {
        if row.join_requests > 0 && self.has_asked(conversation, user) {
            self.state.delete::<JoinRequest>(&(conversation, user));
            row.join_requests -= 1;
        }
    }
}
