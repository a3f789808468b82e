//! A network in memory whose listeners the test opens and closes, and its nodes.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tokio::task::JoinHandle;
use troupe_runtime::clock::SystemClock;
use troupe_runtime::executor::Inline;
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Beat, Listener, Net, Platform, Rng, Stream};
use troupe_store::engine::{Batch, Durability, Engine, Family, Reader};
use troupe_store::key::node;
use troupe_store::memory::Memory;

use crate::api::{ClusterConfig, LoginPolicy, StartError};
use crate::formation::waiting::Waiting;
use crate::formation::{Established, establish};

type Rule = Box<dyn Fn(&str, &str) -> bool + Send>;

#[derive(Clone, Default)]
pub struct TestNet(Arc<Inner>);

#[derive(Default)]
struct Inner {
    listeners: Mutex<BTreeMap<String, mpsc::Sender<DuplexStream>>>,
    /// The permitted pairs of dialer and address; all if there is none.
    rule: Mutex<Option<Rule>>,
    /// The attempts of each pair, whatever their result.
    dials: watch::Sender<BTreeMap<(String, String), usize>>,
}

impl TestNet {
    pub fn allow(&self, rule: impl Fn(&str, &str) -> bool + Send + 'static) {
        *self.0.rule.lock() = Some(Box::new(rule));
    }

    pub fn allow_all(&self) {
        *self.0.rule.lock() = None;
    }

    /// Nothing reaches the address until a node listens there again.
    pub fn close(&self, address: &str) {
        self.0.listeners.lock().remove(address);
    }

    /// Waits until `from` has dialed `to` this many more times.
    pub async fn dialed(&self, from: &str, to: &str, times: usize) {
        let pair = (from.to_owned(), to.to_owned());
        let mut dials = self.0.dials.subscribe();
        let before = dials.borrow().get(&pair).copied().unwrap_or_default();
        let enough = |dials: &BTreeMap<_, usize>| dials.get(&pair).is_some_and(|count| *count >= before + times);
        dials.wait_for(enough).await.expect("the test_net outlives its dials");
    }

    pub fn platform(&self, address: &str, seed: u64) -> Platform {
        Platform {
            clock: Arc::new(SystemClock),
            rng: Arc::new(Rng::from_seed(seed)),
            beat: Beat::new(&Rng::from_seed(seed)),
            net: Arc::new(NodeNet { test_net: self.clone(), address: address.to_owned() }),
            executor: Arc::new(Inline),
            metrics: Default::default(),
            trace: Default::default(),
            planted: Default::default(),
        }
    }
}

/// The network as one node sees it.
struct NodeNet {
    test_net: TestNet,
    address: String,
}

impl Net for NodeNet {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let mut listeners = self.test_net.0.listeners.lock();
            if listeners.get(address).is_some_and(|door| !door.is_closed()) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            let (door, visitors) = mpsc::channel(64);
            listeners.insert(address.to_owned(), door);
            let address = address.parse().map_err(io::Error::other)?;
            Ok(Box::new(Door { visitors: AsyncMutex::new(visitors), address }) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let pair = (self.address.clone(), address.to_owned());
            let allowed = self.test_net.0.rule.lock().as_ref().is_none_or(|rule| rule(&self.address, address));
            self.test_net.0.dials.send_modify(|dials| *dials.entry(pair).or_default() += 1);
            let door = self.test_net.0.listeners.lock().get(address).cloned().filter(|_| allowed);
            let (near, far) = tokio::io::duplex(64 * 1024);
            match door {
                Some(door) if door.send(far).await.is_ok() => Ok(Box::new(near) as Box<dyn Stream>),
                _ => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }
}

struct Door {
    visitors: AsyncMutex<mpsc::Receiver<DuplexStream>>,
    address: SocketAddr,
}

impl Listener for Door {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            match self.visitors.lock().await.recv().await {
                Some(visitor) => Ok((Box::new(visitor) as Box<dyn Stream>, self.address)),
                None => std::future::pending().await,
            }
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A machine: its address, its disk, and its start command.
pub struct Node {
    pub test_net: TestNet,
    pub config: ClusterConfig,
    pub disk: Memory,
    seed: u64,
}

pub type Start = JoinHandle<Result<Established, StartError>>;

impl Node {
    /// Insecure, like simulation.
    pub fn new(test_net: &TestNet, number: u16, join: &[&str]) -> Node {
        let address = address(number);
        let config = ClusterConfig {
            listen: address.clone(),
            advertise: address.clone(),
            join: join.iter().map(|address| address.to_string()).collect(),
            token: None,
            insecure: true,
            client_address: format!("client-{number}"),
            http_address: format!("http-{number}"),
            shards: 4,
            replication: 3,
            data_dir: None,
            login_policy: LoginPolicy::Replace,
            settings: crate::api::Settings::default(),
            replace_after: std::time::Duration::from_secs(600),
            supports: crate::level::Support::ours(),
            auto_finalize: std::time::Duration::from_secs(600),
            storage_low_mark: Default::default(),
        };
        Node { test_net: test_net.clone(), config, disk: Memory::new(), seed: u64::from(number) }
    }

    pub fn with_token(mut self, token: &str) -> Node {
        self.config.token = Some(token.to_owned());
        self.config.insecure = false;
        self
    }

    pub fn start(&mut self) -> Start {
        self.seed += 1000;
        let platform = self.test_net.platform(&self.config.advertise, self.seed);
        let (engine, config) = (Arc::new(self.disk.clone()), self.config.clone());
        tokio::spawn(
            async move { establish(&platform, engine, &config, &Default::default(), &Waiting::default()).await },
        )
    }

    /// A power failure: nothing answers any more, and unsynced data is gone.
    pub fn crash(&mut self) {
        self.test_net.close(&self.config.listen);
        self.disk = self.disk.crash();
    }

    pub fn wipe(&mut self) {
        self.crash();
        self.disk = Memory::new();
    }

    /// Its data was damaged and set aside.
    pub fn lose_data(&mut self) {
        self.wipe();
        let mut batch = Batch::default();
        batch.put(Family::Node, node::REJOIN, []);
        self.disk.write(batch, Durability::Synced).expect("memory can be written");
    }

    pub fn has_identity(&self) -> bool {
        self.disk.get(Family::Node, node::IDENTITY).expect("memory can be read").is_some()
    }
}

pub fn address(number: u16) -> String {
    format!("127.0.0.1:{number}")
}
