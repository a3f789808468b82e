//! Fault injection: plays the scripts of [`crate::fault`] by the simulation's clock, several at
//! once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use troupe_core::ConversationId;
use troupe_runtime::Rng;
use turmoil::Sim;

use crate::applied_log::AppliedLog;
use crate::evidence::Evidence;
use crate::fault::{Action, Kind, Place, Reason, Scene};
use crate::links::Links;
use crate::machines::Machines;
use crate::operator::{Operator, Step};
use crate::plan::Plan;

/// Maximum wait for unsynced data before a power loss.
const AIM: Duration = Duration::from_millis(300);

/// Hosts of the clients, beside the machines.
pub fn client_hosts() -> [&'static str; 2] {
    ["p1", "p2"]
}

struct Due {
    kind: Kind,
    why: Reason,
    action: Action,
    since: Duration,
}

pub struct Nemesis {
    rng: Rng,
    plan: Arc<Plan>,
    evidence: Arc<Evidence>,
    pub links: Links,
    /// Scheduled actions, by time and then by number.
    agenda: BTreeMap<(Duration, u64), Due>,
    last: u64,
    /// Active faults, and when they end.
    running: BTreeMap<Reason, Duration>,
    next_at: Duration,
    /// Number of faults of each kind.
    happened: BTreeMap<Kind, u64>,
    /// Present if members change.
    pub operator: Option<Operator>,
}

/// The objects that the nemesis acts on.
pub struct Stage<'a, 'b> {
    pub sim: &'a mut Sim<'b>,
    pub machines: &'a Machines,
    pub applied_log: &'a mut AppliedLog,
    pub conversations: &'a BTreeSet<ConversationId>,
}

impl Stage<'_, '_> {
    /// Reads a disk before its data may be lost.
    pub fn look(&mut self, node: usize, evidence: &Evidence) {
        if self.machines.is_readable(node) {
            // Includes conversations with messages since the last look.
            let mut conversations = self.conversations.clone();
            evidence.look(|seen| conversations.extend(&seen.conversations));
            let wrong = self.applied_log.look(node, &self.machines.view(node), &conversations, evidence.now());
            wrong.into_iter().for_each(|text| evidence.wrong(text));
        }
    }
}

impl Nemesis {
    pub fn new(plan: Arc<Plan>, evidence: Arc<Evidence>, names: Vec<String>) -> Nemesis {
        let operator = plan.members.clone().map(|members| Operator::new(&plan, members, evidence.clone()));
        Nemesis {
            rng: Rng::from_seed(plan.seed ^ 0x006e_656d_6573_6973),
            plan,
            evidence,
            links: Links::new(names),
            agenda: BTreeMap::new(),
            last: 0,
            running: BTreeMap::new(),
            next_at: Duration::ZERO,
            happened: BTreeMap::new(),
            operator,
        }
    }

    /// Number of faults of each kind, by name.
    pub fn happened(&self) -> BTreeMap<String, u64> {
        let changes = self.operator.iter().flat_map(|operator| &operator.happened);
        self.happened.iter().chain(changes).map(|(kind, times)| (kind.name().to_owned(), *times)).collect()
    }

    /// Starts new faults, and performs scheduled actions.
    pub fn act(&mut self, now: Duration, stage: &mut Stage<'_, '_>) {
        self.running.retain(|_, until| *until > now);
        if now >= self.next_at {
            if self.running.len() < self.plan.faults.at_once {
                self.begin(now, stage.machines);
            }
            let pause = self.plan.faults.pause_ms;
            self.next_at = now + Duration::from_millis(self.rng.range(pause / 4, pause + 1));
        }
        self.change_members(now, stage, true);
        self.do_what_is_due(now, stage);
    }

    fn change_members(&mut self, now: Duration, stage: &mut Stage<'_, '_>, begins: bool) {
        let steps = self.operator.iter_mut().flat_map(|operator| operator.act(now, stage.machines, begins));
        for Step { kind, why, after, action } in steps.collect::<Vec<_>>() {
            self.put(now + after, Due { kind, why, action, since: now + after });
        }
    }

    fn do_what_is_due(&mut self, now: Duration, stage: &mut Stage<'_, '_>) {
        while let Some(entry) = self.agenda.first_entry().filter(|due| due.key().0 <= now) {
            let due = entry.remove();
            self.perform(now, due, stage);
        }
    }

    fn begin(&mut self, now: Duration, machines: &Machines) {
        let kinds = &self.plan.faults.kinds;
        let kind = kinds[self.rng.range(0, kinds.len() as u64) as usize];
        let leaders: Vec<usize> = machines.leaders().into_values().flatten().collect();
        let present = machines.present();
        let leader = match leaders.len() as u64 {
            0 => present[self.rng.range(0, present.len() as u64) as usize],
            count => leaders[self.rng.range(0, count) as usize],
        };
        let scene = Scene {
            nodes: &present,
            machines: machines.len(),
            client_hosts: client_hosts().len(),
            leader,
            rng: &self.rng,
            lasts_ms: self.plan.faults.lasts_ms,
            odd_clock: self.plan.society.odd_clock.map(|(node, _)| node),
            latency_ms: self.plan.max_latency.as_millis() as u64,
            fsync_ms: self.plan.fsync_ms,
        };
        let script = scene.script(kind);
        self.last += 1;
        let why = self.last;
        let lasts = script.last().map_or(Duration::ZERO, |(after, _)| *after);
        self.running.insert(why, now + lasts);
        *self.happened.entry(kind).or_default() += 1;
        self.evidence.fault(&format!("{} {why} begins", kind.name()));
        for (after, action) in script {
            self.put(now + after, Due { kind, why, action, since: now + after });
        }
    }

    fn put(&mut self, at: Duration, due: Due) {
        self.last += 1;
        self.agenda.insert((at, self.last), due);
    }

    fn perform(&mut self, now: Duration, due: Due, stage: &mut Stage<'_, '_>) {
        let Due { kind, why, action, since } = due;
        let machines = stage.machines;
        let wait = |action| Due { kind, why, action, since };
        match action {
            Action::Power(node) if machines.is_on(node) => {
                if machines.unsynced(node) == 0 && now < since + AIM {
                    return self.put(now + self.plan.tick, wait(Action::Power(node)));
                }
                stage.look(node, &self.evidence);
                let unsynced = machines.unsynced(node) as u64;
                let kept = self.rng.range(0, unsynced + 1);
                self.cut_off(stage.sim, node);
                machines.cut_power(stage.sim, node, kept as usize);
                self.note(why, &format!("n{} loses power, and {} of {unsynced} batches", node + 1, unsynced - kept));
            }
            Action::Kill(node) if machines.is_on(node) => {
                stage.look(node, &self.evidence);
                machines.kill(stage.sim, node);
                self.note(why, &format!("n{} is killed", node + 1));
            }
            Action::Stop(node) if machines.is_on(node) => {
                machines.ask_to_stop(node);
                self.note(why, &format!("n{} is asked to stop", node + 1));
            }
            Action::FailWrite(node) if machines.is_on(node) => {
                stage.look(node, &self.evidence);
                machines.fail_next_write(node);
                self.note(why, &format!("n{} fails to write", node + 1));
            }
            Action::Up(node) => {
                self.links.mend(stage.sim, no_power(node));
                if machines.switch_on(stage.sim, node, &self.rng) {
                    self.note(why, &format!("n{} runs again", node + 1));
                } else if kind == Kind::FailedWrite && now < since + Duration::from_secs(3) {
                    // The node has not written yet.
                    self.put(now + Duration::from_millis(100), wait(Action::Up(node)));
                }
            }
            // A machine that is off cannot be switched off.
            Action::Power(_) | Action::Kill(_) | Action::Stop(_) | Action::FailWrite(_) => {}
            Action::Cut(from, to) => {
                self.links.cut(stage.sim, from, to, why);
                self.note(why, &format!("{} is not heard by {}", self.links.name(from), self.links.name(to)));
            }
            Action::Hold(a, b) => {
                self.links.hold(stage.sim, a, b, why);
                self.note(why, &format!("{} and {} wait for each other", self.links.name(a), self.links.name(b)));
            }
            Action::Mend => {
                self.links.mend(stage.sim, why);
                self.note(why, "is mended");
            }
            Action::Latency(a, b, most) => self.latency(stage.sim, a, b, most),
            Action::Fsync(node, most) => {
                machines.fsync_takes(node, most);
                self.note(why, &format!("n{}: an fsync takes up to {most} ms", node + 1));
            }
            Action::Jump(node, by) => {
                machines.jump_clock(node, by);
                self.note(why, &format!("the clock of n{} jumps by {by} ms", node + 1));
            }
            Action::Reset(node) => {
                machines.reset_connections(node);
                self.note(why, &format!("connections of n{} are reset", node + 1));
            }
            Action::Unpack(node, join) => {
                self.note(why, &format!("n{} is new, and joins {}", node + 1, join.join(", ")));
                self.links.mend(stage.sim, no_power(node));
                machines.unpack(stage.sim, node, join);
            }
            Action::Wipe(node, join) => {
                stage.look(node, &self.evidence);
                self.cut_off(stage.sim, node);
                machines.wipe(stage.sim, node, join);
                self.note(why, &format!("n{} loses power, and its disk", node + 1));
            }
            Action::Copy(node) => {
                machines.copy(node);
                self.note(why, &format!("the disk of n{} is copied", node + 1));
            }
            Action::PutBack(node) => {
                stage.look(node, &self.evidence);
                self.cut_off(stage.sim, node);
                machines.put_back(stage.sim, node);
                self.note(why, &format!("n{} loses power, and the copy is put in the place of its disk", node + 1));
            }
            Action::Retire(node) => {
                stage.look(node, &self.evidence);
                machines.retire(stage.sim, node);
                self.note(why, &format!("n{} was removed: it is switched off and emptied", node + 1));
            }
            Action::Order(node, order) => machines.order(node, order),
        }
    }

    /// A machine without power closes no connection.
    fn cut_off(&mut self, sim: &Sim<'_>, node: usize) {
        for other in (0..self.places()).filter(|other| *other != node) {
            self.links.cut(sim, node, other, no_power(node));
            self.links.cut(sim, other, node, no_power(node));
        }
    }

    /// Heals all faults at once.
    pub fn heal(&mut self, stage: &mut Stage<'_, '_>) {
        self.agenda.clear();
        self.running.clear();
        self.links.mend_all(stage.sim);
        let latency = self.plan.max_latency.as_millis() as u64;
        for node in 0..stage.machines.len() {
            (0..self.places()).filter(|other| *other != node).for_each(|other| {
                self.latency(stage.sim, node, other, latency);
            });
            stage.machines.fsync_takes(node, self.plan.fsync_ms);
            stage.machines.switch_on(stage.sim, node, &self.rng);
        }
        self.evidence.fault("all faults are healed");
    }

    /// Restarts nodes that stopped late, and completes membership changes that have begun.
    pub fn keep_up(&mut self, now: Duration, stage: &mut Stage<'_, '_>) {
        self.change_members(now, stage, false);
        self.do_what_is_due(now, stage);
        for node in 0..stage.machines.len() {
            if stage.machines.has_ended(node) {
                stage.machines.switch_on(stage.sim, node, &self.rng);
                self.evidence.fault(&format!("n{} is started again", node + 1));
            }
        }
    }

    fn latency(&self, sim: &Sim<'_>, a: Place, b: Place, most_ms: u64) {
        sim.set_link_max_message_latency(self.links.name(a), self.links.name(b), Duration::from_millis(most_ms.max(1)));
    }

    fn places(&self) -> usize {
        self.plan.machines() + client_hosts().len()
    }

    fn note(&self, why: Reason, what: &str) {
        self.evidence.fault(&format!("{why}: {what}"));
    }
}

/// Each machine has its own, above all numbers of faults.
fn no_power(node: usize) -> Reason {
    Reason::MAX - node as u64
}
