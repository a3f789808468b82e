//! Imports: a log is continued with events that were decided elsewhere.
//!
//! Each event is accepted only if the rules decide the same event for its sender at its place, so
//! an imported log is one that clients could have made. Its seqs and times are kept. An import is
//! repeatable by position: events that are there are compared, and the log continues behind them.

use super::conversation::new_conversation;
use super::{Outcome, Step, somebody};
use crate::command::{AdvanceCursors, Append, Destination, IMPORTER, Import, Intent};
use crate::error::{Refused, Rejection};
use crate::event::{Body, Event, EventKind, KINDS};
use crate::feature::{CallAnswer, CallOutcome, DISBANDED, check_name};
use crate::id::{ConversationId, GroupId, Seq};
use crate::limits;
use crate::planted::Bug;
use crate::record::{Conversation, GroupOfRequest};
use crate::reply::Reply;
use crate::state::Rows;

const DIFFERS: Refused = Refused {
    code: "import_differs",
    text: "the log has another event at this place: import into a cluster without this conversation, or from its origin",
};
const GAP: Refused =
    Refused { code: "import_gap", text: "the log ends before the first of these events: import the ones before it" };
const TIME: Refused = Refused {
    code: "import_time",
    text: "the time of this event is before that of the one before it, or in the future: check the source and the clocks",
};
const SECOND_PLACE: Refused = Refused {
    code: "import_second_place",
    text: "the client message id of this event has a place in the log already: each id takes one",
};
const NOT_DECIDED: Refused = Refused {
    code: "import_not_decided",
    text: "the rules of this version decide another event here, or none: correct the source",
};

/// Kinds that lose their content when a message is erased.
const OF_MESSAGES: [u32; 3] = [EventKind::MESSAGE, EventKind::EDITED, EventKind::STREAM_ENDED];

/// The refusals that only imports have.
pub const REFUSALS: &[Refused] = &[DIFFERS, GAP, TIME, SECOND_PLACE, NOT_DECIDED];

impl Step<'_> {
    pub(super) fn import(&mut self, c: &Import) -> Outcome {
        check_import(c)?;
        let found = match c.into {
            Destination::Known(conversation) => Some(conversation),
            Destination::Group { key, .. } => {
                let group = self.state.get::<GroupOfRequest>(&(c.slot(), IMPORTER, key));
                group.map(|GroupOfRequest(group)| ConversationId::Group(group))
            }
        };
        let row = found.and_then(|found| self.state.get::<Conversation>(&found));
        let mut row = row.unwrap_or_default();
        let known = c.events.iter().take_while(|event| event.seq <= row.head).count();
        if let Some(conversation) = found {
            for given in &c.events[..known] {
                let held = self.state.get::<Event>(&(conversation, given.seq));
                if !held.is_some_and(|held| is_same(&held, given)) && !self.planted(Bug::ImportUncompared) {
                    return Err(DIFFERS.into());
                }
            }
        }
        let (mut to, mut placed) = (found, 0);
        for event in &c.events[known..] {
            // The first refused event ends the import: the events before it stay, and the next
            // request gets the refusal.
            if let Err(why) = self.admit_imported(to, &mut row, event) {
                if placed == 0 {
                    return Err(why);
                }
                break;
            }
            let conversation = match to {
                Some(conversation) => conversation,
                None => self.begin_group(c)?,
            };
            if row.head == Seq::ZERO {
                let open = matches!(c.into, Destination::Group { open: true, .. });
                row = Conversation { open, ..new_conversation(event.time) };
            }
            to = Some(conversation);
            let seal = event.seal.filter(|_| is_unknown(event) && (event.is_whole() || event.is_erased()));
            self.write(conversation, &mut row, Event { seal: None, ..event.clone() }, seal);
            placed += 1;
        }
        let conversation = to.ok_or(Rejection::BadRequest("an import into a new group begins with its creation"))?;
        if known + placed == c.events.len() && !c.cursors.is_empty() {
            self.advance_cursors(&AdvanceCursors { conversation, moves: c.cursors.clone() })?;
        }
        if placed > 0 {
            self.audit_once(conversation.slot(), c.request, &c.by, "conversation.import", &c.source, "");
        }
        Ok(Reply::Imported { conversation, head: row.head, placed: placed as u64 })
    }

    /// A new group under its key.
    fn begin_group(&mut self, c: &Import) -> Result<ConversationId, Rejection> {
        let Destination::Group { key, .. } = c.into else {
            return Err(Rejection::BadRequest("only an import into a group creates one"));
        };
        let group = GroupId(self.mint(c.slot())?);
        self.state.put(&(c.slot(), IMPORTER, key), &GroupOfRequest(group));
        Ok(ConversationId::Group(group))
    }

    /// Whether the rules decide this event at the end of the log. `to` is missing before the first
    /// event of a group.
    fn admit_imported(
        &mut self,
        to: Option<ConversationId>,
        row: &mut Conversation,
        event: &Event,
    ) -> Result<(), Rejection> {
        somebody(event.sender)?;
        if event.seq != row.head.next() {
            return Err(GAP.into());
        }
        if event.time < row.time || event.time > self.now {
            return Err(TIME.into());
        }
        if row.disbanded {
            return Err(DISBANDED.into());
        }
        if let EventKind::Created { name } = &event.kind {
            let begins = event.seq == Seq(1) && to.is_none_or(ConversationId::is_group);
            return if begins { check_name(name) } else { Err(NOT_DECIDED.into()) };
        }
        // All other events of a group come behind its creation.
        let conversation = to.filter(|to| row.head > Seq::ZERO || !to.is_group()).ok_or(NOT_DECIDED)?;
        if self.placed(conversation, event.sender, event.client_message_id).is_some() {
            return Err(SECOND_PLACE.into());
        }
        let role = self.role(conversation, event.sender);
        // A missed call has its end from the clock.
        if let EventKind::CallEnded { outcome: CallOutcome::Missed, .. } = &event.kind {
            let held = self.call_of(conversation).filter(|held| held.caller == event.sender);
            let by_time = held.and_then(|held| held.ended_by_time(event.time));
            return if by_time.as_ref() == Some(&event.kind) { Ok(()) } else { Err(NOT_DECIDED.into()) };
        }
        // The end of a stream has the whole body; its pieces are in no export.
        if let EventKind::StreamEnded { to, ref body, .. } = event.kind {
            let may = self.may_end_stream(conversation, event, (to, body));
            return if may { Ok(()) } else { Err(NOT_DECIDED.into()) };
        }
        // A message has vanished by the clock.
        if let EventKind::Vanished { to } = event.kind {
            let may = self.may_have_vanished(conversation, event, to);
            return if may { Ok(()) } else { Err(NOT_DECIDED.into()) };
        }
        if role.is_some() && self.closes_unseen(conversation, event.sender, &event.kind) {
            return Ok(());
        }
        let Some(intent) = intent_of(event) else {
            let can_stand = matches!(&event.kind, EventKind::Unknown { kind, content }
                if KINDS.contains(kind) && !EventKind::is_known(*kind) && content.len() <= limits::MESSAGE_BYTES);
            let is_recalled = event.is_erased() && OF_MESSAGES.contains(&event.kind.number());
            let allowed = (can_stand || is_recalled) && role.is_some();
            return if allowed { Ok(()) } else { Err(NOT_DECIDED.into()) };
        };
        let (actor, client_message_id) = (event.sender, event.client_message_id);
        let append = Append { conversation, actor, client_message_id, after: None, intent };
        append.check()?;
        // Whether the group was open at that time is not known any more.
        if role.is_none() && !append.intent.lets_in() {
            return Err(append.intent.outsider());
        }
        // At the time of the event, because calls are judged by it.
        let now = std::mem::replace(&mut self.now, event.time);
        let decided = self.decide(&append, role, row);
        self.now = now;
        let decided = decided?;
        if decided == event.kind { Ok(()) } else { Err(NOT_DECIDED.into()) }
    }
}

/// The intent whose event it is; `None` for a creation and for an unknown kind.
fn intent_of(event: &Event) -> Option<Intent> {
    Some(match event.kind.clone() {
        EventKind::Message(body) => Intent::Message(body),
        EventKind::Renamed { name } => Intent::Rename { name },
        EventKind::Added { users } if users == [event.sender] => Intent::Join,
        EventKind::Added { users } => Intent::Add { users },
        EventKind::Removed { user } if user == event.sender => Intent::Leave,
        EventKind::Removed { user } => Intent::Remove { user },
        EventKind::RoleChanged { user, role } => Intent::SetRole { user, role },
        EventKind::Reacted { to, emoji, removed } => Intent::React { to, emoji, remove: removed },
        // When the edit vanishes follows from its message.
        EventKind::Edited { to, body } => Intent::Edit { to, body: Body { context: None, ..body } },
        EventKind::Recalled { to } => Intent::Recall { to, within_ms: u64::MAX },
        EventKind::Voted { to, options, removed } => Intent::Vote { to, options, remove: removed },
        EventKind::PollClosed { to, .. } => Intent::ClosePoll { to },
        EventKind::SettingsChanged(settings) => Intent::Set(settings),
        EventKind::Muted { user, until } => Intent::Mute { user, until },
        EventKind::Banned { user, lifted } => Intent::Ban { user, lift: lifted },
        EventKind::Transferred { to } => Intent::Transfer { to },
        EventKind::Disbanded => Intent::Disband,
        EventKind::LinkMade { hash, uses, expires } => Intent::MakeLink { hash, uses, expires },
        EventKind::LinkRevoked { link } => Intent::RevokeLink { link },
        EventKind::Pinned { to, removed } => Intent::Pin { to, remove: removed },
        EventKind::JoinAsked => Intent::AskToJoin { text: String::new() },
        EventKind::JoinClosed { user } if user == event.sender => Intent::Withdraw,
        EventKind::JoinClosed { user } => Intent::AnswerRequest { user, accept: false },
        EventKind::CallStarted { video, device } => Intent::StartCall { video, device },
        EventKind::CallAnswered { call, device } => Intent::AnswerCall { call, answer: CallAnswer::Accept, device },
        EventKind::CallEnded { call, outcome, .. } => match outcome {
            CallOutcome::Busy => Intent::AnswerCall { call, answer: CallAnswer::Busy, device: 0 },
            CallOutcome::Refused => Intent::AnswerCall { call, answer: CallAnswer::Refuse, device: 0 },
            CallOutcome::Talked | CallOutcome::Cancelled | CallOutcome::Missed => Intent::EndCall { call },
        },
        EventKind::Created { .. }
        | EventKind::Vanished { .. }
        | EventKind::StreamEnded { .. }
        | EventKind::Unknown { .. } => return None,
    })
}

fn is_unknown(event: &Event) -> bool {
    matches!(event.kind, EventKind::Unknown { .. })
}

fn is_same(held: &Event, given: &Event) -> bool {
    let Event { seq, time, sender, client_message_id, kind, seal: _ } = given;
    let flags = !is_unknown(given) || held.counts_as_unread() == given.counts_as_unread();
    // A recall since the export, or in this cluster, has left the hash only.
    let erased = held.is_erased() || given.is_erased();
    let content = if erased { held.content_hash() == given.content_hash() } else { held.kind == *kind };
    let said = (&held.seq, &held.time, &held.sender, &held.client_message_id, held.kind.number());
    flags && content && said == (seq, time, sender, client_message_id, kind.number())
}

/// The rules that need no state.
pub(super) fn check_import(c: &Import) -> Result<(), Rejection> {
    if c.events.len() > limits::IMPORT_EVENTS || c.cursors.len() > limits::IMPORT_CURSORS {
        return Err(Rejection::TooMany);
    }
    let first = c.events.first().map_or(Seq(1), |event| event.seq);
    if first == Seq::ZERO || !c.events.iter().zip(first.0..).all(|(event, seq)| event.seq.0 == seq) {
        return Err(Rejection::BadRequest("the events of an import are consecutive: give each the next seq"));
    }
    match c.into {
        Destination::Known(ConversationId::Group(_)) => {
            Err(Rejection::BadRequest("an import names a group by its key: ids of another cluster mean others here"))
        }
        Destination::Known(_) | Destination::Group { .. } => Ok(()),
    }
}
