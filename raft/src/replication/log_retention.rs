//! Cuts the logs of groups that have become too long. openraft's own policy is switched off.
//! [`crate::log::length`] explains the limits.
//!
//! A leader keeps the entries that a reachable replica still needs: those behind a snapshot in
//! transfer, or those that it is being sent. They may exceed the limit several times. Otherwise a
//! replica that catches up more slowly than users write would start over forever.

use std::sync::Arc;

use openraft::LogIdOptionExt;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal as RaftFatal;
use tokio::time::timeout;
use troupe_core::NodeId;
use troupe_runtime::{Lane, Platform, executor};
use troupe_store::engine::Engine;

use crate::replication::group::{Group, GroupContext};
use crate::replication::network::Network;
use crate::timing::SNAPSHOT_COVERS;
use crate::types::Types;

/// Cuts the log of a replica whenever it has become too long, until the replica ends.
pub async fn run(context: GroupContext, group: Group) {
    let GroupContext { platform, engine, network, limits, .. } = context;
    let mut server = group.raft.server_metrics();
    let ended = async { while server.changed().await.is_ok() {} };
    let cutting = async {
        loop {
            group.log.grown().await;
            let Some(state) = state_bytes(&platform, &engine, &group).await else { continue };
            let Some(upto) = group.log.cut(limits.allowed(state), &progress(&network, &group)) else { continue };
            if let Err(error) = cut(&group, upto).await {
                tracing::debug!(group = %group.id, %error, "the replica stops, and its log is not cut");
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = ended => {}
        () = cutting => {}
    }
}

/// The last entry of each reachable replica, or of the snapshot in transfer to it. Only a leader
/// knows it.
fn progress(network: &Network, group: &Group) -> Vec<u64> {
    let metrics = group.metrics();
    let has = |replica: &u64, node: NodeId| {
        let matching = || metrics.replication.as_ref()?.get(replica)?.index();
        let matching = || if network.links.reachable(node) { matching() } else { None };
        network.transfers.upto(group.id, *replica).or_else(matching)
    };
    metrics.membership_config.nodes().filter_map(|(replica, home)| has(replica, home.0)).collect()
}

/// `None` while the lane is full, or when the engine has failed, which writers detect.
async fn state_bytes(platform: &Platform, engine: &Arc<dyn Engine>, group: &Group) -> Option<u64> {
    let (engine, ranges) = (engine.clone(), group.applier.ranges());
    let sum = move || ranges.iter().map(|(family, from, to)| engine.size(*family, from, to)).sum::<Result<u64, _>>();
    executor::run(&*platform.executor, Lane::Read, sum).await?.ok()
}

/// Creates a snapshot first, because only covered entries may be purged. Entries that this replica
/// has not applied yet are cut next time.
async fn cut(group: &Group, upto: u64) -> Result<(), RaftFatal<Types>> {
    tracing::debug!(group = %group.id, upto, "the log has become too long");
    let mut metrics = group.raft.metrics();
    group.raft.trigger().snapshot().await?;
    let covered =
        async { while metrics.borrow_watched().snapshot.index() < Some(upto) && metrics.changed().await.is_ok() {} };
    // Entries that the snapshot does not cover in time are cut next time.
    let _ = timeout(SNAPSHOT_COVERS, covered).await;
    group.raft.trigger().purge_log(upto).await
}
