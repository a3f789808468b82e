//! The kinds of fault and their scripts: which action hits which machine or link, and when.
//!
//! Drawing a script looks at the cluster once, for its leader. After that the script runs by the
//! clock, played by [`crate::nemesis`]. A change of members has no script, because the next step
//! depends on the cluster's progress; [`crate::operator`] decides it step by step.

use std::time::Duration;

use troupe_raft::cluster::operate::Order;
use troupe_runtime::Rng;

/// An odd clock jumps this many times further than others: minutes to months.
const ODD: i64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Power loss: unsynced data is lost, except for a random oldest part of it.
    PowerOne,
    PowerLeader,
    PowerMinority,
    PowerMajority,
    PowerAll,
    /// The process is killed. Its writes survive, synced or not.
    KillLeader,
    KillAll,
    /// Each node is stopped and started again in turn.
    RollingRestart,
    IsolateLeader,
    Halves,
    /// The node's messages are lost.
    Mute,
    /// Messages to the node are lost.
    Deaf,
    /// A link that fails and recovers many times.
    Flapping,
    /// High latency.
    Delay,
    /// Messages are held back and arrive all at once.
    Hold,
    SlowDisk,
    /// A write fails, and the node stops.
    FailedWrite,
    ClockJump,
    /// All connections of a node are reset.
    Resets,
    /// Clients cannot reach a node that is otherwise healthy.
    CutPeople,
    /// A spare machine with an empty disk joins.
    Join,
    /// A node is drained by order, and then returns to service or is removed. A removed node's
    /// machine becomes spare.
    Drain,
    /// Power loss, and the disk is lost too.
    Wipe,
    /// Power is off for longer than `replace_after`, if that is short.
    Away,
    /// A disk is replaced by a copy of itself from one start earlier.
    OldDisk,
}

impl Kind {
    pub const ALL: [Kind; 20] = [
        Kind::PowerOne,
        Kind::PowerLeader,
        Kind::PowerMinority,
        Kind::PowerMajority,
        Kind::PowerAll,
        Kind::KillLeader,
        Kind::KillAll,
        Kind::RollingRestart,
        Kind::IsolateLeader,
        Kind::Halves,
        Kind::Mute,
        Kind::Deaf,
        Kind::Flapping,
        Kind::Delay,
        Kind::Hold,
        Kind::SlowDisk,
        Kind::FailedWrite,
        Kind::ClockJump,
        Kind::Resets,
        Kind::CutPeople,
    ];

    /// Changes of members, drawn from their own stream.
    pub const MEMBERS: [Kind; 5] = [Kind::Join, Kind::Drain, Kind::Wipe, Kind::Away, Kind::OldDisk];

    pub fn name(self) -> &'static str {
        match self {
            Kind::PowerOne => "power-one",
            Kind::PowerLeader => "power-leader",
            Kind::PowerMinority => "power-minority",
            Kind::PowerMajority => "power-majority",
            Kind::PowerAll => "power-all",
            Kind::KillLeader => "kill-leader",
            Kind::KillAll => "kill-all",
            Kind::RollingRestart => "rolling-restart",
            Kind::IsolateLeader => "isolate-leader",
            Kind::Halves => "halves",
            Kind::Mute => "mute",
            Kind::Deaf => "deaf",
            Kind::Flapping => "flapping",
            Kind::Delay => "delay",
            Kind::Hold => "hold",
            Kind::SlowDisk => "slow-disk",
            Kind::FailedWrite => "failed-write",
            Kind::ClockJump => "clock-jump",
            Kind::Resets => "resets",
            Kind::CutPeople => "cut-people",
            Kind::Join => "join",
            Kind::Drain => "drain",
            Kind::Wipe => "wipe",
            Kind::Away => "away",
            Kind::OldDisk => "old-disk",
        }
    }
}

/// The fault that cut a link. Each fault mends only its own cuts.
pub type Reason = u64;

/// A machine, counted from zero, or a client host, counted on from the last machine.
pub type Place = usize;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Waits briefly until data would be lost.
    Power(usize),
    Kill(usize),
    /// A graceful stop, as by SIGTERM.
    Stop(usize),
    Up(usize),
    Cut(Place, Place),
    Hold(Place, Place),
    /// Undoes every link change of this fault.
    Mend,
    Latency(Place, Place, u64),
    Fsync(usize, u64),
    FailWrite(usize),
    Jump(usize, i64),
    Reset(usize),
    /// A spare machine is switched on with these cluster addresses.
    Unpack(usize, Vec<String>),
    /// Power and disk are lost. The machine restarts with these cluster addresses.
    Wipe(usize, Vec<String>),
    /// Copies a disk, ...
    Copy(usize),
    /// ... cuts the power and replaces the disk by the copy.
    PutBack(usize),
    /// Switched off permanently, emptied, and kept as a spare machine.
    Retire(usize),
    /// An operator's order to a node.
    Order(usize, Order),
}

/// The state of the cluster when a script is drawn.
pub struct Scene<'a> {
    /// The machines in use.
    pub nodes: &'a [usize],
    pub machines: usize,
    /// Number of client hosts.
    pub client_hosts: usize,
    /// The leader of some shard, or a random node if there is none.
    pub leader: usize,
    pub rng: &'a Rng,
    pub lasts_ms: u64,
    pub odd_clock: Option<usize>,
    pub latency_ms: u64,
    pub fsync_ms: u64,
}

impl Scene<'_> {
    fn any(&self) -> usize {
        self.nodes[self.rng.range(0, self.nodes.len() as u64) as usize]
    }

    fn some(&self, count: usize) -> Vec<usize> {
        let mut nodes = self.nodes.to_vec();
        while nodes.len() > count {
            nodes.remove(self.rng.range(0, nodes.len() as u64) as usize);
        }
        nodes
    }

    fn lasts(&self) -> Duration {
        Duration::from_millis(self.rng.range(self.lasts_ms / 4, self.lasts_ms + 1))
    }

    fn places(&self) -> usize {
        self.machines + self.client_hosts
    }

    /// Draws the script of a fault: delays since its start, and actions, in order of time.
    pub fn script(&self, kind: Kind) -> Vec<(Duration, Action)> {
        let now = Duration::ZERO;
        let lasts = self.lasts();
        let nodes = self.nodes.len();
        let (minority, majority) = ((nodes - 1) / 2, nodes / 2 + 1);
        match kind {
            Kind::PowerOne => self.down(vec![self.any()], Action::Power),
            Kind::PowerLeader => self.down(vec![self.leader], Action::Power),
            Kind::PowerMinority => self.down(self.some(minority), Action::Power),
            Kind::PowerMajority => self.down(self.some(majority), Action::Power),
            Kind::PowerAll => self.down(self.some(nodes), Action::Power),
            Kind::KillLeader => self.down(vec![self.leader], Action::Kill),
            Kind::KillAll => self.down(self.some(nodes), Action::Kill),
            Kind::RollingRestart => self.rolling_restart(),
            Kind::IsolateLeader => self.apart(&[self.leader], lasts),
            Kind::Halves => self.apart(&self.some(nodes / 2), lasts),
            Kind::Mute => self.one_way(self.any(), true, lasts),
            Kind::Deaf => self.one_way(self.any(), false, lasts),
            Kind::Flapping => self.flapping(),
            Kind::Delay => {
                let node = self.any();
                let late = self.rng.range(50, 500);
                let others = || (0..self.places()).filter(move |other| *other != node);
                let slow = others().map(|other| (now, Action::Latency(node, other, late)));
                slow.chain(others().map(|other| (lasts, Action::Latency(node, other, self.latency_ms)))).collect()
            }
            Kind::Hold => {
                let node = self.any();
                let others = (0..self.places()).filter(|other| *other != node && self.rng.range(0, 2) == 0);
                let held = others.map(|other| (now, Action::Hold(node, other)));
                held.chain([(lasts, Action::Mend)]).collect()
            }
            Kind::SlowDisk => {
                let node = self.any();
                let slow = self.rng.range(50, 800);
                vec![(now, Action::Fsync(node, slow)), (lasts, Action::Fsync(node, self.fsync_ms))]
            }
            Kind::FailedWrite => {
                let node = if self.rng.range(0, 2) == 0 { self.leader } else { self.any() };
                vec![(now, Action::FailWrite(node)), (lasts, Action::Up(node))]
            }
            Kind::ClockJump => {
                let hour = 3_600_000;
                let by = if self.rng.range(0, 2) == 0 { 2 * hour } else { 2_000 };
                let node = self.any();
                let jump = self.rng.range(0, by) as i64 - by as i64 / 2;
                vec![(now, Action::Jump(node, if self.odd_clock == Some(node) { jump * ODD } else { jump }))]
            }
            Kind::Resets => vec![(now, Action::Reset(self.any()))],
            Kind::CutPeople => {
                let node = self.any();
                let client_hosts = self.machines..self.places();
                let cut = client_hosts.flat_map(|client_host| {
                    [(now, Action::Cut(node, client_host)), (now, Action::Cut(client_host, node))]
                });
                cut.chain([(lasts, Action::Mend)]).collect()
            }
            Kind::Join | Kind::Drain | Kind::Wipe | Kind::Away | Kind::OldDisk => Vec::new(),
        }
    }

    fn down(&self, nodes: Vec<usize>, how: fn(usize) -> Action) -> Vec<(Duration, Action)> {
        let off = nodes.iter().map(|node| (Duration::ZERO, how(*node)));
        // In half of the cases all nodes return at once.
        let together = self.lasts();
        let up = |node: &usize| {
            let lasts = if self.rng.range(0, 2) == 0 { together } else { self.lasts() };
            (lasts, Action::Up(*node))
        };
        off.chain(nodes.iter().map(up).collect::<Vec<_>>()).collect()
    }

    fn rolling_restart(&self) -> Vec<(Duration, Action)> {
        let mut at = Duration::ZERO;
        let mut script = Vec::new();
        for &node in self.nodes {
            script.push((at, Action::Stop(node)));
            at += Duration::from_millis(self.rng.range(300, 1_200));
            script.push((at, Action::Up(node)));
            at += Duration::from_millis(self.rng.range(0, 800));
        }
        script
    }

    /// Partitions some nodes from the others. Clients still reach all of them.
    fn apart(&self, some: &[usize], lasts: Duration) -> Vec<(Duration, Action)> {
        let mut script = Vec::new();
        for node in some {
            for other in (0..self.machines).filter(|other| !some.contains(other)) {
                script.push((Duration::ZERO, Action::Cut(*node, other)));
                script.push((Duration::ZERO, Action::Cut(other, *node)));
            }
        }
        script.push((lasts, Action::Mend));
        script
    }

    fn one_way(&self, node: usize, mute: bool, lasts: Duration) -> Vec<(Duration, Action)> {
        let others = (0..self.machines).filter(|other| *other != node);
        let cut = |other| if mute { Action::Cut(node, other) } else { Action::Cut(other, node) };
        others.map(|other| (Duration::ZERO, cut(other))).chain([(lasts, Action::Mend)]).collect()
    }

    fn flapping(&self) -> Vec<(Duration, Action)> {
        let (node, other) = (self.any(), self.any());
        if node == other {
            return vec![(Duration::ZERO, Action::Reset(node))];
        }
        let mut at = Duration::ZERO;
        let mut script = Vec::new();
        for _ in 0..self.rng.range(2, 8) {
            script.push((at, Action::Cut(node, other)));
            script.push((at, Action::Cut(other, node)));
            at += Duration::from_millis(self.rng.range(20, 400));
            script.push((at, Action::Mend));
            at += Duration::from_millis(self.rng.range(20, 600));
        }
        script
    }
}
