//! Work that has a time. A rule plans it as a row; the leader proposes [`RunDue`] when the first
//! row is due, and the log's time decides what is done.
//!
//! Nothing depends on a timer: a new leader reads the first rows of its slots.

use super::{Outcome, Step};
use crate::command::RunDue;
use crate::effect::Effect;
use crate::id::Timestamp;
use crate::record::{Due, DueKey, Work};
use crate::reply::Reply;
use crate::state::Rows;

impl Step<'_> {
    pub(crate) fn plan(&mut self, at: Timestamp, work: Work) {
        self.state.put(&DueKey { at, work }, &Due);
        self.effects.push(Effect::DuePlanned { at });
    }

    /// Takes planned work back.
    pub(crate) fn unplan(&mut self, at: Timestamp, work: Work) {
        self.state.delete::<Due>(&DueKey { at, work });
    }

    /// Does what is due by the log's time, the earliest first. Work that fails is over, too: its
    /// own rows say why.
    pub(super) fn run_due(&mut self, c: &RunDue) -> Outcome {
        let until = c.until.min(self.now);
        let first = self.state.page::<Due>(&c.slot, None, c.most as usize);
        let due = first.into_iter().map(|(key, _)| key).take_while(|key| key.at <= until);
        let mut done = 0;
        for key in due {
            self.state.delete::<Due>(&key);
            let work = key.work;
            let is_gone = work.user().is_some_and(|user| c.gone.contains(&user));
            match work {
                Work::Scheduled { conversation, sender, id } => {
                    self.send_scheduled((conversation, sender, id), is_gone)
                }
                Work::Call { conversation, call } => self.end_call_by_time(conversation, call),
                Work::Vanish { conversation, message } => self.vanish_by_time(conversation, message),
                Work::Poll { conversation, poll } => self.close_poll_by_time(conversation, poll),
                Work::Stream { conversation, message } => self.end_stream_by_time(conversation, message),
                Work::Upload { conversation, owner, id } => self.expire_upload(conversation, owner, id),
                Work::Room { user, conversation, until } => self.release_room(user, conversation, until),
                Work::File { conversation, file } => self.drop_file(conversation, file, key.at),
                Work::Chunks { conversation, number, next, end } => {
                    self.drop_chunks(conversation, number, next, end, key.at);
                }
            }
            done += 1;
        }
        Ok(Reply::DueDone { done })
    }
}
