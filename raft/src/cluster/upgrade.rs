//! The feature level for operators, and the order to raise it.

use std::time::Duration;

use tokio::time::timeout;
use troupe_core::Level;

use super::Cluster;
use crate::cluster::operate::OrderError;
use crate::control::upgrade;
use crate::control::upgrade::Outlook;

/// The time in which this node applies its own order.
const APPLIED_WITHIN: Duration = Duration::from_secs(5);

impl Cluster {
    /// The progress of an upgrade, as this node sees it.
    pub fn upgrade(&self) -> Outlook {
        let mut said = self.links().supports();
        said.insert(self.me(), self.0.local_vitals.support().clone());
        upgrade::outlook(&self.meta_state(), &said)
    }

    /// Raises the level permanently to the highest that all members support. Repeating it changes
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
        let order = upgrade::raise(&self.meta_state(), next);
        self.meta().propose(&order).await?;
        // The audit row that follows is of the new level.
        let mut state = self.0.state.clone();
        let applied = state.wait_for(|state| state.in_force.level >= next);
        let applied = timeout(APPLIED_WITHIN, applied).await.is_ok_and(|applied| applied.is_ok());
        if applied { Ok(next) } else { Err(OrderError::Unavailable) }
    }
}
