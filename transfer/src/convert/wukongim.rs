//! The bundle of WuKongIM's `wkdb export`: a directory with `manifest.json`
//! (`wkdb-import-bundle`, version 1) and files of JSON lines.
//!
//! WuKongIM leaves names, titles and owners to another server, so a group is called by its id, and
//! its first sender, or its first subscriber, owns it. Two passes over the messages: the first
//! gathers senders, because accounts come first in a bundle.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use troupe_core::limits;

use super::{Log, account, title, write_accounts};
use crate::bundle::Writer;
use crate::line::{Content, Conversation};
use crate::names::Names;
use crate::report::Report;
use crate::{Error, Result, hex, id_of};
use rows::{ChannelId, Gathered, Message, each, manifest};

/// Kind of messages that are no plain text: the payload as it was.
pub const PAYLOAD_KIND: u32 = 1_000;

const PERSON: i64 = 1;
/// Group, community, topic of a community.
const GROUPS: [i64; 3] = [2, 4, 5];
const COMMANDS: &str = "____cmd";

pub fn convert(inputs: &[&Path], writer: &mut Writer, report: &mut Report) -> Result<()> {
    let [root] = inputs else {
        return Err(Error::invalid("wukongim", "give one directory: the output of wkdb export"));
    };
    let manifest = manifest(root)?;
    let mut found = Gathered::default();
    for entry in manifest.files {
        found.gather(root, entry, report)?;
    }
    let messages = std::mem::take(&mut found.messages);
    for entry in &messages {
        each::<Message>(root, entry, |message, _| {
            found.uids.insert(message.from_uid);
            Ok(())
        })?;
    }
    found.uids.remove("");
    let mut names = Names::default();
    let accounts = found.uids.iter().map(|uid| account(&names.take(uid, uid, report), 0)).collect();
    write_accounts(writer, accounts)?;
    let mut open: Option<Open> = None;
    let mut done = BTreeSet::new();
    for entry in &messages {
        each::<Message>(root, entry, |message, place| {
            if open.as_ref().is_none_or(|open| open.key != message.channel_key) {
                if !done.insert(message.channel_key.clone()) {
                    let why = format!("messages of channel {:?} do not stand together", message.channel_key);
                    return Err(Error::invalid(place, why));
                }
                if let Some(before) = open.take() {
                    before.end(&names, writer, report)?;
                }
                let channel = found.keys.get(&message.channel_key).ok_or_else(|| {
                    Error::invalid(place, format!("no channel has the key {:?}", message.channel_key))
                })?;
                open =
                    Some(Open::begin(message.channel_key.clone(), channel, &found, &names, &message, writer, report)?);
            }
            match &mut open {
                Some(open) => open.message(message, &names, place, writer, report),
                None => Ok(()),
            }
        })?;
    }
    if let Some(last) = open.take() {
        last.end(&names, writer, report)?;
    }
    let with_messages: BTreeSet<&ChannelId> = done.iter().filter_map(|key| found.keys.get(key)).collect();
    for (channel, subscribers) in &found.subscribers {
        if !with_messages.contains(channel) {
            empty(channel, subscribers, &found, &names, writer, report)?;
        }
    }
    Ok(())
}

/// A channel whose messages are being read.
struct Open {
    key: String,
    /// `None`: its messages are dropped, for this reason.
    log: Option<State>,
    why: String,
    last: u64,
    /// Read positions that are not reached yet, the lowest last.
    read: Vec<(u64, String)>,
    positions: BTreeMap<String, (u64, u64)>,
    /// Senders that do not subscribe: they leave at the end.
    passing: BTreeSet<String>,
}

/// The log between two messages: the writer is lent for each.
struct State {
    log: super::conversation::Kept,
    is_group: bool,
}

impl Open {
    fn begin(
        key: String,
        channel: &ChannelId,
        found: &Gathered,
        names: &Names,
        first: &Message,
        writer: &mut Writer,
        report: &mut Report,
    ) -> Result<Open> {
        let mut read = found.read.get(channel).cloned().unwrap_or_default();
        read.sort_by(|a, b| b.cmp(a));
        let (positions, passing) = (BTreeMap::new(), BTreeSet::new());
        let mut open = Open { key, log: None, why: String::new(), last: 0, read, positions, passing };
        let named = format!("wukongim {} {}", channel.1, channel.0);
        if found.gone.contains(channel) {
            open.why = "messages of channels that were disbanded".to_owned();
        } else if channel.0.ends_with(COMMANDS) {
            open.why = "commands, which are no messages".to_owned();
        } else if channel.1 == PERSON {
            match direct(&channel.0, names) {
                Some(direct) => {
                    let log = Log::begin(writer, direct, &named)?.keep();
                    open.log = Some(State { log, is_group: false });
                }
                None => open.why = "messages of channels that name no two users".to_owned(),
            }
        } else if GROUPS.contains(&channel.1) {
            let none = BTreeSet::new();
            let subscribers = found.subscribers.get(channel).unwrap_or(&none);
            let owner = names.get(&first.from_uid).or_else(|| subscribers.iter().find_map(|uid| names.get(uid)));
            match owner {
                Some(owner) => {
                    let at = u64::try_from(first.server_timestamp_ms).unwrap_or(0);
                    let log = group(channel, owner, subscribers, names, at, writer, report)?;
                    if !subscribers.iter().any(|uid| names.get(uid) == Some(owner)) && !subscribers.is_empty() {
                        report.change("groups that a sender owns who did not subscribe", &channel.0);
                    }
                    open.log = Some(State { log, is_group: true });
                }
                None => open.why = "messages of groups without users".to_owned(),
            }
        } else {
            open.why = format!("messages of channels of type {}", channel.1);
        }
        Ok(open)
    }

    fn message(
        &mut self,
        message: Message,
        names: &Names,
        place: &str,
        writer: &mut Writer,
        report: &mut Report,
    ) -> Result<()> {
        let seq = message.message_seq.0;
        if seq <= self.last {
            return Err(Error::invalid(place, "the messages of a channel stand in order of message_seq"));
        }
        self.last = seq;
        let Some(State { log, is_group }) = &mut self.log else {
            report.drop(&self.why, &message.channel_key);
            return Ok(());
        };
        let whose = format!("{} at {seq}", message.channel_key);
        while self.read.last().is_some_and(|(read, _)| *read < seq) {
            reached(&mut self.read, &mut self.positions, names, log.head());
        }
        let Some(sender) = names.get(&message.from_uid) else {
            report.drop("messages without a sender", &whose);
            return Ok(());
        };
        let payload = STANDARD.decode(&message.payload_b64);
        let payload = payload.map_err(|_| Error::invalid(place, "payload_b64 is not base64"))?;
        let what = match content(&payload) {
            Ok(what) => what,
            Err(why) => {
                report.drop(why, &whose);
                return Ok(());
            }
        };
        if matches!(what, Content::Body { .. }) {
            report.change(
                "messages that are no text: their payload is kept, and clients say what they cannot show",
                &whose,
            );
        }
        let at = u64::try_from(message.server_timestamp_ms).unwrap_or(0);
        let mut lent = log.lend(writer);
        if *is_group && !lent.is_member(sender) {
            lent.add(sender, at, report)?;
            self.passing.insert(sender.clone());
            if !lent.is_member(sender) {
                report.drop("messages of users for whom a group has no room", &whose);
                *log = lent.keep();
                return Ok(());
            }
        } else if !*is_group && !lent.takes_part(sender) {
            report.drop("messages of a third user in a channel of two", &whose);
            *log = lent.keep();
            return Ok(());
        }
        lent.message(sender, at, &seq.to_string(), what)?;
        *log = lent.keep();
        Ok(())
    }

    fn end(mut self, names: &Names, writer: &mut Writer, report: &mut Report) -> Result<()> {
        let Some(State { mut log, .. }) = self.log.take() else { return Ok(()) };
        let head = log.head();
        while !self.read.is_empty() {
            reached(&mut self.read, &mut self.positions, names, head);
        }
        let mut lent = log.lend(writer);
        for user in &self.passing {
            report.change("senders who had left a group, and leave it here too", user);
            lent.leave(user)?;
        }
        lent.end(self.positions)
    }
}

/// The next user has read up to the present head.
fn reached(read: &mut Vec<(u64, String)>, positions: &mut BTreeMap<String, (u64, u64)>, names: &Names, head: u64) {
    if let Some((_, uid)) = read.pop()
        && let Some(name) = names.get(&uid)
    {
        positions.insert(name.clone(), (head, head));
    }
}

/// The two users of a channel of persons.
fn direct(id: &str, names: &Names) -> Option<Conversation> {
    let (a, b) = id.split_once('@')?;
    let (a, b) = (names.get(a)?.clone(), names.get(b)?.clone());
    (a != b).then(|| Conversation::Direct(a.clone().min(b.clone()), a.max(b)))
}

fn group(
    (id, kind): &ChannelId,
    owner: &str,
    subscribers: &BTreeSet<String>,
    names: &Names,
    at: u64,
    writer: &mut Writer,
    report: &mut Report,
) -> Result<super::conversation::Kept> {
    let named = format!("wukongim {kind} {id}");
    let key = hex(&id_of(&[named.as_bytes()]));
    let mut log = Log::begin(writer, Conversation::Group { key, open: false }, &named)?;
    log.create(owner, &title(id, "group"), at)?;
    let members: Vec<String> = subscribers.iter().filter_map(|uid| names.get(uid).cloned()).collect();
    log.add_all(&members, at, report)?;
    Ok(log.keep())
}

/// A group that has subscribers and no message.
fn empty(
    channel: &ChannelId,
    subscribers: &BTreeSet<String>,
    found: &Gathered,
    names: &Names,
    writer: &mut Writer,
    report: &mut Report,
) -> Result<()> {
    if !GROUPS.contains(&channel.1) || channel.0.ends_with(COMMANDS) {
        if channel.1 != PERSON {
            report.drop(&format!("channels of type {} without messages", channel.1), &channel.0);
        }
        return Ok(());
    }
    if found.gone.contains(channel) {
        return Ok(());
    }
    let Some(owner) = subscribers.iter().find_map(|uid| names.get(uid)) else { return Ok(()) };
    let at = found.changed.get(channel).copied().unwrap_or(0);
    let mut log = group(channel, owner, subscribers, names, at, writer, report)?;
    log.lend(writer).end(BTreeMap::new())
}

/// A payload as a message: text where it says so, as it is otherwise.
fn content(payload: &[u8]) -> std::result::Result<Content, &'static str> {
    #[derive(Deserialize)]
    struct Said {
        r#type: i64,
        content: String,
    }
    if payload.is_empty() {
        return Err("messages without content");
    }
    if payload.len() > limits::MESSAGE_BYTES {
        return Err("messages above the largest size");
    }
    if let Ok(Said { r#type: 1, content }) = serde_json::from_slice(payload)
        && !content.is_empty()
    {
        return Ok(Content::Text(content));
    }
    let is_object = matches!(payload.first(), Some(b'{'));
    match std::str::from_utf8(payload) {
        Ok(text) if !is_object => Ok(Content::Text(text.to_owned())),
        _ => Ok(Content::Body { kind: PAYLOAD_KIND, base64: STANDARD.encode(payload) }),
    }
}
