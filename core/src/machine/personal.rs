//! The state of a conversation that is of one user only: pinned, muted, archived, hidden, a draft,
//! marked as unread, a cleared history, and messages that are deleted for the user alone.
//!
//! The row is in the slot of the conversation, where history and unread counts are read. The last
//! writer wins, property by property, in the order of the log. A device may name the version that
//! it has seen: its change is then refused as a whole if a property that it names has another value
//! since a later version. So a device that was offline undoes no change that it has not seen. A
//! cleared history only grows, and never conflicts.

use xxhash_rust::xxh3::xxh3_64;

use super::profile::{remember, repeats};
use super::{Outcome, Step, somebody};
use crate::command::{ChangePersonal, DeleteForMe, PersonalChange};
use crate::effect::Effect;
use crate::error::{Refused, Rejection};
use crate::event::{Body, Context};
use crate::feature::NO_SUCH_MESSAGE;
use crate::id::{ConversationId, Seq, Timestamp, UserId};
use crate::limits;
use crate::planted::Bug;
use crate::record::{Change, Conversation, Cursor, Mention, Personal};
use crate::reply::Reply;
use crate::state::Rows;

const STATE_CHANGED: Refused = Refused {
    code: "state_changed",
    text: "another device has changed this since the version that you have seen: read the state and decide again",
};
const BEYOND_HEAD: Refused =
    Refused { code: "seq_beyond_head", text: "the conversation has no such event yet: clear up to its head at most" };
const TOO_MANY_DELETED: Refused = Refused {
    code: "too_many_deleted",
    text: "you have deleted as many messages of this conversation as one may: clear its history up to a message instead",
};
pub const REFUSALS: &[Refused] = &[STATE_CHANGED, TOO_MANY_DELETED];

/// Numbers up to here are exact in JSON.
const EXACT: u64 = (1 << 53) - 1;

/// Refusals that need no state.
pub(super) fn check_personal(c: &ChangePersonal) -> Result<(), Rejection> {
    somebody(c.user)?;
    let wrong = |text: &'static str| Err(Rejection::BadRequest(text));
    let PersonalChange { pin, muted_until, draft, .. } = &c.change;
    if c.change == PersonalChange::default() {
        return wrong("a change of a conversation's state names at least one property");
    }
    if pin.is_some_and(|pin| pin > limits::PIN_PLACE) {
        return wrong("the place of a pinned conversation is at most 1000000");
    }
    if muted_until.is_some_and(|until| until.0 > EXACT) {
        return wrong("a mute ends at most at 9007199254740991");
    }
    if draft.as_ref().is_some_and(|draft| draft.len() > limits::DRAFT_BYTES) {
        return wrong("a draft has at most 4096 bytes: shorten it");
    }
    Ok(())
}

pub(super) fn check_delete(c: &DeleteForMe) -> Result<(), Rejection> {
    somebody(c.user)?;
    match c.seqs.len() {
        0 => Err(Rejection::BadRequest("a deletion names at least one message")),
        count if count > limits::DELETED_AT_ONCE => Err(Rejection::TooMany),
        _ => Ok(()),
    }
}

impl Step<'_> {
    pub(super) fn change_personal(&mut self, c: &ChangePersonal) -> Outcome {
        check_personal(c)?;
        if !self.takes_part(c.conversation, c.user) {
            return Err(Rejection::NotMember);
        }
        let key = (c.conversation, c.user);
        let mut row = self.state.get::<Personal>(&key).unwrap_or_default();
        let change = Change { request: c.request, digest: digest(c) };
        if !repeats(&row.changes, change)? {
            let (head, read) = self.positions(c.conversation, c.user);
            self.set_personal(&mut row, c, head, read)?;
            // Also a change that changes nothing: its late repeat would undo later ones.
            remember(&mut row.changes, change);
            self.state.put(&key, &row);
        }
        self.tell_personal(c.conversation, c.user, row);
        Ok(Reply::Done)
    }

    fn set_personal(&self, row: &mut Personal, c: &ChangePersonal, head: Seq, read: Seq) -> Result<(), Rejection> {
        let PersonalChange { pin, muted_until, archived, hidden, draft, marked_unread, clear_to } = &c.change;
        if clear_to.is_some_and(|to| to > head) {
            return Err(BEYOND_HEAD.into());
        }
        let next = row.version + 1;
        let seen = c.seen.filter(|_| !self.planted(Bug::StaleChangeWins)).unwrap_or(u64::MAX);
        let hidden = hidden.map(|hidden| if hidden { head.next() } else { Seq::ZERO });
        let marked = marked_unread.map(|marked| if marked { read.next() } else { Seq::ZERO });
        let kept = |seq: &Seq| clear_to.is_none_or(|to| *seq > to);
        let changed = [
            set(&mut row.pin, &mut row.pin_version, *pin, seen, next)?,
            set(&mut row.muted_until, &mut row.muted_version, *muted_until, seen, next)?,
            set(&mut row.archived, &mut row.archived_version, *archived, seen, next)?,
            set(&mut row.hidden_before, &mut row.hidden_version, hidden, seen, next)?,
            set(&mut row.draft, &mut row.draft_version, draft.clone(), seen, next)?,
            set(&mut row.marked_before, &mut row.marked_version, marked, seen, next)?,
            clear_to.is_some_and(|to| to > row.cleared),
        ];
        if !self.planted(Bug::ClearedHistoryShown) {
            row.cleared = row.cleared.max(clear_to.unwrap_or_default());
            row.deleted.retain(kept);
            row.deleted_unread.retain(kept);
        }
        if changed.contains(&true) {
            row.version = next;
        }
        Ok(())
    }

    /// Messages of the cleared history are deleted already.
    pub(super) fn delete_for_me(&mut self, c: &DeleteForMe) -> Outcome {
        check_delete(c)?;
        if !self.takes_part(c.conversation, c.user) {
            return Err(Rejection::NotMember);
        }
        let key = (c.conversation, c.user);
        let mut row = self.state.get::<Personal>(&key).unwrap_or_default();
        let mut is_changed = false;
        for seq in &c.seqs {
            let event = self.message_seen(c.conversation, c.user, *seq).ok_or(NO_SUCH_MESSAGE)?;
            if *seq > row.cleared && add(&mut row.deleted, *seq) {
                is_changed = true;
                if event.counts_as_unread() && event.sender != c.user {
                    add(&mut row.deleted_unread, *seq);
                }
            }
        }
        if row.deleted.len() > limits::DELETED_FOR_ME {
            return Err(TOO_MANY_DELETED.into());
        }
        if is_changed && !self.planted(Bug::DeletedShown) {
            row.version += 1;
            self.state.put(&key, &row);
        }
        self.tell_personal(c.conversation, c.user, row);
        Ok(Reply::Done)
    }

    pub(super) fn tell_personal(&mut self, conversation: ConversationId, user: UserId, row: Personal) {
        let (head, read) = self.positions(conversation, user);
        self.effects.push(Effect::PersonalChanged { conversation, user, row: Box::new(row), head, read });
    }

    /// The head, and how far the user has read.
    fn positions(&self, conversation: ConversationId, user: UserId) -> (Seq, Seq) {
        let head = self.state.get::<Conversation>(&conversation).map_or(Seq::ZERO, |row| row.head);
        (head, self.state.get::<Cursor>(&(conversation, user)).unwrap_or_default().read)
    }

    /// Counts a message for the users that it mentions.
    pub(crate) fn note_mentions(&mut self, conversation: ConversationId, seq: Seq, sender: UserId, body: &Body) {
        let row = Mention(sender.0);
        mentioned(body).filter(|user| *user != sender).for_each(|user| {
            self.state.put(&(conversation, user, seq), &row);
        });
    }

    /// Its content is erased, so it mentions no one any more.
    pub(crate) fn drop_mentions(&mut self, conversation: ConversationId, seq: Seq, body: &Body) {
        mentioned(body).for_each(|user| self.state.delete::<Mention>(&(conversation, user, seq)));
    }
}

/// Returns whether it was not in the ascending list.
fn add(list: &mut Vec<Seq>, seq: Seq) -> bool {
    match list.binary_search(&seq) {
        Ok(_) => false,
        Err(at) => {
            list.insert(at, seq);
            true
        }
    }
}

/// Returns whether the value changes.
fn set<T: PartialEq>(
    held: &mut T,
    version: &mut u64,
    value: Option<T>,
    seen: u64,
    next: u64,
) -> Result<bool, Rejection> {
    let Some(value) = value.filter(|value| value != held) else { return Ok(false) };
    if *version > seen {
        return Err(STATE_CHANGED.into());
    }
    (*held, *version) = (value, next);
    Ok(true)
}

/// User 0 stands for everyone.
fn mentioned(body: &Body) -> impl Iterator<Item = UserId> {
    let Context { mentions, mentions_everyone, .. } = body.context.as_deref().cloned().unwrap_or_default();
    let everyone = mentions_everyone.then_some(UserId(0));
    mentions.into_iter().take(limits::MENTIONS).map(UserId).filter(|user| user.0 != 0).chain(everyone)
}

/// Two different changes have different bytes.
fn digest(c: &ChangePersonal) -> u64 {
    let PersonalChange { pin, muted_until, archived, hidden, draft, marked_unread, clear_to } = &c.change;
    let mut bytes = Vec::new();
    let numbers = [
        c.seen,
        *pin,
        muted_until.map(|Timestamp(until)| until),
        archived.map(u64::from),
        hidden.map(u64::from),
        marked_unread.map(u64::from),
        clear_to.map(|Seq(to)| to),
    ];
    for number in numbers {
        bytes.push(number.is_some().into());
        bytes.extend_from_slice(&number.unwrap_or_default().to_be_bytes());
    }
    bytes.push(draft.is_some().into());
    bytes.extend_from_slice(draft.as_deref().unwrap_or_default().as_bytes());
    xxh3_64(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ClientMessageId;

    fn asks(change: PersonalChange) -> ChangePersonal {
        let conversation = ConversationId::Everyone;
        ChangePersonal { conversation, user: UserId(7), request: ClientMessageId([1; 16]), seen: None, change }
    }

    #[test]
    fn a_change_names_something_within_its_bounds() {
        let checked = |change| check_personal(&asks(change)).is_ok();
        let none = PersonalChange::default;
        let draft = |text: String| PersonalChange { draft: Some(text), ..none() };
        assert!(!checked(none()), "it changes nothing");
        assert!(checked(draft(String::new())) && checked(draft("x".repeat(limits::DRAFT_BYTES))));
        assert!(!checked(draft("x".repeat(limits::DRAFT_BYTES + 1))));
        assert!(checked(PersonalChange { pin: Some(limits::PIN_PLACE), ..none() }));
        assert!(!checked(PersonalChange { pin: Some(limits::PIN_PLACE + 1), ..none() }));
        assert!(checked(PersonalChange { muted_until: Some(Timestamp(EXACT)), ..none() }));
        assert!(!checked(PersonalChange { muted_until: Some(Timestamp(EXACT + 1)), ..none() }));
    }

    #[test]
    fn an_absent_property_is_no_zero() {
        let zero = asks(PersonalChange { pin: Some(0), ..PersonalChange::default() });
        let other = asks(PersonalChange { muted_until: Some(Timestamp(0)), ..PersonalChange::default() });
        let empty = asks(PersonalChange { draft: Some(String::new()), ..PersonalChange::default() });
        let all = [digest(&zero), digest(&other), digest(&empty), digest(&asks(PersonalChange::default()))];
        assert!((0..all.len()).all(|at| !all[at + 1..].contains(&all[at])), "{all:?}");
    }
}
