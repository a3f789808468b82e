//! The world of a story: the state, the clock, and the names of ids.

use std::collections::BTreeMap;

use troupe_core::state::memory::MemoryState;
use troupe_core::{Command, ConversationId, GroupId, Level, Machine, Meta, Reply, Timestamp, UserId};

use crate::show;

#[derive(Default)]
pub struct World {
    pub machine: Machine,
    pub state: MemoryState,
    pub now: u64,
    /// The newest, unless the story says another.
    pub level: Option<Level>,
    pub users: BTreeMap<String, UserId>,
    pub groups: BTreeMap<String, GroupId>,
}

impl World {
    /// Applies a command and returns its results. `named` is the story's name for a created id.
    pub fn apply(&mut self, command: &Command, named: Option<&str>) -> Vec<String> {
        let meta = self.meta();
        let (reply, effects) = self.machine.apply(&mut self.state, meta, command);
        match (&reply, named) {
            (Reply::Registered { user }, Some(name)) => drop(self.users.insert(name.to_owned(), *user)),
            (Reply::GroupCreated { group }, Some(name)) => drop(self.groups.insert(name.to_owned(), *group)),
            _ => {}
        }
        let mut answers = vec![format!("= {}", show::reply(self, &reply))];
        answers.extend(effects.iter().map(|effect| format!("! {}", show::effect(self, effect))));
        answers
    }

    pub fn meta(&self) -> Meta {
        Meta { now: Timestamp(self.now), level: self.level.unwrap_or(Level::NEWEST) }
    }

    pub fn user(&self, word: &str) -> Result<UserId, String> {
        self.users.get(word).copied().ok_or_else(|| format!("no user is called '{word}'"))
    }

    pub fn group(&self, word: &str) -> Result<GroupId, String> {
        self.groups.get(word).copied().ok_or_else(|| format!("no group is called '{word}'"))
    }

    /// `everyone`, `anna+bert`, or the story's name for a group.
    pub fn conversation(&self, word: &str) -> Result<ConversationId, String> {
        if word == "everyone" {
            return Ok(ConversationId::Everyone);
        }
        match word.split_once('+') {
            Some((a, b)) => {
                ConversationId::direct(self.user(a)?, self.user(b)?).ok_or_else(|| format!("'{word}' is one user"))
            }
            None => Ok(ConversationId::Group(self.group(word)?)),
        }
    }
}
