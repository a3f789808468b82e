//! The operator: changes the members step by step, depending on what the cluster has done with the
//! previous step.
//!
//! Nodes join, drain, leave, stay away, and lose their disks. A disk is destroyed only if no group
//! counts on another lost one, and if each group keeps a majority of its voters. Otherwise the loss
//! would break no promise. All other faults are [`crate::nemesis`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use troupe_core::NodeId;
use troupe_raft::api::NodeState;
use troupe_raft::cluster::operate::{Order, Verb};
use troupe_runtime::Rng;

use crate::cluster_view::ClusterView;
use crate::evidence::Evidence;
use crate::fault::{Action, Kind, Reason};
use crate::machines::Machines;
use crate::plan::{Members, Plan};

/// Interval between two looks at the cluster.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// An order without effect is repeated after this.
const ORDER_EVERY: Duration = Duration::from_millis(600);
/// A drain that is refused for this long is given up, because the node may be needed.
const REFUSED: Duration = Duration::from_secs(4);
/// A copied disk that cannot be restored for this long is dropped.
const TOO_OLD: Duration = Duration::from_secs(12);
/// Above the numbers of all other faults.
const FIRST: Reason = 1_000_000;

/// An action, now or after a delay.
pub struct Step {
    pub kind: Kind,
    pub why: Reason,
    pub after: Duration,
    pub action: Action,
}

/// A change in progress. Nodes are named by their ids, because a machine may get another node
/// meanwhile.
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
    /// The disk is copied. The machine restarts once before the copy is restored.
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
    /// Nodes with a lost disk, as long as any group may count on them.
    lost_disks: BTreeSet<NodeId>,
    /// Number of changes of each kind.
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
            lost_disks: BTreeSet::new(),
            happened: BTreeMap::new(),
        }
    }

    /// Changes that are not complete.
    pub fn waits(&self) -> Vec<String> {
        let tasks = self.changes.values().map(|change| format!("not complete: {:?}", change.task));
        tasks
            .chain(self.lost_disks.iter().map(|node| format!("node {node} has lost its disk and was not replaced")))
            .collect()
    }

    /// The steps to perform now. `begins`: new changes may start.
    pub fn act(&mut self, now: Duration, machines: &Machines, begins: bool) -> Vec<Step> {
        if now < self.looked + LOOK_EVERY {
            return Vec::new();
        }
        self.looked = now;
        let cluster = ClusterView::of(machines);
        self.lost_disks.retain(|node| cluster.may_count_on(*node));
        if !begins {
            // After healing, no new fault starts.
            let breaks = |task: &Task| matches!(task, Task::Restart { .. } | Task::PutBack { .. });
            self.changes.retain(|_, change| !breaks(&change.task));
        }
        let mut steps = Vec::new();
        for machine in (0..machines.len()).filter(|machine| machines.is_out(*machine)) {
            // Its own report is not enough: a member must confirm the removal.
            if machines.identity(machine).is_none_or(|node| cluster.is_gone(node)) {
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
            if self.go_on(now, why, &mut change, machines, &cluster, &mut steps) {
                self.changes.insert(why, change);
            }
        }
        if begins && now >= self.next_at {
            if self.changes.len() < self.members.at_once {
                self.begin(now, machines, &cluster, &mut steps);
            }
            let pause = self.members.pause_ms;
            self.next_at = now + Duration::from_millis(self.rng.range(pause / 4, pause + 1));
        }
        steps
    }

    fn begin(&mut self, now: Duration, machines: &Machines, cluster: &ClusterView, steps: &mut Vec<Step>) {
        let kinds = &self.members.kinds;
        let kind = kinds[self.rng.range(0, kinds.len() as u64) as usize];
        let within = |from: u64, to: u64| Duration::from_millis(self.rng.range(from, to));
        let members = cluster.members();
        if members.is_empty() {
            // Without a running node the members are unknown.
            return;
        }
        let (task, begins) = match kind {
            Kind::Join => {
                let Some(machine) = self.pick(&machines.spares()) else { return };
                (Task::Join(machine), vec![(Duration::ZERO, Action::Unpack(machine, cluster.addresses()))])
            }
            Kind::Drain => {
                let Some(node) = self.pick(&cluster.nodes(NodeState::Active)) else { return };
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
                let leaders: Vec<usize> = cluster.leaders().collect();
                let from = if self.rng.range(0, 2) == 0 && !leaders.is_empty() { &leaders } else { &members };
                let Some(machine) = self.pick(from) else { return };
                let (Some(node), true) = (machines.identity(machine), self.may_lose(machine, machines, cluster)) else {
                    return;
                };
                self.lost_disks.insert(node);
                (
                    Task::Join(machine),
                    vec![
                        (Duration::ZERO, Action::Wipe(machine, cluster.addresses())),
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

    /// Whether the change is still in progress.
    fn go_on(
        &mut self,
        now: Duration,
        why: Reason,
        change: &mut Change,
        machines: &Machines,
        cluster: &ClusterView,
        steps: &mut Vec<Step>,
    ) -> bool {
        let kind = change.kind;
        let mut act = |after: u64, action| steps.push(Step { kind, why, after: Duration::from_millis(after), action });
        let (node, verb) = match change.task {
            // A node that was removed before it joined is switched off.
            Task::Join(machine) => return !cluster.is_member(machine) && !machines.is_out(machine),
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
                let others: Vec<usize> = cluster.members().into_iter().filter(|other| *other != machine).collect();
                if !cluster.is_member(machine)
                    || !machines.would_notice(machine, &others)
                    || !self.may_lose(machine, machines, cluster)
                {
                    return now < change.since + TOO_OLD;
                }
                self.lost_disks.extend(machines.identity(machine));
                act(0, Action::PutBack(machine));
                act(self.rng.range(100, 2_000), Action::Up(machine));
                return false;
            }
            Task::Drain { node, undrain, turns_at } => match cluster.state(node) {
                Some(NodeState::Active) if now >= change.since + REFUSED => return false,
                Some(NodeState::Active) => (node, Verb::Drain),
                Some(NodeState::Draining) if now < turns_at => return true,
                Some(NodeState::Draining) => {
                    change.task = if undrain { Task::Undrain(node) } else { Task::Remove(node) };
                    return true;
                }
                _ => return false,
            },
            Task::Undrain(node) => match cluster.state(node) {
                Some(NodeState::Draining) => (node, Verb::Undrain),
                _ => return false,
            },
            Task::Remove(node) => match cluster.state(node) {
                None => return !cluster.is_gone(node),
                Some(NodeState::Leaving { .. }) => return true,
                Some(_) => (node, Verb::Remove),
            },
        };
        if change.ordered.is_none_or(|at| now >= at + ORDER_EVERY) {
            change.ordered = Some(now);
            if let Some(at) = self.pick(&cluster.running()) {
                act(0, Action::Order(at, Order { node, verb, replication: None }));
            }
        }
        true
    }

    fn may_lose(&self, machine: usize, machines: &Machines, cluster: &ClusterView) -> bool {
        self.lost_disks.is_empty() && machines.identity(machine).is_some_and(|node| cluster.may_lose(node))
    }

    fn pick<T: Copy>(&self, from: &[T]) -> Option<T> {
        match from.len() as u64 {
            0 => None,
            count => Some(from[self.rng.range(0, count) as usize]),
        }
    }
}
