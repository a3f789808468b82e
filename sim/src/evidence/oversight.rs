//! Roles, last logins, and the list of groups.

use troupe_chaos::history::{Oversight, Record};

use super::Evidence;

impl Evidence {
    /// `asked`: the first attempt, in microseconds.
    pub fn overseen(&self, asked: u64, step: Oversight) {
        self.record(|at| Record::Overseen { at, asked, step });
    }
}
