//! One process of a node: it uses the machine's state, serves as `troupe start` does, and ends.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use troupe_actors::birth::Born;
use troupe_actors::budgets::Limits;
use troupe_actors::node::{MeshKind, NodeConfig, NodeHandle};
use troupe_actors::passwords::Hashing;
use troupe_edge_tcp::door::Door;
use troupe_edge_tcp::{TcpEdge, Web};
use troupe_raft::Cluster;
use troupe_raft::api::{ClusterConfig, LoginPolicy, Settings, Strangers};
use troupe_raft::cluster::operate::Order;
use troupe_runtime::{Beat, Platform, Rng};

use super::web::ClientPort;
use super::{
    Inspection, Machine, Power, REPLICATION, Setting, Window, client_address, cluster_address, importer, name,
};
use crate::evidence::Evidence;
use crate::lanes::Lanes;
use crate::receiver::Receiver;
use crate::wire::Wire;

/// Limit for the hand-over of a stopping node.
const DRAIN: Duration = Duration::from_millis(800);
/// Interval at which a node publishes its view, if members change.
const SHOW_EVERY: Duration = Duration::from_millis(50);
/// A silent node is never replaced.
const NEVER: Duration = Duration::from_secs(600);
/// The first administrator, if there is one.
const FIRST_ADMIN: &str = "ruler";
/// Error text of a removed node.
const REMOVED: &str = "was removed from this cluster";

/// Simulated users act within seconds as others do in a day, and log in again and again.
fn unhurried() -> Limits {
    Limits {
        login_rate: 0,
        accounts_per_day: 0,
        messages_per_day: 0,
        bytes_per_day: 0,
        groups_per_day: 0,
        members_per_day: 0,
        ..Limits::default()
    }
}

/// Runs one process of a node.
pub(super) async fn run(setting: Setting, node: usize, machine: Arc<Mutex<Machine>>) -> turmoil::Result {
    if machine.lock().power == Power::Spare {
        return Ok(());
    }
    let ended = live(&setting, node, &machine).await;
    let mut machine = machine.lock();
    let found_out = machine.put_back && machine.memory.damage_mark().is_some();
    let is_out = matches!(&ended, Err(error) if error.to_string().contains(REMOVED));
    let planned = machine.may_fail || found_out || (is_out && setting.plan.members.is_some());
    machine.window = None;
    machine.power = if is_out { Power::Out } else { Power::Ended };
    drop(machine);
    match ended {
        Ok(()) => setting.evidence.note(&format!("{} has stopped", name(node))),
        Err(error) if planned => setting.evidence.note(&format!("{} has stopped: {error}", name(node))),
        Err(error) => setting.evidence.wrong(format!("{} stopped by itself: {error}", name(node))),
    }
    Ok(())
}

async fn live(setting: &Setting, node: usize, machine: &Mutex<Machine>) -> turmoil::Result {
    let plan = &setting.plan;
    let (memory, platform, stop, join) = {
        let mut machine = machine.lock();
        machine.boots += 1;
        let rng = Arc::new(Rng::from_seed(plan.seed ^ ((node as u64 + 1) << 32) ^ (machine.boots << 48)));
        let platform = Platform {
            clock: machine.clock.source.clone(),
            rng: rng.clone(),
            beat: Beat::new(&rng),
            net: Arc::new(Wire(machine.meter.clone())),
            executor: Arc::new(Lanes::new(machine.disk.clone(), rng)),
            metrics: Default::default(),
            trace: Default::default(),
            planted: setting.bug.into(),
        };
        (machine.memory.clone(), platform, machine.stop.clone(), machine.join.clone())
    };
    let first_admin = if plan.society.administered { FIRST_ADMIN.to_owned() } else { String::new() };
    let strangers = if plan.society.strangers > 0 { Strangers::Invite } else { Strangers::Add };
    let config = ClusterConfig {
        listen: "0.0.0.0:7800".to_owned(),
        advertise: cluster_address(node),
        join,
        token: None,
        insecure: true,
        client_address: client_address(node),
        http_address: String::new(),
        shards: plan.shards,
        replication: REPLICATION,
        data_dir: None,
        login_policy: LoginPolicy::Replace,
        storage_low_mark: Default::default(),
        settings: Settings { first_admin, strangers, ..Settings::default() },
        supports: troupe_raft::level::Support::ours(),
        auto_finalize: Duration::from_secs(600),
        replace_after: plan.members.as_ref().map_or(NEVER, |members| members.replace_after),
    };
    let started = Cluster::start_tuned(platform.clone(), Arc::new(memory), config, plan.log);
    let cluster = tokio::select! {
        biased;
        () = stop.notified() => return Ok(()),
        started = started => started?,
    };
    let (giving, orders) = mpsc::unbounded_channel();
    {
        let mut machine = machine.lock();
        machine.node = Some(cluster.me());
        machine.window =
            Some(Window { routing: cluster.routing(), led: cluster.led(), inspection: None, orders: giving });
    }
    let seed = plan.seed ^ ((node as u64 + 1) << 32);
    let receiver = Receiver::new(setting.evidence.clone(), seed, plan.society.subscribers > 0);
    let serving = NodeConfig { hashing: Hashing::Quick, limits: unhurried(), hooks: receiver };
    let handle = NodeHandle::start_with(platform.clone(), cluster.clone(), serving, MeshKind::Direct).await?;
    let by_http = plan.society.keys || plan.society.subscribers > 0;
    let web = by_http.then(|| Arc::new(ClientPort::new(handle.service())) as Arc<dyn Web>);
    let listening = troupe_edge_tcp::Config { listen: "0.0.0.0:7700".to_owned(), door: Arc::new(Door::plain()), web };
    let edge = TcpEdge::start(&platform, handle.service().clone(), listening).await?;
    tokio::spawn(birth(setting.evidence.clone(), handle.born()));
    if plan.society.imports {
        tokio::spawn(importer::run(setting.clone(), node, handle.clone()));
    }
    tokio::select! {
        biased;
        why = cluster.fatal() => return Err(why.into()),
        () = stop.notified() => {}
        () = attend(setting, node, &cluster, machine, orders), if plan.members.is_some() => {}
    }
    // As `troupe start` does on SIGTERM.
    let drain = async {
        cluster.hand_over(DRAIN / 2).await;
        handle.drain(DRAIN / 2).await;
        edge.stop().await;
        handle.shutdown().await;
        cluster.shutdown().await;
    };
    // Work that has not ended by then ends with the process.
    drop(tokio::time::timeout(DRAIN + Duration::from_secs(2), drain).await);
    Ok(())
}

/// Records the first administrator, which `troupe start` prints.
async fn birth(evidence: Arc<Evidence>, mut born: watch::Receiver<Option<Born>>) {
    if let Ok(born) = born.wait_for(Option::is_some).await
        && let Some(born) = &*born
    {
        evidence.born(&born.name, &born.password);
    }
}

/// Publishes the node's view of the cluster, and accepts the operator's orders as the HTTP port
/// would.
async fn attend(
    setting: &Setting,
    node: usize,
    cluster: &Cluster,
    machine: &Mutex<Machine>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let mut show = tokio::time::interval(SHOW_EVERY);
    loop {
        let inspection = Inspection {
            meta_applied: cluster.meta_applied(),
            routing: cluster.routing().borrow().clone(),
            voting: cluster.voting(),
        };
        if let Some(window) = &mut machine.lock().window {
            window.inspection = Some(inspection);
        }
        tokio::select! {
            biased;
            order = orders.recv() => {
                let Some(order) = order else { return std::future::pending().await };
                let (cluster, evidence) = (cluster.clone(), setting.evidence.clone());
                tokio::spawn(async move {
                    let answer = match cluster.order(&order).await {
                        Ok(prospect) => format!("{} moves", prospect.moves.len()),
                        Err(error) => error.to_string(),
                    };
                    evidence.note(&format!("{} receives the order to {:?} node {}: {answer}", name(node), order.verb, order.node));
                });
            }
            _ = show.tick() => {}
        }
    }
}
