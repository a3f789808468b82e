//! Every duration of this crate, with its reason. In openraft a follower campaigns at `last
//! heartbeat + lease + random(min..max)`, where the lease equals `max`. So a lost leader is
//! replaced after about `min + max .. 2 * max`.

use std::time::Duration;

use troupe_runtime::beat;

/// Leaders send heartbeats at this interval, those of all groups of a node together. A stall of
/// three heartbeats is survived without an election: 3 * 100 = `ELECTION_MIN_MS`.
pub const HEARTBEAT_EVERY: Duration = beat::BAR;
/// A heartbeat is due this long after the one before. The timer that sends it fires at each
/// `HEARTBEAT_EVERY`, and may be late: a difference between two of its delays above 20 ms skips one
/// heartbeat. Also the timeout of a heartbeat.
pub const HEARTBEAT_MS: u64 = 80;
/// A follower that has acknowledged something that was sent within this time gets no heartbeat.
/// Heartbeats and entries together are still less than `ELECTION_MIN_MS` apart, even if one
/// heartbeat is skipped: 50 + 2 * 100.
pub const HEARTBEAT_UNLESS_ACKED_MS: u64 = 50;
/// The interval at which replicas that do not lead check whether an election is due. It divides
/// `HEARTBEAT_EVERY`, and is short compared with the random part of the election timeout.
pub const ELECTION_TICK: Duration = Duration::from_millis(25);
/// Failover takes about 0.8 to 1.0 s with these two. A leader that stalls for that long loses its
/// leadership. docs/performance.md measures the unnecessary elections that they cost.
pub const ELECTION_MIN_MS: u64 = 300;
pub const ELECTION_MAX_MS: u64 = 500;

/// An append may wait behind a slow fsync of its receiver. With a heartbeat's timeout it would be
/// sent again while it is being written.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(3);
/// An append above one frame gets additional time, at this rate in bytes per second.
pub const LARGE_APPEND_RATE: usize = 512 * 1024;
/// A vote waits for one fsync. A vote that comes after the election is useless.
pub const VOTE_TIMEOUT: Duration = Duration::from_millis(ELECTION_MAX_MS);
/// The timeout of a call to the meta group's leader, which answers after a commit.
pub const META_TIMEOUT: Duration = Duration::from_secs(3);

/// The interval of pings on each link between nodes.
pub const PING_EVERY: Duration = Duration::from_millis(300);
/// A link is dropped after this silence, because a disconnected peer never closes its socket. It
/// exceeds a stall that `ELECTION_MAX_MS` tolerates.
pub const LINK_SILENCE: Duration = Duration::from_millis(1_200);
/// The interval of connection attempts. It is short enough to find a restarted node before that
/// node starts an election.
pub const REDIAL_MIN_MS: u64 = 100;
pub const REDIAL_MAX_MS: u64 = 300;
/// The first attempts after a lost connection. The kernel needs time to close the sockets of a
/// killed process.
pub const REDIAL_SOON_MS: [u64; 4] = [1, 10, 30, 60];
/// The interval at which the voters of an ended leader campaign, one after another. It covers two
/// round trips and an fsync.
pub const CAMPAIGN_STEP: Duration = Duration::from_millis(50);

/// The longest rest between two pieces for a replica that catches up. A receiver that stalled
/// during one piece must not cause an equally long rest.
pub const CATCH_UP_REST: Duration = Duration::from_millis(250);
/// One block of a snapshot may wait for a slow disk. A longer silence ends the transfer, and
/// openraft begins another.
pub const SNAPSHOT_STALL: Duration = Duration::from_secs(20);
/// The interval at which a receiver reports that it still installs a snapshot. Its sender cannot
/// tell long work from a lost peer.
pub const SNAPSHOT_BEAT: Duration = Duration::from_secs(5);
/// The longest wait of a log cut for the snapshot that covers it, which is one fsync.
pub const SNAPSHOT_COVERS: Duration = Duration::from_secs(10);
/// Installing a snapshot is one engine call, however large the shard is.
pub const SNAPSHOT_INSTALL: Duration = Duration::from_secs(120);

/// A fresh leader refuses proposals until a quorum has acked once, two round trips after its
/// election.
pub const FRESH_LEADER: Duration = Duration::from_millis(500);
/// An entry that is not committed by then frees its slot for the next one. Longer than a failover.
pub const PROPOSE_TURN: Duration = Duration::from_secs(5);
/// After this additional time the outcome of an entry is `Unknown`. Callers may time out earlier,
/// but an entry that commits when a majority returns still has effects to execute.
pub const PROPOSE_TIMEOUT: Duration = Duration::from_secs(60);
/// A read barrier takes one round trip. After this time the leader is probably isolated.
pub const BARRIER_TIMEOUT: Duration = Duration::from_secs(2);

/// The wait of a proposal for others. It waits only if others are likely to come
/// ([`crate::replication::company`]), or if the entry before was full.
pub const LINGER: Duration = Duration::from_millis(1);

/// The shortest time between the begins of two syncs, and the same under load. A sync costs 0.1 ms
/// of CPU, however little it writes, and a write after a pause waits for nothing.
pub const SYNC_EVERY: Duration = Duration::from_millis(1);
pub const SYNC_EVERY_BUSY: Duration = Duration::from_millis(2);

/// The longest time for which a follower learns nothing of a commit, while no entry follows that
/// carries it. A fifth of a heartbeat, which carries it as well.
pub const COMMIT_HELD: Duration = Duration::from_millis(20);

/// The longest delay of a lazy write, which waits to share the fsync of an urgent one.
pub const LAZY: Duration = Duration::from_millis(50);

/// Leaderships move rarely and one at a time. A move is short, but users notice it.
pub const BALANCE_EVERY: Duration = Duration::from_secs(3);
/// A group counts as leaderless for readiness if no majority has acknowledged its leader for this
/// long. It exceeds `LINK_SILENCE`, `PING_EVERY` and a failover together, so a failover alone makes
/// no other node unready.
pub const LEADER_CONFIRMED: Duration = Duration::from_secs(3);
/// The longest time between two computations of the routing table, so that it shows a changed link.
pub const ROUTING_EVERY: Duration = Duration::from_millis(200);

/// The interval of health checks of a replica. Its log changes too often to trigger them.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A shard that is led here, has work and commits nothing for this long is stalled. Twice the time
/// for which a proposal keeps its slot, and much longer than a failover.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);
/// The interval at which a lasting problem is logged again.
pub const SAID_AGAIN: Duration = Duration::from_secs(60);
/// The interval of checks whether a majority has acknowledged a fresh leader.
pub const LOOK_FRESH: Duration = Duration::from_millis(5);

/// The other members of a new group initialize it if its first member has not done so by then.
pub const BEGIN_FALLBACK: Duration = Duration::from_secs(3);
/// The longest interval between two runs of the meta controller.
pub const META_CONTROL_EVERY: Duration = Duration::from_secs(1);
/// The interval at which the progress of a new replica is checked. A fraction of the time in which
/// a small shard is copied.
pub const MOVE_EVERY: Duration = Duration::from_millis(100);
/// A membership change waits for majorities of the old and the new members. After this time it is
/// checked again.
pub const MEMBERS_TIMEOUT: Duration = Duration::from_secs(10);
/// A move to a node that is unreachable for this long is cancelled. Longer than a restart, so that
/// no copied shard is discarded for one.
pub const MOVE_PATIENCE: Duration = Duration::from_secs(30);
/// A leadership transfer takes a few milliseconds. A transfer that did not happen is requested
/// again after this time.
pub const HAND_OVER_AGAIN: Duration = Duration::from_millis(300);
