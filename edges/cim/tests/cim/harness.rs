//! Nodes in this process on real loopback sockets, and a CIM client that speaks bare HTTP and
//! frames.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use troupe_actors::address::Address;
use troupe_actors::budgets::Limits;
use troupe_actors::hooks::no_receivers;
use troupe_actors::message::{Refusal, wire};
use troupe_actors::node::{MeshKind, NodeConfig, NodeHandle};
use troupe_actors::ops::{Entry, Operation, passwordless};
use troupe_actors::passwords::Hashing;
use troupe_actors::service::Caller;
use troupe_core::{DeviceId, UserId};
use troupe_edge_cim::frame::{Command, Frame};
use troupe_edge_cim::{CimEdge, Config};
use troupe_raft::Cluster;
use troupe_raft::api::{ClusterConfig, LoginPolicy, Settings};
use troupe_runtime::net::{Net, TcpNetFrom};
use troupe_runtime::{Platform, Stream};
use troupe_store::memory::Memory;

/// Nothing in these tests takes longer, except when it hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The address of most clients.
pub const HERE: &str = "127.0.0.1";
/// Another host, as far as the edge can see.
pub const ELSEWHERE: &str = "127.0.0.9";

pub struct Node {
    pub cluster: Cluster,
    pub handle: NodeHandle,
    pub cim: CimEdge,
    disk: Memory,
    config: ClusterConfig,
}

pub async fn one_node() -> Node {
    node_with(Settings::default()).await
}

pub async fn node_with(settings: Settings) -> Node {
    start(ClusterConfig { settings, ..config("127.0.0.1:0".into(), Vec::new()) }, Memory::new()).await
}

pub async fn three_nodes() -> Vec<Node> {
    three_nodes_with(3).await
}

/// Three nodes with so many replicas of each shard.
pub async fn three_nodes_with(replication: usize) -> Vec<Node> {
    let platform = Platform::production();
    let mut addresses = Vec::new();
    for _ in 0..3 {
        let free = platform.net.bind("127.0.0.1:0").await.expect("a port");
        addresses.push(free.local_addr().expect("an address").to_string());
    }
    let started = addresses.iter().map(|address| {
        let config = ClusterConfig { replication, ..config(address.clone(), addresses.clone()) };
        start(config, Memory::new())
    });
    futures::future::join_all(started.collect::<Vec<_>>()).await
}

fn config(address: String, join: Vec<String>) -> ClusterConfig {
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
        login_policy: LoginPolicy::Replace,
        settings: Settings::default(),
        replace_after: Duration::from_secs(600),
        supports: troupe_raft::level::Support::ours(),
        auto_finalize: Duration::from_secs(600),
        storage_low_mark: Default::default(),
    }
}

async fn start(config: ClusterConfig, disk: Memory) -> Node {
    let platform = Platform::production();
    let started = Cluster::start(platform.clone(), Arc::new(disk.clone()), config.clone());
    let cluster = within(started).await.expect("a cluster");
    let serving = NodeConfig { hashing: Hashing::Recommended, limits: Limits::default(), hooks: no_receivers() };
    let started = NodeHandle::start_with(platform.clone(), cluster.clone(), serving, MeshKind::Direct).await;
    let handle = started.expect("a node");
    let listening = Config::new("127.0.0.1:0", "127.0.0.1:0", "", "").expect("a configuration");
    let cim = CimEdge::start(&platform, handle.service().clone(), listening).await.expect("an edge");
    Node { cluster, handle, cim, disk, config }
}

impl Node {
    pub async fn stop(self) {
        self.cim.stop().await;
        self.handle.shutdown().await;
        self.cluster.shutdown().await;
    }

    /// Stops without a word to its clients, and starts again on the same disk.
    pub async fn restarted(self) -> Node {
        let (disk, config) = (self.disk.clone(), self.config.clone());
        self.stop().await;
        start(config, disk).await
    }

    /// A request, with the answer's status of HTTP and its body.
    pub async fn ask(&self, from: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: cim\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        self.raw(from, &[head.as_bytes(), body.as_bytes()].concat()).await
    }

    pub async fn raw(&self, from: &str, request: &[u8]) -> (u16, String) {
        let mut stream = connect(from, self.cim.http()).await;
        // A refused request may be answered before all of it is read.
        let _ = within(stream.write_all(request)).await;
        let mut answer = Vec::new();
        let _ = within(stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// A request of a client that has to be answered with HTTP 200.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.post_from(HERE, path, body).await
    }

    pub async fn post_from(&self, from: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(from, "POST", path, &body.to_string()).await;
        assert_eq!(status, 200, "{path} {body}: {answer}");
        serde_json::from_str(&answer).expect("JSON")
    }

    pub async fn register(&self, name: &str) -> u64 {
        let answer = self.post("/registerAccount", json!({ "userName": name })).await;
        assert_eq!(code(&answer), "9000", "{answer}");
        answer["dataBody"]["userId"].as_u64().expect("an id")
    }

    /// The code of the answer to a login.
    pub async fn log_in(&self, from: &str, user: u64, name: &str) -> String {
        let answer = self.post_from(from, "/login", json!({ "userId": user, "userName": name })).await;
        code(&answer).to_owned()
    }

    pub async fn log_out(&self, user: u64) {
        let answer = self.post("/offLine", json!({ "userId": user, "msg": "offLine" })).await;
        assert_eq!(code(&answer), "9000");
    }

    /// Registers, logs in by HTTP, and opens a channel.
    pub async fn client(&self, name: &str) -> Client {
        let user = self.register(name).await;
        assert_eq!(self.log_in(HERE, user, name).await, "9000");
        let client = self.channel(HERE, user, name).await;
        self.is_online(user).await;
        client
    }

    pub async fn channel(&self, from: &str, user: u64, name: &str) -> Client {
        let mut client = Client { stream: connect(from, self.cim.channel()).await, user };
        client.send(&Frame { text: name.into(), user: user as i64, ..Frame::default() }).await;
        client
    }

    /// Waits until the cluster knows that this user is online.
    async fn is_online(&self, user: u64) {
        // A caller without a session, which is not online itself.
        let (observer, device) = (UserId(self.register("observer").await), DeviceId::new("observer"));
        let device = device.expect("a device");
        let visiting = passwordless::visit(self.handle.service(), Address::LOCAL, observer, "observer", device);
        let asker = visiting.await.expect("an account").caller;
        let online = async {
            loop {
                let asked = wire::GetUsers { ids: vec![user], names: Vec::new() };
                let found = self.perform(&asker, asked).await.expect("users");
                if found.users.iter().any(|user| user.online) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(online).await;
    }

    pub async fn p2p(&self, from: u64, to: u64, text: &str) -> String {
        let body = json!({ "userId": from, "receiveUserId": to, "msg": text });
        code(&self.post("/p2pRoute", body).await).to_owned()
    }

    pub async fn group(&self, from: u64, text: &str) {
        let answer = self.post("/groupRoute", json!({ "userId": from, "msg": text })).await;
        assert_eq!(code(&answer), "9000");
    }

    pub async fn enter<E: Entry>(&self, entry: E) -> Result<E::Entered, Refusal> {
        within(self.handle.service().enter(Address::LOCAL, entry)).await
    }

    pub async fn perform<O: Operation>(&self, caller: &Caller, operation: O) -> Result<O::Answer, Refusal> {
        within(self.handle.service().perform(caller, operation)).await
    }

    /// A user with a password.
    pub async fn native(&self, name: &str) -> Caller {
        let mut request = [0; 16];
        request[..name.len()].copy_from_slice(name.as_bytes());
        let request = Bytes::copy_from_slice(&request);
        let register = wire::Register { name: name.into(), password: password(name), request, ..Default::default() };
        self.enter(register).await.expect("registered");
        self.native_login(name, &password(name)).await.expect("logged in")
    }

    pub async fn native_login(&self, name: &str, password: &str) -> Result<Caller, Refusal> {
        let device = "phone".into();
        let login = wire::Login { name: name.into(), password: password.into(), device, ..Default::default() };
        self.enter(login).await.map(|entered| entered.caller)
    }
}

pub fn password(name: &str) -> String {
    format!("the password of {name}")
}

pub fn code(answer: &Value) -> &str {
    answer["code"].as_str().expect("a code")
}

async fn connect(from: &str, to: SocketAddr) -> Box<dyn Stream> {
    let from: IpAddr = from.parse().expect("an address");
    within(TcpNetFrom(from).connect(&to.to_string())).await.expect("a connection")
}

/// The channel of a client.
pub struct Client {
    stream: Box<dyn Stream>,
    pub user: u64,
}

impl Client {
    pub async fn send(&mut self, frame: &Frame) {
        self.write(&frame.encode_framed()).await;
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.expect("written");
    }

    /// The payload of the next frame. `None`: the server has closed.
    pub async fn payload(&mut self) -> Option<Vec<u8>> {
        within(async {
            let (mut length, mut shift) = (0, 0);
            loop {
                let byte = self.stream.read_u8().await.ok()?;
                length |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some(payload)
        })
        .await
    }

    pub async fn frame(&mut self) -> Frame {
        let payload = self.payload().await.expect("a frame before the end");
        Frame::decode(&payload[..]).expect("a frame")
    }

    /// The next messages, as the command, the name of the sender, and the text.
    pub async fn messages(&mut self, count: usize) -> Vec<(Command, String, String)> {
        let mut messages = Vec::new();
        while messages.len() < count {
            let frame = self.frame().await;
            let (command, sender) = (frame.command(), frame.properties["sendUserName"].clone());
            assert_eq!(frame.properties["receiveUserId"], self.user.to_string());
            match command {
                Command::Message => messages.push((command, sender, frame.text)),
                Command::Offline => {
                    messages.extend(frame.batch.into_iter().map(|text| (command, sender.clone(), text)));
                }
                other => panic!("no message: {other:?}"),
            }
        }
        messages
    }

    /// The texts of the next messages.
    pub async fn texts(&mut self, count: usize) -> Vec<String> {
        self.messages(count).await.into_iter().map(|(_, _, text)| text).collect()
    }

    /// Nothing has come before the answer to a ping.
    pub async fn is_quiet(&mut self) {
        self.send(&Frame { text: "ping".into(), command: Command::Ping as i32, ..Frame::default() }).await;
        assert_eq!(self.frame().await, Frame::pong());
    }

    /// Waits until the server has closed, and returns the frames before that.
    pub async fn ends(&mut self) -> usize {
        let mut frames = 0;
        while self.payload().await.is_some() {
            frames += 1;
        }
        frames
    }
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}
