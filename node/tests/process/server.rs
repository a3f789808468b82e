//! Nodes as child processes, and a start that is expected to be refused.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use troupe_chaos::local::{Addresses, LocalCluster, Options};
use troupe_fetch as fetch;

use crate::person::Person;

/// Nothing in these tests takes longer, except when it hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that can only be looked at.
pub const LOOK: Duration = Duration::from_millis(20);

pub struct Server {
    pub cluster: LocalCluster,
    _folder: TempDir,
}

impl Server {
    /// Chosen, not started.
    pub fn planned(nodes: usize) -> Server {
        Server::planned_with(nodes, &[])
    }

    /// With some settings of its own.
    pub fn planned_with(nodes: usize, settings: &[(&str, &str)]) -> Server {
        // Two clusters that are planned at the same moment would find the same ports free.
        static PLANNED: AtomicU32 = AtomicU32::new(0);
        let apart = 10 * ((std::process::id() + PLANNED.fetch_add(1, Ordering::Relaxed)) % 38) as u16;
        let folder = tempfile::tempdir().expect("a folder");
        let settings = settings.iter().chain(&[("contacts.strangers", "add")]);
        let options = Options {
            binary: binary(),
            dir: folder.path().to_owned(),
            nodes,
            settings: settings.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            environment: Vec::new(),
            ports: (28_000 + apart, 28_400 + apart, 28_800 + apart),
        };
        let cluster = LocalCluster::plan(options, new_token).expect("a plan");
        Server { cluster, _folder: folder }
    }

    /// Runs a verb that asks this cluster for everything, as an operator does.
    pub async fn asks(&self, verb: &[&OsStr]) -> (bool, String) {
        let cluster: Vec<&str> =
            (0..self.cluster.len()).map(|index| self.cluster.addresses(index).cluster.as_str()).collect();
        let mut command = Command::new(binary());
        command.args(verb).env("TROUPE_CLUSTER", cluster.join(",")).env("TROUPE_CLUSTER_TOKEN", self.cluster.token());
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub async fn started(nodes: usize) -> Server {
        let mut server = Server::planned(nodes);
        server.start().await;
        server
    }

    pub async fn start(&mut self) {
        self.cluster.start_all().expect("started");
        self.is_well().await;
    }

    pub async fn stop(&mut self) {
        self.cluster.stop_all(PATIENCE).await.expect("stopped");
    }

    /// All nodes run and say that they serve.
    pub async fn is_well(&mut self) {
        let all: Vec<usize> = (0..self.cluster.len()).collect();
        self.cluster.wait_ready(&all, PATIENCE).await.expect("ready");
    }

    /// Waits until a node that somebody else has started at the first address serves.
    pub async fn answers(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !matches!(self.cluster.readiness(0).await, Ok((true, _))) {
            assert!(Instant::now() < deadline, "{:?}", self.cluster.readiness(0).await);
            sleep(LOOK).await;
        }
    }

    pub fn addresses(&self) -> &Addresses {
        self.cluster.addresses(0)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.cluster.data_dir(0)
    }

    /// Processes by their ids: the same list later means that none has ended meanwhile.
    pub fn processes(&self) -> Vec<Option<u32>> {
        (0..self.cluster.len()).map(|index| self.cluster.pid(index)).collect()
    }

    /// Registers and logs in at the first node.
    pub async fn person(&self, name: &str) -> Person {
        Person::new(&self.addresses().client, name).await
    }

    /// How many connections the first node counts.
    async fn connections(&self) -> u64 {
        let (_, page) = fetch::get(&self.addresses().http, "/metrics", PATIENCE).await.expect("metrics");
        let page = String::from_utf8_lossy(&page);
        let line = page.lines().find_map(|line| line.strip_prefix("troupe_connections "));
        line.expect("counted").parse().expect("a number")
    }

    /// Waits until the first node has forgotten all connections but these.
    pub async fn keeps_connections(&self, wanted: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.connections().await != wanted {
            assert!(Instant::now() < deadline, "{} connections instead of {wanted}", self.connections().await);
            sleep(LOOK).await;
        }
    }

    /// Waits until the first node has ended by itself; returns whether that counts as success, and
    /// what it said last.
    pub async fn ends(&mut self) -> (bool, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.cluster.exited(0).expect("a child") {
                assert!(status.code().is_some(), "it crashed: {status}");
                return (status.success(), self.cluster.last_log_lines(0));
            }
            assert!(Instant::now() < deadline, "it goes on:\n{}", self.cluster.last_log_lines(0));
            sleep(LOOK).await;
        }
    }
}

pub fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_troupe").into()
}

pub fn new_token() -> String {
    troupe::token::generate()
}

/// A node to be started with exactly these addresses, folder and token.
pub fn start(at: &Addresses, data_dir: &Path, token: &str) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("start")
        .args([OsStr::new("--data-dir"), data_dir.as_os_str()])
        .args(["--client-listen", &at.client, "--http-listen", &at.http, "--cluster-listen", &at.cluster])
        .env("TROUPE_CLUSTER_TOKEN", token)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a start to its end, which must be a failure and not a crash, and returns its last word to
/// the operator.
pub async fn refusal(mut command: Command) -> String {
    let output = timeout(PATIENCE, command.output()).await.expect("it gives up by itself").expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: "), "{said}");
    last.to_owned()
}

/// Waits for what must come soon.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("in time")
}
