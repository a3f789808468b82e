//! The log of one conversation, event by event, as the rules of a cluster will accept it.

use std::collections::BTreeMap;

use troupe_core::limits;

use crate::bundle::Writer;
use crate::export::Members;
use crate::line::{Content, Conversation, End, Event, Line, Position};
use crate::report::Report;
use crate::{Result, hex, id_of};

pub struct Log<'a> {
    writer: &'a mut Writer,
    kept: Kept,
}

/// A log without its writer.
pub struct Kept {
    /// Prefix of ids that are made up.
    named: String,
    is_group: bool,
    owner: Option<String>,
    /// Of a direct conversation.
    ends: Option<(String, String)>,
    members: Members,
    seq: u64,
    time_ms: u64,
}

impl Kept {
    /// Goes on.
    pub fn lend<'a>(&mut self, writer: &'a mut Writer) -> Log<'a> {
        let nothing = Kept {
            named: String::new(),
            is_group: false,
            owner: None,
            ends: None,
            members: Members::default(),
            seq: 0,
            time_ms: 0,
        };
        Log { writer, kept: std::mem::replace(self, nothing) }
    }

    pub fn head(&self) -> u64 {
        self.seq
    }
}

impl<'a> Log<'a> {
    /// `named`: what the conversation is called elsewhere.
    pub fn begin(writer: &'a mut Writer, conversation: Conversation, named: &str) -> Result<Log<'a>> {
        let is_group = conversation.is_group();
        let ends = match &conversation {
            Conversation::Direct(a, b) => Some((a.clone(), b.clone())),
            Conversation::Everyone | Conversation::Group { .. } => None,
        };
        writer.write(&Line::Conversation(conversation))?;
        let (named, owner, members) = (named.to_owned(), None, Members::default());
        Ok(Log { writer, kept: Kept { named, is_group, owner, ends, members, seq: 0, time_ms: 0 } })
    }

    /// Gives the writer back.
    pub fn keep(self) -> Kept {
        self.kept
    }

    /// Begins a group.
    pub fn create(&mut self, owner: &str, title: &str, time_ms: u64) -> Result<()> {
        self.kept.owner = Some(owner.to_owned());
        self.made_up(owner, time_ms, Content::Created { name: title.to_owned() })
    }

    /// Adds a member to a group. The seq of the last event stays if it is one, or if the group is
    /// full.
    pub fn add(&mut self, user: &str, time_ms: u64, report: &mut Report) -> Result<()> {
        let Some(owner) = self.kept.owner.clone().filter(|_| !self.is_member(user)) else { return Ok(()) };
        if self.kept.members.0.len() >= limits::GROUP_MEMBERS {
            report.drop("members above the largest number of a group", user);
            return Ok(());
        }
        self.made_up(&owner, time_ms, Content::Added { users: vec![user.to_owned()] })
    }

    /// Adds many members at once.
    pub fn add_all(&mut self, users: &[String], time_ms: u64, report: &mut Report) -> Result<()> {
        let Some(owner) = self.kept.owner.clone() else { return Ok(()) };
        let mut users: Vec<String> = users.iter().filter(|user| !self.is_member(user)).cloned().collect();
        users.sort();
        users.dedup();
        let room = limits::GROUP_MEMBERS.saturating_sub(self.kept.members.0.len());
        for user in users.iter().skip(room) {
            report.drop("members above the largest number of a group", user);
        }
        users.truncate(room);
        for part in users.chunks(limits::MEMBERS_PER_REQUEST) {
            self.made_up(&owner, time_ms, Content::Added { users: part.to_vec() })?;
        }
        Ok(())
    }

    pub fn is_member(&self, user: &str) -> bool {
        self.kept.members.0.contains_key(user)
    }

    /// Whether it is one of the two users of a direct conversation.
    pub fn takes_part(&self, user: &str) -> bool {
        self.kept.ends.as_ref().is_some_and(|(a, b)| a == user || b == user)
    }

    /// A member leaves. The last owner stays.
    pub fn leave(&mut self, user: &str) -> Result<()> {
        if !self.is_member(user) || self.kept.owner.as_deref() == Some(user) {
            return Ok(());
        }
        let at = self.kept.time_ms;
        self.made_up(user, at, Content::Removed { user: user.to_owned() })
    }

    /// An event that the other system has no record of.
    pub fn made_up(&mut self, sender: &str, time_ms: u64, what: Content) -> Result<()> {
        let id = id_of(&[self.kept.named.as_bytes(), b"made up", &(self.kept.seq + 1).to_be_bytes()]);
        self.push(sender, time_ms, id, what)
    }

    /// A message, under the id that it has elsewhere.
    pub fn message(&mut self, sender: &str, time_ms: u64, elsewhere: &str, what: Content) -> Result<u64> {
        let id = id_of(&[self.kept.named.as_bytes(), b"message", elsewhere.as_bytes()]);
        self.push(sender, time_ms, id, what)?;
        Ok(self.kept.seq)
    }

    /// Time does not go back in a log.
    fn push(&mut self, sender: &str, time_ms: u64, id: [u8; 16], what: Content) -> Result<()> {
        let kept = &mut self.kept;
        kept.seq += 1;
        kept.time_ms = kept.time_ms.max(time_ms);
        let event = Event { seq: kept.seq, time_ms: kept.time_ms, sender: sender.to_owned(), id: hex(&id), what };
        kept.members.see(&event);
        self.writer.write(&Line::Event(event))
    }

    /// Ends the log, with positions (delivered, read) by name.
    pub fn end(self, positions: BTreeMap<String, (u64, u64)>) -> Result<()> {
        let Log { writer, kept } = self;
        if kept.is_group {
            kept.members.lines().try_for_each(|line| writer.write(&line))?;
        }
        for (user, (delivered, read)) in positions {
            let delivered = delivered.max(read);
            if delivered > 0 && (!kept.is_group || kept.members.0.contains_key(&user)) {
                writer.write(&Line::Position(Position { user, delivered, read }))?;
            }
        }
        writer.write(&Line::End(End { head: kept.seq }))
    }
}
