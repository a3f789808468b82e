//! The operator: changes who takes part, one step after another, by what the cluster has made of
//! the step before.
//!
//! Nodes join, are drained and go, stay away, and lose their disks. A disk is taken only while no
//! group counts on another one that is gone already, and each would still have a majority of its
//! voters: what is lost then is nobody's promise. Everything else that breaks meanwhile is
//! [`crate::nemesis`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use troupe_core::NodeId;
use troupe_raft::api::NodeState;
use troupe_raft::cluster::operate::{Order, Verb};
use troupe_runtime::Rng;

use crate::census::Census;
use crate::evidence::Evidence;
use crate::fault::{Action, Kind, Reason};
use crate::machines::Machines;
use crate::plan::{Members, Plan};

/// Looks this often.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// An order that shows no effect is given again after this.
const ORDER_EVERY: Duration = Duration::from_millis(600);
/// A node may be needed where it is: an order to drain it that is refused for so long is given up.
const REFUSED: Duration = Duration::from_secs(4);
/// A copied disk that cannot be put back for so long is forgotten.
const TOO_OLD: Duration = Duration::from_secs(12);
/// Above all other faults' numbers.
const FIRST: Reason = 1_000_000;

/// Something to be done now, or so much later.
pub struct Step {
    pub kind: Kind,
    pub why: Reason,
    pub after: Duration,
    pub action: Action,
}

/// A change that has begun. Nodes are named by their ids: a machine may be another one by the time.
#[derive(Debug)]
enum Task {
    /// Until this machine is a member.
    Join(usize),
    Drain {
        node: NodeId,
        undrain: bool,
        turns_at: Duration,
    },
    Undrain(NodeId),
    Remove(NodeId),
    Away {
        until: Duration,
    },
    /// The machine's disk is copied, and it is to be started once more before the copy is put back.
    Restart {
        machine: usize,
        at: Duration,
    },
    PutBack {
        machine: usize,
    },
}

struct Change {
    kind: Kind,
    task: Task,
    since: Duration,
    ordered: Option<Duration>,
}

pub struct Operator {
    rng: Rng,
    members: Members,
    evidence: Arc<Evidence>,
    changes: BTreeMap<Reason, Change>,
    last: Reason,
    looked: Duration,
    next_at: Duration,
    /// Nodes whose disk is gone, as long as any group may count on them.
    mourned: BTreeSet<NodeId>,
    /// How often each kind has happened.
    pub happened: BTreeMap<Kind, u64>,
}

impl Operator {
    pub fn new(plan: &Plan, members: Members, evidence: Arc<Evidence>) -> Operator {
        Operator {
            rng: Rng::from_seed(plan.seed ^ 0x6f70_6572_6174_6f72),
            members,
            evidence,
            changes: BTreeMap::new(),
            last: FIRST,
            looked: Duration::ZERO,
            next_at: Duration::ZERO,
            mourned: BTreeSet::new(),
            happened: BTreeMap::new(),
        }
    }

    /// Whether everything that was begun is done.
    pub fn waits(&self) -> Vec<String> {
        let tasks = self.changes.values().map(|change| format!("not done yet: {:?}", change.task));
        tasks
            .chain(self.mourned.iter().map(|node| format!("node {node} has lost its disk and was not replaced")))
            .collect()
    }

    /// What is to be done now. `begins`: also something new.
    pub fn act(&mut self, now: Duration, machines: &Machines, begins: bool) -> Vec<Step> {
        if now < self.looked + LOOK_EVERY {
            return Vec::new();
        }
        self.looked = now;
        let census = Census::of(machines);
        self.mourned.retain(|node| census.may_count_on(*node));
        if !begins {
            // What is whole again is not broken once more.
            let breaks = |task: &Task| matches!(task, Task::Restart { .. } | Task::PutBack { .. });
            self.changes.retain(|_, change| !breaks(&change.task));
        }
        let mut steps = Vec::new();
        for machine in (0..machines.len()).filter(|machine| machines.is_out(*machine)) {
            // Its word is not enough: somebody who is in has to know it too.
            if machines.identity(machine).is_none_or(|node| census.is_gone(node)) {
                self.last += 1;
                steps.push(Step {
                    kind: Kind::Drain,
                    why: self.last,
                    after: Duration::ZERO,
                    action: Action::Retire(machine),
                });
            }
        }
        for (why, mut change) in std::mem::take(&mut self.changes) {
            if self.go_on(now, why, &mut change, machines, &census, &mut steps) {
                self.changes.insert(why, change);
            }
        }
        if begins && now >= self.next_at {
            if self.changes.len() < self.members.at_once {
                self.begin(now, machines, &census, &mut steps);
            }
            let pause = self.members.pause_ms;
            self.next_at = now + Duration::from_millis(self.rng.range(pause / 4, pause + 1));
        }
        steps
    }

    fn begin(&mut self, now: Duration, machines: &Machines, census: &Census, steps: &mut Vec<Step>) {
        let kinds = &self.members.kinds;
        let kind = kinds[self.rng.range(0, kinds.len() as u64) as usize];
        let within = |from: u64, to: u64| Duration::from_millis(self.rng.range(from, to));
        let members = census.members();
        if members.is_empty() {
            // While nobody runs nobody can say who they are.
            return;
        }
        let (task, begins) = match kind {
            Kind::Join => {
                let Some(machine) = self.pick(&machines.spares()) else { return };
                (Task::Join(machine), vec![(Duration::ZERO, Action::Unpack(machine, census.addresses()))])
            }
            Kind::Drain => {
                let Some(node) = self.pick(&census.nodes(NodeState::Active)) else { return };
                let (undrain, turns_at) = (self.rng.range(0, 3) == 0, now + within(500, 6_000));
                (Task::Drain { node, undrain, turns_at }, Vec::new())
            }
            Kind::Away => {
                let Some(machine) = self.pick(&members) else { return };
                let away = self.members.replace_after.min(Duration::from_secs(5)) + within(1_000, 5_000);
                (
                    Task::Away { until: now + away },
                    vec![(Duration::ZERO, Action::Power(machine)), (away, Action::Up(machine))],
                )
            }
            Kind::Wipe => {
                let leaders: Vec<usize> = census.leaders().collect();
                let from = if self.rng.range(0, 2) == 0 && !leaders.is_empty() { &leaders } else { &members };
                let Some(machine) = self.pick(from) else { return };
                let (Some(node), true) = (machines.identity(machine), self.may_lose(machine, machines, census)) else {
                    return;
                };
                self.mourned.insert(node);
                (
                    Task::Join(machine),
                    vec![
                        (Duration::ZERO, Action::Wipe(machine, census.addresses())),
                        (within(100, 2_000), Action::Up(machine)),
                    ],
                )
            }
            Kind::OldDisk => {
                let Some(machine) = self.pick(&members) else { return };
                (Task::Restart { machine, at: now + within(300, 3_000) }, vec![(Duration::ZERO, Action::Copy(machine))])
            }
            _ => return,
        };
        self.last += 1;
        *self.happened.entry(kind).or_default() += 1;
        self.evidence.fault(&format!("{} {} begins: {task:?}", kind.name(), self.last));
        steps.extend(begins.into_iter().map(|(after, action)| Step { kind, why: self.last, after, action }));
        self.changes.insert(self.last, Change { kind, task, since: now, ordered: None });
    }

    /// Whether the change still goes on.
    fn go_on(
        &mut self,
        now: Duration,
        why: Reason,
        change: &mut Change,
        machines: &Machines,
        census: &Census,
        steps: &mut Vec<Step>,
    ) -> bool {
        let kind = change.kind;
        let mut act = |after: u64, action| steps.push(Step { kind, why, after: Duration::from_millis(after), action });
        let (node, verb) = match change.task {
            // One that was removed before it came is switched off.
            Task::Join(machine) => return !census.is_member(machine) && !machines.is_out(machine),
            Task::Away { until } => return now < until,
            Task::Restart { machine, at } => {
                if now >= at {
                    act(0, Action::Kill(machine));
                    act(300, Action::Up(machine));
                    change.task = Task::PutBack { machine };
                }
                return true;
            }
            Task::PutBack { machine } => {
                let others: Vec<usize> = census.members().into_iter().filter(|other| *other != machine).collect();
                if !census.is_member(machine)
                    || !machines.would_notice(machine, &others)
                    || !self.may_lose(machine, machines, census)
                {
                    return now < change.since + TOO_OLD;
                }
                self.mourned.extend(machines.identity(machine));
                act(0, Action::PutBack(machine));
                act(self.rng.range(100, 2_000), Action::Up(machine));
                return false;
            }
            Task::Drain { node, undrain, turns_at } => match census.state(node) {
                Some(NodeState::Active) if now >= change.since + REFUSED => return false,
                Some(NodeState::Active) => (node, Verb::Drain),
                Some(NodeState::Draining) if now < turns_at => return true,
                Some(NodeState::Draining) => {
                    change.task = if undrain { Task::Undrain(node) } else { Task::Remove(node) };
                    return true;
                }
                _ => return false,
            },
            Task::Undrain(node) => match census.state(node) {
                Some(NodeState::Draining) => (node, Verb::Undrain),
                _ => return false,
            },
            Task::Remove(node) => match census.state(node) {
                None => return !census.is_gone(node),
                Some(NodeState::Leaving { .. }) => return true,
                Some(_) => (node, Verb::Remove),
            },
        };
        if change.ordered.is_none_or(|at| now >= at + ORDER_EVERY) {
            change.ordered = Some(now);
            if let Some(at) = self.pick(&census.running()) {
                act(0, Action::Order(at, Order { node, verb, replication: None }));
            }
        }
        true
    }

    fn may_lose(&self, machine: usize, machines: &Machines, census: &Census) -> bool {
        self.mourned.is_empty() && machines.identity(machine).is_some_and(|node| census.may_lose(node))
    }

    fn pick<T: Copy>(&self, from: &[T]) -> Option<T> {
        match from.len() as u64 {
            0 => None,
            count => Some(from[self.rng.range(0, count) as usize]),
        }
    }
}
