//! Three whole nodes in one process, on a simulated network and on disks that forget what was not synced: the real stack from
//! the SDK to the engine, and one story that is told from a seed.
//!
//! It forms a cluster, lets two people talk in a direct conversation and in a group, cuts the power while messages are in
//! flight, either of the node that leads the direct conversation (and they go on over the others) or of all nodes at
//! once, brings back what was lost with what its disk kept, has both devices switched off and on again, and then asks the
//! checkers of every promise. [`nodes`] are the machines, [`people`] the people; what happens when is here.
//!
//! Not covered: threads, RocksDB, TLS and ractor_cluster. Those are met by real processes.

mod entropy;
mod nodes;
mod people;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use troupe_chaos::checkers;
use troupe_chaos::history::{Conversation, History, Record};
use troupe_core::ConversationId;
use troupe_core::plant::Plant;
use troupe_runtime::Rng;
use turmoil::Sim;

use nodes::{HOME, NAMES, Nodes};
use people::{Board, LAST_WORDS, Talk};

/// The story that is told if no other is asked for.
const SEED: u64 = 20_260_101;
/// Other stories told each time.
const SEEDS: std::ops::Range<u64> = 1..6;
/// Of simulated time; a story takes some six seconds.
const AT_MOST: Duration = Duration::from_secs(40);
/// Messages acknowledged, over both conversations, before the power fails.
const BEFORE: usize = 100;
/// Messages in flight when it fails.
const IN_FLIGHT: usize = 4;
/// Messages acknowledged in each conversation before the leader is back: with a minority gone everything goes on.
const WITHOUT: usize = 50;
/// How long all machines are dark.
const DARKNESS: Duration = Duration::from_secs(2);
/// Reading all disks at every step would take most of the time.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The seed of another story. One that has failed is told again, with all that the nodes log, by
/// `TROUPE_SIMULATION_SEED=<seed> RUST_LOG=info cargo nextest run --release -p chaos-tests --test simulation <test>`.
const SEED_VARIABLE: &str = "TROUPE_SIMULATION_SEED";
/// Where a story's records are written, if anywhere.
const TRACE_VARIABLE: &str = "TROUPE_SIMULATION_TRACE";
/// The deliberate bug that all nodes carry, if any.
const PLANT_VARIABLE: &str = "TROUPE_SIMULATION_PLANT";

/// Names of the tests that tell a story, to tell it in another process.
const LOSS_OF_LEADER: &str = "a_conversation_survives_the_loss_of_its_leader";
const LOSS_OF_ALL: &str = "what_was_acknowledged_survives_the_loss_of_all_power";

/// What a story's process says when a checker has found something.
const BROKEN: &str = "breaks promises";

/// Bugs that show in these stories.
const CAUGHT: [(Plant, &str); 6] = [
    (Plant::AckBeforeCommit, LOSS_OF_LEADER),
    (Plant::AckBeforeFsync, LOSS_OF_ALL),
    (Plant::ForgetDedupOnRestart, LOSS_OF_ALL),
    (Plant::DedupWithoutSender, LOSS_OF_LEADER),
    (Plant::IgnoreAfter, LOSS_OF_LEADER),
    (Plant::ReapplyOnReplay, LOSS_OF_LEADER),
];

/// Whose power fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    Leader,
    Everybody,
}

enum Act {
    Talking,
    Dark { nodes: Vec<usize>, since: Duration, acked: BTreeMap<Conversation, usize> },
    Whole,
    Told,
}

struct Director {
    rng: Rng,
    loss: Loss,
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
            Act::Dark { nodes, since, acked } => {
                let more = |conversation: &ConversationId| {
                    let name = conversation.to_string();
                    let now = talk.acked.get(&name).copied().unwrap_or(0);
                    now >= acked.get(&name).copied().unwrap_or(0) + WITHOUT
                };
                let over = match self.loss {
                    Loss::Leader => talk.conversations.iter().all(more),
                    Loss::Everybody => sim.elapsed() >= *since + DARKNESS,
                };
                if over {
                    let nodes = nodes.clone();
                    self.bring_back(sim, &nodes);
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
        if acked < BEFORE || in_flight < IN_FLIGHT || self.nodes.unsynced(leader) == 0 {
            return;
        }
        let nodes = match self.loss {
            Loss::Leader => vec![leader],
            Loss::Everybody => (0..NAMES.len()).collect(),
        };
        for node in &nodes {
            let unsynced = self.nodes.unsynced(*node) as u64;
            let kept = self.rng.range(0, unsynced);
            self.nodes.cut_power(sim, *node, kept as usize);
            let lost = unsynced - kept;
            self.tell(sim, format!("{} loses power, and {lost} of {unsynced} batches", NAMES[*node]));
        }
        self.act = Act::Dark { nodes, since: sim.elapsed(), acked: talk.acked.clone() };
    }

    fn bring_back(&mut self, sim: &mut Sim<'_>, nodes: &[usize]) {
        for node in nodes {
            let mut others = (0..NAMES.len()).filter(|other| !nodes.contains(other));
            let missed = others.any(|other| self.nodes.heads(other) != self.nodes.heads(*node));
            assert!(missed || self.loss == Loss::Everybody, "what was said without it is not on its disk");
            self.nodes.restore_power(sim, *node);
            self.tell(sim, format!("{} has power again", NAMES[*node]));
        }
        self.board.news.send_modify(|news| news.healed = true);
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

    fn tell(&self, sim: &Sim<'_>, fault: String) {
        eprintln!("{:>7.3} s  {fault}", sim.elapsed().as_secs_f64());
        self.board.news.send_modify(|news| news.faults.push(fault));
    }
}

/// What a story leaves behind: the evidence, and why it has no end, if it has none.
struct Told {
    history: History,
    unfinished: Option<String>,
}

fn tell(seed: u64, loss: Loss, plant: Option<Plant>) -> Told {
    entropy::seed(seed);
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .simulation_duration(AT_MOST)
        .tick_duration(Duration::from_millis(1))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(8))
        .tcp_capacity(4096)
        .build();
    let nodes = Nodes::start(&mut sim, seed, plant);
    let board = Arc::new(Board::new());
    sim.client(HOME, people::live(seed, board.clone()));
    let rng = Rng::from_seed(seed ^ 0x6469_7265_6374_6f72);
    let (act, looked) = (Act::Talking, Duration::ZERO);
    let mut director = Director { rng, loss, nodes, board: board.clone(), act, looked };
    let unfinished = loop {
        match sim.step() {
            Ok(true) => break None,
            Ok(false) => director.direct(&mut sim),
            Err(error) => break Some(format!("{error}\n{:#?}\n{:#?}", board.news.borrow(), board.talk.borrow())),
        }
    };
    eprintln!("{:>7.3} s  the end", sim.elapsed().as_secs_f64());
    let finals = director.nodes.finals();
    drop(sim);
    let records = board.recorder.get().map(|recorder| recorder.take()).unwrap_or_default();
    // Where there is no end, nobody promised to be at it.
    let cursors = if unfinished.is_none() { board.talk.borrow().positions.clone() } else { BTreeMap::new() };
    Told { history: History { records, finals, cursors }, unfinished }
}

#[test]
fn a_conversation_survives_the_loss_of_its_leader() {
    judge(Loss::Leader);
}

#[test]
fn what_was_acknowledged_survives_the_loss_of_all_power() {
    judge(Loss::Everybody);
}

/// Tells a story and asks the checkers.
fn judge(loss: Loss) {
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).without_time().with_writer(std::io::stderr).init();
    }
    let seed = std::env::var(SEED_VARIABLE).map_or(SEED, |seed| seed.parse().expect("a seed is a number"));
    let plant = std::env::var(PLANT_VARIABLE).ok().map(|name| Plant::named(&name).expect("the name of a bug"));
    let Told { history, unfinished } = tell(seed, loss, plant);
    if let Some(path) = std::env::var_os(TRACE_VARIABLE) {
        std::fs::write(path, trace(&history)).expect("whoever asked for it made the folder");
    }
    let violations: Vec<String> = checkers::check(&history).iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "seed {seed} {BROKEN}:\n{}", violations.join("\n"));
    assert_eq!(unfinished, None, "seed {seed} has no end");

    // The checkers had something to check: every replica has both conversations, both devices were handed both to their
    // ends, and every message that was sent was acknowledged.
    assert_eq!(history.finals.len(), NAMES.len());
    for logs in history.finals.values() {
        assert_eq!(logs.values().filter(|log| log.head as usize > WITHOUT).count(), 2, "{logs:?}");
    }
    let count = |wanted: fn(&Record) -> bool| history.records.iter().filter(|record| wanted(record)).count();
    let sent = count(|record| matches!(record, Record::Invoke { .. }));
    assert!(sent >= BEFORE + 2 * LAST_WORDS, "{sent} messages");
    assert_eq!(count(|record| matches!(record, Record::Ack { .. })), sent);
    assert!(count(|record| matches!(record, Record::Fault { .. })) >= 2);
    let handed = count(|record| matches!(record, Record::Deliver { message: true, .. }));
    assert_eq!(handed, 2 * sent, "each message to each of two devices");
}

#[test]
fn one_seed_is_one_story() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for story in [LOSS_OF_LEADER, LOSS_OF_ALL] {
        let [first, second] = ["first", "second"].map(|name| {
            let path = folder.path().join(name);
            let told = in_a_process_of_its_own(story, SEED, |program| program.env(TRACE_VARIABLE, &path));
            told.unwrap_or_else(|why| panic!("{why}"));
            std::fs::read_to_string(&path).expect("it wrote its records")
        });
        for (number, (one, other)) in first.lines().zip(second.lines()).enumerate() {
            assert_eq!(one, other, "{story}: the stories part at record {number}");
        }
        assert_eq!(first.lines().count(), second.lines().count());
    }
}

#[test]
fn other_seeds_end_well_too() {
    for (seed, story) in SEEDS.flat_map(|seed| [(seed, LOSS_OF_LEADER), (seed, LOSS_OF_ALL)]) {
        in_a_process_of_its_own(story, seed, |program| program).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

/// The checkers have teeth: a node that breaks its promise is caught by one of a few seeds.
#[test]
fn planted_bugs_are_caught() {
    for (plant, story) in CAUGHT {
        let caught = SEEDS.into_iter().any(|seed| {
            let told = in_a_process_of_its_own(story, seed, |program| program.env(PLANT_VARIABLE, plant.name()));
            told.is_err_and(|why| why.contains(BROKEN))
        });
        assert!(caught, "{} goes unnoticed", plant.name());
    }
}

/// Process-wide counters (tokio's task ids, ractor's actor ids) begin anew there, so a seed that fails can be told again.
/// An error is what it had to say.
fn in_a_process_of_its_own(
    story: &str,
    seed: u64,
    with: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<(), String> {
    let mut program = Command::new(std::env::current_exe().expect("this program has a path"));
    program.args(["--exact", story, "--nocapture"]);
    program.env(SEED_VARIABLE, seed.to_string()).env_remove(TRACE_VARIABLE).env_remove(PLANT_VARIABLE);
    let told = with(&mut program).output().expect("this program runs");
    if told.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&told.stderr).into_owned()) }
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
