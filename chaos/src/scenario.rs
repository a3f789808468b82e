//! Scenarios by name: each is a way to draw the next [`Fault`].
//!
//! The names are stable for scripts. Each scenario states its requirements
//! ([`Scenario::requirements`]), so that an unsupported scenario is reported as skipped.

use crate::damage::Files;
pub use crate::fault::{Corruption, Degradation, Fault, Shape, Target};
use crate::shim::WriteError;

/// A schedule of faults. Each fault ends healed; the run adds the final drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    Calm,
    KillLeader,
    KillFollower,
    KillMinority,
    KillMajority,
    KillAll,
    FreezeLeader,
    FreezeAny,
    RollingRestart,
    PartitionLeader,
    PartitionHalves,
    PartitionRing,
    PartitionBridge,
    PartitionOneWay,
    PartitionFlapping,
    PartitionClients,
    PartitionKill,
    SlowNetwork,
    LossyNetwork,
    ThinNetwork,
    ResetStorm,
    PowerLossOne,
    PowerLossAll,
    DiskFull,
    WriteError,
    SyncError,
    SlowSync,
    ClockJump,
    ReconnectStorm,
    SlowConsumers,
    MembershipChurn,
    BitFlip,
    Truncate,
    OldCopy,
    WipedDisk,
    GrowShrink,
    Mixed,
}

/// Requirements beyond processes and signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    pub proxies: bool,
    pub shims: bool,
    /// Root, to mount a file system for each node.
    pub disks: bool,
    pub nodes: usize,
}

/// The fault injection that a machine supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub proxies: bool,
    pub shims: bool,
    pub disks: bool,
}

/// Connections of a reconnect storm.
pub const STORM: usize = 10_000;

impl Scenario {
    pub const ALL: [Scenario; 37] = [
        Scenario::Calm,
        Scenario::KillLeader,
        Scenario::KillFollower,
        Scenario::KillMinority,
        Scenario::KillMajority,
        Scenario::KillAll,
        Scenario::FreezeLeader,
        Scenario::FreezeAny,
        Scenario::RollingRestart,
        Scenario::PartitionLeader,
        Scenario::PartitionHalves,
        Scenario::PartitionRing,
        Scenario::PartitionBridge,
        Scenario::PartitionOneWay,
        Scenario::PartitionFlapping,
        Scenario::PartitionClients,
        Scenario::PartitionKill,
        Scenario::SlowNetwork,
        Scenario::LossyNetwork,
        Scenario::ThinNetwork,
        Scenario::ResetStorm,
        Scenario::PowerLossOne,
        Scenario::PowerLossAll,
        Scenario::DiskFull,
        Scenario::WriteError,
        Scenario::SyncError,
        Scenario::SlowSync,
        Scenario::ClockJump,
        Scenario::ReconnectStorm,
        Scenario::SlowConsumers,
        Scenario::MembershipChurn,
        Scenario::BitFlip,
        Scenario::Truncate,
        Scenario::OldCopy,
        Scenario::WipedDisk,
        Scenario::GrowShrink,
        Scenario::Mixed,
    ];

    /// Whether clients come in by all edges, and each must do something. Others measure how long
    /// sends take, with the SDK alone.
    pub fn uses_all_edges(self) -> bool {
        matches!(self, Scenario::Calm | Scenario::Mixed)
    }

    pub fn name(self) -> &'static str {
        self.described().0
    }

    pub fn about(self) -> &'static str {
        self.described().1
    }

    fn described(self) -> (&'static str, &'static str) {
        match self {
            Scenario::Calm => ("calm", "no fault: the promises must hold here first"),
            Scenario::KillLeader => {
                ("kill-leader", "SIGKILL of the node that leads the busiest shard, back after 2 seconds")
            }
            Scenario::KillFollower => {
                ("kill-follower", "SIGKILL of a node that does not lead it, back after 2 seconds")
            }
            Scenario::KillMinority => ("kill-minority", "SIGKILL of as many nodes as may fail, two of five"),
            Scenario::KillMajority => ("kill-majority", "SIGKILL of two of three: unavailable, then complete"),
            Scenario::KillAll => ("kill-all", "SIGKILL of all nodes at once"),
            Scenario::FreezeLeader => ("freeze-leader", "SIGSTOP of the leading node for 10 seconds"),
            Scenario::FreezeAny => ("freeze-any", "SIGSTOP of any node for 2 to 60 seconds"),
            Scenario::RollingRestart => ("rolling-restart", "SIGTERM and restart of each node in turn"),
            Scenario::PartitionLeader => ("partition-leader", "the leading node alone on its side of the network"),
            Scenario::PartitionHalves => ("partition-halves", "the nodes in two halves that do not hear each other"),
            Scenario::PartitionRing => ("partition-ring", "five nodes, each hears its two neighbours only"),
            Scenario::PartitionBridge => ("partition-bridge", "five nodes in two halves with one node in both"),
            Scenario::PartitionOneWay => {
                ("partition-one-way", "the leading node is heard and hears nothing, or the reverse")
            }
            Scenario::PartitionFlapping => ("partition-flapping", "the leading node alone, on and off every second"),
            Scenario::PartitionClients => {
                ("partition-clients", "clients do not reach one node, the nodes reach each other")
            }
            Scenario::PartitionKill => ("partition-kill", "the leading node is isolated and then killed"),
            Scenario::SlowNetwork => ("slow-network", "every way between nodes takes 100 ± 50 ms"),
            Scenario::LossyNetwork => ("lossy-network", "5 to 30 % of packets lost between all, and some resets"),
            Scenario::ThinNetwork => ("thin-network", "a megabit per second on every connection between nodes"),
            Scenario::ResetStorm => ("reset-storm", "every connection is reset, again and again"),
            Scenario::PowerLossOne => ("power-loss-one", "one node loses unsynced data (needs root)"),
            Scenario::PowerLossAll => ("power-loss-all", "all nodes at once lose unsynced data (needs root)"),
            Scenario::DiskFull => {
                ("disk-full", "no space left on one node's disk; it stops, and comes back with space")
            }
            Scenario::WriteError => ("write-error", "writes on one node fail with EIO"),
            Scenario::SyncError => ("fsync-error", "fsync on one node fails with EIO"),
            Scenario::SlowSync => ("slow-fsync", "fsync on one node takes half a second"),
            Scenario::ClockJump => ("clock-jump", "the clock of one node jumps by an hour, forth or back"),
            Scenario::ReconnectStorm => ("reconnect-storm", "10,000 connections come and go at once"),
            Scenario::SlowConsumers => ("slow-consumers", "clients that are subscribed and read nothing"),
            Scenario::MembershipChurn => ("membership-churn", "members join and leave the groups all the time"),
            Scenario::BitFlip => ("bit-flip", "one bit of a stopped node's files is flipped"),
            Scenario::Truncate => ("truncate", "a file of a stopped node loses its end"),
            Scenario::OldCopy => ("old-copy", "a stopped node is restored to a copy from some seconds ago"),
            Scenario::WipedDisk => ("wiped-disk", "a stopped node loses everything it held"),
            Scenario::GrowShrink => ("grow-shrink", "a fourth node joins, gets its share, and is removed again"),
            Scenario::Mixed => ("mixed", "all that this machine can do, drawn by the seed"),
        }
    }

    pub fn named(name: &str) -> Option<Scenario> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    pub fn requirements(self) -> Requirements {
        let plain = Requirements { nodes: 3, ..Requirements::default() };
        match self {
            Scenario::KillMinority => Requirements { nodes: 5, ..plain },
            Scenario::PartitionRing | Scenario::PartitionBridge => Requirements { proxies: true, nodes: 5, ..plain },
            Scenario::PartitionLeader
            | Scenario::PartitionHalves
            | Scenario::PartitionOneWay
            | Scenario::PartitionFlapping
            | Scenario::PartitionClients
            | Scenario::PartitionKill
            | Scenario::SlowNetwork
            | Scenario::LossyNetwork
            | Scenario::ThinNetwork
            | Scenario::ResetStorm => Requirements { proxies: true, ..plain },
            Scenario::PowerLossOne | Scenario::PowerLossAll => Requirements { disks: true, ..plain },
            Scenario::DiskFull
            | Scenario::WriteError
            | Scenario::SyncError
            | Scenario::SlowSync
            | Scenario::ClockJump => Requirements { shims: true, ..plain },
            _ => plain,
        }
    }

    /// Why this scenario cannot run here, or `None`.
    pub fn impossible(self, capabilities: &Capabilities) -> Option<&'static str> {
        let requirements = self.requirements();
        if requirements.proxies && !capabilities.proxies {
            Some("this machine has no loopback address of its own for each node")
        } else if requirements.shims && !capabilities.shims {
            Some("the preloaded library is for Linux with glibc")
        } else if requirements.disks && !capabilities.disks {
            Some("power loss needs root, mkfs.ext4 and loop devices")
        } else {
            None
        }
    }

    /// The next fault. `draw(n)` returns a seeded number below `n`. `None`: the scenario has no
    /// faults.
    pub fn next(self, capabilities: &Capabilities, draw: &mut dyn FnMut(u64) -> u64) -> Option<Fault> {
        Some(match self {
            Scenario::Calm => return None,
            Scenario::KillLeader => Fault::Kill(Target::Leader),
            Scenario::KillFollower => Fault::Kill(Target::Follower),
            Scenario::KillMinority => Fault::Kill(Target::Minority),
            Scenario::KillMajority => Fault::Kill(Target::Majority),
            Scenario::KillAll => Fault::Kill(Target::All),
            Scenario::FreezeLeader => Fault::Freeze(Target::Leader, 10),
            Scenario::FreezeAny => Fault::Freeze(Target::Any, 2 + draw(4) * draw(4) * draw(7)),
            Scenario::RollingRestart => Fault::RestartOne,
            Scenario::PartitionLeader => Fault::Partition(Shape::IsolatedLeader, 4 + draw(4)),
            Scenario::PartitionHalves => Fault::Partition(Shape::Halves, 4 + draw(4)),
            Scenario::PartitionRing => Fault::Partition(Shape::Ring, 4 + draw(4)),
            Scenario::PartitionBridge => Fault::Partition(Shape::Bridge, 4 + draw(4)),
            Scenario::PartitionOneWay => Fault::Partition(Shape::OneWay, 4 + draw(4)),
            Scenario::PartitionFlapping => Fault::Partition(Shape::Flapping, 6),
            Scenario::PartitionClients => Fault::Partition(Shape::Clients, 4 + draw(4)),
            Scenario::PartitionKill => Fault::PartitionKill,
            Scenario::SlowNetwork => Fault::Degrade(Degradation::Slow, 6),
            Scenario::LossyNetwork => Fault::Degrade(Degradation::Lossy(50 + draw(251)), 6),
            Scenario::ThinNetwork => Fault::Degrade(Degradation::Thin, 6),
            Scenario::ResetStorm => Fault::ResetStorm(4),
            Scenario::PowerLossOne => Fault::PowerLoss(Target::Any),
            Scenario::PowerLossAll => Fault::PowerLoss(Target::All),
            Scenario::DiskFull => Fault::FailWrites(WriteError::NoSpace),
            Scenario::WriteError => Fault::FailWrites(WriteError::Io),
            Scenario::SyncError => Fault::FailSyncs,
            Scenario::SlowSync => Fault::SlowSyncs(5),
            Scenario::ClockJump => Fault::ClockJump(if draw(2) == 0 { 3600 } else { -3600 }, 5),
            Scenario::ReconnectStorm => Fault::ReconnectStorm,
            Scenario::SlowConsumers => Fault::SlowConsumers(8),
            Scenario::MembershipChurn => Fault::MembershipChurn(5),
            Scenario::BitFlip => Fault::Damage(Corruption::FlipBit(Files::ALL[draw(4) as usize])),
            Scenario::Truncate => Fault::Damage(Corruption::Truncate(Files::ALL[draw(4) as usize])),
            Scenario::OldCopy => Fault::Damage(Corruption::OldCopy),
            Scenario::WipedDisk => Fault::Damage(Corruption::Wipe),
            Scenario::GrowShrink => Fault::GrowAndShrink,
            Scenario::Mixed => {
                let possible: Vec<Scenario> = Scenario::ALL.into_iter().filter(|s| s.mixes(capabilities)).collect();
                return possible[draw(possible.len() as u64) as usize].next(capabilities, draw);
            }
        })
    }

    /// Whether `mixed` includes it: short faults that three nodes can show and this machine
    /// supports.
    fn mixes(self, capabilities: &Capabilities) -> bool {
        // A node that joins later has neither a proxy nor its own disk.
        let long = matches!(self, Scenario::FreezeAny | Scenario::ReconnectStorm | Scenario::GrowShrink);
        let draws = !matches!(self, Scenario::Calm | Scenario::Mixed) && !long;
        draws && self.requirements().nodes == 3 && self.impossible(capabilities).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Capabilities = Capabilities { proxies: true, shims: true, disks: true };
    const NONE: Capabilities = Capabilities { proxies: false, shims: false, disks: false };

    #[test]
    fn names_are_all_different_and_found_again() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::named(scenario.name()), Some(scenario));
        }
    }

    #[test]
    fn every_scenario_that_is_none_of_calm_draws_a_fault() {
        for scenario in Scenario::ALL {
            let drawn = scenario.next(&ALL, &mut |below| below - 1);
            assert_eq!(drawn.is_none(), scenario == Scenario::Calm, "{scenario:?}");
        }
    }

    #[test]
    fn mixed_draws_only_what_the_machine_can_do() {
        for first in 0..200 {
            let mut draws = first;
            let fault = Scenario::Mixed.next(&NONE, &mut |below| {
                draws += 1;
                draws % below
            });
            let plain = matches!(
                fault,
                Some(
                    Fault::Kill(_)
                        | Fault::Freeze(..)
                        | Fault::RestartOne
                        | Fault::SlowConsumers(_)
                        | Fault::MembershipChurn(_)
                        | Fault::Damage(_)
                )
            );
            assert!(plain, "{fault:?}");
        }
        let drawn: Vec<_> = (0..1000).map(|draw| Scenario::Mixed.next(&ALL, &mut |below| draw % below)).collect();
        assert!(drawn.iter().any(|fault| matches!(fault, Some(Fault::PowerLoss(_)))));
        assert!(drawn.iter().any(|fault| matches!(fault, Some(Fault::Damage(_)))));
    }

    #[test]
    fn a_freeze_lasts_from_two_seconds_to_a_minute() {
        let longest = Scenario::FreezeAny.next(&ALL, &mut |below| below - 1);
        assert_eq!(longest, Some(Fault::Freeze(Target::Any, 56)));
        assert_eq!(Scenario::FreezeAny.next(&ALL, &mut |_| 0), Some(Fault::Freeze(Target::Any, 2)));
    }
}
