//! A minimal conversation: a list of events and the set of members.
//!
//! It shares no code with the machine beyond the types. The golden traces cover the rest: sizes,
//! names, ids, effects.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::command::{AdvanceCursors, Append, Intent};
use troupe_core::event::Role;
use troupe_core::record::Cursor;
use troupe_core::{ClientMessageId, ConversationId, Event, EventKind, Rejection, Reply, Seq, Timestamp, UserId};

#[derive(Clone, Debug)]
pub struct Reference {
    pub id: ConversationId,
    pub open: bool,
    pub log: Vec<Event>,
    pub members: BTreeMap<UserId, Role>,
    pub cursors: BTreeMap<UserId, Cursor>,
    /// All outbox rows for users' shards.
    pub owed: BTreeSet<(Seq, UserId, bool)>,
}

impl Reference {
    pub fn new(id: ConversationId) -> Reference {
        let (open, log, owed) = (false, Vec::new(), BTreeSet::new());
        Reference { id, open, log, members: BTreeMap::new(), cursors: BTreeMap::new(), owed }
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

    /// Messages of others since this user came that lie behind its read position.
    pub fn unread(&self, user: UserId) -> Option<u64> {
        if !self.has(user) {
            return None;
        }
        let comes = |event: &&Event| match &event.kind {
            EventKind::Created { .. } => event.sender == user,
            EventKind::Added { users } => users.contains(&user),
            _ => false,
        };
        let since = self.log.iter().filter(comes).map(|event| event.seq).next_back().unwrap_or(Seq(1));
        let read = self.cursors.get(&user).map_or(Seq::ZERO, |cursor| cursor.read);
        let counts = |event: &&Event| {
            matches!(event.kind, EventKind::Message(_))
                && event.sender != user
                && event.seq > read
                && event.seq >= since
        };
        Some(self.log.iter().filter(counts).count() as u64)
    }

    pub fn append(&mut self, now: u64, c: &Append) -> Reply {
        let changes = !matches!(c.intent, Intent::Message(_));
        if c.after == Some(c.client_message_id) || (changes && !matches!(self.id, ConversationId::Group(_))) {
            return Reply::Rejected(Rejection::BadRequest(""));
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
            change => match self.allowed(c.actor, change) {
                Ok(kind) => kind,
                Err(why) => return Reply::Rejected(why),
            },
        };
        if let ConversationId::Direct { low, high } = self.id {
            let seq = Seq(self.log.len() as u64 + 1);
            if self.log.is_empty() {
                self.owed.extend([(seq, low, true), (seq, high, true)]);
            } else if self.log.iter().all(|event| event.sender != c.actor) {
                self.owed.insert((seq, c.actor, true));
            }
        }
        self.push(now, c.actor, c.client_message_id, kind)
    }

    /// Of one that is in, or comes in.
    fn allowed(&self, actor: UserId, change: &Intent) -> Result<EventKind, Rejection> {
        let role = self.members.get(&actor).copied();
        let others_own = |user| self.members.iter().any(|(other, role)| *other != user && *role == Role::Owner);
        match (change, role) {
            (Intent::Join, Some(_)) => Err(Rejection::AlreadyMember),
            (Intent::Join, None) => Ok(EventKind::Added { users: vec![actor] }),
            (Intent::Message(_), _) | (_, None) => Err(Rejection::NotMember),
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
