//! The machines: complete nodes on disks that outlive them, and the faults that hit them from
//! outside.
//!
//! A machine keeps state across processes: the disk, the clock with its skew, and the network
//! meter. Each [`process`] of a node uses them until it ends by power loss, kill, request or
//! failure.

mod clock;
mod importer;
mod process;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use troupe_core::planted::Bug;
use troupe_core::{Epoch, NodeId, ShardId};
use troupe_raft::Routing;
use troupe_raft::cluster::Voting;
use troupe_raft::cluster::operate::Order;
use troupe_runtime::Rng;
use troupe_store::Memory;
use troupe_store::engine::{Batch, Durability, Engine, Family, Reader};
use troupe_store::key::node as key;
use troupe_store::rows::View;
use turmoil::Sim;

use crate::evidence::Evidence;
use crate::lanes::Disk;
use crate::plan::Plan;
use crate::wire::Meter;

use clock::MachineClock;

/// Replicas of each shard, as in production.
pub const REPLICATION: usize = 3;

pub fn name(node: usize) -> String {
    format!("n{}", node + 1)
}

pub fn client_address(node: usize) -> String {
    format!("{}:7700", name(node))
}

pub fn cluster_address(node: usize) -> String {
    format!("{}:7800", name(node))
}

/// Published state of a running node.
struct Window {
    routing: watch::Receiver<Arc<Routing>>,
    led: watch::Receiver<Arc<BTreeMap<ShardId, Epoch>>>,
    inspection: Option<Inspection>,
    orders: mpsc::UnboundedSender<Order>,
}

/// A node's view of the cluster.
#[derive(Clone)]
pub struct Inspection {
    /// Of two views, the one with the higher value is newer.
    pub meta_applied: u64,
    pub routing: Arc<Routing>,
    /// Groups that the node leads.
    pub voting: Vec<Voting>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Power {
    On,
    /// The process has ended by itself or on request.
    Ended,
    /// Ended because the node was removed from the cluster. A restart would change nothing.
    Out,
    Off,
    /// Off, with an empty disk, and not a member.
    Spare,
}

struct Machine {
    memory: Memory,
    disk: Arc<Disk>,
    clock: MachineClock,
    meter: Arc<Meter>,
    stop: Arc<Notify>,
    boots: u64,
    power: Power,
    /// A write failure was injected: the node may stop by itself.
    may_fail: bool,
    /// A stop was requested.
    stopping: bool,
    /// An earlier copy of its disk was restored. The node must detect this and stop.
    put_back: bool,
    /// The copy, and the number of its start.
    copy: Option<(Memory, u64)>,
    /// The node whose data is on the disk, if known.
    node: Option<NodeId>,
    /// Cluster addresses of the next start.
    join: Vec<String>,
    window: Option<Window>,
}

/// State shared by all machines.
#[derive(Clone)]
struct Setting {
    plan: Arc<Plan>,
    bug: Option<Bug>,
    evidence: Arc<Evidence>,
}

pub struct Machines(Vec<Arc<Mutex<Machine>>>);

impl Machines {
    /// Creates machines with empty disks, switched on.
    pub fn start(sim: &mut Sim<'_>, plan: &Arc<Plan>, bug: Option<Bug>, evidence: &Arc<Evidence>) -> Machines {
        let setting = Setting { plan: plan.clone(), bug, evidence: evidence.clone() };
        let founders: Vec<String> = (0..plan.nodes).map(cluster_address).collect();
        let machine = |node: usize| {
            let disk = Arc::<Disk>::default();
            disk.takes(plan.fsync_ms);
            let is_spare = node >= plan.nodes;
            Arc::new(Mutex::new(Machine {
                memory: Memory::new(),
                disk,
                clock: MachineClock::new(plan.skew_ms.get(node).copied().unwrap_or(0)),
                meter: Arc::default(),
                stop: Arc::default(),
                boots: 0,
                power: if is_spare { Power::Spare } else { Power::On },
                may_fail: false,
                stopping: false,
                put_back: false,
                copy: None,
                node: None,
                join: founders.clone(),
                window: None,
            }))
        };
        let machines: Vec<_> = (0..plan.machines()).map(machine).collect();
        for (node, machine) in machines.iter().enumerate() {
            let (setting, machine) = (setting.clone(), machine.clone());
            sim.host(name(node), move || process::run(setting.clone(), node, machine.clone()));
        }
        Machines(machines)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Ended by itself or on request, and not started again.
    pub fn has_ended(&self, node: usize) -> bool {
        self.0[node].lock().power == Power::Ended
    }

    pub fn is_on(&self, node: usize) -> bool {
        self.0[node].lock().power == Power::On
    }

    /// The leaders of shards with their epochs, as the nodes report them.
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

    /// The machines in use.
    pub fn present(&self) -> Vec<usize> {
        let is_present = |node: &usize| self.0[*node].lock().power != Power::Spare;
        (0..self.len()).filter(is_present).collect()
    }

    pub fn spares(&self) -> Vec<usize> {
        (0..self.len()).filter(|node| self.0[*node].lock().power == Power::Spare).collect()
    }

    /// It has ended, and reports that it was removed.
    pub fn is_out(&self, node: usize) -> bool {
        self.0[node].lock().power == Power::Out
    }

    /// The node whose data is on its disk.
    pub fn identity(&self, node: usize) -> Option<NodeId> {
        self.0[node].lock().node
    }

    /// The newest table of all nodes.
    pub fn newest(&self) -> Option<Arc<Routing>> {
        let inspections = (0..self.len()).filter_map(|node| self.inspect(node));
        let newest = inspections.max_by_key(|inspection| inspection.meta_applied).map(|inspection| inspection.routing);
        // Without membership changes, nodes publish only this.
        newest.or_else(|| {
            self.0.iter().find_map(|machine| Some(machine.lock().window.as_ref()?.routing.borrow().clone()))
        })
    }

    /// The published view of a running node.
    pub fn inspect(&self, node: usize) -> Option<Inspection> {
        self.0[node].lock().window.as_ref()?.inspection.clone()
    }

    /// Gives an operator's order to a node. It is lost if the node does not run.
    pub fn order(&self, node: usize, order: Order) {
        if let Some(window) = &self.0[node].lock().window {
            // The node may have just ended.
            let _ = window.orders.send(order);
        }
    }

    /// Switches on a spare machine.
    pub fn unpack(&self, sim: &mut Sim<'_>, node: usize, join: Vec<String>) {
        {
            let mut machine = self.0[node].lock();
            machine.join = join;
            machine.ended(Power::On);
        }
        sim.bounce(name(node));
    }

    /// Power loss with loss of the disk. The machine restarts with an empty one.
    pub fn wipe(&self, sim: &mut Sim<'_>, node: usize, join: Vec<String>) {
        sim.crash(name(node));
        let mut machine = self.0[node].lock();
        machine.empty();
        machine.join = join;
        machine.ended(Power::Off);
    }

    /// Switches a machine off permanently and empties it.
    pub fn retire(&self, sim: &mut Sim<'_>, node: usize) {
        sim.crash(name(node));
        let mut machine = self.0[node].lock();
        machine.empty();
        machine.ended(Power::Spare);
    }

    /// Copies the disk as a power loss would leave it now.
    pub fn copy(&self, node: usize) {
        let mut machine = self.0[node].lock();
        let copy = machine.memory.copy();
        // Read from the copy: the disk itself may have failed.
        machine.copy = Some((copy.clone(), boot(&copy, key::BOOT)));
    }

    /// Power loss, and the disk is replaced by the copy.
    pub fn put_back(&self, sim: &mut Sim<'_>, node: usize) {
        sim.crash(name(node));
        let mut machine = self.0[node].lock();
        if let Some((copy, _)) = machine.copy.take() {
            machine.memory = copy;
            machine.put_back = true;
        }
        machine.ended(Power::Off);
    }

    /// Whether all these machines have recorded a later start of that node than the copy's.
    pub fn would_notice(&self, of: usize, by: &[usize]) -> bool {
        let (id, copied) = {
            let machine = self.0[of].lock();
            (machine.node, machine.copy.as_ref().map(|(_, boot)| *boot))
        };
        let (Some(id), Some(copied)) = (id, copied) else { return false };
        by.iter().all(|other| boot(&self.0[*other].lock().memory, &key::seen(id)) > copied)
    }

    /// Batches that a power loss would take from this node's disk now.
    pub fn unsynced(&self, node: usize) -> usize {
        self.0[node].lock().memory.unsynced()
    }

    /// Power loss: the disk keeps synced data and the oldest `kept` unsynced batches. The caller
    /// has cut the links, so that no peer sees a closed connection.
    pub fn cut_power(&self, sim: &mut Sim<'_>, node: usize, kept: usize) {
        sim.crash(name(node));
        let mut machine = self.0[node].lock();
        machine.memory = machine.memory.crash_keeping(kept);
        machine.ended(Power::Off);
    }

    /// As SIGKILL: the connections are closed, and all writes survive.
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

    /// Starts a machine that is off. One that takes too long to stop is killed first.
    pub fn switch_on(&self, sim: &mut Sim<'_>, node: usize, rng: &Rng) -> bool {
        let lingers = { self.0[node].lock().stopping };
        if lingers && self.is_on(node) {
            self.kill(sim, node);
        }
        {
            let mut machine = self.0[node].lock();
            match machine.power {
                Power::On | Power::Out | Power::Spare => return false,
                // The effect of a failed write on the disk is unknown.
                Power::Ended if machine.may_fail => {
                    let kept = rng.range(0, machine.memory.unsynced() as u64 + 1);
                    machine.memory = machine.memory.crash_keeping(kept as usize);
                }
                Power::Ended => machine.memory = machine.memory.kill(),
                Power::Off => {}
            }
            if machine.memory.damage_mark().is_some() {
                machine.set_aside();
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
        machine.memory.fail_next_write("an injected disk failure");
    }

    pub fn reset_connections(&self, node: usize) {
        self.0[node].lock().meter.reset_connections();
    }

    /// The rows on the disk.
    pub fn view(&self, node: usize) -> View {
        View::new(self.0[node].lock().memory.snapshot())
    }

    /// Whether its disk is readable. It is not after a failed write, until the next start.
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

/// The stored number of a start.
fn boot(memory: &Memory, key: &[u8]) -> u64 {
    let row = memory.get(Family::Node, key).ok().flatten();
    row.and_then(|row| row.first_chunk().copied()).map_or(0, u64::from_be_bytes)
}

impl Machine {
    /// Replaces the disk by an empty one.
    fn empty(&mut self) {
        self.memory = Memory::new();
        self.node = None;
        self.copy = None;
        self.put_back = false;
    }

    /// As `troupe start` does with a damaged disk.
    fn set_aside(&mut self) {
        self.empty();
        let mut mark = Batch::default();
        mark.put(Family::Node, key::REJOIN, []);
        self.memory.write(mark, Durability::Synced).expect("an empty disk takes a row");
    }

    fn ended(&mut self, power: Power) {
        self.window = None;
        self.power = power;
        self.may_fail = false;
        self.stopping = false;
        // A stop request does not outlive the process.
        self.stop = Arc::default();
    }
}
