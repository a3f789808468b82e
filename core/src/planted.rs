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

/// Declares the bugs with their names. The one behind the semicolon is not in [`Bug::ALL`].
macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident => $name:literal,)* ; $(#[$apart:meta])* $later:ident => $called:literal) => {
        /// One deliberate bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($(#[$doc])* $bug,)*
            $(#[$apart])* $later,
        }

        impl Bug {
            pub const ALL: [Bug; [$(Bug::$bug),*].len()] = [$(Bug::$bug),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Bug::$bug => $name,)*
                    Bug::$later => $called,
                }
            }
        }
    };
}

bugs! {
    /// Ack a send as soon as it is proposed, before a majority has it.
    AckBeforeCommit => "ack-before-commit",
    /// Report an append as durable before the fsync.
    AckBeforeFsync => "ack-before-fsync",
    /// Forget the dedup rows at restart.
    ForgetDedupOnRestart => "forget-dedup-on-restart",
    /// Key dedup without the sender.
    DedupWithoutSender => "dedup-without-sender",
    /// Hand out a push although the one before it is missing.
    IgnoreFanOutGap => "ignore-fan-out-gap",
    /// Ignore `after`.
    IgnoreAfter => "ignore-after",
    /// Apply an entry again when the log is replayed.
    ReapplyOnReplay => "reapply-on-replay",
    /// Remember only the last few ids of a conversation.
    DedupWindow => "dedup-window",
    /// Stamp an event with the leader's clock, even if that is behind the event before.
    TimeGoesBack => "time-goes-back",
    /// Take a cursor as it comes, even if it is behind the one held.
    CursorGoesBack => "cursor-goes-back",
    /// Accept a message from a former member.
    RemovedMaySend => "removed-may-send",
    /// Write the event that removes a member, and keep the member.
    RemovedStaysMember => "removed-stays-member",
    /// Let a new member see earlier events.
    AddedSeesAll => "added-sees-all",
    /// Keep a vote in memory only.
    VoteNotWritten => "vote-not-written",
    /// Keep entries that a new leader does not have.
    TruncateSkipped => "truncate-skipped",
    /// Make the applied index durable before the rows that it covers.
    AppliedBeforeRows => "applied-before-rows",
    /// Leave the dedup rows out of a snapshot.
    SnapshotWithoutDedup => "snapshot-without-dedup",
    /// Count a snapshot as installed before its rows are.
    SnapshotHalfInstalled => "snapshot-half-installed",
    /// Answer reads without confirming the leadership with a majority.
    StaleRead => "stale-read",
    /// Look up recent acks without the sender.
    RecentWithoutSender => "recent-without-sender",
    /// Lose a push, and never send the head that would reveal it.
    LostPushUnnoticed => "lost-push-unnoticed",
    /// Hand out to a connection whose user was removed.
    RemovedStillFannedOut => "removed-still-fanned-out",
    /// Do not subscribe again when another node leads.
    HubStaysWithOldLeader => "hub-stays-with-old-leader",
    /// Subscribe without reporting the head to the connections.
    SubscribeWithoutHead => "subscribe-without-head",
    /// Begin a page of history one event too late.
    PageSkipsOne => "page-skips-one",
    /// Route some slots to the shard beside theirs, on one node.
    WrongShard => "wrong-shard",
    /// Settle an outbox row before the other shard has committed it.
    OutboxSettledUnheard => "outbox-settled-unheard",
    /// Send again under another id.
    SdkFreshIds => "sdk-fresh-ids",
    /// Deliver a push regardless of earlier deliveries.
    SdkTrustsPushes => "sdk-trusts-pushes",
    /// Keep the cursor of an event that the application has not taken.
    SdkCursorEarly => "sdk-cursor-early",
    /// Give up a message whose outcome is unknown.
    SdkGivesUp => "sdk-gives-up",
    /// Send without naming the message before.
    SdkWithoutAfter => "sdk-without-after",
    /// Continue with an earlier copy of a disk.
    PutBackUnnoticed => "put-back-unnoticed",
    /// Call a move done before the members of the group have changed.
    MoveWithoutVote => "move-without-vote",
    /// Keep the data of a replica that was moved away.
    GoneReplicaKept => "gone-replica-kept",
    /// Count one's own messages as unread.
    UnreadCountsOwn => "unread-counts-own",
    /// Stamp with the leader's clock, regardless of the clocks of the others.
    OwnClockTrusted => "own-clock-trusted",
    /// List the group of a stranger before the user has accepted.
    InvitationEntersUnasked => "invitation-enters-unasked",
    /// Answer that an invitation is kept, and forget it.
    InvitationLost => "invitation-lost",
    /// Say that a session has ended, and keep it.
    EndedSessionResumes => "ended-session-resumes",
    /// Execute an act of an administrator without a row in the audit log.
    ActNotRecorded => "act-not-recorded",
    /// Take no use of an invitation code for a registration.
    InviteUsedTwice => "invite-used-twice",
    /// Report a RocksDB write as durable without an fsync.
    SyncSkipped => "sync-skipped",
    /// Continue after a failed RocksDB write.
    EngineErrorIgnored => "engine-error-ignored",
    /// Open a database that has lost its end.
    WitnessIgnored => "witness-ignored",
    /// Propose a command that not every member can apply.
    LevelIgnored => "level-ignored",
    /// Place a reaction that its user has given already.
    ReactionTwice => "reaction-twice",
    /// Answer a repeated key without a look at its first body.
    ReusedKeyAnswered => "reused-key-answered",
    /// Take an import for the log that is there, without a look at it.
    ImportUncompared => "import-uncompared",
    /// Resume a stream of server-sent events behind the first event that its client lacks.
    StreamResumesLate => "stream-resumes-late",
    /// Let a muted member speak.
    MuteIgnored => "mute-ignored",
    /// Let a member speak in slow mode before its time.
    SlowModeIgnored => "slow-mode-ignored",
    /// Let a banned user join or be added.
    BannedReturns => "banned-returns",
    /// Count no use of an invite link of a group.
    LinkUsedTwice => "link-used-twice",
    /// Answer that a scheduled message is cancelled, and send it.
    CancelIgnored => "cancel-ignored",
    /// As a new leader, wait for new work only, not for what was planned before.
    DueForgotten => "due-forgotten",
    /// Keep a block in the shard of its user only.
    BlockNotSent => "block-not-sent",
    /// Hear of no acceptance of a request.
    ContactOneSided => "contact-one-sided",
    /// Let a second device take a call that was answered.
    CallTwoWinners => "call-two-winners",
    /// Pass the signal of a former member on.
    SignalUnchecked => "signal-unchecked",
    /// Remove the chunks of a file when the same file is uploaded again.
    SameFileCollected => "same-file-collected",
    /// Place a message that refers to a file which is not there.
    MissingFileSent => "missing-file-sent",
    /// Keep the room of files that are gone.
    RoomNotFreed => "room-not-freed",
    /// Let any member edit a message.
    EditByAnother => "edit-by-another",
    /// Keep the contents of a recalled message and of its edits.
    RecallKeepsContent => "recall-keeps-content",
    /// Commit the cursor of a hook before its receiver has the events.
    HookCursorEarly => "hook-cursor-early",
    /// Pass over each fifth event of a hook.
    HookSkipsOne => "hook-skips-one",
    /// Place a message that the hook of its group was not asked about.
    BeforeHookSkipped => "before-hook-skipped",
    /// Show the presence of a user that hides it.
    PresenceShown => "presence-shown",
    /// Push the presence of a user to watchers that it hides from.
    WatchUnchecked => "watch-unchecked",
    /// Take a change of a conversation's state from a device that has not seen the last one.
    StaleChangeWins => "stale-change-wins",
    /// Show a user the history that it has cleared.
    ClearedHistoryShown => "cleared-history-shown",
    /// Answer that messages are deleted for a user, and keep showing them.
    DeletedShown => "deleted-shown",
    /// Answer that a message is saved, and forget it.
    FavouriteLost => "favourite-lost",
    /// Find messages that the user may not see.
    SearchShowsHidden => "search-shows-hidden",
    /// Leave the last message of each block out of the search index.
    SearchForgets => "search-forgets",
    /// Let a user in that has only asked to join.
    AskLetsIn => "ask-lets-in",
    /// Keep the pin of a recalled message.
    PinOutlivesRecall => "pin-outlives-recall",
    /// Count members as readers of messages from before they came.
    NewcomersHaveRead => "newcomers-have-read",
    /// Say that a message has vanished, and keep its content.
    VanishingKept => "vanishing-kept",
    /// Count the vote of a user a second time.
    VoteTwice => "vote-twice",
    /// Forward under another id each time.
    ForwardFreshIds => "forward-fresh-ids",
    /// Append a piece of a stream again when it is repeated.
    PieceTwice => "piece-twice",
    /// Let a bot do what its token is not for.
    BotScopeIgnored => "bot-scope-ignored",
    /// Let members of a group without contact get in touch with each other.
    ApartMembersMeet => "apart-members-meet",
    /// Let an auditor change what it may only read.
    AuditorMayWrite => "auditor-may-write",
    /// Open the session of a login, and keep no last login.
    LoginNotRecorded => "login-not-recorded",
    /// Begin each later page of the list of groups one group too late.
    GroupListSkipsOne => "group-list-skips-one",
    /// Answer that a push subscription has ended, and keep it.
    SubscriptionKept => "subscription-kept",
    ;
    /// Not a bug, and in no list: a message whose body has the number of a later kind of events
    /// becomes such an event, as a later version might place it. Every promise must hold
    /// nevertheless.
    LaterKind => "later-kind"
}

impl Bug {
    pub fn named(name: &str) -> Option<Bug> {
        Bug::ALL.into_iter().chain([Bug::LaterKind]).find(|bug| bug.name() == name)
    }
}
