//! The list of kinds of events. Each entry names the function of its feature that projects the
//! event on rows.

use bytes::Bytes;

use super::*;
use crate::event::{Body, Event, Flags, Role};
use crate::id::{ConversationId, Seq, Timestamp, TokenHash, UserId};
use crate::machine::Step;
use crate::record::Conversation;
use crate::text::clean;

/// The numbers that kinds of events may have; an event without a kind has the number 0.
pub const KINDS: std::ops::RangeInclusive<u32> = 5..=999;

list::events! {
    5 MESSAGE = Message(body: Body) => {
        name: "message",
        flags: Flags::COUNTS_AS_UNREAD,
        words: clean(&body.words()),
        project: |step, conversation, row, event| step.project_message(conversation, row, event),
    }
    /// The conversation was created by the sender; always seq 1 of a group.
    6 CREATED = Created { name: String = 1 } => {
        name: "created",
        flags: Flags::default(),
        words: format!("created {}", clean(name)),
        project: |step, conversation, row, event| step.project_created(conversation, row, event, name),
    }
    7 RENAMED = Renamed { name: String = 1 } => {
        name: "renamed",
        flags: Flags::default(),
        words: format!("renamed it to {}", clean(name)),
        project: |_step, _conversation, row, _event| row.name.clone_from(name),
    }
    /// Added by the sender, or joined by themselves where the group is open.
    8 ADDED = Added { users: Vec<UserId> = 1 } => {
        name: "added",
        flags: Flags::default(),
        words: format!("added {}", users.iter().map(UserId::to_string).collect::<Vec<_>>().join(", ")),
        project: |step, conversation, row, event| step.project_added(conversation, row, event, users),
    }
    /// Removed by the sender, or left by themselves. Nothing after this seq is delivered to `user`.
    9 REMOVED = Removed { user: UserId = 1 } => {
        name: "removed",
        flags: Flags::default(),
        words: format!("removed {user}"),
        project: |step, conversation, row, event| step.project_removed(conversation, row, event, *user),
    }
    10 ROLE_CHANGED = RoleChanged { user: UserId = 1, role: Role = 2 } => {
        name: "role_changed",
        flags: Flags::default(),
        words: format!("made {user} {}", role.name()),
        project: |step, conversation, row, event| step.project_role(conversation, row, event.seq, *user, *role),
    }
    11 REACTED = Reacted { to: Seq = 1, emoji: String = 2, removed: bool = 3 } => {
        name: "reacted",
        flags: Flags::default(),
        words: reaction::words(*to, emoji, *removed),
        project: |step, conversation, _row, event| step.project_reacted(conversation, event, *to, emoji, *removed),
    }
    /// The body of the message at `to` is this one now.
    12 EDITED = Edited { to: Seq = 1, body: Body = 2 } => {
        name: "edited",
        flags: Flags::default(),
        words: edit::words(*to, body),
        project: |step, conversation, _row, event| step.project_edited(conversation, event, *to),
    }
    /// The contents of the message at `to` and of its edits are erased.
    13 RECALLED = Recalled { to: Seq = 1 } => {
        name: "recalled",
        flags: Flags::default(),
        words: format!("recalled {to}"),
        project: |step, conversation, row, _event| step.project_recalled(conversation, row, *to),
    }
    /// Without options: of an anonymous poll.
    14 VOTED = Voted { to: Seq = 1, options: Vec<u32> = 2, removed: bool = 3 } => {
        name: "voted",
        flags: Flags::default(),
        words: poll::words(*to, *removed),
        project: |step, conversation, _row, event| step.project_voted(conversation, event, *to, options, *removed),
    }
    /// The record of a poll. Its sender closed it, or an admin; the sender if its time was over.
    15 POLL_CLOSED = PollClosed { to: Seq = 1, voters: u32 = 2, counts: Vec<u32> = 3 } => {
        name: "poll_closed",
        flags: Flags::default(),
        words: format!("closed the poll {to}, votes: {voters}"),
        project: |step, conversation, _row, _event| step.project_poll_closed(conversation, *to, (*voters, counts)),
    }
    20 SETTINGS_CHANGED = SettingsChanged(settings: Box<Settings>) => {
        name: "settings_changed",
        flags: Flags::default(),
        words: settings.words(),
        project: |step, conversation, row, event| step.project_settings(conversation, row, event, settings),
    }
    /// Until zero: the mute was lifted.
    21 MUTED = Muted { user: UserId = 1, until: Timestamp = 2 } => {
        name: "muted",
        flags: Flags::default(),
        words: if until.0 == 0 { format!("let {user} speak again") } else { format!("muted {user}") },
        project: |step, conversation, row, event| step.project_muted(conversation, row, event.sender, *user, *until),
    }
    /// A ban of a member stands behind its removal.
    22 BANNED = Banned { user: UserId = 1, lifted: bool = 2 } => {
        name: "banned",
        flags: Flags::default(),
        words: if *lifted { format!("lifted the ban of {user}") } else { format!("banned {user}") },
        project: |step, conversation, row, event| step.project_banned(conversation, row, event, *user, *lifted),
    }
    /// The sender was the owner until now.
    23 TRANSFERRED = Transferred { to: UserId = 1 } => {
        name: "transferred",
        flags: Flags::default(),
        words: format!("handed the group over to {to}"),
        project: |step, conversation, row, event| step.project_transferred(conversation, row, event, *to),
    }
    /// The last event of its log.
    24 DISBANDED = Disbanded => {
        name: "disbanded",
        flags: Flags::default(),
        words: "disbanded the group".to_owned(),
        project: |step, conversation, row, event| step.project_disbanded(conversation, row, event),
    }
    25 LINK_MADE = LinkMade { hash: TokenHash = 1, uses: u32 = 2, expires: Timestamp = 3 } => {
        name: "link_made",
        flags: Flags::default(),
        words: format!("made an invite link for {uses} uses"),
        project: |step, conversation, row, event| step.project_link(conversation, row, event, (*hash, *uses, *expires)),
    }
    26 LINK_REVOKED = LinkRevoked { link: u64 = 1 } => {
        name: "link_revoked",
        flags: Flags::default(),
        words: "revoked an invite link".to_owned(),
        project: |step, conversation, row, event| step.project_revoked(conversation, row, *link),
    }
    /// The sender is no member yet.
    28 JOIN_ASKED = JoinAsked => {
        name: "join_asked",
        flags: Flags::default(),
        words: "asked to join".to_owned(),
        project: |step, conversation, row, event| step.project_asked(conversation, row, event),
    }
    /// Refused by the sender, or withdrawn by the user itself.
    29 JOIN_CLOSED = JoinClosed { user: UserId = 1 } => {
        name: "join_closed",
        flags: Flags::default(),
        words: format!("closed the request of {user} to join"),
        project: |step, conversation, row, event| step.end_request(conversation, row, *user),
    }
    /// The message at `to`. Its recall takes the pin away without another event.
    31 PINNED = Pinned { to: Seq = 1, removed: bool = 2 } => {
        name: "pinned",
        flags: Flags::default(),
        words: if *removed { format!("unpinned {to}") } else { format!("pinned {to}") },
        project: |step, conversation, row, event| step.project_pinned(conversation, row, event, *to, *removed),
    }
    /// The time of the message at `to` is over: its content and those of its edits are erased.
    40 VANISHED = Vanished { to: Seq = 1 } => {
        name: "vanished",
        flags: Flags::default(),
        words: format!("{to} has vanished"),
        project: |step, conversation, row, _event| step.project_vanished(conversation, row, *to),
    }
    /// The sender calls the other user, whose devices ring. The seq of this event names the call.
    50 CALL_STARTED = CallStarted { video: bool = 1, device: u64 = 2 } => {
        name: "call_started",
        flags: Flags::default(),
        words: if *video { "started a video call".to_owned() } else { "started a call".to_owned() },
        project: |step, conversation, _row, event| step.project_call_started(conversation, event, *video),
    }
    /// A device of the sender took the call; its others stop ringing.
    51 CALL_ANSWERED = CallAnswered { call: Seq = 1, device: u64 = 2 } => {
        name: "call_answered",
        flags: Flags::default(),
        words: format!("answered the call {call}"),
        project: |step, conversation, _row, event| step.project_call_answered(conversation, event, *device),
    }
    /// The record of a call. Its sender ended it; the caller is the sender if its time was over.
    52 CALL_ENDED = CallEnded {
        call: Seq = 1, caller: UserId = 2, video: bool = 3, outcome: CallOutcome = 4, lasted_ms: u64 = 5
    } => {
        name: "call_ended",
        flags: Flags::default(),
        words: call::words(*caller, *outcome, *lasted_ms),
        project: |step, conversation, _row, _event| step.project_call_ended(conversation),
    }
    /// The message at `to` grows no more, and has this body now.
    90 STREAM_ENDED = StreamEnded { to: Seq = 1, body: Body = 2, aborted: bool = 3 } => {
        name: "stream_ended",
        flags: Flags::default(),
        words: stream::words(*to, body, *aborted),
        project: |step, conversation, _row, event| step.project_stream_ended(conversation, event, *to),
    }
}
