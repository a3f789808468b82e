//! One thing that goes wrong: to whom, how, for how long. A [`scenario`](crate::scenario) draws
//! them, a [`nemesis`](crate::nemesis) does them.

use std::fmt;

use crate::damage::Files;
use crate::shim::WriteError;

/// Which nodes a fault is for; "the leader" is that of the busiest shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Leader,
    Follower,
    Any,
    /// As many as may be gone.
    Minority,
    /// One more than may be gone.
    Majority,
    All,
}

/// Where the network breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The leader alone on one side.
    IsolatedLeader,
    /// Two sides, as equal as they can be.
    Halves,
    /// Each node sees its two neighbours only.
    Ring,
    /// Two sides that share one node.
    Bridge,
    /// The leader is heard but hears nothing, or the other way round.
    OneWay,
    /// The leader alone, on and off each second.
    Flapping,
    /// Clients do not reach one node.
    Clients,
}

/// What the network is like everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Climate {
    /// 100 ± 50 ms each way.
    Slow,
    /// Packets lost, of a thousand.
    Lossy(u64),
    /// A megabit per second and connection.
    Thin,
}

/// What is done to the files of a stopped node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    FlipBit(Files),
    Truncate(Files),
    /// What it held some seconds ago comes back.
    OldCopy,
    Wipe,
}

/// One step of a schedule; numbers are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Kill(Who),
    Freeze(Who, u64),
    /// The next node in turn.
    RestartOne,
    Partition(Shape, u64),
    /// Isolates the leader, then kills it in the dark.
    PartitionKill,
    Climate(Climate, u64),
    ResetStorm(u64),
    PowerLoss(Who),
    FailWrites(WriteError),
    FailSyncs,
    SlowSyncs(u64),
    /// The clock of one node is off by so many seconds, then right again.
    ClockJump(i64, u64),
    ReconnectStorm,
    SlowConsumers(u64),
    MembershipChurn(u64),
    Damage(Harm),
    /// A further node joins, gets its share, and is removed.
    GrowAndShrink,
}

impl Who {
    fn words(self) -> &'static str {
        match self {
            Who::Leader => "the leader",
            Who::Follower => "a follower",
            Who::Any => "any node",
            Who::Minority => "a minority",
            Who::Majority => "a majority",
            Who::All => "all nodes",
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

impl fmt::Display for Climate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Climate::Slow => f.write_str("slow network"),
            Climate::Lossy(loss) => write!(f, "{}.{} % loss", loss / 10, loss % 10),
            Climate::Thin => f.write_str("thin network"),
        }
    }
}

/// For the report and the live view.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill(who) => write!(f, "kill {}", who.words()),
            Fault::Freeze(who, seconds) => write!(f, "freeze {} for {seconds} s", who.words()),
            Fault::RestartOne => f.write_str("restart a node"),
            Fault::Partition(shape, seconds) => write!(f, "partition: {} for {seconds} s", shape.words()),
            Fault::PartitionKill => f.write_str("isolate and kill the leader"),
            Fault::Climate(climate, seconds) => write!(f, "{climate} for {seconds} s"),
            Fault::ResetStorm(seconds) => write!(f, "resets for {seconds} s"),
            Fault::PowerLoss(who) => write!(f, "power loss of {}", who.words()),
            Fault::FailWrites(WriteError::NoSpace) => f.write_str("full disk"),
            Fault::FailWrites(WriteError::Io) => f.write_str("writes fail"),
            Fault::FailSyncs => f.write_str("syncs fail"),
            Fault::SlowSyncs(seconds) => write!(f, "slow syncs for {seconds} s"),
            Fault::ClockJump(jump, seconds) => write!(f, "clock off by {jump:+} s for {seconds} s"),
            Fault::ReconnectStorm => f.write_str("reconnect storm"),
            Fault::SlowConsumers(seconds) => write!(f, "slow consumers for {seconds} s"),
            Fault::MembershipChurn(seconds) => write!(f, "membership churn for {seconds} s"),
            Fault::GrowAndShrink => f.write_str("a node joins and is removed"),
            Fault::Damage(harm) => write!(f, "damage: {harm:?}"),
        }
    }
}
