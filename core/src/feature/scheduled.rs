//! Scheduled messages: kept in the shard of their conversation, and placed at their time.
//!
//! At that time the message is judged like any other: its sender is still a member and may speak.
//! It has the client message id of the request, so it has one place however often it is sent. A
//! refused one stays on its sender's list for a week with the code of the refusal. A cancelled one
//! leaves a row without content until a while behind its time, so that a late repeat does not bring
//! it back.

use prost::Message;

use super::{Append, HOOK_UNAVAILABLE, stream};
use crate::command::{CancelScheduled, Schedule};
use crate::effect::Effect;
use crate::error::{Refused, Rejection};
use crate::event::Body;
use crate::id::{ClientMessageId, ConversationId, Timestamp, UserId};
use crate::limits;
use crate::machine::{Outcome, Step};
use crate::planted::Bug;
use crate::record::{Work, table};
use crate::reply::Reply;
use crate::state::Rows;

const TIME_PASSED: Refused =
    Refused { code: "time_passed", text: "the time of this message is in the past: send it now, or name a later time" };
const TIME_TOO_FAR: Refused =
    Refused { code: "time_too_far", text: "a message is scheduled for at most one year ahead: name an earlier time" };
const TOO_MANY_SCHEDULED: Refused = Refused {
    code: "too_many_scheduled",
    text: "too many messages wait in this conversation: wait until some are sent, or cancel some",
};
pub const NO_SUCH_SCHEDULED: Refused = Refused {
    code: "no_such_scheduled",
    text: "you have no scheduled message with this id in this conversation: list them again",
};
pub const ALREADY_SENT: Refused = Refused {
    code: "already_sent",
    text: "this message has its place in the conversation: there is nothing to cancel",
};
pub(super) const REFUSALS: &[Refused] =
    &[TIME_PASSED, TIME_TOO_FAR, TOO_MANY_SCHEDULED, NO_SUCH_SCHEDULED, ALREADY_SENT];

/// A message that waits for its time, was refused at it, or was cancelled before it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Scheduled {
    #[prost(uint64, tag = "1")]
    pub at: u64,
    /// A cancelled one has none.
    #[prost(message, optional, tag = "2")]
    pub body: Option<Body>,
    /// The code of the refusal at its time; empty: it was not refused.
    #[prost(string, tag = "4")]
    pub refused: String,
    /// Behind its time: the end of the row.
    #[prost(uint64, tag = "5")]
    pub until: u64,
}

/// The number of messages of one user in a conversation, or of all users as user 0.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ScheduledCount {
    /// That wait for their time.
    #[prost(uint32, tag = "1")]
    pub waiting: u32,
    /// That have a row, with the refused and the cancelled ones.
    #[prost(uint32, tag = "2")]
    pub kept: u32,
}

table!(message Scheduled, Conversations, Some(0x81), (ConversationId, UserId, ClientMessageId));
table!(message ScheduledCount, Conversations, Some(0x82), (ConversationId, UserId));

type Key = (ConversationId, UserId, ClientMessageId);

impl Scheduled {
    pub fn is_refused(&self) -> bool {
        !self.refused.is_empty()
    }
}

pub(crate) fn check_schedule(c: &Schedule) -> Result<(), Rejection> {
    let append = c.append();
    append.check()?;
    append.check_typed()?;
    stream::check_scheduled(&c.body)
}

impl Step<'_> {
    /// A member may schedule while it is muted: the rules are those of the time of the message.
    pub(crate) fn schedule(&mut self, c: &Schedule) -> Outcome {
        check_schedule(c)?;
        let (conversation, append) = (c.conversation, c.append());
        let key = (conversation, c.sender, c.client_message_id);
        if let Some(held) = self.state.get::<Scheduled>(&key) {
            let is_same = held.at == c.at.0 && held.body.is_none_or(|body| body == c.body);
            let same = Reply::Scheduled { at: c.at, duplicate: true };
            return if is_same { Ok(same) } else { Err(Rejection::RequestReused) };
        }
        if let Some(reply) = self.duplicate(&append) {
            return Ok(reply);
        }
        self.admit(&append)?;
        self.check_files(&append, &c.body)?;
        if c.at <= self.now() {
            return Err(TIME_PASSED.into());
        }
        if c.at.0 > self.now().0.saturating_add(limits::SCHEDULED_AHEAD_MS) {
            return Err(TIME_TOO_FAR.into());
        }
        let count = |user| self.state.get::<ScheduledCount>(&(conversation, user)).unwrap_or_default();
        let (own, all) = (count(c.sender), count(EVERYBODY));
        let is_full = own.waiting as usize >= limits::SCHEDULED_OF_USER
            || own.kept as usize >= limits::SCHEDULED_KEPT_OF_USER
            || all.waiting as usize >= limits::SCHEDULED;
        if is_full {
            return Err(TOO_MANY_SCHEDULED.into());
        }
        self.state.put(&key, &Scheduled { at: c.at.0, body: Some(c.body.clone()), ..Scheduled::default() });
        self.hold_files(conversation, &c.body);
        self.count_scheduled(&key, 1, 1);
        self.plan(c.at, work(key));
        Ok(Reply::Scheduled { at: c.at, duplicate: false })
    }

    pub(crate) fn cancel_scheduled(&mut self, c: &CancelScheduled) -> Outcome {
        let key = (c.conversation, c.sender, c.client_message_id);
        match self.state.get::<Scheduled>(&key) {
            None if self.placed(c.conversation, c.sender, c.client_message_id).is_some() => Err(ALREADY_SENT.into()),
            None => Err(NO_SUCH_SCHEDULED.into()),
            Some(Scheduled { body: None, .. }) => Ok(Reply::Done),
            Some(_) if self.planted(Bug::CancelIgnored) => Ok(Reply::Done),
            Some(row) => {
                self.count_scheduled(&key, if row.is_refused() { 0 } else { -1 }, 0);
                row.body.iter().for_each(|body| self.let_files_go(c.conversation, body));
                self.state.put(&key, &Scheduled { body: None, ..row });
                Ok(Reply::Done)
            }
        }
    }

    /// The time of the row has come: of the message, or of the end of its row.
    pub(crate) fn send_scheduled(&mut self, key: Key, is_gone: bool) {
        let held = self.state.get::<Scheduled>(&key);
        let Some(row) = held.clone().filter(|row| row.until == 0) else {
            // The time at which a hook was to be asked again may come before the end of the row.
            let is_over = held.is_none_or(|row| row.until <= self.now().0);
            if is_over {
                self.drop_scheduled(&key);
            }
            return;
        };
        let Some(body) = row.body.clone() else { return self.keep_scheduled(key, row, limits::SCHEDULED_CANCELLED_MS) };
        if is_gone {
            return self.scheduled_sent(key, row, Err(Rejection::AccountDisabled.code()));
        }
        let sent = self.append(&due(key, &row, body));
        if sent == Err(HOOK_UNAVAILABLE.into()) {
            // The leader asks the hook of the group. If that is lost, the time comes again.
            let again = Timestamp(self.now().0.saturating_add(limits::SCHEDULED_ASKED_MS));
            self.plan(again, work(key));
            let (conversation, sender, id) = key;
            return self.effect(Effect::AskHook { conversation, sender, id });
        }
        self.scheduled_sent(key, row, sent.map(drop).map_err(|rejection| rejection.code()));
    }

    /// The hook of the group has answered about a message whose time has come.
    pub(super) fn place_scheduled(&mut self, key: Key, refused: Option<&str>) {
        let held = self.state.get::<Scheduled>(&key).filter(|row| row.until == 0 && row.at <= self.now().0);
        let Some((row, body)) = held.and_then(|row| row.body.clone().map(|body| (row, body))) else { return };
        if let Some(code) = refused {
            return self.scheduled_sent(key, row, Err(code));
        }
        let sent = self.append(&due(key, &row, body));
        // Another hook has its place: it is asked at the next time.
        if sent != Err(HOOK_UNAVAILABLE.into()) {
            self.scheduled_sent(key, row, sent.map(drop).map_err(|rejection| rejection.code()));
        }
    }

    /// A due row that is left finds nothing, or the row of a refused message that it ends early.
    fn scheduled_sent(&mut self, key: Key, row: Scheduled, sent: Result<(), &str>) {
        self.count_scheduled(&key, -1, 0);
        match sent {
            Ok(()) => self.drop_scheduled(&key),
            Err(code) => {
                let refused = Scheduled { refused: code.to_owned(), ..row };
                self.keep_scheduled(key, refused, limits::SCHEDULED_REFUSED_MS);
            }
        }
    }

    fn keep_scheduled(&mut self, key: Key, row: Scheduled, for_ms: u64) {
        let until = Timestamp(self.now().0.saturating_add(for_ms));
        self.state.put(&key, &Scheduled { until: until.0, ..row });
        self.plan(until, work(key));
    }

    fn drop_scheduled(&mut self, key: &Key) {
        if let Some(row) = self.state.get::<Scheduled>(key) {
            row.body.iter().for_each(|body| self.let_files_go(key.0, body));
            self.state.delete::<Scheduled>(key);
            self.count_scheduled(key, 0, -1);
        }
    }

    fn count_scheduled(&mut self, (conversation, sender, _): &Key, waiting: i32, kept: i32) {
        for user in [*sender, EVERYBODY] {
            let key = (*conversation, user);
            let held = self.state.get::<ScheduledCount>(&key).unwrap_or_default();
            let count = ScheduledCount {
                waiting: held.waiting.saturating_add_signed(waiting),
                kept: held.kept.saturating_add_signed(kept),
            };
            if count == ScheduledCount::default() {
                self.state.delete::<ScheduledCount>(&key);
            } else {
                self.state.put(&key, &count);
            }
        }
    }
}

/// The message of a row.
fn due((conversation, sender, client_message_id): Key, row: &Scheduled, body: Body) -> Append {
    Schedule { conversation, sender, client_message_id, at: Timestamp(row.at), body }.append()
}

/// Stands for all users of a conversation.
const EVERYBODY: UserId = UserId(0);

fn work((conversation, sender, id): Key) -> Work {
    Work::Scheduled { conversation, sender, id }
}
