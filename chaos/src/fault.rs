//! A fault: its target, kind and duration. A [`scenario`](crate::scenario) draws faults, a
//! [`nemesis`](crate::nemesis) injects them.

use std::fmt;

use crate::damage::Files;
use crate::shim::WriteError;

/// The nodes of a fault. "The leader" is that of the busiest shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Leader,
    Follower,
    Any,
    /// As many nodes as may fail.
    Minority,
    /// One more than may fail.
    Majority,
    All,
}

/// The shape of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The leader alone on one side.
    IsolatedLeader,
    /// Two sides of equal size, if possible.
    Halves,
    /// Each node hears its two neighbours only.
    Ring,
    /// Two sides that share one node.
    Bridge,
    /// The leader is heard but hears no other node, or the reverse.
    OneWay,
    /// The leader alone, on and off each second.
    Flapping,
    /// Clients cannot reach one node.
    Clients,
}

/// Degradation of the whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degradation {
    /// 100 ± 50 ms in each direction.
    Slow,
    /// Lost packets per thousand.
    Lossy(u64),
    /// One megabit per second and connection.
    Thin,
}

/// Damage to the files of a stopped node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    FlipBit(Files),
    Truncate(Files),
    /// Restores a copy from some seconds ago.
    OldCopy,
    Wipe,
}

/// One step of a schedule. Numbers are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Kill(Target),
    Freeze(Target, u64),
    /// The next node in turn.
    RestartOne,
    Partition(Shape, u64),
    /// Isolates the leader, then kills it during the partition.
    PartitionKill,
    Degrade(Degradation, u64),
    ResetStorm(u64),
    PowerLoss(Target),
    FailWrites(WriteError),
    FailSyncs,
    SlowSyncs(u64),
    /// The clock of one node is wrong by the first number for the second.
    ClockJump(i64, u64),
    ReconnectStorm,
    SlowConsumers(u64),
    MembershipChurn(u64),
    Damage(Corruption),
    /// A node joins, receives its share, and is removed.
    GrowAndShrink,
}

impl Target {
    fn words(self) -> &'static str {
        match self {
            Target::Leader => "the leader",
            Target::Follower => "a follower",
            Target::Any => "any node",
            Target::Minority => "a minority",
            Target::Majority => "a majority",
            Target::All => "all nodes",
        }
    }
}

impl Shape {
    fn words(self) -> &'static str {
        match self {
            Shape::IsolatedLeader => "leader alone",
            Shape::Halves => "two halves",
            Shape::Ring => "ring",
            Shape::Bridge => "bridge",
            Shape::OneWay => "leader one way",
            Shape::Flapping => "leader flapping",
            Shape::Clients => "clients from a node",
        }
    }
}

impl fmt::Display for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Degradation::Slow => f.write_str("slow network"),
            Degradation::Lossy(loss) => write!(f, "{}.{} % loss", loss / 10, loss % 10),
            Degradation::Thin => f.write_str("thin network"),
        }
    }
}

/// For the report and the live view.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill(target) => write!(f, "kill {}", target.words()),
            Fault::Freeze(target, seconds) => write!(f, "freeze {} for {seconds} s", target.words()),
            Fault::RestartOne => f.write_str("restart a node"),
            Fault::Partition(shape, seconds) => write!(f, "partition: {} for {seconds} s", shape.words()),
            Fault::PartitionKill => f.write_str("isolate and kill the leader"),
            Fault::Degrade(degradation, seconds) => write!(f, "{degradation} for {seconds} s"),
            Fault::ResetStorm(seconds) => write!(f, "resets for {seconds} s"),
            Fault::PowerLoss(target) => write!(f, "power loss of {}", target.words()),
            Fault::FailWrites(WriteError::NoSpace) => f.write_str("full disk"),
            Fault::FailWrites(WriteError::Io) => f.write_str("writes fail"),
            Fault::FailSyncs => f.write_str("syncs fail"),
            Fault::SlowSyncs(seconds) => write!(f, "slow syncs for {seconds} s"),
            Fault::ClockJump(jump, seconds) => write!(f, "clock off by {jump:+} s for {seconds} s"),
            Fault::ReconnectStorm => f.write_str("reconnect storm"),
            Fault::SlowConsumers(seconds) => write!(f, "slow consumers for {seconds} s"),
            Fault::MembershipChurn(seconds) => write!(f, "membership churn for {seconds} s"),
            Fault::GrowAndShrink => f.write_str("a node joins and is removed"),
            Fault::Damage(corruption) => write!(f, "damage: {corruption:?}"),
        }
    }
}
