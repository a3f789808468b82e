//! One simulation from its seed to its report: the workload runs under faults, the faults are
//! healed, and every pending operation must complete within a bounded time.
//!
//! It runs at most once per process: tokio's task ids and ractor's actor ids are counted per
//! process, so a second simulation would differ from its seed's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use troupe_core::ConversationId;
use troupe_core::planted::Bug;
use turmoil::Sim;

use crate::applied_log::AppliedLog;
use crate::entropy;
use crate::evidence::Evidence;
use crate::machines::{self, Machines};
use crate::nemesis::{Nemesis, Stage, client_hosts};
use crate::operator::Operator;
use crate::oracle::{self, Oracle};
use crate::plan::Plan;
use crate::report::{Report, Verdict};
use crate::workload::{self, Phase, WorkloadContext};

/// The cluster forms and all users register within this time.
const FORMING: Duration = Duration::from_secs(30);
/// After healing, every client sends its final messages within this time.
const LAST_WORDS: Duration = Duration::from_millis(700);
/// After this time no operation may be pending.
const DRAINING: Duration = Duration::from_secs(60);
/// Additional time if replicas may still have to move.
const MOVING: Duration = Duration::from_secs(60);
/// Interval of looks at disks and leaders, ...
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// ... and of the checkers on all observations.
const CHECK_EVERY: Duration = Duration::from_secs(3);
/// Reported violations of one simulation.
const TOLD: usize = 12;

/// A panic anywhere fails the run.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Completed steps, for the watchdog.
static STEPS: AtomicU64 = AtomicU64::new(0);
/// A step takes microseconds. This is wall-clock time.
const STANDSTILL: Duration = Duration::from_secs(30);

/// The size of a main thread's stack.
const STACK: usize = 8 << 20;

enum Act {
    Forming,
    Breaking { until: Duration },
    LastWords { until: Duration },
    Draining { since: Duration },
}

struct Simulation<'a> {
    sim: Sim<'a>,
    evidence: Arc<Evidence>,
    machines: Machines,
    workload: Arc<WorkloadContext>,
    nemesis: Nemesis,
    applied_log: AppliedLog,
    oracle: Oracle,
    conversations: BTreeSet<ConversationId>,
    act: Act,
    looked: Duration,
    checked: Duration,
    drained: Option<Duration>,
    waits: Vec<String>,
}

pub fn simulate(seed: u64, bug: Option<Bug>, printed: bool) -> Report {
    notice_panics();
    notice_standstill();
    let evidence = Arc::new(Evidence::new(printed));
    if printed {
        log_to(&evidence);
    }
    // A new thread has fresh hash map keys, regardless of earlier work in this process. A printed
    // run is therefore identical to an unprinted one.
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || run(seed, bug, &evidence));
    thread.expect("the system gives the process a thread").join().expect("a simulation ends with a report")
}

fn run(seed: u64, bug: Option<Bug>, evidence: &Arc<Evidence>) -> Report {
    entropy::seed(seed);
    let plan = Arc::new(Plan::of(seed));
    evidence.note(&format!("{plan:?}"));
    let mut simulation = Simulation::begin(&plan, bug, evidence);
    while simulation.goes_on() {
        simulation.step();
    }
    simulation.end(&plan)
}

impl Simulation<'_> {
    fn begin(plan: &Arc<Plan>, bug: Option<Bug>, evidence: &Arc<Evidence>) -> Simulation<'static> {
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
        let machines = Machines::start(&mut sim, plan, bug, evidence);
        let workload = Arc::new(WorkloadContext::new(plan.clone(), evidence.clone(), bug));
        for (number, client_host) in client_hosts().into_iter().enumerate() {
            sim.client(client_host, workload::live(workload.clone(), number, client_hosts().len()));
        }
        let names = (0..plan.machines()).map(machines::name).chain(client_hosts().map(str::to_owned)).collect();
        Simulation {
            sim,
            evidence: evidence.clone(),
            machines,
            workload,
            nemesis: Nemesis::new(plan.clone(), evidence.clone(), names),
            applied_log: AppliedLog::default(),
            oracle: Oracle::default(),
            conversations: BTreeSet::new(),
            act: Act::Forming,
            looked: Duration::ZERO,
            checked: Duration::ZERO,
            drained: None,
            waits: Vec::new(),
        }
    }

    /// Runs until the drain completes or a violation is found.
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
            self.evidence.wrong("a panic; see standard error".to_owned());
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
        let Simulation { sim, machines, nemesis, applied_log, conversations, workload, .. } = self;
        let mut stage = Stage { sim, machines, applied_log, conversations };
        match self.act {
            Act::Forming => {
                let formed = workload.is_full() && workload.group.borrow().is_some();
                if formed {
                    self.act = Act::Breaking { until: now + workload.plan.safety };
                } else if now >= FORMING {
                    self.waits = vec!["the cluster did not form, or not all users could register".to_owned()];
                }
            }
            Act::Breaking { until } => {
                nemesis.act(now, &mut stage);
                if now >= until {
                    nemesis.heal(&mut stage);
                    workload.phase.send_replace(Phase::LastWords);
                    self.act = Act::LastWords { until: now + LAST_WORDS };
                }
            }
            Act::LastWords { until } => {
                nemesis.keep_up(now, &mut stage);
                if now >= until {
                    workload.phase.send_replace(Phase::Silent);
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
        let mut waits = oracle::waits(&self.evidence, &self.applied_log, &self.machines, &self.workload);
        waits.extend(self.nemesis.operator.iter().flat_map(Operator::waits));
        let patience = DRAINING + if self.nemesis.operator.is_some() { MOVING } else { Duration::ZERO };
        if waits.is_empty() {
            self.drained = Some(now - since);
        } else if now >= since + patience {
            self.waits = waits;
        }
    }

    /// Reads disks and leaders.
    fn look(&mut self) {
        let group = *self.workload.group.borrow();
        self.conversations.extend(group);
        self.conversations.extend(self.workload.churn_groups.borrow().iter());
        self.conversations.extend(self.workload.stranger_groups.borrow().keys());
        self.evidence.look(|seen| self.conversations.extend(seen.conversations.iter()));
        let Simulation { sim, machines, applied_log, conversations, .. } = self;
        let mut stage = Stage { sim, machines, applied_log, conversations };
        for node in 0..machines.len() {
            stage.look(node, &self.evidence);
        }
        for text in self.oracle.leaders(self.machines.leaders()) {
            self.evidence.wrong(text);
        }
        let readings = self.machines.readings();
        self.evidence.note(&readings);
    }

    /// Checks every promise on the observations. The applied log serves as the final log.
    fn check(&mut self) {
        self.look();
        for text in oracle::so_far(&self.evidence, &self.applied_log, &self.machines, &self.workload) {
            self.evidence.wrong(text);
        }
    }

    fn end(mut self, plan: &Plan) -> Report {
        if self.evidence.look(|seen| seen.wrong.is_empty()) {
            self.look();
            let at_end = oracle::at_end(
                &self.evidence,
                &self.applied_log,
                &self.machines,
                &self.workload,
                self.drained.is_some(),
            );
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
        report.conclude();
        self.evidence.note(&format!("{:?}", report.verdict));
        report
    }
}

/// A task that runs forever without waiting stops simulated time. The watchdog then reports this
/// and ends the process.
#[allow(clippy::disallowed_methods, reason = "the watchdog runs outside the simulation and only ends it")]
fn notice_standstill() {
    std::thread::spawn(|| {
        let mut before = None;
        loop {
            std::thread::sleep(STANDSTILL);
            let now = STEPS.load(Ordering::Relaxed);
            if before.replace(now) == Some(now) {
                eprintln!("simulated time stopped after step {now}: a task never yields");
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

/// Adds the logs of nodes and SDKs to the printed trace.
fn log_to(evidence: &Arc<Evidence>) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        let ours = ["raft", "actors", "store", "client"].map(|name| format!("troupe_{name}=info"));
        // openraft's heartbeat warnings contain real time, which differs between runs.
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
