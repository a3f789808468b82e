//! A minimal conversation: a list of events and the set of members.
//!
//! It shares no code with the machine beyond the types. The golden traces cover the rest: sizes,
//! names, ids, effects.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::command::{Append, Intent};
use troupe_core::error::Refused;
use troupe_core::event::Role;
use troupe_core::record::Cursor;
use troupe_core::{ClientMessageId, ConversationId, Event, EventKind, Rejection, Reply, Seq, Timestamp, UserId};

use crate::messages::{Polls, erase_message, is_message};
use crate::personal::Own;

#[derive(Clone, Debug)]
pub struct Reference {
    pub id: ConversationId,
    pub open: bool,
    /// Outsiders may ask to join.
    pub asks: bool,
    /// Those that have asked.
    pub asked: BTreeSet<UserId>,
    /// Disbanded.
    pub ended: bool,
    pub log: Vec<Event>,
    pub members: BTreeMap<UserId, Role>,
    pub cursors: BTreeMap<UserId, Cursor>,
    /// All outbox rows for users' shards.
    pub owed: BTreeSet<(Seq, UserId, bool)>,
    /// The users of each emoji, by message.
    pub reactions: BTreeMap<Seq, BTreeMap<String, BTreeSet<UserId>>>,
    /// The seqs of the edits, by message.
    pub edits: BTreeMap<Seq, Vec<u64>>,
    pub pins: Vec<Seq>,
    pub polls: Polls,
    pub banned: BTreeSet<UserId>,
    pub muted: BTreeMap<UserId, Timestamp>,
    pub muted_until: Timestamp,
    pub slow_ms: u64,
    pub retention_ms: u64,
    /// The own states of users that have set something.
    pub own: BTreeMap<UserId, Own>,
}

/// A refusal of one feature, without its text.
pub fn refused(code: &'static str) -> Rejection {
    Rejection::Of(Refused { code, text: "" })
}

impl Reference {
    pub fn new(id: ConversationId) -> Reference {
        let (open, asks, ended, log) = (false, false, false, Vec::new());
        let (owed, asked) = (BTreeSet::new(), BTreeSet::new());
        let (members, cursors, reactions, edits) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (banned, muted, muted_until, slow_ms) = (BTreeSet::new(), BTreeMap::new(), Timestamp(0), 0);
        let polls = Polls::default();
        Reference {
            id,
            open,
            asks,
            asked,
            ended,
            log,
            members,
            cursors,
            owed,
            reactions,
            edits,
            pins: Vec::new(),
            polls,
            banned,
            muted,
            muted_until,
            slow_ms,
            retention_ms: 0,
            own: BTreeMap::new(),
        }
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
            EventKind::Added { users } => users.iter().for_each(|&user| {
                self.asked.remove(&user);
                self.come(seq, user, Role::Member);
            }),
            EventKind::JoinAsked => assert!(self.asked.insert(sender), "asked twice"),
            EventKind::JoinClosed { user } => assert!(self.asked.remove(user), "closed twice"),
            EventKind::Removed { user } => {
                self.members.remove(user);
                self.asks &= !self.members.is_empty();
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
            EventKind::Edited { to, .. } => self.edits.entry(*to).or_default().push(seq.0),
            EventKind::Pinned { to, removed } => {
                self.pins.retain(|seq| seq != to);
                self.pins.extend((!removed).then_some(*to));
            }
            EventKind::Recalled { to } | EventKind::Vanished { to } => erase_message(self, *to),
            EventKind::Transferred { to } => {
                self.members.insert(*to, Role::Owner);
                self.members.insert(sender, Role::Admin);
            }
            EventKind::Banned { user, lifted: true } => drop(self.banned.remove(user)),
            EventKind::Banned { user, lifted: false } => {
                self.asked.remove(user);
                self.banned.insert(*user);
            }
            EventKind::Muted { user, until: Timestamp(0) } => drop(self.muted.remove(user)),
            EventKind::Muted { user, until } => drop(self.muted.insert(*user, *until)),
            EventKind::SettingsChanged(settings) => {
                if settings.join != 0 {
                    (self.open, self.asks) = (settings.join == 1, settings.join == 3);
                }
                self.slow_ms = settings.slow_seconds.map_or(self.slow_ms, |slow| slow * 1_000);
                self.muted_until = settings.muted_until.map_or(self.muted_until, Timestamp);
                self.retention_ms = settings.retention_seconds.map_or(self.retention_ms, |kept| kept * 1_000);
            }
            EventKind::Voted { .. } | EventKind::PollClosed { .. } => {}
            EventKind::Message(_) | EventKind::Renamed { .. } | EventKind::Unknown { .. } => {}
            EventKind::LinkMade { .. } | EventKind::LinkRevoked { .. } => panic!("no story has links"),
            EventKind::StreamEnded { .. } => panic!("no story has streams"),
            EventKind::CallStarted { .. } | EventKind::CallAnswered { .. } | EventKind::CallEnded { .. } => {
                panic!("no story has calls")
            }
            EventKind::Disbanded => {
                self.owed.extend(self.members.keys().map(|user| (seq, *user, false)));
                self.members.clear();
                (self.open, self.asks, self.ended) = (false, false, true);
            }
        }
        self.log.push(Event { seq, time, sender, client_message_id: id, kind, seal: None });
        Reply::Placed { seq, time, duplicate: false }
    }

    fn come(&mut self, seq: Seq, user: UserId, role: Role) {
        self.members.insert(user, role);
        self.owed.insert((seq, user, true));
    }

    pub fn has(&self, user: UserId) -> bool {
        match self.id {
            ConversationId::Everyone => true,
            ConversationId::Direct { low, high } => user == low || user == high,
            ConversationId::Group(_) => self.members.contains_key(&user),
        }
    }

    pub fn append(&mut self, now: u64, c: &Append) -> Reply {
        let of_message = matches!(
            c.intent,
            Intent::Edit { .. }
                | Intent::Recall { .. }
                | Intent::Pin { .. }
                | Intent::Vote { .. }
                | Intent::ClosePoll { .. }
        );
        let changes = !of_message
            && !matches!(c.intent, Intent::Message(_) | Intent::React { .. })
            && !self.is_retention_of_two(&c.intent);
        if c.after == Some(c.client_message_id) {
            return Reply::Rejected(Rejection::BadRequest(""));
        }
        if changes && !matches!(self.id, ConversationId::Group(_)) {
            return Reply::Rejected(Rejection::NotAGroup);
        }
        if matches!(&c.intent, Intent::React { emoji, .. } if emoji.is_ascii()) {
            return Reply::Rejected(refused("bad_emoji"));
        }
        if let Intent::Vote { options, remove, .. } = &c.intent
            && (!options.is_sorted_by(|one, two| one < two) || (*remove && !options.is_empty()))
        {
            return Reply::Rejected(refused("bad_vote"));
        }
        if matches!(&c.intent, Intent::Mute { user, .. } if *user == c.actor) {
            return Reply::Rejected(Rejection::BadRequest(""));
        }
        if matches!(&c.intent, Intent::Remove { user } | Intent::Ban { user, .. } if *user == c.actor) {
            return Reply::Rejected(Rejection::LeaveInstead);
        }
        if let Some(placed) = self.find(c.actor, c.client_message_id) {
            return placed;
        }
        let comes_in = match c.intent {
            Intent::Join => self.open && !self.members.is_empty(),
            Intent::AskToJoin { .. } => self.asks,
            Intent::Withdraw => self.asked.contains(&c.actor),
            _ => false,
        };
        if !self.has(c.actor) && !comes_in {
            return Reply::Rejected(match c.intent {
                Intent::Join | Intent::AskToJoin { .. } => Rejection::NotOpen,
                Intent::Withdraw => refused("no_such_request"),
                _ => Rejection::NotMember,
            });
        }
        if self.ended {
            return Reply::Rejected(refused("group_disbanded"));
        }
        if c.after.is_some_and(|after| self.find(c.actor, after).is_none()) {
            return Reply::Rejected(Rejection::OutOfOrder);
        }
        if let Err(code) = self.speaks(now, c) {
            return Reply::Rejected(refused(code));
        }
        let kind = match &c.intent {
            Intent::Message(body) => match body.context.as_ref().map_or(0, |context| context.reply_to) {
                0 => EventKind::Message(self.kept(body)),
                to => match self.message(c.actor, Seq(to)) {
                    Ok(_) => EventKind::Message(self.kept(body)),
                    Err(code) => return Reply::Rejected(refused(code)),
                },
            },
            Intent::React { to, emoji, remove } => match self.reacts(c.actor, *to, emoji, *remove) {
                Ok(kind) => return self.push(now, c.actor, c.client_message_id, kind),
                Err(code) => return Reply::Rejected(refused(code)),
            },
            Intent::Pin { to, remove } => match self.pinned(c.actor, *to, *remove) {
                Ok(kind) => kind,
                Err(why) => return Reply::Rejected(why),
            },
            Intent::Edit { .. } | Intent::Recall { .. } => {
                return match self.changes(now, c) {
                    Ok(kind) => self.push(now, c.actor, c.client_message_id, kind),
                    Err(code) => Reply::Rejected(refused(code)),
                };
            }
            Intent::Vote { .. } | Intent::ClosePoll { .. } => {
                return match self.votes(c) {
                    Ok(kind) => self.push(now, c.actor, c.client_message_id, kind),
                    Err(code) => Reply::Rejected(refused(code)),
                };
            }
            // No one begins a conversation with a stranger by its settings.
            Intent::Set(_) if !self.id.is_group() && self.log.is_empty() => {
                return Reply::Rejected(Rejection::NotMember);
            }
            Intent::Set(settings) if !self.id.is_group() => EventKind::SettingsChanged(settings.clone()),
            change => match self.allowed(self.time(now), c.actor, change) {
                Ok(kind) => kind,
                Err(why) => return Reply::Rejected(why),
            },
        };
        if let (ConversationId::Direct { low, high }, EventKind::Message(_)) = (self.id, &kind) {
            let seq = Seq(self.log.len() as u64 + 1);
            if self.log.is_empty() {
                self.owed.extend([(seq, low, true), (seq, high, true)]);
            } else if !self.log.iter().any(|event| event.sender == c.actor && is_message(event)) {
                self.owed.insert((seq, c.actor, true));
            }
        }
        if let EventKind::Banned { user, lifted: false } = kind
            && self.has(user)
        {
            self.push(now, c.actor, beside(c.client_message_id), EventKind::Removed { user });
        }
        self.push(now, c.actor, c.client_message_id, kind)
    }

    /// The time of the next event.
    pub fn time(&self, now: u64) -> Timestamp {
        self.log.last().map_or(Timestamp(now), |last| last.time.max(Timestamp(now)))
    }

    /// Of one that is in, or comes in.
    fn allowed(&self, time: Timestamp, actor: UserId, change: &Intent) -> Result<EventKind, Rejection> {
        let role = self.members.get(&actor).copied();
        let others_own = |user| self.members.iter().any(|(other, role)| *other != user && *role == Role::Owner);
        match (change, role) {
            (Intent::Join, Some(_)) => Err(Rejection::AlreadyMember),
            (Intent::Join, None) if self.banned.contains(&actor) => Err(refused("banned")),
            (Intent::Join, None) => Ok(EventKind::Added { users: vec![actor] }),
            (Intent::AskToJoin { .. }, Some(_)) => Err(Rejection::AlreadyMember),
            (Intent::AskToJoin { .. }, None) if self.banned.contains(&actor) => Err(refused("banned")),
            (Intent::AskToJoin { .. }, None) if self.asked.contains(&actor) => Err(refused("already_asked")),
            (Intent::AskToJoin { .. }, None) => Ok(EventKind::JoinAsked),
            (Intent::Withdraw, _) if !self.asked.contains(&actor) => Err(refused("no_such_request")),
            (Intent::Withdraw, _) => Ok(EventKind::JoinClosed { user: actor }),
            (Intent::Message(_) | Intent::React { .. } | Intent::Edit { .. }, _)
            | (Intent::Recall { .. } | Intent::Pin { .. }, _)
            | (Intent::Vote { .. } | Intent::ClosePoll { .. }, _)
            | (_, None) => Err(Rejection::NotMember),
            (Intent::Rename { .. } | Intent::Remove { .. }, Some(Role::Member)) => Err(Rejection::NotAllowed),
            (Intent::Rename { name }, _) => Ok(EventKind::Renamed { name: name.clone() }),
            (Intent::Add { users }, _) => {
                let new: BTreeSet<UserId> = users.iter().copied().filter(|user| !self.has(*user)).collect();
                if new.iter().any(|user| self.banned.contains(user)) {
                    Err(refused("banned"))
                } else if new.is_empty() {
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
            (Intent::Set(_) | Intent::Mute { .. } | Intent::Ban { .. }, Some(Role::Member)) => {
                Err(Rejection::NotAllowed)
            }
            (Intent::Set(settings), _) if settings.muted_until.is_some_and(|until| until != 0 && until <= time.0) => {
                Err(refused("bad_time"))
            }
            (Intent::Set(settings), _) => Ok(EventKind::SettingsChanged(settings.clone())),
            (Intent::Mute { user, until }, Some(role)) => {
                let below = |theirs: Option<&Role>| role == Role::Owner || theirs.is_none_or(|theirs| *theirs < role);
                let theirs = self.members.get(user);
                match (until.0 == 0, self.muted.contains_key(user)) {
                    (true, _) if !below(theirs) => Err(Rejection::NotAllowed),
                    (true, false) => Err(refused("not_muted")),
                    (false, _) if theirs.is_none() => Err(Rejection::NoSuchMember),
                    (false, _) if !below(theirs) => Err(Rejection::NotAllowed),
                    (false, _) if *until <= time => Err(refused("bad_time")),
                    _ => Ok(EventKind::Muted { user: *user, until: *until }),
                }
            }
            (Intent::Ban { user, lift }, Some(role)) => {
                let theirs = self.members.get(user);
                let below = role == Role::Owner || theirs.is_none_or(|theirs| *theirs < role);
                match (*lift, self.banned.contains(user)) {
                    (true, false) => Err(refused("not_banned")),
                    (false, true) => Err(refused("already_banned")),
                    (false, false) if !below => Err(Rejection::NotAllowed),
                    _ => Ok(EventKind::Banned { user: *user, lifted: *lift }),
                }
            }
            (Intent::AnswerRequest { .. }, Some(Role::Member)) => Err(Rejection::NotAllowed),
            (Intent::AnswerRequest { user, .. }, _) if !self.asked.contains(user) => Err(refused("no_such_request")),
            (Intent::AnswerRequest { user, accept: true }, _) => Ok(EventKind::Added { users: vec![*user] }),
            (Intent::AnswerRequest { user, accept: false }, _) => Ok(EventKind::JoinClosed { user: *user }),
            (Intent::Transfer { .. } | Intent::Disband, Some(Role::Member | Role::Admin)) => Err(Rejection::NotAllowed),
            (Intent::Transfer { to }, _) if *to == actor => Err(Rejection::BadRequest("")),
            (Intent::Transfer { to }, _) => match self.members.get(to) {
                None => Err(Rejection::NoSuchMember),
                Some(_) => Ok(EventKind::Transferred { to: *to }),
            },
            (Intent::Disband, _) => Ok(EventKind::Disbanded),
            (Intent::MakeLink { .. } | Intent::RevokeLink { .. } | Intent::JoinByLink { .. }, _) => {
                panic!("no story has links")
            }
            (Intent::Bundle(_) | Intent::EndStream { .. }, _) => panic!("no story has bundles or streams"),
            (Intent::StartCall { .. } | Intent::AnswerCall { .. } | Intent::EndCall { .. }, _) => {
                panic!("no story has calls")
            }
            (Intent::SetRole { .. }, Some(Role::Member | Role::Admin)) => Err(Rejection::NotAllowed),
            (Intent::SetRole { user, role }, _) => match self.members.get(user) {
                None => Err(Rejection::NoSuchMember),
                Some(Role::Owner) if *role != Role::Owner && !others_own(*user) => Err(Rejection::LastOwner),
                Some(_) => Ok(EventKind::RoleChanged { user: *user, role: *role }),
            },
        }
    }
}

/// The id of the removal that stands before a ban.
pub fn beside(request: ClientMessageId) -> ClientMessageId {
    let mut flipped = request.0;
    flipped[15] ^= 1;
    ClientMessageId(xxhash_rust::xxh3::xxh3_128(&flipped).to_be_bytes())
}
