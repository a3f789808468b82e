//! Reactions to messages, edits, recalls and polls.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::command::{Append, Intent};
use troupe_core::content::{Content, Poll};
use troupe_core::error::Refused;
use troupe_core::event::Role;
use troupe_core::feature::{OwnReactions, Reactions, Tally, Vote};
use troupe_core::state::memory::MemoryState;
use troupe_core::{Body, ConversationId, Event, EventKind, Rejection, Rows, Seq, UserId, limits};

use crate::reference::Reference;

/// The votes of each poll that has or had some, the options up to the last voted for, and the polls
/// that are closed.
#[derive(Clone, Debug, Default)]
pub struct Polls {
    pub votes: BTreeMap<Seq, BTreeMap<UserId, Vec<u32>>>,
    pub widest: BTreeMap<Seq, u32>,
    pub closed: BTreeSet<Seq>,
}

impl Reference {
    /// The message, if the actor sees it and it was not recalled.
    pub fn message(&self, actor: UserId, to: Seq) -> Result<&Event, &'static str> {
        let found = self.log.iter().find(|event| event.seq == to && is_message(event));
        let found = found.filter(|_| to >= self.since(actor)).ok_or("no_such_message")?;
        if matches!(found.kind, EventKind::Message(_)) { Ok(found) } else { Err("erased") }
    }

    /// The first event that a member sees.
    pub fn since(&self, user: UserId) -> Seq {
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

    pub fn changes(&self, now: u64, c: &Append) -> Result<EventKind, &'static str> {
        match &c.intent {
            Intent::Edit { to, body } => {
                let message = self.message(c.actor, *to)?;
                let held = self.edits.get(to).map_or(0, Vec::len);
                match &message.kind {
                    _ if message.sender != c.actor => Err("not_your_message"),
                    EventKind::Message(held) if poll_of(held).is_some() => Err("poll_stays"),
                    EventKind::Message(held) if held.kind != body.kind => Err("another_kind"),
                    _ if held >= limits::EDITS_PER_MESSAGE => Err("too_many_edits"),
                    _ => Ok(EventKind::Edited { to: *to, body: self.vanishing_with(now, message, body) }),
                }
            }
            Intent::Recall { to, within_ms } => {
                let message = self.message(c.actor, *to)?;
                let is_admin = self.members.get(&c.actor).is_some_and(|role| *role > Role::Member);
                match is_admin {
                    false if message.sender != c.actor => Err("not_your_message"),
                    false if self.time(now).0 - message.time.0 > *within_ms => Err("recall_too_late"),
                    _ => Ok(EventKind::Recalled { to: *to }),
                }
            }
            other => panic!("no change of a message: {other:?}"),
        }
    }

    pub fn reacts(&self, actor: UserId, to: Seq, emoji: &str, remove: bool) -> Result<EventKind, &'static str> {
        self.message(actor, to)?;
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

    /// A pin, or its end.
    pub fn pinned(&self, actor: UserId, to: Seq, remove: bool) -> Result<EventKind, Rejection> {
        let refused = |code| Rejection::Of(Refused { code, text: "" });
        match self.id {
            ConversationId::Everyone => return Err(Rejection::NotAllowed),
            ConversationId::Group(_) if self.members.get(&actor) == Some(&Role::Member) => {
                return Err(Rejection::NotAllowed);
            }
            _ => {}
        }
        self.message(actor, to).map_err(refused)?;
        match (remove, self.pins.contains(&to)) {
            (true, false) => Err(refused("not_pinned")),
            (false, true) => Err(refused("already_pinned")),
            _ => Ok(EventKind::Pinned { to, removed: remove }),
        }
    }

    /// Votes and closings. It keeps the votes, because the events of anonymous polls do not.
    pub fn votes(&mut self, c: &Append) -> Result<EventKind, &'static str> {
        let (Intent::Vote { to, .. } | Intent::ClosePoll { to }) = &c.intent else { panic!("no vote: {:?}", c.intent) };
        let to = *to;
        let message = self.message(c.actor, to)?;
        let poll = match &message.kind {
            EventKind::Message(body) => poll_of(body).ok_or("not_a_poll")?,
            other => panic!("no message: {other:?}"),
        };
        let sender = message.sender;
        if self.polls.closed.contains(&to) {
            return Err("poll_closed");
        }
        let held = self.polls.votes.entry(to).or_default();
        let Intent::Vote { options, remove, .. } = &c.intent else {
            let is_admin = self.members.get(&c.actor).is_some_and(|role| *role > Role::Member);
            if sender != c.actor && !is_admin {
                return Err("not_your_message");
            }
            let last = held
                .values()
                .flatten()
                .max()
                .map_or(0, |last| last + 1)
                .max(self.polls.widest.get(&to).copied().unwrap_or(0));
            let count = |option| held.values().filter(|options| options.contains(&option)).count() as u32;
            let (voters, counts) = (held.len() as u32, (0..last).map(count).collect());
            self.polls.closed.insert(to);
            return Ok(EventKind::PollClosed { to, voters, counts });
        };
        if *remove {
            held.remove(&c.actor).ok_or("no_such_vote")?;
            return Ok(EventKind::Voted { to, options: Vec::new(), removed: true });
        }
        match options.as_slice() {
            [] => return Err("bad_vote"),
            [_, _, ..] if !poll.multiple => return Err("bad_vote"),
            options if options.iter().any(|option| *option as usize >= poll.options.len()) => {
                return Err("no_such_option");
            }
            options if held.get(&c.actor).is_some_and(|held| held == options) => return Err("already_voted"),
            options => drop(held.insert(c.actor, options.to_vec())),
        }
        let widest = self.polls.widest.entry(to).or_default();
        *widest = options.iter().map(|option| option + 1).fold(*widest, u32::max);
        let options = if poll.anonymous { Vec::new() } else { options.clone() };
        Ok(EventKind::Voted { to, options, removed: false })
    }
}

fn poll_of(body: &Body) -> Option<Poll> {
    match body.typed() {
        Some(Content::Poll(poll)) => Some(poll),
        _ => None,
    }
}

pub fn polls_agree(state: &MemoryState, model: &Reference) {
    let rows = state.page::<Tally>(&model.id, None, usize::MAX).into_iter();
    let rows: BTreeMap<Seq, Tally> = rows.map(|((_, seq), tally)| (seq, tally)).collect();
    for (seq, votes) in &model.polls.votes {
        let tally = rows.get(seq).cloned().unwrap_or_default();
        assert_eq!((tally.voters as usize, tally.closed), (votes.len(), model.polls.closed.contains(seq)));
        let count = |option| votes.values().filter(|options| options.contains(&option)).count() as u32;
        assert!((0..).zip(&tally.counts).all(|(option, counted)| *counted == count(option)), "{tally:?}: {votes:?}");
        let own = state.page::<Vote>(&(model.id, *seq), None, usize::MAX).into_iter();
        assert_eq!(own.map(|((_, _, user), vote)| (user, vote.options)).collect::<BTreeMap<_, _>>(), *votes);
    }
    assert!(rows.keys().all(|seq| model.polls.votes.contains_key(seq)), "votes of no poll");
}

pub fn reactions_agree(state: &MemoryState, model: &Reference) {
    let rows = state.page::<Reactions>(&model.id, None, usize::MAX).into_iter();
    let counted = |of: Reactions| of.counts.into_iter().map(|count| (count.emoji, count.users)).collect();
    let rows: BTreeMap<Seq, BTreeMap<String, u64>> = rows.map(|((_, seq), of)| (seq, counted(of))).collect();
    let expected = model
        .reactions
        .iter()
        .map(|(seq, of)| (*seq, of.iter().map(|(emoji, users)| (emoji.clone(), users.len() as u64)).collect()));
    assert_eq!(rows, expected.collect());
    let own = state.page::<OwnReactions>(&model.id, None, usize::MAX).into_iter();
    let own: BTreeSet<_> =
        own.flat_map(|((_, user, seq), own)| own.emoji.into_iter().map(move |emoji| (seq, emoji, user))).collect();
    let expected = model.reactions.iter().flat_map(|(seq, of)| {
        of.iter().flat_map(|(emoji, users)| users.iter().map(|user| (*seq, emoji.clone(), *user)))
    });
    assert_eq!(own, expected.collect());
}

/// Recalled or not.
pub fn is_message(event: &Event) -> bool {
    event.kind.number() == EventKind::MESSAGE
}

/// Its content is gone, and those of its edits, and the pin and the votes go with it.
pub fn erase_message(of: &mut Reference, to: Seq) {
    of.pins.retain(|seq| *seq != to);
    let seqs = of.edits.remove(&to).unwrap_or_default().into_iter().chain([to.0]);
    seqs.for_each(|seq| erase(&mut of.log[seq as usize - 1]));
    of.polls.closed.remove(&to);
    of.polls.votes.remove(&to);
}

fn erase(event: &mut Event) {
    event.kind = EventKind::Unknown { kind: event.kind.number(), content: Default::default() };
}
