//! Polls: members vote for the options of a message.
//!
//! A user has one vote per poll: one option, or several where the poll takes several. It may change
//! its vote and take it back. Each change is an event of the log. One row per poll has the number
//! of votes of each option, and one row per user and poll that user's own, so a poll has any number
//! of voters.
//!
//! The events of an anonymous poll show who has voted, and not for which options. Its counts are
//! shown when it is closed: until then a reader could compare them before and after an event.

use prost::Message;

use super::Append;
use super::edit::NOT_YOUR_MESSAGE;
use super::policy::{Act, permit};
use crate::content::{Content, Poll};
use crate::error::{Refused, Rejection};
use crate::event::{Body, Event, EventKind, Role};
use crate::id::{ConversationId, Seq, Timestamp, UserId};
use crate::limits;
use crate::machine::{Step, id_beside};
use crate::planted::Bug;
use crate::record::{Conversation, Work, table};
use crate::state::Rows;

const BAD_END: Refused = Refused {
    code: "bad_poll_end",
    text: "a poll ends in the future, and within 366 days: name such a time in milliseconds since 1970, or 0 for none",
};
pub const NOT_A_POLL: Refused =
    Refused { code: "not_a_poll", text: "this message is no poll: name a message whose body is a poll" };
pub const ANONYMOUS_POLL: Refused = Refused {
    code: "anonymous_poll",
    text: "this poll is anonymous: it shows how many have voted, and its counts when it is closed",
};
const BAD_VOTE: Refused = Refused {
    code: "bad_vote",
    text: "a vote names options by their numbers from 0, each once and in order: one, or several if the poll says so",
};
const NO_SUCH_OPTION: Refused =
    Refused { code: "no_such_option", text: "the poll has no option with this number: options count from 0" };
const ALREADY_VOTED: Refused =
    Refused { code: "already_voted", text: "you have this vote in this poll already: there is nothing to do" };
const NO_SUCH_VOTE: Refused =
    Refused { code: "no_such_vote", text: "you have no vote in this poll: there is nothing to take back" };
const POLL_CLOSED: Refused =
    Refused { code: "poll_closed", text: "this poll is closed: its votes stay, read them in the history" };
pub(super) const POLL_STAYS: Refused =
    Refused { code: "poll_stays", text: "votes refer to a poll as it was sent: recall it, and send another one" };
pub(super) const REFUSALS: &[Refused] = &[
    BAD_END,
    NOT_A_POLL,
    ANONYMOUS_POLL,
    BAD_VOTE,
    NO_SUCH_OPTION,
    ALREADY_VOTED,
    NO_SUCH_VOTE,
    POLL_CLOSED,
    POLL_STAYS,
];

/// Milliseconds for which the end of an imported poll waits: the log brings what follows.
const IMPORTED_MS: u64 = 12 * 3_600 * 1_000;

/// The votes of a poll. One without votes has no row, unless it has a time.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Tally {
    /// Of each option up to the last that had one.
    #[prost(uint32, repeated, tag = "1")]
    pub counts: Vec<u32>,
    /// Users that have a vote, former members included.
    #[prost(uint32, tag = "2")]
    pub voters: u32,
    #[prost(bool, tag = "3")]
    pub closed: bool,
    /// The time of the row of due work that closes it; zero: none.
    #[prost(uint64, tag = "4")]
    pub due: u64,
}

/// The vote of one user. A user without one has no row.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Vote {
    /// In order. Empty: an imported vote of an anonymous poll, which says no option.
    #[prost(uint32, repeated, tag = "1")]
    pub options: Vec<u32>,
}

table!(message Tally, Conversations, Some(0x48), (ConversationId, Seq));
table!(message Vote, Conversations, Some(0x49), (ConversationId, Seq, UserId));

/// Each option once and in order, so that a vote has one form.
pub(super) fn check(options: &[u32], remove: bool) -> Result<(), Rejection> {
    let in_order = options.windows(2).all(|two| two[0] < two[1]);
    let is_one = in_order && options.len() <= limits::POLL_OPTIONS && (!remove || options.is_empty());
    if is_one { Ok(()) } else { Err(BAD_VOTE.into()) }
}

pub(super) fn words(to: Seq, removed: bool) -> String {
    if removed { format!("took its vote in {to} back") } else { format!("voted in {to}") }
}

impl Poll {
    /// Whether its time has come.
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.ends_ms > 0 && at.0 >= self.ends_ms
    }
}

/// The poll that a body is, if it is one.
pub(super) fn of(body: &Body) -> Option<Poll> {
    match body.kind {
        Content::POLL => body.typed().and_then(|content| match content {
            Content::Poll(poll) => Some(poll),
            _ => None,
        }),
        _ => None,
    }
}

impl Step<'_> {
    fn tally(&self, conversation: ConversationId, poll: Seq) -> Tally {
        self.state.get::<Tally>(&(conversation, poll)).unwrap_or_default()
    }

    /// An imported poll may be over.
    pub(super) fn check_poll(&self, body: &Body) -> Result<(), Rejection> {
        let Some(poll) = of(body).filter(|poll| poll.ends_ms > 0 && !self.imports()) else { return Ok(()) };
        let latest = self.now().0.saturating_add(limits::SCHEDULED_AHEAD_MS);
        if poll.is_over(self.now()) || poll.ends_ms > latest { Err(BAD_END.into()) } else { Ok(()) }
    }

    /// A poll with a time has work that is due then.
    pub(super) fn project_poll(&mut self, conversation: ConversationId, event: &Event, body: &Body) {
        let Some(poll) = of(body).filter(|poll| poll.ends_ms > 0) else { return };
        let later = self.now().0.saturating_add(IMPORTED_MS);
        let due = if self.imports() { poll.ends_ms.max(later) } else { poll.ends_ms };
        self.state.put(&(conversation, event.seq), &Tally { due, ..Tally::default() });
        self.plan(Timestamp(due), Work::Poll { conversation, poll: event.seq });
    }

    /// The poll at this seq that is still open. An import has no content of one that was recalled
    /// since.
    fn open_poll(&self, append: &Append, to: Seq) -> Result<(Event, Option<Poll>), Rejection> {
        let event = self.message_for(append.conversation, append.actor, to)?;
        let poll = match &event.kind {
            EventKind::Message(body) => Some(of(body).ok_or(NOT_A_POLL)?),
            _ => None,
        };
        if self.tally(append.conversation, to).closed { Err(POLL_CLOSED.into()) } else { Ok((event, poll)) }
    }

    /// Nothing to do is a definite refusal, so that every place in the log is a change.
    pub(super) fn decide_vote(
        &mut self,
        append: &Append,
        row: &Conversation,
        to: Seq,
        options: &[u32],
        remove: bool,
    ) -> Result<EventKind, Rejection> {
        let (_, poll) = self.open_poll(append, to)?;
        let held = self.state.get::<Vote>(&(append.conversation, to, append.actor));
        if remove && held.is_none() {
            return Err(NO_SUCH_VOTE.into());
        }
        let vote = EventKind::Voted { to, options: options.to_vec(), removed: remove };
        let Some(poll) = poll else { return Ok(vote) };
        if poll.is_over(self.time_in(row)) {
            return Err(POLL_CLOSED.into());
        }
        // The log of another cluster does not say which options.
        if remove || (self.imports() && poll.anonymous) {
            return Ok(vote);
        }
        if options.is_empty() || (options.len() > 1 && !poll.multiple) {
            return Err(BAD_VOTE.into());
        }
        if options.iter().any(|option| *option as usize >= poll.options.len()) {
            return Err(NO_SUCH_OPTION.into());
        }
        if held.is_some_and(|held| held.options == options) && !self.planted(Bug::VoteTwice) {
            return Err(ALREADY_VOTED.into());
        }
        if !poll.anonymous {
            return Ok(vote);
        }
        // The event does not have the options, so it cannot be what the rows follow from.
        self.cast(append.conversation, append.actor, to, options, false);
        Ok(EventKind::Voted { to, options: Vec::new(), removed: false })
    }

    pub(super) fn project_voted(
        &mut self,
        conversation: ConversationId,
        event: &Event,
        to: Seq,
        options: &[u32],
        removed: bool,
    ) {
        let is_cast = options.is_empty() && !removed && !self.imports();
        if !is_cast {
            self.cast(conversation, event.sender, to, options, removed);
        }
    }

    fn cast(&mut self, conversation: ConversationId, user: UserId, to: Seq, options: &[u32], removed: bool) {
        let (of_poll, of_user) = ((conversation, to), (conversation, to, user));
        let mut tally = self.tally(conversation, to);
        let held = self.state.get::<Vote>(&of_user);
        let had = held.is_some();
        let held = held.unwrap_or_default().options;
        let counts_again = self.planted(Bug::VoteTwice) && held == options;
        let end = held.iter().chain(options).max().map_or(0, |last| *last as usize + 1);
        tally.counts.resize(tally.counts.len().max(end), 0);
        for (option, count) in (0..).zip(&mut tally.counts) {
            let fewer = u32::from(held.contains(&option) && !counts_again);
            *count = count.saturating_sub(fewer).saturating_add(u32::from(options.contains(&option)));
        }
        tally.voters = tally.voters.saturating_sub(u32::from(had)).saturating_add(u32::from(!removed));
        match removed {
            true => self.state.delete::<Vote>(&of_user),
            false => self.state.put(&of_user, &Vote { options: options.to_vec() }),
        }
        self.state.put(&of_poll, &tally);
    }

    /// Its sender closes a poll, and members that may recall it.
    pub(super) fn decide_close_poll(
        &self,
        append: &Append,
        role: Option<Role>,
        row: &Conversation,
        to: Seq,
    ) -> Result<EventKind, Rejection> {
        let (event, _) = self.open_poll(append, to)?;
        let is_admin = append.conversation.is_group() && permit(role, row, Act::Recall).is_ok();
        if event.sender != append.actor && !is_admin {
            return Err(NOT_YOUR_MESSAGE.into());
        }
        Ok(closed(to, self.tally(append.conversation, to)))
    }

    /// Whether an import ends a poll here whose counts it alone knows.
    pub(crate) fn closes_unseen(&self, conversation: ConversationId, user: UserId, kind: &EventKind) -> bool {
        let EventKind::PollClosed { to, .. } = kind else { return false };
        let message = self.message_for(conversation, user, *to);
        let is_unseen = message.is_ok_and(|event| match &event.kind {
            EventKind::Message(body) => of(body).is_some_and(|poll| poll.anonymous),
            _ => true,
        });
        is_unseen && !self.tally(conversation, *to).closed
    }

    pub(super) fn project_poll_closed(
        &mut self,
        conversation: ConversationId,
        to: Seq,
        (voters, counts): (u32, &[u32]),
    ) {
        self.unplan_poll(conversation, to);
        let tally = Tally { counts: counts.to_vec(), voters, closed: true, due: 0 };
        self.state.put(&(conversation, to), &tally);
    }

    /// Its content is erased.
    pub(super) fn drop_poll(&mut self, conversation: ConversationId, to: Seq) {
        self.unplan_poll(conversation, to);
        self.state.delete::<Tally>(&(conversation, to));
    }

    fn unplan_poll(&mut self, conversation: ConversationId, to: Seq) {
        let due = self.tally(conversation, to).due;
        if due > 0 {
            self.unplan(Timestamp(due), Work::Poll { conversation, poll: to });
        }
    }

    /// The time of the poll has come. The log says so in the name of its sender, if it is still
    /// there.
    pub(crate) fn close_poll_by_time(&mut self, conversation: ConversationId, poll: Seq) {
        let held = self.state.get::<Tally>(&(conversation, poll)).filter(|tally| !tally.closed);
        let row = self.state.get::<Conversation>(&conversation);
        let event = self.state.get::<Event>(&(conversation, poll));
        let (Some(tally), Some(mut row), Some(event)) = (held, row, event) else { return };
        if row.disbanded || self.role(conversation, event.sender).is_none() {
            self.state.put(&(conversation, poll), &Tally { closed: true, due: 0, ..tally });
            return;
        }
        // It fails in a log without places only, and such a log takes no vote.
        let id = id_beside(event.client_message_id);
        drop(self.place(conversation, &mut row, event.sender, id, closed(poll, tally)));
    }
}

fn closed(to: Seq, tally: Tally) -> EventKind {
    EventKind::PollClosed { to, voters: tally.voters, counts: tally.counts }
}
