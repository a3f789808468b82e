//! Planted bugs: deliberate violations of the contract that prove the checkers detect them.
//!
//! Each is one line at the place of the rule that it breaks, in any crate; this is the list. The
//! machine takes the bug as an argument, so that it stays pure. A build without the feature
//! `planted-bugs` contains none: [`Planted`] is empty there, and the compiler removes each site.

/// The deliberate bug that a process carries, if any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    #[cfg(feature = "planted-bugs")]
    bug: Option<Bug>,
}

impl Planted {
    #[inline]
    pub fn is(self, bug: Bug) -> bool {
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
impl From<Option<Bug>> for Planted {
    fn from(bug: Option<Bug>) -> Planted {
        Planted { bug }
    }
}

#[cfg(feature = "planted-bugs")]
impl From<Bug> for Planted {
    fn from(bug: Bug) -> Planted {
        Planted { bug: Some(bug) }
    }
}

/// One deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bug {
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
    /// Place a reaction that its user has given already.
    ReactionTwice,
    /// Take an import for the log that is there, without a look at it.
    ImportUncompared,
    /// Answer a repeated key without a look at its first body.
    ReusedKeyAnswered,
    /// Resume a stream of server-sent events behind the first event that its client lacks.
    StreamResumesLate,
    /// Let a muted member speak.
    MuteIgnored,
    /// Let a member speak in slow mode before its time.
    SlowModeIgnored,
    /// Let a banned user join or be added.
    BannedReturns,
    /// Count no use of an invite link of a group.
    LinkUsedTwice,
    /// Answer that a scheduled message is cancelled, and send it.
    CancelIgnored,
    /// As a new leader, wait for new work only, not for what was planned before.
    DueForgotten,
    /// Keep a block in the shard of its user only.
    BlockNotSent,
    /// Hear of no acceptance of a request.
    ContactOneSided,
    /// Let a second device take a call that was answered.
    CallTwoWinners,
    /// Pass the signal of a former member on.
    SignalUnchecked,
    /// Remove the chunks of a file when the same file is uploaded again.
    SameFileCollected,
    /// Place a message that refers to a file which is not there.
    MissingFileSent,
    /// Keep the room of files that are gone.
    RoomNotFreed,
    /// Let any member edit a message.
    EditByAnother,
    /// Keep the contents of a recalled message and of its edits.
    RecallKeepsContent,
    /// Commit the cursor of a hook before its receiver has the events.
    HookCursorEarly,
    /// Pass over each fifth event of a hook.
    HookSkipsOne,
    /// Place a message that the hook of its group was not asked about.
    BeforeHookSkipped,
    /// Show the presence of a user that hides it.
    PresenceShown,
    /// Push the presence of a user to watchers that it hides from.
    WatchUnchecked,
    /// Take a change of a conversation's state from a device that has not seen the last one.
    StaleChangeWins,
    /// Show a user the history that it has cleared.
    ClearedHistoryShown,
    /// Answer that messages are deleted for a user, and keep showing them.
    DeletedShown,
    /// Answer that a message is saved, and forget it.
    FavouriteLost,
    /// Find messages that the user may not see.
    SearchShowsHidden,
    /// Leave the last message of each block out of the search index.
    SearchForgets,
    /// Let a user in that has only asked to join.
    AskLetsIn,
    /// Keep the pin of a recalled message.
    PinOutlivesRecall,
    /// Count members as readers of messages from before they came.
    NewcomersHaveRead,
    /// Say that a message has vanished, and keep its content.
    VanishingKept,
    /// Count the vote of a user a second time.
    VoteTwice,
    /// Forward under another id each time.
    ForwardFreshIds,
    /// Append a piece of a stream again when it is repeated.
    PieceTwice,
}

impl Bug {
    pub const ALL: [Bug; 82] = [
        Bug::AckBeforeCommit,
        Bug::AckBeforeFsync,
        Bug::ForgetDedupOnRestart,
        Bug::DedupWithoutSender,
        Bug::IgnoreFanOutGap,
        Bug::IgnoreAfter,
        Bug::ReapplyOnReplay,
        Bug::DedupWindow,
        Bug::TimeGoesBack,
        Bug::CursorGoesBack,
        Bug::RemovedMaySend,
        Bug::RemovedStaysMember,
        Bug::AddedSeesAll,
        Bug::VoteNotWritten,
        Bug::TruncateSkipped,
        Bug::AppliedBeforeRows,
        Bug::SnapshotWithoutDedup,
        Bug::SnapshotHalfInstalled,
        Bug::StaleRead,
        Bug::RecentWithoutSender,
        Bug::LostPushUnnoticed,
        Bug::RemovedStillFannedOut,
        Bug::HubStaysWithOldLeader,
        Bug::SubscribeWithoutHead,
        Bug::PageSkipsOne,
        Bug::WrongShard,
        Bug::OutboxSettledUnheard,
        Bug::SdkFreshIds,
        Bug::SdkTrustsPushes,
        Bug::SdkCursorEarly,
        Bug::SdkGivesUp,
        Bug::SdkWithoutAfter,
        Bug::PutBackUnnoticed,
        Bug::MoveWithoutVote,
        Bug::GoneReplicaKept,
        Bug::UnreadCountsOwn,
        Bug::OwnClockTrusted,
        Bug::InvitationEntersUnasked,
        Bug::InvitationLost,
        Bug::EndedSessionResumes,
        Bug::ActNotRecorded,
        Bug::InviteUsedTwice,
        Bug::SyncSkipped,
        Bug::EngineErrorIgnored,
        Bug::WitnessIgnored,
        Bug::LevelIgnored,
        Bug::ReactionTwice,
        Bug::ReusedKeyAnswered,
        Bug::ImportUncompared,
        Bug::StreamResumesLate,
        Bug::MuteIgnored,
        Bug::SlowModeIgnored,
        Bug::BannedReturns,
        Bug::LinkUsedTwice,
        Bug::CancelIgnored,
        Bug::DueForgotten,
        Bug::BlockNotSent,
        Bug::ContactOneSided,
        Bug::CallTwoWinners,
        Bug::SignalUnchecked,
        Bug::SameFileCollected,
        Bug::MissingFileSent,
        Bug::RoomNotFreed,
        Bug::EditByAnother,
        Bug::RecallKeepsContent,
        Bug::HookCursorEarly,
        Bug::HookSkipsOne,
        Bug::BeforeHookSkipped,
        Bug::PresenceShown,
        Bug::WatchUnchecked,
        Bug::StaleChangeWins,
        Bug::ClearedHistoryShown,
        Bug::DeletedShown,
        Bug::FavouriteLost,
        Bug::SearchShowsHidden,
        Bug::SearchForgets,
        Bug::AskLetsIn,
        Bug::PinOutlivesRecall,
        Bug::NewcomersHaveRead,
        Bug::VanishingKept,
        Bug::VoteTwice,
        Bug::ForwardFreshIds,
        Bug::PieceTwice,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Bug::AckBeforeCommit => "ack-before-commit",
            Bug::AckBeforeFsync => "ack-before-fsync",
            Bug::ForgetDedupOnRestart => "forget-dedup-on-restart",
            Bug::DedupWithoutSender => "dedup-without-sender",
            Bug::IgnoreFanOutGap => "ignore-fan-out-gap",
            Bug::IgnoreAfter => "ignore-after",
            Bug::ReapplyOnReplay => "reapply-on-replay",
            Bug::DedupWindow => "dedup-window",
            Bug::TimeGoesBack => "time-goes-back",
            Bug::CursorGoesBack => "cursor-goes-back",
            Bug::RemovedMaySend => "removed-may-send",
            Bug::RemovedStaysMember => "removed-stays-member",
            Bug::AddedSeesAll => "added-sees-all",
            Bug::VoteNotWritten => "vote-not-written",
            Bug::TruncateSkipped => "truncate-skipped",
            Bug::AppliedBeforeRows => "applied-before-rows",
            Bug::SnapshotWithoutDedup => "snapshot-without-dedup",
            Bug::SnapshotHalfInstalled => "snapshot-half-installed",
            Bug::StaleRead => "stale-read",
            Bug::RecentWithoutSender => "recent-without-sender",
            Bug::LostPushUnnoticed => "lost-push-unnoticed",
            Bug::RemovedStillFannedOut => "removed-still-fanned-out",
            Bug::HubStaysWithOldLeader => "hub-stays-with-old-leader",
            Bug::SubscribeWithoutHead => "subscribe-without-head",
            Bug::PageSkipsOne => "page-skips-one",
            Bug::WrongShard => "wrong-shard",
            Bug::OutboxSettledUnheard => "outbox-settled-unheard",
            Bug::SdkFreshIds => "sdk-fresh-ids",
            Bug::SdkTrustsPushes => "sdk-trusts-pushes",
            Bug::SdkCursorEarly => "sdk-cursor-early",
            Bug::SdkGivesUp => "sdk-gives-up",
            Bug::SdkWithoutAfter => "sdk-without-after",
            Bug::PutBackUnnoticed => "put-back-unnoticed",
            Bug::MoveWithoutVote => "move-without-vote",
            Bug::GoneReplicaKept => "gone-replica-kept",
            Bug::UnreadCountsOwn => "unread-counts-own",
            Bug::OwnClockTrusted => "own-clock-trusted",
            Bug::InvitationEntersUnasked => "invitation-enters-unasked",
            Bug::InvitationLost => "invitation-lost",
            Bug::EndedSessionResumes => "ended-session-resumes",
            Bug::ActNotRecorded => "act-not-recorded",
            Bug::InviteUsedTwice => "invite-used-twice",
            Bug::SyncSkipped => "sync-skipped",
            Bug::EngineErrorIgnored => "engine-error-ignored",
            Bug::WitnessIgnored => "witness-ignored",
            Bug::LaterKind => "later-kind",
            Bug::LevelIgnored => "level-ignored",
            Bug::ReactionTwice => "reaction-twice",
            Bug::ImportUncompared => "import-uncompared",
            Bug::ReusedKeyAnswered => "reused-key-answered",
            Bug::StreamResumesLate => "stream-resumes-late",
            Bug::MuteIgnored => "mute-ignored",
            Bug::SlowModeIgnored => "slow-mode-ignored",
            Bug::BannedReturns => "banned-returns",
            Bug::LinkUsedTwice => "link-used-twice",
            Bug::CancelIgnored => "cancel-ignored",
            Bug::DueForgotten => "due-forgotten",
            Bug::BlockNotSent => "block-not-sent",
            Bug::ContactOneSided => "contact-one-sided",
            Bug::CallTwoWinners => "call-two-winners",
            Bug::SignalUnchecked => "signal-unchecked",
            Bug::SameFileCollected => "same-file-collected",
            Bug::MissingFileSent => "missing-file-sent",
            Bug::RoomNotFreed => "room-not-freed",
            Bug::EditByAnother => "edit-by-another",
            Bug::RecallKeepsContent => "recall-keeps-content",
            Bug::HookCursorEarly => "hook-cursor-early",
            Bug::HookSkipsOne => "hook-skips-one",
            Bug::BeforeHookSkipped => "before-hook-skipped",
            Bug::PresenceShown => "presence-shown",
            Bug::WatchUnchecked => "watch-unchecked",
            Bug::StaleChangeWins => "stale-change-wins",
            Bug::ClearedHistoryShown => "cleared-history-shown",
            Bug::DeletedShown => "deleted-shown",
            Bug::FavouriteLost => "favourite-lost",
            Bug::SearchShowsHidden => "search-shows-hidden",
            Bug::SearchForgets => "search-forgets",
            Bug::AskLetsIn => "ask-lets-in",
            Bug::PinOutlivesRecall => "pin-outlives-recall",
            Bug::NewcomersHaveRead => "newcomers-have-read",
            Bug::VanishingKept => "vanishing-kept",
            Bug::VoteTwice => "vote-twice",
            Bug::ForwardFreshIds => "forward-fresh-ids",
            Bug::PieceTwice => "piece-twice",
        }
    }

    pub fn named(name: &str) -> Option<Bug> {
        Bug::ALL.into_iter().chain([Bug::LaterKind]).find(|bug| bug.name() == name)
    }
}
