//! Pushes: each tells a user that has subscribed of a message of another user in a conversation of
//! both. After the answer to the end of a subscription, or to a mute, no message that is sent later
//! is pushed. A push may be lost or come twice.

use std::collections::BTreeMap;

use super::apart::ends;
use super::{Kind, Promise, Violation};
use crate::history::{Conversation, FinalLog, History, PushStep, Record};

/// A replica of its own beside the log of all disks: the run is over.
const WITH_REPLICAS: usize = 2;

pub fn check(history: &History) -> Vec<Violation> {
    let mut pushes = Pushes::of(history);
    let mut violations = Vec::new();
    for record in &history.records {
        let Record::Push { at, user, step } = record else { continue };
        match step {
            PushStep::Asked { subscription } => {
                pushes.subscriptions.entry((*user, *subscription)).or_default();
            }
            PushStep::Ended { subscription } => {
                pushes.subscriptions.entry((*user, *subscription)).or_default().get_or_insert(*at);
            }
            PushStep::Muted { conversation } => {
                pushes.muted.entry((*user, conversation.as_str())).or_insert(*at);
            }
            PushStep::Pushed { subscription, conversation, seq, sender } => {
                let message = Message { conversation, seq: *seq, sender: *sender };
                if let Some(why) = pushes.broken(*user, *subscription, message) {
                    let text = format!(
                        "subscription {subscription} of user {user}: the push at {at} of seq {seq} in {conversation} {why}"
                    );
                    violations.push(Violation { promise: Promise::Pushes, kind: Kind::Phantom, text });
                }
            }
        }
    }
    violations
}

struct Pushes<'a> {
    logs: BTreeMap<&'a Conversation, &'a FinalLog>,
    is_over: bool,
    /// When each message was sent.
    sent: BTreeMap<&'a str, u64>,
    /// By user and number: when its user learned of its end.
    subscriptions: BTreeMap<(u64, u64), Option<u64>>,
    muted: BTreeMap<(u64, &'a str), u64>,
}

struct Message<'a> {
    conversation: &'a Conversation,
    seq: u64,
    sender: u64,
}

impl<'a> Pushes<'a> {
    fn of(history: &'a History) -> Pushes<'a> {
        let mut sent = BTreeMap::new();
        for record in &history.records {
            if let Record::Invoke { at, id, .. } = record {
                sent.entry(id.as_str()).or_insert(*at);
            }
        }
        let (logs, is_over) = (history.reference(), history.finals.len() >= WITH_REPLICAS);
        Pushes { logs, is_over, sent, subscriptions: BTreeMap::new(), muted: BTreeMap::new() }
    }

    fn broken(&self, user: u64, subscription: u64, message: Message<'_>) -> Option<String> {
        let Message { conversation, seq, sender } = message;
        let Some(ended) = self.subscriptions.get(&(user, subscription)) else {
            return Some("goes where no one has subscribed".to_owned());
        };
        let entry = self.logs.get(conversation).and_then(|log| log.entries.iter().find(|entry| entry.seq == seq));
        let Some(entry) = entry else {
            // While the run lasts, the disks may not show it yet.
            return self.is_over.then(|| "tells of no event".to_owned());
        };
        if !entry.message || entry.sender != sender {
            return Some(format!("is of user {sender}, and the event is of user {}", entry.sender));
        }
        if sender == user {
            return Some("goes to the sender".to_owned());
        }
        if ends(conversation).is_some_and(|(low, high)| low != user && high != user) {
            return Some("goes to a user that is no member".to_owned());
        }
        let sent = self.sent.get(entry.id.as_str())?;
        if let Some(ended) = ended.filter(|ended| ended < sent) {
            return Some(format!("was sent at {sent}, and the subscription had ended at {ended}"));
        }
        let muted = self.muted.get(&(user, conversation.as_str())).filter(|muted| *muted < sent);
        muted.map(|muted| format!("was sent at {sent}, and the conversation was muted at {muted}"))
    }
}
