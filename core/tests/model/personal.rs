//! The state of a conversation that is a user's own, and the readers of messages.

use std::collections::BTreeMap;

use troupe_core::command::{ChangePersonal, DeleteForMe, PersonalChange};
use troupe_core::readers::{Position, Readers};
use troupe_core::record::{Cursor, Member, Personal};
use troupe_core::state::memory::MemoryState;
use troupe_core::{ClientMessageId, ConversationId, Rejection, Reply, Rows, Seq, UserId, limits};

use crate::messages::is_message;
use crate::reference::{Reference, refused};

/// Each property is a text, with the version of its last change.
#[derive(Clone, Debug, Default)]
pub struct Own {
    pub version: u64,
    held: BTreeMap<&'static str, (String, u64)>,
    cleared: u64,
    deleted: Vec<u64>,
    requests: Vec<(ClientMessageId, Option<u64>, PersonalChange)>,
}

impl Own {
    fn held(&self, name: &'static str) -> (String, u64) {
        self.held.get(name).cloned().unwrap_or_else(|| (unset(name).to_owned(), 0))
    }
}

fn unset(name: &str) -> &'static str {
    match name {
        "archived" => "false",
        "draft" => "",
        _ => "0",
    }
}

impl Reference {
    pub fn change_personal(&mut self, c: &ChangePersonal) -> Reply {
        if !self.has(c.user) {
            return Reply::Rejected(Rejection::NotMember);
        }
        let head = self.log.len() as u64;
        let read = self.cursors.get(&c.user).map_or(0, |cursor| cursor.read.0);
        let mut own = self.own.get(&c.user).cloned().unwrap_or_default();
        let asked = (c.request, c.seen, c.change.clone());
        if let Some(known) = own.requests.iter().find(|known| known.0 == c.request) {
            return if *known == asked { Reply::Done } else { Reply::Rejected(Rejection::RequestReused) };
        }
        let clear_to = c.change.clear_to.map_or(0, |to| to.0);
        if clear_to > head {
            return Reply::Rejected(refused("seq_beyond_head"));
        }
        let named = [
            ("pin", c.change.pin.map(|pin| pin.to_string())),
            ("muted", c.change.muted_until.map(|until| until.0.to_string())),
            ("archived", c.change.archived.map(|archived| archived.to_string())),
            ("hidden", c.change.hidden.map(|hidden| if hidden { head + 1 } else { 0 }.to_string())),
            ("draft", c.change.draft.clone()),
            ("marked", c.change.marked_unread.map(|marked| if marked { read + 1 } else { 0 }.to_string())),
        ];
        let next = own.version + 1;
        for (name, value) in named {
            let Some(value) = value else { continue };
            let (held, changed_at) = own.held(name);
            if held == value {
                continue;
            }
            if c.seen.is_some_and(|seen| changed_at > seen) {
                return Reply::Rejected(refused("state_changed"));
            }
            own.held.insert(name, (value, next));
            own.version = next;
        }
        if clear_to > own.cleared {
            (own.cleared, own.version) = (clear_to, next);
            own.deleted.retain(|seq| *seq > clear_to);
        }
        own.requests.push(asked);
        if own.requests.len() > limits::CHANGES_REMEMBERED {
            own.requests.remove(0);
        }
        self.own.insert(c.user, own);
        Reply::Done
    }

    pub fn delete_for_me(&mut self, c: &DeleteForMe) -> Reply {
        if !self.has(c.user) {
            return Reply::Rejected(Rejection::NotMember);
        }
        let sees = |seq: &Seq| {
            let since = self.since(c.user);
            self.log.iter().any(|event| event.seq == *seq && *seq >= since && is_message(event))
        };
        if !c.seqs.iter().all(sees) {
            return Reply::Rejected(refused("no_such_message"));
        }
        let mut own = self.own.get(&c.user).cloned().unwrap_or_default();
        let mut new: Vec<u64> = c.seqs.iter().map(|seq| seq.0).collect();
        new.retain(|seq| *seq > own.cleared && !own.deleted.contains(seq));
        new.sort_unstable();
        new.dedup();
        if !new.is_empty() {
            own.version += 1;
            own.deleted.extend(new);
            own.deleted.sort_unstable();
            self.own.insert(c.user, own);
        }
        Reply::Done
    }
}

pub fn own_states_agree(state: &MemoryState, model: &Reference, user: UserId) {
    let row = state.get::<Personal>(&(model.id, user)).unwrap_or_default();
    let own = model.own.get(&user).cloned().unwrap_or_default();
    assert_eq!((row.version, row.cleared), (own.version, Seq(own.cleared)));
    let shown = [
        ("pin", row.pin.to_string(), row.pin_version),
        ("muted", row.muted_until.0.to_string(), row.muted_version),
        ("archived", row.archived.to_string(), row.archived_version),
        ("hidden", row.hidden_before.0.to_string(), row.hidden_version),
        ("draft", row.draft.clone(), row.draft_version),
        ("marked", row.marked_before.0.to_string(), row.marked_version),
    ];
    for (name, value, version) in shown {
        assert_eq!((value, version), own.held(name), "{name}");
    }
    assert_eq!(row.deleted, own.deleted.iter().copied().map(Seq).collect::<Vec<_>>());
    let of_others = |seq: &&u64| model.log[**seq as usize - 1].sender != user;
    let unread: Vec<Seq> = own.deleted.iter().filter(of_others).copied().map(Seq).collect();
    assert_eq!(row.deleted_unread, unread);
}

/// By the rows of members, as operations count them, and by the log.
pub fn readers_agree(state: &MemoryState, model: &Reference) {
    let ConversationId::Group(_) = model.id else { return };
    let members = state.page::<Member>(&model.id, None, usize::MAX).into_iter();
    let positions: Vec<Position> = members
        .map(|((_, user), member)| {
            let read = state.get::<Cursor>(&(model.id, user)).unwrap_or_default().read;
            Position { user, since: member.since, read }
        })
        .collect();
    for event in model.log.iter().filter(|event| is_message(event)) {
        let Readers { seen_by, read_by } = Readers::of(&positions, event.seq, event.sender);
        let see = |user: &&UserId| **user != event.sender && model.since(**user) <= event.seq;
        let has_read = |user: &&UserId| model.cursors.get(user).is_some_and(|cursor| cursor.read >= event.seq);
        assert_eq!(seen_by as usize, model.members.keys().filter(see).count());
        let expected = model.members.keys().filter(see).filter(has_read).copied().collect::<Vec<_>>();
        assert_eq!(read_by, expected);
    }
}
