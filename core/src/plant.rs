//! Planted bugs: deliberate violations of the contract that prove the checkers detect them.
//!
//! Each is one line at the place of the rule that it breaks, in any crate; this is the list. The
//! machine takes the bug as an argument, so that it stays pure. A build without the feature
//! `planted-bugs` contains none: [`Planted`] is empty there, and the compiler removes each site.

/// The deliberate bug that a process carries, if any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    #[cfg(feature = "planted-bugs")]
    bug: Option<Plant>,
}

impl Planted {
    #[inline]
    pub fn is(self, bug: Plant) -> bool {
        #[cfg(feature = "planted-bugs")]
        let is = self.bug == Some(bug);
        #[cfg(not(feature = "planted-bugs"))]
        let is = {
            let _ = bug;
            false
        };
        is
    }

    #[cfg(feature = "planted-bugs")]
    pub fn is_any(self) -> bool {
        self.bug.is_some()
    }
}

#[cfg(feature = "planted-bugs")]
impl From<Option<Plant>> for Planted {
    fn from(bug: Option<Plant>) -> Planted {
        Planted { bug }
    }
}

#[cfg(feature = "planted-bugs")]
impl From<Plant> for Planted {
    fn from(bug: Plant) -> Planted {
        Planted { bug: Some(bug) }
    }
}

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
    /// Remember only the last few ids of a conversation.
    DedupWindow,
    /// Stamp an event with the leader's clock, even if that is behind the event before.
    TimeGoesBack,
    /// Take a cursor as it comes, even if it is behind the one held.
    CursorGoesBack,
    /// Accept a message from a former member.
    RemovedMaySend,
    /// Write the event that removes a member, and keep the member.
    RemovedStaysMember,
    /// Let a new member see earlier events.
    AddedSeesAll,
    /// Keep a vote in memory only.
    VoteNotWritten,
    /// Keep entries that a new leader does not have.
    TruncateSkipped,
    /// Make the applied index durable before the rows that it covers.
    AppliedBeforeRows,
    /// Leave the dedup rows out of a snapshot.
    SnapshotWithoutDedup,
    /// Count a snapshot as installed before its rows are.
    SnapshotHalfInstalled,
    /// Answer reads without confirming the leadership with a majority.
    StaleRead,
    /// Look up recent acks without the sender.
    RecentWithoutSender,
    /// Lose a push, and never send the head that would reveal it.
    LostPushUnnoticed,
    /// Hand out to a connection whose user was removed.
    RemovedStillFannedOut,
    /// Do not subscribe again when another node leads.
    HubStaysWithOldLeader,
    /// Subscribe without reporting the head to the connections.
    SubscribeWithoutHead,
    /// Begin a page of history one event too late.
    PageSkipsOne,
    /// Route some slots to the shard beside theirs, on one node.
    WrongShard,
    /// Settle an outbox row before the other shard has committed it.
    OutboxSettledUnheard,
    /// Send again under another id.
    SdkFreshIds,
    /// Deliver a push regardless of earlier deliveries.
    SdkTrustsPushes,
    /// Keep the cursor of an event that the application has not taken.
    SdkCursorEarly,
    /// Give up a message whose outcome is unknown.
    SdkGivesUp,
    /// Send without naming the message before.
    SdkWithoutAfter,
    /// Continue with an earlier copy of a disk.
    PutBackUnnoticed,
    /// Call a move done before the members of the group have changed.
    MoveWithoutVote,
    /// Keep the data of a replica that was moved away.
    GoneReplicaKept,
    /// Count one's own messages as unread.
    UnreadCountsOwn,
    /// Stamp with the leader's clock, regardless of the clocks of the others.
    OwnClockTrusted,
    /// List the group of a stranger before the user has accepted.
    InvitationEntersUnasked,
    /// Answer that an invitation is kept, and forget it.
    InvitationLost,
    /// Say that a session has ended, and keep it.
    EndedSessionResumes,
    /// Execute an act of an administrator without a row in the audit log.
    ActNotRecorded,
    /// Take no use of an invitation code for a registration.
    InviteUsedTwice,
    /// Report a RocksDB write as durable without an fsync.
    SyncSkipped,
    /// Continue after a failed RocksDB write.
    EngineErrorIgnored,
    /// Open a database that has lost its end.
    WitnessIgnored,
    /// Not a bug, and in no list: a message whose body has the number of a later kind of events
    /// becomes such an event, as a later version might place it. Every promise must hold
    /// nevertheless.
    LaterKind,
    /// Propose a command that not every member can apply.
    LevelIgnored,
}

impl Plant {
    pub const ALL: [Plant; 46] = [
        Plant::AckBeforeCommit,
        Plant::AckBeforeFsync,
        Plant::ForgetDedupOnRestart,
        Plant::DedupWithoutSender,
        Plant::IgnoreFanOutGap,
        Plant::IgnoreAfter,
        Plant::ReapplyOnReplay,
        Plant::DedupWindow,
        Plant::TimeGoesBack,
        Plant::CursorGoesBack,
        Plant::RemovedMaySend,
        Plant::RemovedStaysMember,
        Plant::AddedSeesAll,
        Plant::VoteNotWritten,
        Plant::TruncateSkipped,
        Plant::AppliedBeforeRows,
        Plant::SnapshotWithoutDedup,
        Plant::SnapshotHalfInstalled,
        Plant::StaleRead,
        Plant::RecentWithoutSender,
        Plant::LostPushUnnoticed,
        Plant::RemovedStillFannedOut,
        Plant::HubStaysWithOldLeader,
        Plant::SubscribeWithoutHead,
        Plant::PageSkipsOne,
        Plant::WrongShard,
        Plant::OutboxSettledUnheard,
        Plant::SdkFreshIds,
        Plant::SdkTrustsPushes,
        Plant::SdkCursorEarly,
        Plant::SdkGivesUp,
        Plant::SdkWithoutAfter,
        Plant::PutBackUnnoticed,
        Plant::MoveWithoutVote,
        Plant::GoneReplicaKept,
        Plant::UnreadCountsOwn,
        Plant::OwnClockTrusted,
        Plant::InvitationEntersUnasked,
        Plant::InvitationLost,
        Plant::EndedSessionResumes,
        Plant::ActNotRecorded,
        Plant::InviteUsedTwice,
        Plant::SyncSkipped,
        Plant::EngineErrorIgnored,
        Plant::WitnessIgnored,
        Plant::LevelIgnored,
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
            Plant::DedupWindow => "dedup-window",
            Plant::TimeGoesBack => "time-goes-back",
            Plant::CursorGoesBack => "cursor-goes-back",
            Plant::RemovedMaySend => "removed-may-send",
            Plant::RemovedStaysMember => "removed-stays-member",
            Plant::AddedSeesAll => "added-sees-all",
            Plant::VoteNotWritten => "vote-not-written",
            Plant::TruncateSkipped => "truncate-skipped",
            Plant::AppliedBeforeRows => "applied-before-rows",
            Plant::SnapshotWithoutDedup => "snapshot-without-dedup",
            Plant::SnapshotHalfInstalled => "snapshot-half-installed",
            Plant::StaleRead => "stale-read",
            Plant::RecentWithoutSender => "recent-without-sender",
            Plant::LostPushUnnoticed => "lost-push-unnoticed",
            Plant::RemovedStillFannedOut => "removed-still-fanned-out",
            Plant::HubStaysWithOldLeader => "hub-stays-with-old-leader",
            Plant::SubscribeWithoutHead => "subscribe-without-head",
            Plant::PageSkipsOne => "page-skips-one",
            Plant::WrongShard => "wrong-shard",
            Plant::OutboxSettledUnheard => "outbox-settled-unheard",
            Plant::SdkFreshIds => "sdk-fresh-ids",
            Plant::SdkTrustsPushes => "sdk-trusts-pushes",
            Plant::SdkCursorEarly => "sdk-cursor-early",
            Plant::SdkGivesUp => "sdk-gives-up",
            Plant::SdkWithoutAfter => "sdk-without-after",
            Plant::PutBackUnnoticed => "put-back-unnoticed",
            Plant::MoveWithoutVote => "move-without-vote",
            Plant::GoneReplicaKept => "gone-replica-kept",
            Plant::UnreadCountsOwn => "unread-counts-own",
            Plant::OwnClockTrusted => "own-clock-trusted",
            Plant::InvitationEntersUnasked => "invitation-enters-unasked",
            Plant::InvitationLost => "invitation-lost",
            Plant::EndedSessionResumes => "ended-session-resumes",
            Plant::ActNotRecorded => "act-not-recorded",
            Plant::InviteUsedTwice => "invite-used-twice",
            Plant::SyncSkipped => "sync-skipped",
            Plant::EngineErrorIgnored => "engine-error-ignored",
            Plant::WitnessIgnored => "witness-ignored",
            Plant::LaterKind => "later-kind",
            Plant::LevelIgnored => "level-ignored",
        }
    }

    pub fn named(name: &str) -> Option<Plant> {
        Plant::ALL.into_iter().chain([Plant::LaterKind]).find(|plant| plant.name() == name)
    }
}
