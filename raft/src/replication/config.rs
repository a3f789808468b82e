//! openraft's configuration.

use openraft::{Config, SnapshotPolicy};

use crate::log::length::LogLimits;
use crate::timing;

/// openraft's configuration of every group.
pub fn raft_config(name: String, limits: LogLimits) -> Config {
    Config {
        cluster_name: name,
        heartbeat_interval: timing::HEARTBEAT_MS,
        heartbeat_min_interval: Some(timing::HEARTBEAT_UNLESS_ACKED_MS),
        election_timeout_min: timing::ELECTION_MIN_MS,
        election_timeout_max: timing::ELECTION_MAX_MS,
        // A node that returns must not depose a working leader.
        enable_pre_vote: Some(true),
        // A restarted leader must win a vote first: its state machine may be behind what it had
        // acknowledged.
        enable_leader_restore: Some(false),
        // A leader without a majority must not keep one follower from electing another.
        quorum_loss_probe_interval: Some(2 * timing::ELECTION_MAX_MS),
        // `log_retention` cuts the log, because it knows which replicas still need it.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        max_payload_entries: 256,
        max_append_entries: Some(1024),
        // Above the interval of cuts, or a snapshot would not end the lag.
        replication_lag_threshold: 2 * limits.between_cuts,
        install_snapshot_timeout: timing::SNAPSHOT_INSTALL.as_millis() as u64,
        api_channel_size: Some(1024),
        // Backoff after an unreachable peer. The link itself redials more often.
        backoff: "100ms 200ms ...500ms".to_owned(),
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_hears_its_leader_before_an_election_could_be_due() {
        raft_config("test".to_owned(), LogLimits::default()).validate().expect("openraft accepts the intervals");
        let longest = timing::HEARTBEAT_UNLESS_ACKED_MS + 2 * timing::HEARTBEAT_EVERY.as_millis() as u64;
        assert!(longest < timing::ELECTION_MIN_MS);
        assert!(timing::HEARTBEAT_MS < timing::HEARTBEAT_EVERY.as_millis() as u64, "each tick of a leader sends one");
        assert_eq!(timing::HEARTBEAT_EVERY.as_millis() % timing::ELECTION_TICK.as_millis(), 0);
    }
}
