//! The metrics that are read from the status of a node: names, labels and meanings.

/// One metric.
pub struct Described {
    pub name: &'static str,
    pub kind: &'static str,
    /// Empty: one value.
    pub label: &'static str,
    pub help: &'static str,
}

macro_rules! described {
    ($($id:ident = $kind:literal $name:literal $label:literal $help:literal;)*) => {
        $(pub const $id: Described = Described { name: $name, kind: $kind, label: $label, help: $help };)*
        /// All of them.
        pub const ALL: &[Described] = &[$($id),*];
    };
}

described! {
    BUILD_INFO = "gauge" "troupe_build_info" "version" "Version of the node; the value is 1.";
    NODE_REACHABLE = "gauge" "troupe_node_reachable" "node" "Whether Raft connections reach that node.";
    META_LEADER = "gauge" "troupe_meta_leader" "" "Whether the node knows a leader of the meta group.";
    FEATURE_LEVEL = "gauge" "troupe_feature_level" "" "Feature level in force, as the node has applied it.";
    SHARD_LEADER = "gauge" "troupe_shard_leader" "shard" "Whether the node leads the shard.";
    SHARD_EPOCH = "gauge" "troupe_shard_epoch" "shard" "Raft term of the shard.";
    SHARD_LAST_LOG = "gauge" "troupe_shard_last_log" "shard" "Last index in the node's log.";
    SHARD_COMMITTED = "gauge" "troupe_shard_committed" "shard" "Last index known to be committed.";
    SHARD_APPLIED = "gauge" "troupe_shard_applied" "shard" "Last index applied.";
    SHARD_STALLED = "gauge" "troupe_shard_stalled_seconds" "shard"
        "Seconds for which a shard led here has had something to do and has committed nothing.";
    READY = "gauge" "troupe_ready" "" "Whether /readyz finds no reason against the node; a drain does not count.";
    REPLICATION_TARGET = "gauge" "troupe_replication_target" "" "Replicas that each shard should have.";
    UNDER_REPLICATED = "gauge" "troupe_under_replicated_shards" ""
        "Shards with fewer replicas on reachable nodes than the target.";
    LEADERLESS = "gauge" "troupe_leaderless_shards" ""
        "Shards without a reachable leader that a majority has confirmed lately.";
    BEHIND = "gauge" "troupe_replicas_behind" "" "Replicas of the node that lag by more than a moment's entries.";
    TO_COME = "gauge" "troupe_replicas_to_come" ""
        "Replicas that the node is still to receive before it is ready.";
    MOVES = "gauge" "troupe_moves_under_way" "" "Moves of replicas under way in the cluster.";
    UNSENDABLE = "counter" "troupe_raft_unsendable_total" ""
        "Attempts to send a log entry that is larger than the other node takes.";
    CLOCK_SKEW = "gauge" "troupe_clock_skew_seconds" "node"
        "Seconds by which that node's clock is ahead of this one's.";
    STORAGE_FREE = "gauge" "troupe_storage_free_bytes" "" "Free bytes of the disk that holds the data.";
    STORAGE_LOW_MARK = "gauge" "troupe_storage_low_mark_bytes" "" "Free bytes below which sends are refused.";
    STORAGE_LOW = "gauge" "troupe_storage_low" "node"
        "Whether that node's disk is below its low mark, as far as this node knows.";
}
