//! One simulation from its seed to its report: people talk while things break, then everything is
//! made whole, and all that was said must come to its end within a bounded time.
//!
//! It may happen once in a process: tokio's task ids and ractor's actor ids are counted per
//! process, and a second simulation would not be the one that its seed names.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use troupe_core::ConversationId;
use troupe_core::plant::Plant;
use turmoil::Sim;

use crate::entropy;
use crate::evidence::Evidence;
use crate::judge::{self, Judge};
use crate::ledger::Ledger;
use crate::machines::{self, Machines};
use crate::nemesis::{Nemesis, Stage, homes};
use crate::operator::Operator;
use crate::people::{self, Phase, Square};
use crate::plan::Plan;
use crate::report::{Report, Verdict};

/// A cluster forms and everybody registers within this, or never.
const FORMING: Duration = Duration::from_secs(30);
/// Who has something more to say when all is whole again says it within this.
const LAST_WORDS: Duration = Duration::from_millis(700);
/// After it nothing may be owed to anybody any more.
const DRAINING: Duration = Duration::from_secs(60);
/// The same where replicas may still have to move, one wave after another.
const MOVING: Duration = Duration::from_secs(60);
/// Disks and leaders are looked at this often, ...
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// ... and every checker sees all that was seen so far this often.
const CHECK_EVERY: Duration = Duration::from_secs(3);
/// Violations told of one simulation.
const TOLD: usize = 12;

/// A panic is nobody's to swallow, wherever it happens.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Steps taken so far, for whoever watches.
static STEPS: AtomicU64 = AtomicU64::new(0);
/// A step takes some microseconds. Of the clock on the wall.
const STANDSTILL: Duration = Duration::from_secs(30);

/// As much as a main thread has.
const STACK: usize = 8 << 20;

enum Act {
    Forming,
    Breaking { until: Duration },
    LastWords { until: Duration },
    Draining { since: Duration },
}

struct World<'a> {
    sim: Sim<'a>,
    evidence: Arc<Evidence>,
    machines: Machines,
    square: Arc<Square>,
    nemesis: Nemesis,
    ledger: Ledger,
    judge: Judge,
    conversations: BTreeSet<ConversationId>,
    act: Act,
    looked: Duration,
    checked: Duration,
    drained: Option<Duration>,
    waits: Vec<String>,
}

pub fn simulate(seed: u64, plant: Option<Plant>, printed: bool) -> Report {
    notice_panics();
    notice_standstill();
    let evidence = Arc::new(Evidence::new(printed));
    if printed {
        log_to(&evidence);
    }
    // A thread of its own has keys of its own for hash maps, whatever was done before in this
    // process: what is printed is the same story as what is not.
    let told = std::thread::Builder::new().stack_size(STACK).spawn(move || tell(seed, plant, &evidence));
    told.expect("the system gives the process a thread").join().expect("a simulation ends with a report")
}

fn tell(seed: u64, plant: Option<Plant>, evidence: &Arc<Evidence>) -> Report {
    entropy::seed(seed);
    let plan = Arc::new(Plan::of(seed));
    evidence.say(&format!("{plan:?}"));
    let mut world = World::begin(&plan, plant, evidence);
    while world.goes_on() {
        world.step();
    }
    world.end(&plan)
}

impl World<'_> {
    fn begin(plan: &Arc<Plan>, plant: Option<Plant>, evidence: &Arc<Evidence>) -> World<'static> {
        let mut builder = turmoil::Builder::new();
        builder
            .rng_seed(plan.seed)
            .simulation_duration(Duration::MAX)
            .tick_duration(plan.tick)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(plan.max_latency)
            .tcp_capacity(1 << 16);
        if plan.random_order {
            builder.enable_random_order();
        }
        let mut sim = builder.build();
        let machines = Machines::start(&mut sim, plan, plant, evidence);
        let square = Arc::new(Square::new(plan.clone(), evidence.clone(), plant));
        for (number, home) in homes().into_iter().enumerate() {
            sim.client(home, people::live(square.clone(), number, homes().len()));
        }
        let names = (0..plan.machines()).map(machines::name).chain(homes().map(str::to_owned)).collect();
        World {
            sim,
            evidence: evidence.clone(),
            machines,
            square,
            nemesis: Nemesis::new(plan.clone(), evidence.clone(), names),
            ledger: Ledger::default(),
            judge: Judge::default(),
            conversations: BTreeSet::new(),
            act: Act::Forming,
            looked: Duration::ZERO,
            checked: Duration::ZERO,
            drained: None,
            waits: Vec::new(),
        }
    }

    /// Until everything has drained, or something is wrong: then the rest would only tell the same
    /// again.
    fn goes_on(&self) -> bool {
        self.drained.is_none() && self.waits.is_empty() && self.evidence.look(|seen| seen.wrong.is_empty())
    }

    fn step(&mut self) {
        STEPS.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.sim.step() {
            self.evidence.wrong(format!("the simulation broke: {error}"));
        }
        let now = self.sim.elapsed();
        self.evidence.at(now);
        if PANICKED.swap(false, Ordering::Relaxed) {
            self.evidence.wrong("something panicked; its words are in the standard error".to_owned());
        }
        if now >= self.looked + LOOK_EVERY {
            self.looked = now;
            self.look();
        }
        if now >= self.checked + CHECK_EVERY {
            self.checked = now;
            self.check();
        }
        self.play(now);
    }

    fn play(&mut self, now: Duration) {
        let World { sim, machines, nemesis, ledger, conversations, square, .. } = self;
        let mut stage = Stage { sim, machines, ledger, conversations };
        match self.act {
            Act::Forming => {
                let formed = square.is_full() && square.group.borrow().is_some();
                if formed {
                    self.act = Act::Breaking { until: now + square.plan.safety };
                } else if now >= FORMING {
                    self.waits = vec!["the cluster did not form, or not everybody could register".to_owned()];
                }
            }
            Act::Breaking { until } => {
                nemesis.act(now, &mut stage);
                if now >= until {
                    nemesis.heal(&mut stage);
                    square.phase.send_replace(Phase::LastWords);
                    self.act = Act::LastWords { until: now + LAST_WORDS };
                }
            }
            Act::LastWords { until } => {
                nemesis.keep_up(now, &mut stage);
                if now >= until {
                    square.phase.send_replace(Phase::Silent);
                    self.act = Act::Draining { since: now };
                }
            }
            Act::Draining { since } => {
                nemesis.keep_up(now, &mut stage);
                if self.looked == now {
                    self.drain(now, since);
                }
            }
        }
    }

    fn drain(&mut self, now: Duration, since: Duration) {
        let mut waits = judge::waits(&self.evidence, &self.ledger, &self.machines, &self.square);
        waits.extend(self.nemesis.operator.iter().flat_map(Operator::waits));
        let patience = DRAINING + if self.nemesis.operator.is_some() { MOVING } else { Duration::ZERO };
        if waits.is_empty() {
            self.drained = Some(now - since);
        } else if now >= since + patience {
            self.waits = waits;
        }
    }

    /// What disks and leaders show right now.
    fn look(&mut self) {
        let group = *self.square.group.borrow();
        self.conversations.extend(group);
        self.conversations.extend(self.square.open.borrow().iter());
        self.conversations.extend(self.square.strange.borrow().keys());
        self.evidence.look(|seen| self.conversations.extend(seen.conversations.iter()));
        let World { sim, machines, ledger, conversations, .. } = self;
        let mut stage = Stage { sim, machines, ledger, conversations };
        for node in 0..machines.len() {
            stage.look(node, &self.evidence);
        }
        for text in self.judge.leaders(self.machines.leaders()) {
            self.evidence.wrong(text);
        }
        let readings = self.machines.readings();
        self.evidence.say(&readings);
    }

    /// Every promise, on what was seen so far. The ledger is the log.
    fn check(&mut self) {
        self.look();
        for text in judge::so_far(&self.evidence, &self.ledger, &self.machines, &self.square) {
            self.evidence.wrong(text);
        }
    }

    fn end(mut self, plan: &Plan) -> Report {
        if self.evidence.look(|seen| seen.wrong.is_empty()) {
            self.look();
            let at_end =
                judge::at_end(&self.evidence, &self.ledger, &self.machines, &self.square, self.drained.is_some());
            at_end.into_iter().for_each(|text| self.evidence.wrong(text));
        }
        let did_not_drain = self.waits.iter().map(|wait| format!("did not drain: {wait}"));
        let simulated = self.sim.elapsed();
        let wrong = self.evidence.look(|seen| seen.wrong.clone());
        let violations: Vec<String> = wrong.into_iter().chain(did_not_drain).take(TOLD).collect();
        let (sent, acked, delivered) = self.evidence.look(|seen| (seen.sends, seen.acks, seen.deliveries));
        let faults = self.nemesis.happened();
        let mut report = Report {
            seed: plan.seed,
            verdict: Verdict::Valid,
            simulated_ms: simulated.as_millis() as u64,
            drained_ms: self.drained.map(|time| time.as_millis() as u64),
            nodes: plan.nodes,
            faults,
            sent,
            acked,
            delivered,
            conversations: self.conversations.len(),
            violations,
            trace: self.evidence.digest(),
        };
        report.judge();
        self.evidence.say(&format!("{:?}", report.verdict));
        report
    }
}

/// Somebody who works for ever without waiting for anything stops the clock for all: then the
/// process ends, and says so.
#[allow(clippy::disallowed_methods, reason = "the watch is outside of the simulation, and only ever ends it")]
fn notice_standstill() {
    std::thread::spawn(|| {
        let mut before = None;
        loop {
            std::thread::sleep(STANDSTILL);
            let now = STEPS.load(Ordering::Relaxed);
            if before.replace(now) == Some(now) {
                eprintln!("time stands still after step {now}: something is busy without end");
                std::process::exit(3);
            }
        }
    });
}

fn notice_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICKED.store(true, Ordering::Relaxed);
        before(panic);
    }));
}

/// What nodes and SDKs log becomes part of what is printed.
fn log_to(evidence: &Arc<Evidence>) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        let ours = ["raft", "actors", "store", "client"].map(|name| format!("troupe_{name}=info"));
        // openraft's heartbeats complain with the time of the real clock, which is another one each
        // time the story is told.
        tracing_subscriber::EnvFilter::new(format!(
            "error,openraft::core::heartbeat=off,turmoil=info,{}",
            ours.join(",")
        ))
    });
    let evidence = evidence.clone();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .without_time()
        .with_ansi(false)
        .with_writer(move || Logged(evidence.clone()))
        .init();
}

struct Logged(Arc<Evidence>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.logged(&format!("{:>10.3} {}", self.0.now().as_secs_f64(), text.trim_end()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
