//! Planted bugs: deliberate breaches of the contract that prove the checkers have teeth.
//!
//! The machine takes the set as an argument, so that it stays pure. Nothing but a build with the feature
//! `planted-bugs` of the crates above ever passes one in.

/// One deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plant {
    /// Ack a send as soon as it is proposed, before a majority has it.
    AckBeforeCommit,
    /// Report an append as durable before the fsync.
    AckBeforeFsync,
    /// Forget the dedup rows at restart.
    ForgetDedupOnRestart,
    /// Key dedup without the sender.
    DedupWithoutSender,
    /// Hand out a push although the one before it is missing.
    IgnoreFanOutGap,
    /// Ignore `after`.
    IgnoreAfter,
    /// Apply an entry again when the log is replayed.
    ReapplyOnReplay,
}

impl Plant {
    pub const ALL: [Plant; 7] = [
        Plant::AckBeforeCommit,
        Plant::AckBeforeFsync,
        Plant::ForgetDedupOnRestart,
        Plant::DedupWithoutSender,
        Plant::IgnoreFanOutGap,
        Plant::IgnoreAfter,
        Plant::ReapplyOnReplay,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Plant::AckBeforeCommit => "ack-before-commit",
            Plant::AckBeforeFsync => "ack-before-fsync",
            Plant::ForgetDedupOnRestart => "forget-dedup-on-restart",
            Plant::DedupWithoutSender => "dedup-without-sender",
            Plant::IgnoreFanOutGap => "ignore-fan-out-gap",
            Plant::IgnoreAfter => "ignore-after",
            Plant::ReapplyOnReplay => "reapply-on-replay",
        }
    }

    pub fn named(name: &str) -> Option<Plant> {
        Plant::ALL.into_iter().find(|plant| plant.name() == name)
    }
}
