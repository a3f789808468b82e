//! Every event that any disk has ever shown as applied, read while the simulation runs.
//!
//! An event that was applied anywhere was committed, so its seq belongs to it on every disk,
//! forever. The applied log is updated before data can be lost, so it holds every event that a
//! client may have seen. Until the end of the run the checkers use it as the final log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use troupe_chaos::history::{
    CallStep, Change, Conversation, Count, Entry, FinalLog, PollStep, PollVotes, Reaction, Rule, content,
};
use troupe_core::event::{self, Role};
use troupe_core::feature::{self, Edits, Pins, Reactions, Settings, Tally};
use troupe_core::{ConversationId, Event, EventKind, SLOTS, Seq, UserId};
use troupe_store::rows::View;

use crate::machines::name;

/// More rows and bytes than a simulation creates.
const EVERYTHING: usize = 1 << 30;

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    /// When each event was first seen.
    seen: Vec<Duration>,
    /// The chain after each event.
    chains: Vec<u64>,
}

impl Log {
    /// As disks hold them at the end: the edits of a message that was recalled or has vanished are
    /// erased, and were there when this log read them.
    fn entries(&self) -> Vec<Entry> {
        let gone: BTreeSet<Seq> = self
            .events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::Recalled { to } | EventKind::Vanished { to } => Some(to),
                _ => None,
            })
            .collect();
        let is_erased = |event: &Event| match &event.kind {
            EventKind::Edited { to, .. } | EventKind::StreamEnded { to, .. } => gone.contains(to),
            _ => false,
        };
        let is_gone = |event: &Event| gone.contains(&event.seq);
        let held = |event: &Event| match is_erased(event) {
            true => Entry { change: None, ..entry(event) },
            false if is_gone(event) => Entry { poll: None, ..entry(event) },
            false => entry(event),
        };
        self.events.iter().map(held).collect()
    }
}

#[derive(Default)]
pub struct AppliedLog {
    logs: BTreeMap<ConversationId, Log>,
    /// By node and conversation: the head of the last look, and its chain.
    looked: BTreeMap<(usize, ConversationId), (Seq, u64)>,
}

/// A user's membership in a group: from the first visible seq to the seq of the removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MembershipInterval {
    pub from: u64,
    pub to: Option<u64>,
}

impl MembershipInterval {
    pub fn holds(&self, seq: u64) -> bool {
        seq >= self.from && self.to.is_none_or(|to| seq <= to)
    }
}

impl AppliedLog {
    /// Reads one disk. Returns every difference from events of other disks.
    pub fn look(&mut self, node: usize, view: &View, at: &BTreeSet<ConversationId>, now: Duration) -> Vec<String> {
        let mut wrong = Vec::new();
        for &conversation in at {
            // A failed disk is unreadable. Its node is about to stop.
            let Ok(row) = view.conversation(conversation) else { return wrong };
            let Some(row) = row else { continue };
            if self.looked.insert((node, conversation), (row.head, row.chain)) == Some((row.head, row.chain)) {
                continue;
            }
            let log = self.logs.entry(conversation).or_default();
            let news = view.events(conversation, Seq(log.events.len() as u64), EVERYTHING, EVERYTHING);
            for event in news.expect("a memory engine is readable") {
                if event.seq.0 != log.events.len() as u64 + 1 {
                    wrong.push(format!("{} has seq {} of {conversation}, but none before it", name(node), event.seq));
                    break;
                }
                let (at, chain) = (Seq(event.seq.0 - 1), log.chains.last().copied().unwrap_or(0));
                match event::verify(at, chain, [&event]) {
                    Ok(chain) => log.chains.push(chain),
                    Err(seq) => {
                        wrong.push(format!(
                            "{} has an event {seq} of {conversation} that is not what was sealed",
                            name(node)
                        ));
                        break;
                    }
                }
                log.events.push(event);
                log.seen.push(now);
            }
            let chain = (row.head.0 as usize).checked_sub(1).and_then(|last| log.chains.get(last));
            if chain != Some(&row.chain) && row.head > Seq::ZERO {
                wrong.push(format!("{} holds another log of {conversation} up to {}", name(node), row.head));
            }
        }
        wrong
    }

    pub fn head(&self, conversation: ConversationId) -> u64 {
        self.logs.get(&conversation).map_or(0, |log| log.events.len() as u64)
    }

    pub fn conversations(&self) -> impl Iterator<Item = ConversationId> {
        self.logs.keys().copied()
    }

    /// The logs in the form of the checkers.
    pub fn finals(&self) -> BTreeMap<Conversation, FinalLog> {
        let log = |log: &Log| FinalLog {
            head: log.events.len() as u64,
            chain: format!("{:016x}", log.chains.last().copied().unwrap_or(0)),
            entries: log.entries(),
            ..FinalLog::default()
        };
        self.logs.iter().map(|(id, of)| (id.to_string(), log(of))).collect()
    }

    /// Each event, and when it was first seen on a disk.
    pub fn stamps(&self, conversation: ConversationId) -> impl Iterator<Item = (&Event, Duration)> {
        let log = self.logs.get(&conversation).into_iter();
        log.flat_map(|log| log.events.iter().zip(log.seen.iter().copied()))
    }

    /// The sender of each event but requests to join, which outsiders make and take back.
    pub fn senders(&self, conversation: ConversationId) -> impl Iterator<Item = (u64, UserId)> {
        let events = self.logs.get(&conversation).into_iter().flat_map(|log| &log.events);
        let is_inside = |event: &&Event| match &event.kind {
            EventKind::JoinAsked => false,
            EventKind::JoinClosed { user } => *user != event.sender,
            _ => true,
        };
        events.filter(is_inside).map(|event| (event.seq.0, event.sender))
    }

    /// The membership intervals of each user.
    pub fn intervals(&self, group: ConversationId) -> BTreeMap<UserId, Vec<MembershipInterval>> {
        let mut intervals: BTreeMap<UserId, Vec<MembershipInterval>> = BTreeMap::new();
        for event in self.logs.get(&group).iter().flat_map(|log| &log.events) {
            let seq = event.seq.0;
            let mut enter =
                |user: UserId| intervals.entry(user).or_default().push(MembershipInterval { from: seq, to: None });
            match &event.kind {
                EventKind::Created { .. } => enter(event.sender),
                EventKind::Added { users } => users.iter().for_each(|user| enter(*user)),
                EventKind::Disbanded => {
                    let last = intervals.values_mut().filter_map(|of| of.last_mut());
                    last.filter(|last| last.to.is_none()).for_each(|last| last.to = Some(seq));
                }
                EventKind::Removed { user } => {
                    if let Some(last) = intervals.get_mut(user).and_then(|of| of.last_mut()) {
                        last.to = Some(seq);
                    }
                }
                _ => {}
            }
        }
        intervals
    }
}

fn entry(event: &Event) -> Entry {
    Entry {
        seq: event.seq.0,
        time_ms: event.time.0,
        sender: event.sender.0,
        id: format!("{}/{}", event.sender, event.client_message_id),
        message: event.kind.number() == EventKind::MESSAGE,
        reaction: reaction(event),
        change: Change::of(event),
        poll: PollStep::of(event),
        rule: rule(event),
        call: call(event),
    }
}

fn rule(event: &Event) -> Option<Rule> {
    Some(match &event.kind {
        EventKind::Created { .. } => Rule::Created,
        EventKind::Added { users } => Rule::Added { users: users.iter().map(|user| user.0).collect() },
        EventKind::Removed { user } => Rule::Removed { user: user.0 },
        EventKind::RoleChanged { user, role } => Rule::Role { user: user.0, admin: *role > Role::Member },
        EventKind::Muted { user, until } => Rule::Muted { user: user.0, until: until.0 },
        EventKind::Banned { user, lifted } => Rule::Banned { user: user.0, lifted: *lifted },
        EventKind::SettingsChanged(settings) => {
            let slow_ms = settings.slow_seconds.map(|slow| slow * 1_000);
            let approval = (settings.join != 0).then_some(settings.join == Settings::APPROVAL);
            Rule::Set { slow_ms, muted_until: settings.muted_until, approval }
        }
        EventKind::Transferred { to } => Rule::Role { user: to.0, admin: true },
        EventKind::Disbanded => Rule::Disbanded,
        EventKind::LinkMade { .. } => Rule::Linked,
        EventKind::JoinAsked => Rule::Asked,
        EventKind::JoinClosed { user } => Rule::Closed { user: user.0 },
        _ => return None,
    })
}

fn call(event: &Event) -> Option<CallStep> {
    Some(match &event.kind {
        EventKind::CallStarted { .. } => CallStep::Started,
        EventKind::CallAnswered { call, .. } => CallStep::Answered { call: call.0 },
        EventKind::CallEnded { call, caller, outcome, lasted_ms, .. } => CallStep::Ended {
            call: call.0,
            caller: caller.0,
            outcome: outcome.name().to_owned(),
            lasted_ms: *lasted_ms,
        },
        _ => return None,
    })
}

fn reaction(event: &Event) -> Option<Reaction> {
    match &event.kind {
        EventKind::Reacted { to, emoji, removed } => {
            Some(Reaction { to: to.0, emoji: emoji.clone(), removed: *removed })
        }
        _ => None,
    }
}

fn counts(view: &View, conversation: ConversationId) -> Vec<Count> {
    let rows = view.page::<Reactions>(&conversation, None, EVERYTHING).expect("a memory engine is readable");
    let of = |((_, seq), of): ((ConversationId, Seq), Reactions)| {
        let count = move |of: feature::Count| Count { seq: seq.0, emoji: of.emoji, users: of.users, mine: false };
        of.counts.into_iter().map(count)
    };
    rows.into_iter().flat_map(of).collect()
}

fn edits(view: &View, conversation: ConversationId) -> BTreeMap<u64, Vec<u64>> {
    let rows = view.page::<Edits>(&conversation, None, EVERYTHING).expect("a memory engine is readable");
    rows.into_iter().map(|((_, seq), edits)| (seq.0, edits.seqs)).collect()
}

fn pins(view: &View, conversation: ConversationId) -> Vec<u64> {
    let row = view.get::<Pins>(&conversation).expect("a memory engine is readable").unwrap_or_default();
    row.pins.into_iter().map(|pin| pin.seq).collect()
}

fn polls(view: &View, conversation: ConversationId) -> Vec<PollVotes> {
    let rows = view.page::<Tally>(&conversation, None, EVERYTHING).expect("a memory engine is readable");
    let of = |((_, seq), of): ((ConversationId, Seq), Tally)| PollVotes {
        seq: seq.0,
        counts: of.counts,
        voters: of.voters,
        mine: Vec::new(),
        closed: of.closed,
    };
    rows.into_iter().map(of).collect()
}

/// Every conversation on a disk, in full.
pub fn everything_on(view: &View) -> BTreeMap<Conversation, FinalLog> {
    let rows = view.conversations(0..SLOTS, None, EVERYTHING).expect("a memory engine is readable");
    let rows = rows.into_iter().map(|(id, row)| {
        let events = view.events(id, Seq(0), EVERYTHING, EVERYTHING).expect("a memory engine is readable");
        let log = FinalLog {
            head: row.head.0,
            chain: format!("{:016x}", row.chain),
            entries: events.iter().map(entry).collect(),
            counts: Some(counts(view, id)),
            contents: Some(events.iter().filter_map(content).collect()),
            edits: Some(edits(view, id)),
            pins: Some(pins(view, id)),
            polls: Some(polls(view, id)),
        };
        (id.to_string(), log)
    });
    rows.collect()
}
