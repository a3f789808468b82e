//! The three machines: whole nodes on disks that outlive them, and what the story's director does to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use troupe_actors::node::{MeshKind, NodeConfig, NodeHandle};
use troupe_core::plant::Plant;
use troupe_core::{ConversationId, Epoch, EventKind, SLOTS, Seq, ShardId};
use troupe_raft::cluster::{ClusterConfig, LoginPolicy};
use troupe_raft::{Cluster, Routing};
use troupe_runtime::clock::SimClock;
use troupe_runtime::executor::Inline;
use troupe_runtime::net::SimNet;
use troupe_runtime::{NodeCtx, Rng};
use troupe_store::Memory;
use troupe_store::engine::Engine;
use troupe_store::rows::View;
use turmoil::Sim;

use troupe_chaos::history::{Conversation, Entry, FinalLog};

pub const NAMES: [&str; 3] = ["n1", "n2", "n3"];
/// Where the people live.
pub const HOME: &str = "home";
/// Clocks of different machines differ; nothing may depend on them.
const SKEW_MS: [i64; 3] = [0, 700, -400];
/// Few, so that one shard carries several conversations.
const SHARDS: u32 = 4;
/// More rows and bytes than the story makes.
const EVERYTHING: usize = 1 << 30;

/// Everything that a node or a device takes from its world, on the simulated network.
pub fn world(seed: u64, who: u64, boot: u64, skew_ms: i64, plant: Option<Plant>) -> NodeCtx {
    NodeCtx {
        clock: Arc::new(SimClock::new(skew_ms)),
        rng: Arc::new(Rng::from_seed(seed ^ (who << 32) ^ (boot << 48))),
        net: Arc::new(SimNet),
        executor: Arc::new(Inline),
        plant,
    }
}

pub fn client_address(node: usize) -> String {
    format!("{}:7700", NAMES[node])
}

fn cluster_address(name: &str) -> String {
    format!("{name}:7800")
}

/// What the director sees of a running node.
struct Seen {
    routing: watch::Receiver<Arc<Routing>>,
    led: watch::Receiver<Arc<BTreeMap<ShardId, Epoch>>>,
}

struct Machine {
    disk: Memory,
    boots: u64,
    seen: Option<Seen>,
}

pub struct Nodes([Arc<Mutex<Machine>>; 3]);

impl Nodes {
    /// Three machines with empty disks, switched on.
    pub fn start(sim: &mut Sim<'_>, seed: u64, plant: Option<Plant>) -> Nodes {
        let machines = NAMES.map(|_| Arc::new(Mutex::new(Machine { disk: Memory::new(), boots: 0, seen: None })));
        for (index, machine) in machines.iter().enumerate() {
            let machine = machine.clone();
            sim.host(NAMES[index], move || run(seed, index, plant, machine.clone()));
        }
        Nodes(machines)
    }

    /// The node that leads a conversation's shard now: of those who say so, the one of the highest term.
    pub fn leader(&self, conversation: ConversationId) -> Option<usize> {
        let epoch = |machine: &Machine| {
            let seen = machine.seen.as_ref()?;
            let shard = seen.routing.borrow().shard(conversation.slot())?;
            seen.led.borrow().get(&shard).copied()
        };
        let leaders = (0..).zip(&self.0).filter_map(|(index, machine)| Some((epoch(&machine.lock())?, index)));
        leaders.max().map(|(_, index)| index)
    }

    /// Batches that a loss of power would take from this node's disk now.
    pub fn unsynced(&self, node: usize) -> usize {
        self.0[node].lock().disk.unsynced()
    }

    /// The power of one machine fails: it says goodbye to nobody, and its disk keeps what was synced and, by chance, the
    /// oldest `kept` batches of what was not.
    pub fn cut_power(&self, sim: &mut Sim<'_>, node: usize, kept: usize) {
        for other in everybody_but(node) {
            sim.partition(NAMES[node], other);
        }
        sim.crash(NAMES[node]);
        let mut machine = self.0[node].lock();
        machine.seen = None;
        machine.disk = machine.disk.crash_keeping(kept);
    }

    pub fn restore_power(&self, sim: &mut Sim<'_>, node: usize) {
        for other in everybody_but(node) {
            sim.repair(NAMES[node], other);
        }
        sim.bounce(NAMES[node]);
    }

    /// The head of each conversation, as one node's disk has it.
    pub fn heads(&self, node: usize) -> BTreeMap<Conversation, u64> {
        let rows = self.view(node).conversations(0..SLOTS, None, EVERYTHING).expect("a memory engine is readable");
        rows.into_iter().map(|(id, row)| (id.to_string(), row.head.0)).collect()
    }

    /// Every conversation of every replica, by node, for the checkers.
    pub fn finals(&self) -> BTreeMap<u64, BTreeMap<Conversation, FinalLog>> {
        (0..NAMES.len()).map(|node| (node as u64 + 1, logs(&self.view(node)))).collect()
    }

    fn view(&self, node: usize) -> View {
        View::new(self.0[node].lock().disk.snapshot())
    }
}

fn everybody_but(node: usize) -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().filter(move |name| *name != NAMES[node]).chain([HOME])
}

/// One life of a node, from power on to power off.
async fn run(seed: u64, index: usize, plant: Option<Plant>, machine: Arc<Mutex<Machine>>) -> turmoil::Result {
    let (disk, boot) = {
        let mut machine = machine.lock();
        machine.boots += 1;
        (machine.disk.clone(), machine.boots)
    };
    let name = NAMES[index];
    let world = world(seed, index as u64 + 1, boot, SKEW_MS[index], plant);
    let config = ClusterConfig {
        listen: "0.0.0.0:7800".to_owned(),
        advertise: cluster_address(name),
        join: NAMES.map(cluster_address).to_vec(),
        token: None,
        insecure: true,
        client_address: client_address(index),
        http_address: String::new(),
        shards: SHARDS,
        replication: NAMES.len(),
        data_dir: None,
        login_policy: LoginPolicy::Replace,
        replace_after: std::time::Duration::from_secs(600),
    };
    let cluster = Cluster::start(world.clone(), Arc::new(disk), config).await?;
    machine.lock().seen = Some(Seen { routing: cluster.routing(), led: cluster.led() });
    let serving = NodeConfig { client_listen: "0.0.0.0:7700".to_owned() };
    let _node = NodeHandle::start_with(world, cluster.clone(), serving, MeshKind::Direct).await?;
    Err(cluster.fatal().await.into())
}

fn logs(view: &View) -> BTreeMap<Conversation, FinalLog> {
    let rows = view.conversations(0..SLOTS, None, EVERYTHING).expect("a memory engine is readable");
    let log = |id: ConversationId| {
        let events = view.events(id, Seq(0), EVERYTHING, EVERYTHING).expect("a memory engine is readable");
        let entry = |event: troupe_core::Event| Entry {
            seq: event.seq.0,
            time_ms: event.time.0,
            sender: event.sender.0,
            id: format!("{}/{}", event.sender, event.client_message_id),
            message: matches!(event.kind, EventKind::Message(_)),
        };
        events.into_iter().map(entry).collect()
    };
    rows.into_iter()
        .map(|(id, row)| {
            let log = FinalLog { head: row.head.0, chain: format!("{:016x}", row.chain), entries: log(id) };
            (id.to_string(), log)
        })
        .collect()
}
