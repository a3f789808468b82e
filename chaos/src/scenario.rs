//! What goes wrong, by name.

/// A schedule of faults. Each ends healed; the run adds the final heal and the drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    Calm,
    KillLeader,
    KillFollower,
    KillMajority,
    KillAll,
    FreezeLeader,
    RollingRestart,
    Mixed,
}

impl Scenario {
    pub const ALL: [Scenario; 8] = [
        Scenario::Calm,
        Scenario::KillLeader,
        Scenario::KillFollower,
        Scenario::KillMajority,
        Scenario::KillAll,
        Scenario::FreezeLeader,
        Scenario::RollingRestart,
        Scenario::Mixed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Scenario::Calm => "calm",
            Scenario::KillLeader => "kill-leader",
            Scenario::KillFollower => "kill-follower",
            Scenario::KillMajority => "kill-majority",
            Scenario::KillAll => "kill-all",
            Scenario::FreezeLeader => "freeze-leader",
            Scenario::RollingRestart => "rolling-restart",
            Scenario::Mixed => "mixed",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Scenario::Calm => "no fault: the promises must hold here first",
            Scenario::KillLeader => "SIGKILL of the node that leads the busiest shard, back after 2 seconds",
            Scenario::KillFollower => "SIGKILL of a node that does not lead it, back after 2 seconds",
            Scenario::KillMajority => "SIGKILL of two of three: unavailable, then complete",
            Scenario::KillAll => "SIGKILL of all nodes at once",
            Scenario::FreezeLeader => "SIGSTOP of the leading node for 10 seconds",
            Scenario::RollingRestart => "SIGTERM and restart of each node in turn",
            Scenario::Mixed => "all of these, drawn by the seed",
        }
    }

    pub fn named(name: &str) -> Option<Scenario> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == name)
    }
}

/// One step of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    KillLeader,
    KillFollower,
    KillMajority,
    KillAll,
    /// Seconds.
    FreezeLeader(u64),
    /// The next node in turn.
    RestartOne,
}

impl Scenario {
    /// The next fault; `draw(n)` gives a seeded number below `n`. `None`: nothing ever goes wrong.
    pub fn next(self, draw: &mut dyn FnMut(u64) -> u64) -> Option<Fault> {
        Some(match self {
            Scenario::Calm => return None,
            Scenario::KillLeader => Fault::KillLeader,
            Scenario::KillFollower => Fault::KillFollower,
            Scenario::KillMajority => Fault::KillMajority,
            Scenario::KillAll => Fault::KillAll,
            Scenario::FreezeLeader => Fault::FreezeLeader(10),
            Scenario::RollingRestart => Fault::RestartOne,
            Scenario::Mixed => match draw(6) {
                0 => Fault::KillLeader,
                1 => Fault::KillFollower,
                2 => Fault::KillMajority,
                3 => Fault::KillAll,
                4 => Fault::FreezeLeader(2 + draw(5)),
                _ => Fault::RestartOne,
            },
        })
    }
}
