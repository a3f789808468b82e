//! Three whole nodes in one process, on a simulated network and on disks that forget what was not synced: the real stack from
//! the SDK to the engine, and one story that is told from a seed.
//!
//! It forms a cluster, lets two people talk in a direct conversation and in a group, cuts the power of the node that leads
//! the direct conversation while messages are in flight, lets them go on over the others, brings the node back with what its
//! disk kept, has both devices switched off and on again, and then asks the checkers of every promise. [`nodes`] are the
//! machines, [`people`] the people; what happens when is here.
//!
//! Not covered: threads, RocksDB, TLS and ractor_cluster. Those are met by real processes.

mod entropy;
mod nodes;
mod people;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chaos_tests::checkers;
use chaos_tests::history::{Conversation, History, Record};
use turmoil::Sim;

use nodes::{HOME, NAMES, Nodes};
use people::{Board, News, Talk};

const SEED: u64 = 20_260_101;
/// Of simulated time; it takes about a third of it.
const AT_MOST: Duration = Duration::from_secs(90);
/// Messages acknowledged, over both conversations, before the power fails.
const BEFORE: usize = 100;
/// Messages in flight when it fails.
const IN_FLIGHT: usize = 4;
/// Messages acknowledged in each conversation before the power is back: with a minority gone everything goes on.
const WITHOUT: usize = 50;
/// Reading all disks at every step would take most of the time.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A process told to write the story's records here does so: see `one_seed_is_one_story`.
const TRACE: &str = "TROUPE_SIMULATION_TRACE";

enum Act {
    Talking,
    Dark { node: usize, acked: BTreeMap<Conversation, usize> },
    Whole,
    Told,
}

struct Director {
    nodes: Nodes,
    board: Arc<Board>,
    act: Act,
    looked: Duration,
}

impl Director {
    /// What happens next, looked at after every step.
    fn direct(&mut self, sim: &mut Sim<'_>) {
        let talk = self.board.talk.borrow().clone();
        match &self.act {
            Act::Talking => self.while_talking(sim, &talk),
            Act::Dark { node, acked } => {
                let more = |conversation: &Conversation| {
                    let before = acked.get(conversation).copied().unwrap_or(0);
                    talk.acked.get(conversation).is_some_and(|now| *now >= before + WITHOUT)
                };
                if talk.conversations.iter().all(|conversation| more(&conversation.to_string())) {
                    let node = *node;
                    self.bring_back(sim, node);
                }
            }
            Act::Whole => self.when_settled(sim.elapsed(), &talk),
            Act::Told => {}
        }
    }

    fn while_talking(&mut self, sim: &mut Sim<'_>, talk: &Talk) {
        let Some(direct) = talk.conversations.first() else { return };
        let Some(leader) = self.nodes.leader(*direct) else { return };
        self.board.news.send_if_modified(|news| news.leader.replace(leader) != Some(leader));
        let acked: usize = talk.acked.values().sum();
        let in_flight: usize = talk.unanswered.values().map(|of| of.len()).sum();
        let lost = self.nodes.unsynced(leader);
        if acked >= BEFORE && in_flight >= IN_FLIGHT && lost > 0 {
            self.nodes.cut_power(sim, leader);
            self.tell(sim, format!("{} loses power, and {lost} batches with it", NAMES[leader]), |_| ());
            self.act = Act::Dark { node: leader, acked: talk.acked.clone() };
        }
    }

    fn bring_back(&mut self, sim: &mut Sim<'_>, node: usize) {
        let mut others = (0..NAMES.len()).filter(|other| *other != node);
        let missed = others.any(|other| self.nodes.heads(other) != self.nodes.heads(node));
        assert!(missed, "what was said without it is not on its disk");
        self.nodes.restore_power(sim, node);
        self.tell(sim, format!("{} has power again", NAMES[node]), |news| news.healed = true);
        self.act = Act::Whole;
    }

    fn when_settled(&mut self, now: Duration, talk: &Talk) {
        if !talk.settled || now < self.looked + LOOK_EVERY {
            return;
        }
        self.looked = now;
        let heads = self.nodes.heads(0);
        if (1..NAMES.len()).all(|node| self.nodes.heads(node) == heads) {
            self.board.news.send_modify(|news| news.heads = Some(heads));
            self.act = Act::Told;
        }
    }

    fn tell(&self, sim: &Sim<'_>, fault: String, also: impl FnOnce(&mut News)) {
        eprintln!("{:>7.3} s  {fault}", sim.elapsed().as_secs_f64());
        self.board.news.send_modify(|news| {
            news.faults.push(fault);
            also(news);
        });
    }
}

/// The story of a seed, told to its end, and the evidence.
fn tell(seed: u64) -> History {
    entropy::seed(seed);
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .simulation_duration(AT_MOST)
        .tick_duration(Duration::from_millis(1))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(8))
        .tcp_capacity(4096)
        .build();
    let nodes = Nodes::start(&mut sim, seed);
    let board = Arc::new(Board::new());
    sim.client(HOME, people::live(seed, board.clone()));
    let mut director = Director { nodes, board: board.clone(), act: Act::Talking, looked: Duration::ZERO };
    loop {
        match sim.step() {
            Ok(true) => break,
            Ok(false) => director.direct(&mut sim),
            Err(error) => panic!("{error}; {:#?}\n{:#?}", board.news.borrow(), board.talk.borrow()),
        }
    }
    eprintln!("{:>7.3} s  the end", sim.elapsed().as_secs_f64());
    let finals = director.nodes.finals();
    drop(sim);
    let records = std::mem::take(&mut *board.records.lock());
    let cursors = board.talk.borrow().positions.clone();
    History { records, finals, cursors }
}

#[test]
fn a_conversation_survives_the_loss_of_its_leader() {
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).without_time().with_writer(std::io::stderr).init();
    }
    let history = tell(SEED);
    if let Some(path) = std::env::var_os(TRACE) {
        std::fs::write(path, trace(&history)).expect("whoever asked for it made the folder");
    }
    let violations: Vec<String> = checkers::check(&history).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "broken promises:\n{}", violations.join("\n"));

    // The checkers had something to check: every replica has both conversations, both devices were handed both to their
    // ends, and every message that was sent was acknowledged.
    assert_eq!(history.finals.len(), NAMES.len());
    for logs in history.finals.values() {
        assert_eq!(logs.values().filter(|log| log.head as usize >= BEFORE / 4 + WITHOUT).count(), 2, "{logs:?}");
    }
    let count = |wanted: fn(&Record) -> bool| history.records.iter().filter(|record| wanted(record)).count();
    let sent = count(|record| matches!(record, Record::Invoke { .. }));
    assert!(sent >= BEFORE + 2 * WITHOUT, "{sent} messages");
    assert_eq!(count(|record| matches!(record, Record::Ack { .. })), sent);
    let handed = count(|record| matches!(record, Record::Deliver { message: true, .. }));
    assert_eq!(handed, 2 * sent, "each message to each of two devices");
}

/// Told twice, each time in a fresh process: process-wide counters (tokio's task ids, ractor's actor ids) begin anew there.
#[test]
fn one_seed_is_one_story() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [first, second] = ["first", "second"].map(|name| {
        let path = folder.path().join(name);
        let told = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["--exact", "a_conversation_survives_the_loss_of_its_leader", "--nocapture"])
            .env(TRACE, &path)
            .output()
            .expect("this program runs");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        std::fs::read_to_string(&path).expect("it wrote its records")
    });
    for (number, (one, other)) in first.lines().zip(second.lines()).enumerate() {
        assert_eq!(one, other, "the stories part at record {number}");
    }
    assert_eq!(first.lines().count(), second.lines().count());
}

/// All records and all logs, with their simulated times, one a line.
fn trace(history: &History) -> String {
    let line = |record: &Record| serde_json::to_string(record).expect("a record is JSON") + "\n";
    let mut trace: String = history.records.iter().map(line).collect();
    for (node, logs) in &history.finals {
        for (conversation, log) in logs {
            trace += &format!("node {node} {conversation} {} {}\n", log.head, log.chain);
        }
    }
    trace
}
