//! The machines: whole nodes on disks that outlive them, and what can be done to them from outside.
//!
//! A machine keeps what a process does not: the disk, the clock and how far it is off, the wires.
//! Each life of a node ([`life`]) takes them up, and leaves them behind when it ends: by power, by
//! a kill, asked to, or because it stopped by itself.

mod dial;
mod life;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use troupe_core::plant::Plant;
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

use dial::Dial;

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

/// What is seen of a running node.
struct Window {
    routing: watch::Receiver<Arc<Routing>>,
    led: watch::Receiver<Arc<BTreeMap<ShardId, Epoch>>>,
    glimpse: Option<Glimpse>,
    orders: mpsc::UnboundedSender<Order>,
}

/// What a node knows of the cluster.
#[derive(Clone)]
pub struct Glimpse {
    /// Of two, the one with more knows more.
    pub meta_applied: u64,
    pub routing: Arc<Routing>,
    /// Of the groups that it leads.
    pub voting: Vec<Voting>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Power {
    On,
    /// The process has ended by itself, or because it was asked to.
    Ended,
    /// As above, because it was removed from the cluster: to start it again would change nothing.
    Out,
    Off,
    /// Off, with an empty disk, and nobody counts on it.
    Spare,
}

struct Machine {
    memory: Memory,
    disk: Arc<Disk>,
    dial: Dial,
    meter: Arc<Meter>,
    stop: Arc<Notify>,
    boots: u64,
    power: Power,
    /// A failing write was planned: the node may stop by itself.
    may_fail: bool,
    /// It was asked to stop.
    stopping: bool,
    /// An earlier copy of its disk was put back: the node must find out, and stop.
    put_back: bool,
    /// That copy, and the start that it is of.
    copy: Option<(Memory, u64)>,
    /// Whose data is on the disk, as far as that is known.
    node: Option<NodeId>,
    /// Cluster addresses that it is started with.
    join: Vec<String>,
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
        let founders: Vec<String> = (0..plan.nodes).map(cluster_address).collect();
        let machine = |node: usize| {
            let disk = Arc::<Disk>::default();
            disk.takes(plan.fsync_ms);
            let is_spare = node >= plan.nodes;
            Arc::new(Mutex::new(Machine {
                memory: Memory::new(),
                disk,
                dial: Dial::new(plan.skew_ms.get(node).copied().unwrap_or(0)),
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
            sim.host(name(node), move || life::run(setting.clone(), node, machine.clone()));
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

    /// Those that are not spare.
    pub fn present(&self) -> Vec<usize> {
        let is_present = |node: &usize| self.0[*node].lock().power != Power::Spare;
        (0..self.len()).filter(is_present).collect()
    }

    pub fn spares(&self) -> Vec<usize> {
        (0..self.len()).filter(|node| self.0[*node].lock().power == Power::Spare).collect()
    }

    /// It has ended, and says that it was removed.
    pub fn is_out(&self, node: usize) -> bool {
        self.0[node].lock().power == Power::Out
    }

    /// Whose data is on its disk.
    pub fn identity(&self, node: usize) -> Option<NodeId> {
        self.0[node].lock().node
    }

    /// The table of whoever knows most.
    pub fn newest(&self) -> Option<Arc<Routing>> {
        let glimpses = (0..self.len()).filter_map(|node| self.glimpse(node));
        let newest = glimpses.max_by_key(|glimpse| glimpse.meta_applied).map(|glimpse| glimpse.routing);
        // Where members do not change nobody shows more than this.
        newest.or_else(|| {
            self.0.iter().find_map(|machine| Some(machine.lock().window.as_ref()?.routing.borrow().clone()))
        })
    }

    /// What a running node shows of the cluster.
    pub fn glimpse(&self, node: usize) -> Option<Glimpse> {
        self.0[node].lock().window.as_ref()?.glimpse.clone()
    }

    /// Gives an order at a node, as its operator would; nobody hears of it if it does not run.
    pub fn order(&self, node: usize, order: Order) {
        if let Some(window) = &self.0[node].lock().window {
            // Who has just ended takes no orders.
            let _ = window.orders.send(order);
        }
    }

    /// A spare machine is switched on.
    pub fn unpack(&self, sim: &mut Sim<'_>, node: usize, join: Vec<String>) {
        {
            let mut machine = self.0[node].lock();
            machine.join = join;
            machine.ended(Power::On);
        }
        sim.bounce(name(node));
    }

    /// The power fails, and the disk is gone: there is an empty one when it is switched on again.
    pub fn wipe(&self, sim: &mut Sim<'_>, node: usize, join: Vec<String>) {
        sim.crash(name(node));
        let mut machine = self.0[node].lock();
        machine.empty();
        machine.join = join;
        machine.ended(Power::Off);
    }

    /// Off for good, and empty.
    pub fn retire(&self, sim: &mut Sim<'_>, node: usize) {
        sim.crash(name(node));
        let mut machine = self.0[node].lock();
        machine.empty();
        machine.ended(Power::Spare);
    }

    /// Keeps a copy of its disk as a loss of power would leave it now.
    pub fn copy(&self, node: usize) {
        let mut machine = self.0[node].lock();
        let copy = machine.memory.copy();
        // Asked of the copy: the disk itself may have failed, and then answers nothing.
        machine.copy = Some((copy.clone(), boot(&copy, key::BOOT)));
    }

    /// The power fails, and the copy is put in the place of the disk.
    pub fn put_back(&self, sim: &mut Sim<'_>, node: usize) {
        sim.crash(name(node));
        let mut machine = self.0[node].lock();
        if let Some((copy, _)) = machine.copy.take() {
            machine.memory = copy;
            machine.put_back = true;
        }
        machine.ended(Power::Off);
    }

    /// Whether all these machines have noted a start of that node that is later than the copy of
    /// its disk.
    pub fn would_notice(&self, of: usize, by: &[usize]) -> bool {
        let (id, copied) = {
            let machine = self.0[of].lock();
            (machine.node, machine.copy.as_ref().map(|(_, boot)| *boot))
        };
        let (Some(id), Some(copied)) = (id, copied) else { return false };
        by.iter().all(|other| boot(&self.0[*other].lock().memory, &key::seen(id)) > copied)
    }

    /// Batches that a loss of power would take from this node's disk now.
    pub fn unsynced(&self, node: usize) -> usize {
        self.0[node].lock().memory.unsynced()
    }

    /// The power fails: the disk keeps what was synced and the oldest `kept` batches of what was
    /// not. Whoever calls has cut the wires, so that nobody is told goodbye.
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
                Power::On | Power::Out | Power::Spare => return false,
                // Nobody knows what a write that failed left on the disk.
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
        machine.memory.fail_next_write("a planned failure of the disk");
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

/// The number of a start, as it is written down.
fn boot(memory: &Memory, key: &[u8]) -> u64 {
    let row = memory.get(Family::Node, key).ok().flatten();
    row.and_then(|row| row.first_chunk().copied()).map_or(0, u64::from_be_bytes)
}

impl Machine {
    /// Another disk, with nothing on it.
    fn empty(&mut self) {
        self.memory = Memory::new();
        self.node = None;
        self.copy = None;
        self.put_back = false;
    }

    /// As `troupe start` does with a disk that must not be used again.
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
        // A wish to stop is not for the next life.
        self.stop = Arc::default();
    }
}
