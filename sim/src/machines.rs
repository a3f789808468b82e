//! The machines: whole nodes on disks that outlive them, and what can be done to them from outside.
//!
//! A machine keeps what a process does not: the disk, the clock and how far it is off, the wires. Each life of a node takes
//! them up, and leaves them behind when it ends: by power, by a kill, asked to, or because it stopped by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use troupe_actors::node::{MeshKind, NodeConfig, NodeHandle};
use troupe_actors::passwords::Hashing;
use troupe_core::plant::Plant;
use troupe_core::{Epoch, ShardId};
use troupe_raft::cluster::{ClusterConfig, LoginPolicy};
use troupe_raft::{Cluster, Routing};
use troupe_runtime::clock::SimClock;
use troupe_runtime::{NodeCtx, Rng};
use troupe_store::Memory;
use troupe_store::engine::Engine;
use troupe_store::rows::View;
use turmoil::Sim;

use crate::evidence::Evidence;
use crate::lanes::{Disk, Lanes};
use crate::plan::Plan;
use crate::wire::{Meter, Wire};

/// Replicas of each shard, as in production.
const REPLICATION: usize = 3;
/// A node that is asked to stop hands over within this.
const DRAIN: Duration = Duration::from_millis(800);

pub fn name(node: usize) -> String {
    format!("n{}", node + 1)
}

pub fn client_address(node: usize) -> String {
    format!("{}:7700", name(node))
}

fn cluster_address(node: usize) -> String {
    format!("{}:7800", name(node))
}

/// What is seen of a running node.
struct Window {
    routing: watch::Receiver<Arc<Routing>>,
    led: watch::Receiver<Arc<BTreeMap<ShardId, Epoch>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Power {
    On,
    /// The process has ended by itself, or because it was asked to.
    Ended,
    Off,
}

struct Machine {
    memory: Memory,
    disk: Arc<Disk>,
    clock: Arc<SimClock>,
    meter: Arc<Meter>,
    stop: Arc<Notify>,
    boots: u64,
    power: Power,
    /// A failing write was planned: the node may stop by itself.
    may_fail: bool,
    /// It was asked to stop.
    stopping: bool,
    window: Option<Window>,
}

/// What all of them share.
#[derive(Clone)]
struct Setting {
    plan: Arc<Plan>,
    plant: Option<Plant>,
    evidence: Arc<Evidence>,
}

pub struct Machines(Vec<Arc<Mutex<Machine>>>);

impl Machines {
    /// Machines with empty disks, switched on.
    pub fn start(sim: &mut Sim<'_>, plan: &Arc<Plan>, plant: Option<Plant>, evidence: &Arc<Evidence>) -> Machines {
        let setting = Setting { plan: plan.clone(), plant, evidence: evidence.clone() };
        let machine = |node: usize| {
            let disk = Arc::<Disk>::default();
            disk.takes(plan.fsync_ms);
            Arc::new(Mutex::new(Machine {
                memory: Memory::new(),
                disk,
                clock: Arc::new(SimClock::new(plan.skew_ms[node])),
                meter: Arc::default(),
                stop: Arc::default(),
                boots: 0,
                power: Power::On,
                may_fail: false,
                stopping: false,
                window: None,
            }))
        };
        let machines: Vec<_> = (0..plan.nodes).map(machine).collect();
        for (node, machine) in machines.iter().enumerate() {
            let (setting, machine) = (setting.clone(), machine.clone());
            sim.host(name(node), move || run(setting.clone(), node, machine.clone()));
        }
        Machines(machines)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Stopped by itself, or because it was asked to, and not started again.
    pub fn has_ended(&self, node: usize) -> bool {
        self.0[node].lock().power == Power::Ended
    }

    pub fn is_on(&self, node: usize) -> bool {
        self.0[node].lock().power == Power::On
    }

    /// Who leads a shard now, by what the nodes themselves say, with their epochs.
    pub fn leaders(&self) -> BTreeMap<(ShardId, Epoch), Vec<usize>> {
        let mut leaders: BTreeMap<(ShardId, Epoch), Vec<usize>> = BTreeMap::new();
        for (node, machine) in self.0.iter().enumerate() {
            if let Some(window) = &machine.lock().window {
                for (shard, epoch) in window.led.borrow().iter() {
                    leaders.entry((*shard, *epoch)).or_default().push(node);
                }
            }
        }
        leaders
    }

    /// Which nodes are to hold replicas of each shard, as far as any node knows.
    pub fn placement(&self) -> BTreeMap<ShardId, Vec<usize>> {
        let mut placement = BTreeMap::new();
        for machine in &self.0 {
            if let Some(window) = &machine.lock().window {
                let routing = window.routing.borrow();
                let address_of = |id| routing.nodes.get(id).map(|node| node.cluster_address.clone());
                for (shard, place) in &routing.placement {
                    let nodes = place.nodes.iter().filter_map(address_of);
                    let nodes = nodes.filter_map(|at| (0..self.len()).find(|node| cluster_address(*node) == at));
                    placement.insert(*shard, nodes.collect());
                }
            }
        }
        placement
    }

    pub fn shard_of(&self, slot: troupe_core::Slot) -> Option<ShardId> {
        self.0.iter().find_map(|machine| machine.lock().window.as_ref()?.routing.borrow().shard(slot))
    }

    /// Batches that a loss of power would take from this node's disk now.
    pub fn unsynced(&self, node: usize) -> usize {
        self.0[node].lock().memory.unsynced()
    }

    /// The power fails: the disk keeps what was synced and the oldest `kept` batches of what was not. Whoever calls has cut
    /// the wires, so that nobody is told goodbye.
    pub fn cut_power(&self, sim: &mut Sim<'_>, node: usize, kept: usize) {
        sim.crash(name(node));
        let mut machine = self.0[node].lock();
        machine.memory = machine.memory.crash_keeping(kept);
        machine.ended(Power::Off);
    }

    /// As SIGKILL does: the peers' connections are closed, and the disk has whatever was written.
    pub fn kill(&self, sim: &mut Sim<'_>, node: usize) {
        sim.crash(name(node));
        let mut machine = self.0[node].lock();
        machine.memory = machine.memory.kill();
        machine.ended(Power::Off);
    }

    pub fn ask_to_stop(&self, node: usize) {
        let mut machine = self.0[node].lock();
        machine.stopping = machine.power == Power::On;
        machine.stop.notify_one();
    }

    /// A machine that is on is left as it is; one that takes too long to stop is killed first.
    pub fn switch_on(&self, sim: &mut Sim<'_>, node: usize, rng: &Rng) -> bool {
        let lingers = { self.0[node].lock().stopping };
        if lingers && self.is_on(node) {
            self.kill(sim, node);
        }
        {
            let mut machine = self.0[node].lock();
            match machine.power {
                Power::On => return false,
                // Nobody knows what a write that failed left on the disk.
                Power::Ended if machine.may_fail => {
                    let kept = rng.range(0, machine.memory.unsynced() as u64 + 1);
                    machine.memory = machine.memory.crash_keeping(kept as usize);
                }
                Power::Ended => machine.memory = machine.memory.kill(),
                Power::Off => {}
            }
            machine.ended(Power::On);
        }
        sim.bounce(name(node));
        true
    }

    pub fn fsync_takes(&self, node: usize, most_ms: u64) {
        self.0[node].lock().disk.takes(most_ms);
    }

    pub fn fail_next_write(&self, node: usize) {
        let mut machine = self.0[node].lock();
        machine.may_fail = true;
        machine.memory.fail_next_write("a planned failure of the disk");
    }

    pub fn jump_clock(&self, node: usize, by_ms: i64) {
        let clock = self.0[node].lock().clock.clone();
        clock.skew_ms.fetch_add(by_ms, std::sync::atomic::Ordering::Relaxed);
    }

    pub fn reset_connections(&self, node: usize) {
        self.0[node].lock().meter.reset_connections();
    }

    /// What is on the disk, whoever holds it.
    pub fn view(&self, node: usize) -> View {
        View::new(self.0[node].lock().memory.snapshot())
    }

    /// Whether its disk can be read: not after a write that failed, until it is switched on again.
    pub fn is_readable(&self, node: usize) -> bool {
        let machine = self.0[node].lock();
        !(machine.may_fail && machine.power == Power::Ended)
    }

    /// A line for the trace.
    pub fn readings(&self) -> String {
        let reading = |machine: &Arc<Mutex<Machine>>| {
            let (bytes, digest) = machine.lock().meter.reading();
            format!("{bytes}:{digest:016x}")
        };
        self.0.iter().map(reading).collect::<Vec<_>>().join(" ")
    }
}

impl Machine {
    fn ended(&mut self, power: Power) {
        self.window = None;
        self.power = power;
        self.may_fail = false;
        self.stopping = false;
        // A wish to stop is not for the next life.
        self.stop = Arc::default();
    }
}

/// What one life of a node takes from its machine.
async fn run(setting: Setting, node: usize, machine: Arc<Mutex<Machine>>) -> turmoil::Result {
    let ended = live(&setting, node, &machine).await;
    let mut machine = machine.lock();
    let planned = machine.may_fail;
    machine.window = None;
    machine.power = Power::Ended;
    drop(machine);
    match ended {
        Ok(()) => setting.evidence.say(&format!("{} has stopped", name(node))),
        Err(error) if planned => setting.evidence.say(&format!("{} has stopped: {error}", name(node))),
        Err(error) => setting.evidence.wrong(format!("{} stopped by itself: {error}", name(node))),
    }
    Ok(())
}

async fn live(setting: &Setting, node: usize, machine: &Mutex<Machine>) -> turmoil::Result {
    let plan = &setting.plan;
    let (memory, ctx, stop) = {
        let mut machine = machine.lock();
        machine.boots += 1;
        let rng = Arc::new(Rng::from_seed(plan.seed ^ ((node as u64 + 1) << 32) ^ (machine.boots << 48)));
        let ctx = NodeCtx {
            clock: machine.clock.clone(),
            rng: rng.clone(),
            net: Arc::new(Wire(machine.meter.clone())),
            executor: Arc::new(Lanes::new(machine.disk.clone(), rng)),
            plant: setting.plant,
        };
        (machine.memory.clone(), ctx, machine.stop.clone())
    };
    let config = ClusterConfig {
        listen: "0.0.0.0:7800".to_owned(),
        advertise: cluster_address(node),
        join: (0..plan.nodes).map(cluster_address).collect(),
        token: None,
        insecure: true,
        client_address: client_address(node),
        http_address: String::new(),
        shards: plan.shards,
        replication: REPLICATION,
        data_dir: None,
        login_policy: LoginPolicy::Replace,
        replace_after: std::time::Duration::from_secs(600),
    };
    let (between, kept) = (plan.log_between_snapshots, plan.log_kept);
    let started = Cluster::start_tuned(ctx.clone(), Arc::new(memory), config, between, kept);
    let cluster = tokio::select! {
        biased;
        () = stop.notified() => return Ok(()),
        started = started => started?,
    };
    machine.lock().window = Some(Window { routing: cluster.routing(), led: cluster.led() });
    let serving = NodeConfig { client_listen: "0.0.0.0:7700".to_owned(), hashing: Hashing::Quick };
    let handle = NodeHandle::start_with(ctx, cluster.clone(), serving, MeshKind::Direct).await?;
    tokio::select! {
        biased;
        why = cluster.fatal() => return Err(why.into()),
        () = stop.notified() => {}
    }
    // As `troupe start` does on SIGTERM.
    let drain = async {
        cluster.hand_over(DRAIN / 2).await;
        handle.drain(DRAIN / 2).await;
        handle.shutdown().await;
        cluster.shutdown().await;
    };
    // What has not ended by then ends with the process.
    drop(tokio::time::timeout(DRAIN + Duration::from_secs(2), drain).await);
    Ok(())
}
