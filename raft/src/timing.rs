//! Every duration of this crate, with its reason. What openraft does with them: a follower
//! campaigns at `last heartbeat + lease + random(min..max)`, where the lease equals `max`; so a
//! lost leader is replaced after about `min + max .. 2 * max`.

use std::time::Duration;

use openraft::{Config, SnapshotPolicy};

use crate::trim::LogLimits;

/// A stall of three heartbeats is survived without an election: 3 * 100 = `ELECTION_MIN_MS`.
pub const HEARTBEAT_MS: u64 = 100;
/// Failover takes about 0.8 to 1.0 s with these two, and so does the shortest stall of a leader
/// that costs it its place. What they cost in elections that nobody needed is measured in
/// docs/performance.md.
pub const ELECTION_MIN_MS: u64 = 300;
pub const ELECTION_MAX_MS: u64 = 500;

/// Appends may wait behind a slow fsync on the other side; a heartbeat's budget would resend them
/// while they are being written.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(3);
/// An append above a frame has as much longer as it takes at this rate, in bytes a second.
pub const LARGE_APPEND_RATE: usize = 512 * 1024;
/// Votes wait for one fsync; a vote later than an election is worth nothing.
pub const VOTE_TIMEOUT: Duration = Duration::from_millis(ELECTION_MAX_MS);
/// A call of the meta group that another node's leader answers after a commit.
pub const META_TIMEOUT: Duration = Duration::from_secs(3);

/// Each link between nodes sends a sign of life this often ...
pub const PING_EVERY: Duration = Duration::from_millis(300);
/// ... and is dropped after this silence, because a cut peer never closes its socket. Long enough
/// for a stall that `ELECTION_MAX_MS` forgives.
pub const LINK_SILENCE: Duration = Duration::from_millis(1_200);
/// Between attempts to reach a peer: a restarted node is found before it starts an election.
pub const REDIAL_MIN_MS: u64 = 100;
pub const REDIAL_MAX_MS: u64 = 300;
/// The first attempts after a connection that was lost: the kernel takes its time to close what a
/// killed process had open.
pub const REDIAL_SOON_MS: [u64; 4] = [1, 10, 30, 60];
/// When a leader's process has ended, its voters ask for votes one after another, this far apart:
/// long enough for two rounds and an fsync.
pub const CAMPAIGN_STEP: Duration = Duration::from_millis(50);

/// Between two pieces for a replica that catches up, at most: one that took long because its
/// receiver stood still is no reason to stand still for as long.
pub const CATCH_UP_REST: Duration = Duration::from_millis(250);
/// One block of a snapshot may wait for a slow disk; silence longer than this ends the transfer,
/// and openraft begins another.
pub const SNAPSHOT_STALL: Duration = Duration::from_secs(20);
/// Who installs a snapshot says so this often, because its sender cannot tell long work from a peer
/// that is gone.
pub const SNAPSHOT_BEAT: Duration = Duration::from_secs(5);
/// A log that is to be cut waits for its snapshot, one fsync, no longer than this.
pub const SNAPSHOT_COVERS: Duration = Duration::from_secs(10);
/// Installing is one engine call, however large the shard is.
pub const SNAPSHOT_INSTALL: Duration = Duration::from_secs(120);

/// A fresh leader refuses proposals until a quorum has acked once, two round trips after it was
/// elected.
pub const FRESH_LEADER: Duration = Duration::from_millis(500);
/// An entry that is not committed by then makes room for the next one: longer than a failover.
pub const PROPOSE_TURN: Duration = Duration::from_secs(5);
/// After so much more it is `Unknown` what becomes of it. Who cannot wait for so long gives up
/// earlier, but an entry that is committed as soon as a majority is back has effects that somebody
/// should hear of.
pub const PROPOSE_TIMEOUT: Duration = Duration::from_secs(60);
/// A read barrier is one round trip; after this the leader is probably alone.
pub const BARRIER_TIMEOUT: Duration = Duration::from_secs(2);

/// The wait for more work, only while work is heavy: +27 to +64 % writes at medium load, nothing
/// lost when idle.
pub const LINGER: Duration = Duration::from_millis(1);

/// How long writes that nobody waits for may wait for one that somebody does.
pub const LAZY: Duration = Duration::from_millis(50);

/// One leadership moves at a time and rarely: a move is short, but it is noticed.
pub const BALANCE_EVERY: Duration = Duration::from_secs(3);
/// A group whose leaders no majority has acknowledged for so long counts as without one for
/// readiness: above `LINK_SILENCE`, `PING_EVERY` and a failover together, so that a failover alone
/// does not make the others unready.
pub const LEADER_CONFIRMED: Duration = Duration::from_secs(3);
/// Routing is recomputed at least this often, so that a changed link is seen.
pub const ROUTING_EVERY: Duration = Duration::from_millis(200);

/// How often a replica's health is looked at apart from its leadership; its log moves far too often
/// to be woken by it.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A shard that is led here, has something to do and commits nothing for so long is stalled: twice
/// as long as a proposal keeps its turn, and much longer than a failover.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);
/// What is wrong and stays so is said in the log this often.
pub const SAID_AGAIN: Duration = Duration::from_secs(60);
/// A fresh leader is looked at this often until a majority has answered it.
pub const LOOK_FRESH: Duration = Duration::from_millis(5);

/// When the first member of a new group has not let it begin by then, the others do.
pub const BEGIN_FALLBACK: Duration = Duration::from_secs(3);
/// What the meta group needs is looked for at least this often.
pub const STEWARD_EVERY: Duration = Duration::from_secs(1);
/// While a shard moves, how far its newcomer has got is looked at this often: a fraction of what a
/// small shard takes to travel.
pub const MOVE_EVERY: Duration = Duration::from_millis(100);
/// A change of members waits for majorities of the old and the new; after this it is looked at
/// anew.
pub const MEMBERS_TIMEOUT: Duration = Duration::from_secs(10);
/// A move to a node that cannot be reached for so long is called off: longer than a restart, so
/// that a copied shard is not thrown away for one.
pub const MOVE_PATIENCE: Duration = Duration::from_secs(30);
/// A transfer takes a few milliseconds; one that did not come to pass is asked for again.
pub const HAND_OVER_AGAIN: Duration = Duration::from_millis(300);

/// openraft's configuration of every group.
pub fn raft_config(name: String, limits: LogLimits) -> Config {
    Config {
        cluster_name: name,
        heartbeat_interval: HEARTBEAT_MS,
        election_timeout_min: ELECTION_MIN_MS,
        election_timeout_max: ELECTION_MAX_MS,
        // A node that was away must not depose a working leader when it returns.
        enable_pre_vote: Some(true),
        // A restarted leader wins a vote first: its state machine may be behind what it had
        // acknowledged.
        enable_leader_restore: Some(false),
        // A leader that lost its majority must not keep one follower from electing another.
        quorum_loss_probe_interval: Some(2 * ELECTION_MAX_MS),
        // `trim` cuts the log, and knows who still needs it.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        max_payload_entries: 256,
        max_append_entries: Some(1024),
        // Above the distance of snapshots, or a snapshot would not end the lag.
        replication_lag_threshold: 2 * limits.between_cuts,
        install_snapshot_timeout: SNAPSHOT_INSTALL.as_millis() as u64,
        api_channel_size: Some(1024),
        // Backoff after an unreachable peer; the link itself redials more often than this.
        backoff: "100ms 200ms ...500ms".to_owned(),
        ..Config::default()
    }
}
