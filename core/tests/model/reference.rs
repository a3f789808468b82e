//! A minimal conversation: a list of events and the set of members.
//!
//! It shares no code with the machine beyond the types. The golden traces cover the rest: sizes,
//! names, ids, effects.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::command::{AdvanceCursors, Append, Intent};
use troupe_core::error::Refused;
use troupe_core::event::Role;
use troupe_core::record::Cursor;
use troupe_core::{
    ClientMessageId, ConversationId, Event, EventKind, Rejection, Reply, Seq, Timestamp, UserId, limits,
};

#[derive(Clone, Debug)]
pub struct Reference {
    pub id: ConversationId,
    pub open: bool,
    pub log: Vec<Event>,
    pub members: BTreeMap<UserId, Role>,
    pub cursors: BTreeMap<UserId, Cursor>,
    /// All outbox rows for users' shards.
    pub owed: BTreeSet<(Seq, UserId, bool)>,
    /// The users of each emoji, by message.
    pub reactions: BTreeMap<Seq, BTreeMap<String, BTreeSet<UserId>>>,
}

/// A refusal of one feature, without its text.
fn refused(code: &'static str) -> Rejection {
    Rejection::Of(Refused { code, text: "" })
}

impl Reference {
    pub fn new(id: ConversationId) -> Reference {
        let (open, log, owed) = (false, Vec::new(), BTreeSet::new());
        let (members, cursors, reactions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Reference { id, open, log, members, cursors, owed, reactions }
    }

    fn find(&self, sender: UserId, id: ClientMessageId) -> Option<Reply> {
        let event = self.log.iter().find(|event| event.sender == sender && event.client_message_id == id)?;
        Some(Reply::Placed { seq: event.seq, time: event.time, duplicate: true })
    }

    pub fn push(&mut self, now: u64, sender: UserId, id: ClientMessageId, kind: EventKind) -> Reply {
        let seq = Seq(self.log.len() as u64 + 1);
        let time = self.log.last().map_or(Timestamp(now), |last| last.time.max(Timestamp(now)));
        match &kind {
            EventKind::Created { .. } => self.come(seq, sender, Role::Owner),
            EventKind::Added { users } => users.iter().for_each(|&user| self.come(seq, user, Role::Member)),
            EventKind::Removed { user } => {
                self.members.remove(user);
                self.owed.insert((seq, *user, false));
            }
            EventKind::RoleChanged { user, role } => drop(self.members.insert(*user, *role)),
            EventKind::Reacted { to, emoji, removed } => {
                let users = self.reactions.entry(*to).or_default().entry(emoji.clone()).or_default();
                let changed = if *removed { users.remove(&sender) } else { users.insert(sender) };
                assert!(changed, "a reaction that changes nothing");
                self.reactions.values_mut().for_each(|of| of.retain(|_, users| !users.is_empty()));
                self.reactions.retain(|_, of| !of.is_empty());
            }
            EventKind::Message(_) | EventKind::Renamed { .. } | EventKind::Unknown { .. } => {}
        }
        self.log.push(Event { seq, time, sender, client_message_id: id, kind, seal: None });
        Reply::Placed { seq, time, duplicate: false }
    }

    fn come(&mut self, seq: Seq, user: UserId, role: Role) {
        self.members.insert(user, role);
        self.owed.insert((seq, user, true));
    }

    fn has(&self, user: UserId) -> bool {
        match self.id {
            ConversationId::Everyone => true,
            ConversationId::Direct { low, high } => user == low || user == high,
            ConversationId::Group(_) => self.members.contains_key(&user),
        }
    }

    /// The first event that a member sees.
    fn since(&self, user: UserId) -> Seq {
        let comes = |event: &&Event| match &event.kind {
            EventKind::Created { .. } => event.sender == user,
            EventKind::Added { users } => users.contains(&user),
            _ => false,
        };
        self.log.iter().filter(comes).map(|event| event.seq).next_back().unwrap_or(Seq(1))
    }

    /// Messages of others since this user came that lie behind its read position.
    pub fn unread(&self, user: UserId) -> Option<u64> {
        if !self.has(user) {
            return None;
        }
        let since = self.since(user);
        let read = self.cursors.get(&user).map_or(Seq::ZERO, |cursor| cursor.read);
        let counts =
            |event: &&Event| is_message(event) && event.sender != user && event.seq > read && event.seq >= since;
        Some(self.log.iter().filter(counts).count() as u64)
    }

    pub fn append(&mut self, now: u64, c: &Append) -> Reply {
        let changes = !matches!(c.intent, Intent::Message(_) | Intent::React { .. });
        if c.after == Some(c.client_message_id) {
            return Reply::Rejected(Rejection::BadRequest(""));
        }
        if changes && !matches!(self.id, ConversationId::Group(_)) {
            return Reply::Rejected(Rejection::NotAGroup);
        }
        if matches!(&c.intent, Intent::React { emoji, .. } if emoji.is_ascii()) {
            return Reply::Rejected(refused("bad_emoji"));
        }
        if matches!(&c.intent, Intent::Remove { user } if *user == c.actor) {
            return Reply::Rejected(Rejection::LeaveInstead);
        }
        if let Some(placed) = self.find(c.actor, c.client_message_id) {
            return placed;
        }
        let comes_in = matches!(c.intent, Intent::Join) && self.open && !self.members.is_empty();
        if !self.has(c.actor) && !comes_in {
            let join = matches!(c.intent, Intent::Join);
            return Reply::Rejected(if join { Rejection::NotOpen } else { Rejection::NotMember });
        }
        if c.after.is_some_and(|after| self.find(c.actor, after).is_none()) {
            return Reply::Rejected(Rejection::OutOfOrder);
        }
        let kind = match &c.intent {
            Intent::Message(body) => EventKind::Message(body.clone()),
            Intent::React { to, emoji, remove } => match self.reacts(c.actor, *to, emoji, *remove) {
                Ok(kind) => return self.push(now, c.actor, c.client_message_id, kind),
                Err(code) => return Reply::Rejected(refused(code)),
            },
            change => match self.allowed(c.actor, change) {
                Ok(kind) => kind,
                Err(why) => return Reply::Rejected(why),
            },
        };
        if let ConversationId::Direct { low, high } = self.id {
            let seq = Seq(self.log.len() as u64 + 1);
            if self.log.is_empty() {
                self.owed.extend([(seq, low, true), (seq, high, true)]);
            } else if !self.log.iter().any(|event| event.sender == c.actor && is_message(event)) {
                self.owed.insert((seq, c.actor, true));
            }
        }
        self.push(now, c.actor, c.client_message_id, kind)
    }

    fn reacts(&self, actor: UserId, to: Seq, emoji: &str, remove: bool) -> Result<EventKind, &'static str> {
        let found = self.log.iter().find(|event| event.seq == to && is_message(event));
        if found.is_none() || to < self.since(actor) {
            return Err("no_such_message");
        }
        let of = self.reactions.get(&to);
        let has = of.and_then(|of| of.get(emoji)).is_some_and(|users| users.contains(&actor));
        let is_full = of.is_some_and(|of| of.len() >= limits::REACTIONS_PER_MESSAGE && !of.contains_key(emoji));
        match (remove, has) {
            (true, false) => Err("no_such_reaction"),
            (false, true) => Err("already_reacted"),
            (false, false) if is_full => Err("too_many_reactions"),
            _ => Ok(EventKind::Reacted { to, emoji: emoji.to_owned(), removed: remove }),
        }
    }

    /// Of one that is in, or comes in.
    fn allowed(&self, actor: UserId, change: &Intent) -> Result<EventKind, Rejection> {
        let role = self.members.get(&actor).copied();
        let others_own = |user| self.members.iter().any(|(other, role)| *other != user && *role == Role::Owner);
        match (change, role) {
            (Intent::Join, Some(_)) => Err(Rejection::AlreadyMember),
            (Intent::Join, None) => Ok(EventKind::Added { users: vec![actor] }),
            (Intent::Message(_) | Intent::React { .. }, _) | (_, None) => Err(Rejection::NotMember),
            (Intent::Rename { .. } | Intent::Remove { .. }, Some(Role::Member)) => Err(Rejection::NotAllowed),
            (Intent::Rename { name }, _) => Ok(EventKind::Renamed { name: name.clone() }),
            (Intent::Add { users }, _) => {
                let new: BTreeSet<UserId> = users.iter().copied().filter(|user| !self.has(*user)).collect();
                if new.is_empty() {
                    Err(Rejection::AlreadyMember)
                } else {
                    Ok(EventKind::Added { users: new.into_iter().collect() })
                }
            }
            (Intent::Remove { user }, Some(role)) => match self.members.get(user) {
                None => Err(Rejection::NoSuchMember),
                Some(Role::Owner | Role::Admin) if role == Role::Admin => Err(Rejection::NotAllowed),
                Some(_) => Ok(EventKind::Removed { user: *user }),
            },
            (Intent::Leave, Some(Role::Owner)) if self.members.len() > 1 && !others_own(actor) => {
                Err(Rejection::LastOwner)
            }
            (Intent::Leave, _) => Ok(EventKind::Removed { user: actor }),
            (Intent::SetRole { .. }, Some(Role::Member | Role::Admin)) => Err(Rejection::NotAllowed),
            (Intent::SetRole { user, role }, _) => match self.members.get(user) {
                None => Err(Rejection::NoSuchMember),
                Some(Role::Owner) if *role != Role::Owner && !others_own(*user) => Err(Rejection::LastOwner),
                Some(_) => Ok(EventKind::RoleChanged { user: *user, role: *role }),
            },
        }
    }

    pub fn advance(&mut self, c: &AdvanceCursors) -> Reply {
        let head = Seq(self.log.len() as u64);
        for to in &c.moves {
            if !self.has(to.user) {
                continue;
            }
            let cursor = self.cursors.entry(to.user).or_default();
            if to.delivered <= head && to.delivered > cursor.delivered {
                cursor.delivered = to.delivered;
            }
            if to.read <= head && to.read > cursor.read {
                cursor.read = to.read;
            }
            cursor.delivered = cursor.delivered.max(cursor.read);
        }
        Reply::Done
    }
}

fn is_message(event: &Event) -> bool {
    matches!(event.kind, EventKind::Message(_))
}
