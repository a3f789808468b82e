//! The feature level as an operator sees it, and the order to raise it.

use std::time::Duration;

use tokio::time::timeout;
use troupe_core::Level;

use super::Cluster;
use crate::level::{self, Outlook};
use crate::operate::OrderError;

/// For this node to apply what it has just ordered.
const APPLIED_WITHIN: Duration = Duration::from_secs(5);

impl Cluster {
    /// Where an upgrade stands, as this node sees it.
    pub fn upgrade(&self) -> Outlook {
        let mut said = self.links().supports();
        said.insert(self.me(), self.0.mine.support().clone());
        level::outlook(&self.meta_state(), &said)
    }

    /// Raises the level to the highest that all members support, for good. Doing it again changes
    /// nothing. Returns the level in force.
    pub async fn finalize(&self) -> Result<Level, OrderError> {
        let seen = self.upgrade();
        let Some(next) = seen.ready() else {
            return if seen.waits_for.is_empty() {
                Ok(seen.in_force.level)
            } else {
                Err(OrderError::Refused(format!("the upgrade cannot be finalized: {}", seen.waits_for.join("; "))))
            };
        };
        let order = level::raise(&self.meta_state(), next);
        self.meta().propose(&order).await?;
        // What is recorded of it next is of that level.
        let mut state = self.0.state.clone();
        let applied = state.wait_for(|state| state.in_force.level >= next);
        let applied = timeout(APPLIED_WITHIN, applied).await.is_ok_and(|applied| applied.is_ok());
        if applied { Ok(next) } else { Err(OrderError::Unavailable) }
    }
}
