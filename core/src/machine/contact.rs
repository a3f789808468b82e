//! Contacts and blocks of a user.
//!
//! Two users are contacts if each wants it. Each shard decides its own user's part, and says it to
//! the other shard by the outbox with a version. So a request crossing another one makes contacts,
//! in any order of arrival. An end names the version of the other part that it ends: a request that
//! crosses it survives in both shards or in none.
//!
//! A block is no part of the relation, because the blocked user must not learn of it. It hides the
//! other user's requests, and closes the [`Gate`] of the direct conversation in that shard.

use super::profile::{digest_of, remember, repeats};
use super::{Outcome, Step, somebody};
use crate::command::{ChangeContact, ContactAct, HearContact, SetGate, SettleContacts};
use crate::effect::Effect;
use crate::error::{Refused, Rejection};
use crate::id::{ConversationId, UserId};
use crate::limits;
use crate::planted::Bug;
use crate::record::{Block, Change, Contact, ContactBook, ContactChange, Gate, OwedContact, Relation};
use crate::reply::Reply;
use crate::state::Rows;
use crate::text::{is_prose, is_title};

const NO_SUCH_CONTACT: Refused =
    Refused { code: "no_such_contact", text: "this user is no contact and has no open request: list them again" };
const BLOCKED: Refused = Refused { code: "contact_blocked", text: "you block this user: lift the block first" };
const TOO_MANY_REQUESTS: Refused = Refused {
    code: "too_many_requests",
    text: "too many of your requests have no answer: withdraw some, or wait for their answers",
};
const TOO_MANY_CONTACTS: Refused =
    Refused { code: "too_many_contacts", text: "you have the largest number of contacts: remove some" };
const TOO_MANY_BLOCKS: Refused =
    Refused { code: "too_many_blocks", text: "you block the largest number of users: lift some blocks" };
/// Of a user that has blocked the asking one. It says no more than a full list of invitations does.
pub const NOT_TAKEN: Refused =
    Refused { code: "not_taken", text: "this user does not take this from you: there is nothing to retry" };
pub const REFUSALS: &[Refused] =
    &[NO_SUCH_CONTACT, BLOCKED, TOO_MANY_REQUESTS, TOO_MANY_CONTACTS, TOO_MANY_BLOCKS, NOT_TAKEN];

/// Refusals that need no state.
pub(super) fn check_contact(c: &ChangeContact) -> Result<(), Rejection> {
    somebody(c.user)?;
    somebody(c.other)?;
    if c.user == c.other {
        return Err(Rejection::BadRequest("a contact is another user: name one"));
    }
    let wrong = |text: &'static str| Err(Rejection::BadRequest(text));
    match &c.act {
        ContactAct::Ask { text } if text.len() > limits::CONTACT_TEXT_BYTES || !is_prose(text) => {
            wrong("the text of a request has at most 512 bytes and no control characters but line ends")
        }
        ContactAct::Remark { text } if !text.is_empty() && !is_remark(text) => {
            wrong("a remark has at most 64 characters, shows something and has no control characters")
        }
        _ => Ok(()),
    }
}

fn is_remark(text: &str) -> bool {
    text.chars().count() <= limits::REMARK_CHARS && is_title(text)
}

/// A contact in progress, with the state before.
struct Held {
    user: UserId,
    other: UserId,
    row: Contact,
    before: Contact,
    blocked: bool,
    blocked_before: bool,
    /// The other user's shard is owed the user's part.
    says: bool,
}

impl Step<'_> {
    pub(super) fn change_contact(&mut self, c: &ChangeContact) -> Outcome {
        check_contact(c)?;
        let mut held = self.held(c.user, c.other);
        let change = Change { request: c.request, digest: digest(&c.act) };
        if repeats(&held.row.changes, change)? {
            self.tell_contact(&held);
            // The relay may have stopped with an earlier leader.
            if self.state.get::<OwedContact>(&(c.user, c.other)).is_some() {
                self.effects.push(Effect::OutboxFilled { slot: c.user.slot() });
            }
            return Ok(Reply::Done);
        }
        let book = self.state.get::<ContactBook>(&c.user).unwrap_or_default();
        self.decide_contact(&mut held, &book, &c.act)?;
        remember(&mut held.row.changes, change);
        self.keep_contact(&mut held, book);
        self.tell_contact(&held);
        Ok(Reply::Done)
    }

    fn decide_contact(&self, held: &mut Held, book: &ContactBook, act: &ContactAct) -> Result<(), Rejection> {
        let relation = held.row.shown(held.blocked);
        match act {
            ContactAct::Ask { .. } | ContactAct::Accept if held.blocked => return Err(BLOCKED.into()),
            // The other user may have ended this, and its word is on the way: the repeat is newer.
            ContactAct::Ask { .. } if matches!(relation, Relation::Requested | Relation::Mutual) => held.says = true,
            ContactAct::Accept if relation == Relation::Mutual => held.says = true,
            ContactAct::Accept if relation != Relation::Received => return Err(NO_SUCH_CONTACT.into()),
            ContactAct::Ask { .. } | ContactAct::Accept => {
                if book.mutual.saturating_add(book.sent) as usize >= limits::CONTACTS {
                    return Err(TOO_MANY_CONTACTS.into());
                }
                if relation == Relation::None && book.sent as usize >= limits::CONTACT_REQUESTS_SENT {
                    return Err(TOO_MANY_REQUESTS.into());
                }
                if let (ContactAct::Ask { text }, Relation::None) = (act, relation) {
                    held.row.text.clone_from(text);
                }
                held.row.wants = true;
                held.says = true;
            }
            ContactAct::End if relation == Relation::None => return Err(NO_SUCH_CONTACT.into()),
            ContactAct::End => {
                (held.row.wants, held.row.wanted) = (false, false);
                held.row.ended = held.row.heard;
                held.says = true;
            }
            ContactAct::Remark { .. } if relation == Relation::None => return Err(NO_SUCH_CONTACT.into()),
            ContactAct::Remark { text } => held.row.remark.clone_from(text),
            ContactAct::Block if !held.blocked && book.blocks as usize >= limits::BLOCKS => {
                return Err(TOO_MANY_BLOCKS.into());
            }
            ContactAct::Block => held.blocked = true,
            ContactAct::Unblock => held.blocked = false,
        }
        Ok(())
    }

    /// The part of the other user, as its shard has said it: late ones change nothing.
    pub(super) fn hear_contact(&mut self, c: &HearContact) -> Outcome {
        let mut held = self.held(c.user, c.by);
        if c.said <= held.row.heard {
            // The leader that committed it first may not have sent the push.
            if c.said == held.row.heard {
                self.tell_heard(&held);
            }
            return Ok(Reply::Done);
        }
        held.row.heard = c.said;
        held.row.wanted = c.wants && !(held.row.wants && self.planted(Bug::ContactOneSided));
        if c.ended >= held.row.said {
            held.row.wants = false;
        }
        if held.row.relation() == Relation::Received && !held.before.wanted {
            held.row.text.clone_from(&c.text);
        }
        let book = self.state.get::<ContactBook>(&c.user).unwrap_or_default();
        let is_new = held.row.relation() == Relation::Received && held.before.relation() != Relation::Received;
        if is_new && !held.blocked && book.received as usize >= limits::CONTACT_REQUESTS_RECEIVED {
            // The sender learns that its request has ended, like one that was refused.
            held.row.wanted = false;
            held.row.ended = held.row.heard;
            held.says = true;
        }
        self.keep_contact(&mut held, book);
        self.tell_heard(&held);
        Ok(Reply::Done)
    }

    fn held(&self, user: UserId, other: UserId) -> Held {
        let row = self.state.get::<Contact>(&(user, other)).unwrap_or_default();
        let blocked = self.blocks(user, other);
        Held { user, other, before: row.clone(), row, blocked, blocked_before: blocked, says: false }
    }

    /// Whether the first user blocks the second.
    pub(super) fn blocks(&self, user: UserId, other: UserId) -> bool {
        self.state.get::<Block>(&(user, other)).is_some()
    }

    /// Whether the user wants the other one as a contact.
    pub(super) fn wants(&self, user: UserId, other: UserId) -> bool {
        self.state.get::<Contact>(&(user, other)).is_some_and(|contact| contact.wants)
    }

    /// Writes the row with a version of its own, and what other shards are owed.
    fn keep_contact(&mut self, held: &mut Held, mut book: ContactBook) {
        let key = (held.user, held.other);
        book.version += 1;
        if held.before.version > 0 {
            self.state.delete::<ContactChange>(&(held.user, held.before.version));
        }
        let row = &mut held.row;
        row.version = book.version;
        if held.says {
            row.said = book.version;
        }
        if row.relation() != held.before.relation() {
            row.since = self.now;
        }
        if row.relation() == Relation::None {
            (row.text, row.remark) = (String::new(), String::new());
        }
        book.count(held.before.shown(held.blocked_before), row.shown(held.blocked));
        self.state.put(&(held.user, row.version), &ContactChange(held.other));
        self.state.put(&key, row);
        let gates = held.blocked != held.blocked_before;
        match (held.blocked_before, held.blocked) {
            (false, true) => {
                book.blocks = book.blocks.saturating_add(1);
                self.state.put(&key, &Block { since: self.now });
            }
            (true, false) => {
                book.blocks = book.blocks.saturating_sub(1);
                self.state.delete::<Block>(&key);
            }
            _ => {}
        }
        self.state.put(&held.user, &book);
        let gates = gates && !self.planted(Bug::BlockNotSent);
        if held.says || gates {
            let mut owed = self.state.get::<OwedContact>(&key).unwrap_or_default();
            owed.contact = if held.says { book.version } else { owed.contact };
            owed.gate = if gates { book.version } else { owed.gate };
            self.state.put(&key, &owed);
            self.effects.push(Effect::OutboxFilled { slot: held.user.slot() });
        }
    }

    fn tell_contact(&mut self, held: &Held) {
        let (user, other, contact) = (held.user, held.other, Box::new(held.row.clone()));
        self.effects.push(Effect::ContactChanged { user, other, contact, blocked: held.blocked });
    }

    /// Nothing that a blocked user does reaches a device.
    fn tell_heard(&mut self, held: &Held) {
        if !held.blocked {
            self.tell_contact(held);
        }
    }

    pub(super) fn settle_contacts(&mut self, c: &SettleContacts) -> Outcome {
        for row in c.rows.iter().filter(|row| row.user.slot() == c.slot) {
            let key = (row.user, row.other);
            let Some(mut owed) = self.state.get::<OwedContact>(&key) else { continue };
            // A later version is owed still.
            owed.contact = if owed.contact <= row.contact { 0 } else { owed.contact };
            owed.gate = if owed.gate <= row.gate { 0 } else { owed.gate };
            match owed == OwedContact::default() {
                true => self.state.delete::<OwedContact>(&key),
                false => self.state.put(&key, &owed),
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn set_gate(&mut self, c: &SetGate) -> Outcome {
        let key = (c.conversation, c.user);
        let held = self.state.get::<Gate>(&key).map_or(0, |gate| gate.version);
        if c.version > held && c.conversation.peer_of(c.user).is_some() {
            self.state.put(&key, &Gate { version: c.version, closed: c.closed });
        }
        Ok(Reply::Done)
    }

    /// Refuses what a user places in a direct conversation with a user that blocks it.
    pub(crate) fn is_taken(&self, conversation: ConversationId, actor: UserId) -> Result<(), Rejection> {
        let gate = conversation.peer_of(actor).and_then(|peer| self.state.get::<Gate>(&(conversation, peer)));
        if gate.is_some_and(|gate| gate.closed) { Err(NOT_TAKEN.into()) } else { Ok(()) }
    }
}

impl ContactBook {
    fn count(&mut self, before: Relation, after: Relation) {
        if let Some(held) = self.of(before) {
            *held = held.saturating_sub(1);
        }
        if let Some(held) = self.of(after) {
            *held = held.saturating_add(1);
        }
    }

    fn of(&mut self, relation: Relation) -> Option<&mut u32> {
        match relation {
            Relation::None => None,
            Relation::Requested => Some(&mut self.sent),
            Relation::Received => Some(&mut self.received),
            Relation::Mutual => Some(&mut self.mutual),
        }
    }
}

fn digest(act: &ContactAct) -> u64 {
    let (name, text) = match act {
        ContactAct::Ask { text } => ("ask", text.as_str()),
        ContactAct::Accept => ("accept", ""),
        ContactAct::End => ("end", ""),
        ContactAct::Remark { text } => ("remark", text.as_str()),
        ContactAct::Block => ("block", ""),
        ContactAct::Unblock => ("unblock", ""),
    };
    digest_of([Some(name), Some(text)])
}
