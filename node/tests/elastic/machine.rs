//! One node as a real process, and the `troupe` command as an operator types it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// A busy machine compiles other things meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Machine {
    dir: PathBuf,
    pub client: String,
    pub http: String,
    pub cluster: String,
    child: Option<Child>,
}

/// An address that is free now.
#[allow(clippy::disallowed_methods, reason = "looks for a free port before any node runs")]
fn free() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").to_string()
}

impl Machine {
    pub fn new(dir: &Path, name: &str) -> Machine {
        Machine { dir: dir.join(name), client: free(), http: free(), cluster: free(), child: None }
    }

    pub fn start(&mut self, join: &[String], token: &str) {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_troupe"))
            .args(["start", "--exit-with-parent", "--client-listen", &self.client, "--http-listen", &self.http])
            .args(["--contacts-strangers", "add"])
            .args(["--cluster-listen", &self.cluster, "--cluster-join", &join.join(",")])
            .args(["--data-dir".as_ref(), self.dir.as_os_str()])
            .env("TROUPE_CLUSTER_TOKEN", token)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the binary runs");
        self.child = Some(child);
    }

    fn log(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("it can be killed");
        }
    }

    /// SIGTERM, and until it has ended in order.
    pub async fn stop(&mut self) {
        let pid = self.child.as_ref().and_then(Child::id).expect("it runs");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGTERM)
            .expect("it hears");
        let status = self.ends().await;
        assert!(status.success(), "{status}:\n{}", self.said());
    }

    pub async fn wipe(&mut self) {
        self.kill().await;
        std::fs::remove_dir_all(&self.dir).expect("its disk can be emptied");
    }

    pub async fn has_no_clients(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, page) = troupe_fetch::get(&self.http, "/metrics", PATIENCE).await.expect("its metrics");
            let left = text(&page).lines().find_map(|line| line.strip_prefix("troupe_connections ").map(str::to_owned));
            if left.as_deref() == Some("0") {
                return;
            }
            assert!(Instant::now() < deadline, "connections: {left:?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// `troupe recover` of its data, while it is stopped.
    pub async fn recover(&self, more: &[&str]) -> Output {
        assert!(self.child.is_none(), "it runs");
        let mut command = Command::new(env!("CARGO_BIN_EXE_troupe"));
        command.arg("recover").arg("--data-dir").arg(&self.dir).args(more).stdin(Stdio::null()).kill_on_drop(true);
        timeout(PATIENCE, command.output()).await.expect("it ends").expect("it ran")
    }

    /// Until it ends by itself.
    pub async fn ends(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it was started");
        let ended = timeout(PATIENCE, child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it does not end:\n{}", self.said())).expect("a status")
    }
}

/// `troupe node ...`, with the token in the environment as an operator would have it.
pub async fn troupe_node(http: &str, token: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_troupe"));
    command.arg("node").args(args).env("TROUPE_HTTP", http).env("TROUPE_CLUSTER_TOKEN", token);
    let output = timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
    output.unwrap_or_else(|_| panic!("troupe node {args:?} does not end")).expect("it ran")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output of `troupe node list`, once it holds.
pub async fn until(machine: &Machine, token: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = troupe_node(&machine.http, token, &["list", "-o", "json"]).await;
        let seen: Option<Value> = serde_json::from_slice(&listed.stdout).ok();
        if let Some(seen) = seen.as_ref().filter(|seen| holds(seen)) {
            return seen.clone();
        }
        assert!(Instant::now() < deadline, "{what}: {seen:?} {}\n{}", text(&listed.stderr), machine.said());
        sleep(Duration::from_millis(100)).await;
    }
}

/// Nothing moves, and exactly these nodes are there, with so many replicas each.
pub fn rests(seen: &Value, nodes: &[(u64, u64)]) -> bool {
    let known: Vec<(u64, u64)> = seen["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|node| Some((node["id"].as_u64()?, node["replicas"].as_u64()?)))
        .collect();
    let reachable = |node: &Value| node["reachable"] == true;
    known == nodes
        && seen["moves"].as_array().is_some_and(Vec::is_empty)
        && seen["nodes"].as_array().is_some_and(|nodes| nodes.iter().all(reachable))
}
