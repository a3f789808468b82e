//! A run against a cluster that was started elsewhere. Clients chat there, faults are the owner's
//! commands, and the checks use only what clients observe. Users of a run have unique names and use
//! their own groups and pairs, so no other conversation is touched.
//!
//! A node's answers stand for its replica. A node may answer from the shard's leader, so this
//! compares what nodes *serve*. To compare disks, let [`run`](crate::run) start the cluster.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use troupe_core::{ConversationId, EventKind, Seq, limits};
use troupe_runtime::Rng;

use crate::checkers;
use crate::history::{Conversation, Entry, FinalLog, History};
use crate::recorder::Recorder;
use crate::report::{Report, Run};
use crate::run::{DRAIN, Finished};
use crate::scenario::Scenario;
use crate::workload::{Namespace, Workload, connect_at};

/// A cluster that was started elsewhere, and its fault commands.
#[derive(Clone, Debug)]
pub struct ExternalCluster {
    /// Client addresses.
    pub nodes: Vec<String>,
    pub seconds: u64,
    pub seed: u64,
    pub rate: u64,
    /// Shell commands that inject a fault and heal it.
    pub inject: Option<String>,
    pub heal: Option<String>,
    /// Duration of a fault, and the pause before the next.
    pub lasts: Duration,
    pub quiet: Duration,
}

pub async fn run(options: ExternalCluster, recorder: Arc<Recorder>) -> Result<Finished> {
    let rng = Arc::new(Rng::from_seed(options.seed));
    // Two runs with the same seed must not share users.
    let namespace = Namespace { prefix: format!("c{:08x}-", Rng::from_os().u64() >> 32), shared: true };
    let workload =
        Workload::set_up_at(&options.nodes, recorder.clone(), rng, namespace.clone(), false).await.context("set up")?;
    recorder.start_gaps();
    let begin = recorder.now();
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let ended = CancellationToken::new();
    let breaking = async {
        let faults = break_it(&options, &recorder, until).await;
        ended.cancel();
        faults
    };
    let (faults, ()) = tokio::join!(breaking, workload.run(options.rate, &ended));
    let faults = faults?;
    let end = recorder.now();

    let mut reasons = workload.turned_away();
    let pending = workload.settle(DRAIN).await;
    if pending > 0 {
        reasons.push(format!("{pending} sends have no outcome {DRAIN:?} after healing"));
    }
    let mut finals = BTreeMap::new();
    for (index, node) in options.nodes.iter().enumerate() {
        finals.insert(index as u64 + 1, read_all(node, &namespace, &workload).await.context(node.clone())?);
    }
    let mut heads: BTreeMap<String, u64> = BTreeMap::new();
    for (conversation, log) in finals.values().flatten() {
        let head = heads.entry(conversation.clone()).or_default();
        *head = log.head.max(*head);
    }
    reasons.extend(workload.drain(&heads, DRAIN).await);
    let cursors = workload.final_positions();
    workload.stop().await;
    let history = History { records: recorder.take(), finals, cursors, ..History::default() };
    let violations = checkers::check(&history);
    let windows = recorder.windows();
    let report = Report::new(Run {
        // Without a command no fault is intended.
        scenario: if options.inject.is_some() { Scenario::Mixed } else { Scenario::Calm },
        seed: options.seed,
        seconds: options.seconds,
        faults,
        history: &history,
        violations: &violations,
        windows: &windows,
        span: (begin, end),
        reasons,
        edges: BTreeMap::new(),
    });
    Ok(Finished { report, history, windows, violations, span: (begin, end) })
}

async fn break_it(options: &ExternalCluster, recorder: &Recorder, until: Instant) -> Result<u64> {
    let mut faults = 0;
    let Some(inject) = &options.inject else {
        tokio::time::sleep_until(until).await;
        return Ok(0);
    };
    sleep(options.quiet).await;
    while Instant::now() < until {
        let window = recorder.begin(inject);
        recorder.fault(inject);
        shell(inject).await?;
        sleep(options.lasts).await;
        if let Some(heal) = &options.heal {
            recorder.fault(heal);
            shell(heal).await?;
        }
        recorder.end(window);
        faults += 1;
        sleep(options.quiet).await;
    }
    Ok(faults)
}

async fn shell(command: &str) -> Result<()> {
    let output = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).output().await.context("sh")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "\"{command}\" ended with {}: {}", output.status, text.trim());
    Ok(())
}

/// Every conversation of the run, as one node serves it.
async fn read_all(node: &str, namespace: &Namespace, workload: &Workload) -> Result<BTreeMap<Conversation, FinalLog>> {
    let mut logs = BTreeMap::new();
    let mut clients = BTreeMap::new();
    for (conversation, device) in workload.conversations() {
        let client = match clients.entry(device) {
            std::collections::btree_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                let (client, mut events) =
                    connect_at(&[node.to_owned()], &namespace.user(device as usize), "reader").await?;
                tokio::spawn(async move { while events.next().await.is_some() {} });
                free.insert(client)
            }
        };
        logs.insert(conversation.to_string(), read(client, conversation).await?);
    }
    for client in clients.into_values() {
        client.close().await;
    }
    Ok(logs)
}

async fn read(client: &troupe_client::Client, conversation: ConversationId) -> Result<FinalLog> {
    let mut log = FinalLog::default();
    loop {
        let after = log.entries.last().map_or(0, |entry: &Entry| entry.seq);
        let page = client.history_after(conversation, Seq(after), limits::PAGE_EVENTS).await?;
        log.head = page.head.0;
        for event in &page.events {
            log.entries.push(Entry {
                seq: event.seq.0,
                time_ms: event.time.0,
                sender: event.sender.0,
                id: format!("{}/{}", event.sender, event.client_message_id),
                message: event.kind.number() == EventKind::MESSAGE,
                ..Entry::default()
            });
        }
        if !page.more || page.events.is_empty() {
            return Ok(log);
        }
    }
}
