//! The feature level: the rules that every replica of a cluster can apply.
//!
//! Replicas of two versions apply the same entries, so entries and rows may contain only what both
//! understand. Each version supports a range of levels. The meta group decides the level in force,
//! which only rises. The leader stamps each entry with it, so that every replica applies the entry
//! by the same rules, now and when the log is replayed.
//!
//! Level 1 is of version 0.1: the rules of 74c331d.
//!
//! Level 2 is of version 0.2. It brought accounts that administrators make and change, invitations,
//! the audit log, names with a key of their own, and settings of the cluster. Rows count owners,
//! number events and say who has written; the chain is not over the content of events. There are
//! reactions, edits, recalls, imports, moderation of groups, work that has a time, profiles,
//! contacts, blocks, reports, what users set for a conversation, messages that vanish or
//! grow, polls, and bundles of messages.

use std::fmt;

use crate::command::{Command, Register, UpdateInbox};
use crate::limits;

/// A feature level. The default is the oldest, of versions without levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(pub u32);

impl Level {
    /// The oldest that this version can work at.
    pub const OLDEST: Level = Level(1);
    /// Before administrators and invitations.
    pub const FIRST: Level = Level(1);
    /// Administrators, invitations, owners counted, events numbered and sealed.
    pub const SECOND: Level = Level(2);
    /// The newest of this version.
    pub const NEWEST: Level = Level::SECOND;

    /// The first version that supports it.
    pub fn since(self) -> &'static str {
        match self.0 {
            0 | 1 => "0.1",
            2 => "0.2",
            _ => "a later version",
        }
    }

    /// From a field that versions before levels do not write.
    pub fn kept(number: u32) -> Level {
        Level(number.max(Level::FIRST.0))
    }

    /// Absent at the first level, so that versions before levels write and read the same bytes.
    pub fn number(self) -> u32 {
        if self <= Level::FIRST { 0 } else { self.0 }
    }
}

impl Default for Level {
    fn default() -> Level {
        Level::FIRST
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The levels that one version can work at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub oldest: Level,
    pub newest: Level,
}

impl Range {
    /// Of this version.
    pub const OURS: Range = Range { oldest: Level::OLDEST, newest: Level::NEWEST };
    /// Of a version without levels.
    pub const UNSAID: Range = Range { oldest: Level::FIRST, newest: Level::FIRST };

    pub fn contains(self, level: Level) -> bool {
        (self.oldest..=self.newest).contains(&level)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.oldest == self.newest { self.newest.fmt(f) } else { write!(f, "{} to {}", self.oldest, self.newest) }
    }
}

impl Command {
    /// The lowest level at which every replica applies it alike.
    pub fn level(&self) -> Level {
        match self {
            Command::Register(c) if is_a_name_of_the_first_level(c) => Level::FIRST,
            Command::UpdateInbox(UpdateInbox { by: None, .. }) => Level::FIRST,
            Command::OpenSession(c) if c.revision == 0 && c.from.is_empty() => Level::FIRST,
            Command::Register(_)
            | Command::UpdateInbox(_)
            | Command::OpenSession(_)
            | Command::AcceptInvitation(_)
            | Command::CreateAccount(_)
            | Command::ChangeAccount(_)
            | Command::TouchSession(_)
            | Command::ChangeInvite(_)
            | Command::RecordAct(_)
            | Command::Import(_)
            | Command::Schedule(_)
            | Command::CancelScheduled(_)
            | Command::RunDue(_)
            | Command::ChangeProfile(_)
            | Command::ChangeBot(_)
            | Command::NoteSeen(_)
            | Command::ShowPresence(_)
            | Command::ChangeContact(_)
            | Command::HearContact(_)
            | Command::SettleContacts(_)
            | Command::SetGate(_)
            | Command::FileReport(_)
            | Command::CloseReport(_)
            | Command::CreateUpload(_)
            | Command::WriteChunk(_)
            | Command::CancelUpload(_)
            | Command::KeepPreview(_)
            | Command::ReserveRoom(_)
            | Command::HearRoom(_)
            | Command::SettleRooms(_)
            | Command::ChangePersonal(_)
            | Command::DeleteForMe(_)
            | Command::ChangeFavourite(_)
            | Command::ChangeHook(_)
            | Command::PostHook(_)
            | Command::AdvanceHook(_)
            | Command::Vetted(_)
            | Command::JudgeScheduled(_)
            | Command::ChangePush(_)
            | Command::MakePushKey(_)
            | Command::WritePiece(_) => Level::SECOND,
            Command::Append(c) => c.level(),
            Command::CloseSession(_)
            | Command::CreateGroup(_)
            | Command::AdvanceCursors(_)
            | Command::SettleOutbox(_) => Level::FIRST,
        }
    }
}

/// Whether 74c331d accepts the name and uses the same key.
fn is_a_name_of_the_first_level(c: &Register) -> bool {
    /// Of 74c331d.
    const MIN_CHARS: usize = 3;
    let text = c.name.as_str();
    c.name.has_plain_key()
        && (MIN_CHARS..=limits::USERNAME_MAX_CHARS).contains(&text.chars().count())
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && text.chars().next().is_some_and(char::is_alphanumeric)
        && !text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
