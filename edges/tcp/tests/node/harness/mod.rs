//! Nodes in this process on real loopback sockets, and a client that speaks bare frames.

mod client;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use troupe_actors::budgets::Limits;
use troupe_actors::hooks::{Receivers, no_receivers};
use troupe_actors::node::{MeshKind, NodeConfig, NodeHandle};
use troupe_actors::passwords::Hashing;
use troupe_core::planted::Planted;
use troupe_edge_tcp::TcpEdge;
use troupe_edge_tcp::door::Door;
use troupe_proto::wire::client as wire;
use troupe_raft::Cluster;
use troupe_raft::api::{ClusterConfig, LoginPolicy, Settings, Strangers};
use troupe_runtime::Platform;
use troupe_runtime::executor::{Executor, Full, Job, Lane, Threads};
use troupe_store::memory::Memory;

pub use client::{Client, direct, message, password};
pub use wire::client_frame::Request as Ask;
pub use wire::server_frame::Message as ServerMessage;

/// Nothing in these tests takes longer, except when it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Node {
    pub platform: Platform,
    pub cluster: Cluster,
    pub handle: NodeHandle,
    pub edge: TcpEdge,
    pub disk: Memory,
    pub config: ClusterConfig,
}

/// Lets nothing reach the disk while it is held, like one that has stalled.
pub struct Stalling {
    lanes: Threads,
    held: Mutex<Option<Vec<Job>>>,
}

impl Stalling {
    pub fn new() -> Arc<Stalling> {
        Arc::new(Stalling { lanes: Threads::new(), held: Mutex::new(None) })
    }

    pub fn hold(&self) {
        *self.held.lock() = Some(Vec::new());
    }

    pub fn release(&self) {
        let mut held = self.held.lock();
        for job in held.take().into_iter().flatten() {
            self.lanes.submit(Lane::Flush, job).expect("few wait");
        }
    }
}

impl Executor for Stalling {
    fn submit(&self, lane: Lane, job: Job) -> Result<(), Full> {
        match &mut *self.held.lock() {
            Some(held) if lane == Lane::Flush => {
                held.push(job);
                Ok(())
            }
            _ => self.lanes.submit(lane, job),
        }
    }
}

pub async fn one_node_on(executor: Arc<Stalling>) -> Node {
    let platform = Platform { executor, ..Platform::production() };
    start(platform, config("127.0.0.1:0".into(), Vec::new(), LoginPolicy::Replace), Memory::new()).await
}

pub async fn one_node(login_policy: LoginPolicy) -> Node {
    let platform = Platform::production();
    let config = config("127.0.0.1:0".into(), Vec::new(), login_policy);
    start(platform, config, Memory::new()).await
}

/// A node with other limits than usual.
pub async fn one_node_with(limits: Limits) -> Node {
    let config = config("127.0.0.1:0".into(), Vec::new(), LoginPolicy::Replace);
    start_with(Platform::production(), config, Memory::new(), limits).await
}

pub async fn node_with(settings: troupe_raft::api::Settings) -> Node {
    let config = ClusterConfig { settings, ..config("127.0.0.1:0".into(), Vec::new(), LoginPolicy::Replace) };
    start(Platform::production(), config, Memory::new()).await
}

pub async fn three_nodes() -> Vec<Node> {
    three_nodes_with(Planted::default()).await
}

/// Three nodes that carry a planted bug.
pub async fn three_nodes_with(planted: Planted) -> Vec<Node> {
    let platform = Platform::production();
    let mut addresses = Vec::new();
    for _ in 0..3 {
        let free = platform.net.bind("127.0.0.1:0").await.expect("a port");
        addresses.push(free.local_addr().expect("an address").to_string());
    }
    let started = addresses.iter().map(|address| {
        let platform = Platform { planted, ..Platform::production() };
        start(platform, config(address.clone(), addresses.clone(), LoginPolicy::Replace), Memory::new())
    });
    futures::future::join_all(started.collect::<Vec<_>>()).await
}

fn config(address: String, join: Vec<String>, login_policy: LoginPolicy) -> ClusterConfig {
    ClusterConfig {
        listen: address.clone(),
        advertise: address,
        join,
        token: None,
        insecure: true,
        client_address: "127.0.0.1:1".into(),
        http_address: "127.0.0.1:2".into(),
        shards: 4,
        replication: 3,
        data_dir: None,
        login_policy,
        settings: troupe_raft::api::Settings::default(),
        replace_after: Duration::from_secs(600),
        supports: troupe_raft::level::Support::ours(),
        auto_finalize: Duration::from_secs(600),
        storage_low_mark: Default::default(),
    }
}

pub async fn start(platform: Platform, config: ClusterConfig, disk: Memory) -> Node {
    start_with(platform, config, disk, Limits::default()).await
}

pub async fn start_with(platform: Platform, config: ClusterConfig, disk: Memory, limits: Limits) -> Node {
    // Groups are about something else in most tests.
    let settings = Settings { strangers: Strangers::Add, ..config.settings.clone() };
    start_as(platform, ClusterConfig { settings, ..config }, disk, limits).await
}

pub async fn one_node_that_invites() -> Node {
    let config = config("127.0.0.1:0".into(), Vec::new(), LoginPolicy::Replace);
    start_as(Platform::production(), config, Memory::new(), Limits::default()).await
}

async fn start_as(platform: Platform, config: ClusterConfig, disk: Memory, limits: Limits) -> Node {
    start_hooked(platform, config, disk, limits, no_receivers()).await
}

/// Whose outgoing hooks go this way.
#[allow(dead_code, reason = "the tests of the HTTP edge use it")]
pub async fn one_node_with_hooks(hooks: Arc<dyn Receivers>) -> Node {
    let config = config("127.0.0.1:0".into(), Vec::new(), LoginPolicy::Replace);
    let settings = Settings { strangers: Strangers::Add, ..config.settings.clone() };
    let config = ClusterConfig { settings, ..config };
    start_hooked(Platform::production(), config, Memory::new(), Limits::default(), hooks).await
}

async fn start_hooked(
    platform: Platform,
    config: ClusterConfig,
    disk: Memory,
    limits: Limits,
    hooks: Arc<dyn Receivers>,
) -> Node {
    let started = Cluster::start(platform.clone(), Arc::new(disk.clone()), config.clone());
    let cluster = within(started).await.expect("a cluster");
    let serving = NodeConfig { hashing: Hashing::Recommended, limits, hooks };
    let started = NodeHandle::start_with(platform.clone(), cluster.clone(), serving, MeshKind::Direct).await;
    let handle = started.expect("a node");
    let listening = troupe_edge_tcp::Config { listen: "127.0.0.1:0".into(), door: Arc::new(Door::plain()), web: None };
    let edge = TcpEdge::start(&platform, handle.service().clone(), listening).await.expect("an edge");
    Node { platform, cluster, handle, edge, disk, config }
}

impl Node {
    pub async fn connect(&self) -> Client {
        Client::connect(self).await
    }

    pub async fn greeted(&self) -> Client {
        let mut client = self.connect().await;
        client.greet().await;
        client
    }

    /// Registers, if that has not been done, and logs in.
    pub async fn user(&self, name: &str) -> Client {
        let mut client = self.greeted().await;
        client.register(name).await;
        client.log_in(name, "phone").await;
        client
    }

    pub async fn stop(self) {
        self.edge.stop().await;
        self.handle.shutdown().await;
        self.cluster.shutdown().await;
    }
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}
