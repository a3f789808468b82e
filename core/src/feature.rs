//! The content of a conversation's log: one file per feature.
//!
//! A client states an [`Intent`]. Its feature refuses intents that no state allows, decides the
//! others against the state as an [`EventKind`], and projects the event on rows and effects as soon
//! as it has its place. Order, time and exactly-once are the same for all features and live in
//! `machine/conversation.rs`.
//!
//! This file is the list. A feature is a file of its own, an entry among the intents, and one among
//! the events if its intent becomes a new kind of event. The fields of an entry have the numbers
//! that they have in the content; numbers are never reused.

mod append;
mod ban;
mod call;
mod edit;
mod fact;
mod link;
mod list;
mod members;
mod message;
mod owner;
mod policy;
mod reaction;
mod recall;
mod rename;
mod roles;
mod scheduled;
mod settings;
mod silence;

pub use append::Append;
pub use ban::Ban;
pub use call::{ActiveCall, CALL_OVER, CallAnswer, CallOutcome};
pub use edit::Edits;
pub use fact::Fact;
pub use link::{BAD_LINK, GroupLink, code_hash, link_id};
pub(crate) use members::{check_count, distinct};
pub(crate) use owner::DISBANDED;
pub use policy::{Act, Policy};
pub(crate) use reaction::is_reaction;
pub use reaction::{Count, OwnReactions, Reactions};
pub(crate) use rename::check_name;
pub(crate) use scheduled::check_schedule;
pub use scheduled::{ALREADY_SENT, NO_SUCH_SCHEDULED, Scheduled, ScheduledCount};
pub use settings::{GroupProfile, Permission, Settings};
pub use silence::Mute;

use bytes::Bytes;

use crate::error::{Refused, Rejection};
use crate::event::{Body, Event, Flags, Role};
use crate::id::{ConversationId, Seq, Timestamp, TokenHash, UserId};
use crate::level::Level;
use crate::machine::Step;
use crate::record::Conversation;
use crate::text::clean;

// Every message moves as an intent and as an event, so a large content of another kind is boxed.
const _: () = assert!(size_of::<Intent>() <= 64 && size_of::<EventKind>() <= 64);

/// The refusals of commands that are no intents.
const OF_COMMANDS: &[&[Refused]] = &[scheduled::REFUSALS];

list::intents! {
    1 = Message(body: Body) => {
        since: FIRST,
        groups_only: false,
        grows: true,
        cost: body.bytes(),
        refusals: message::REFUSALS,
        check: |_append| message::check(body),
        decide: |step, append, _role, _row| step.decide_message(append, body),
    }
    2 = Rename { name: String = 1 } => {
        since: FIRST,
        groups_only: true,
        grows: true,
        cost: name.len(),
        refusals: &[],
        check: |_append| check_name(name),
        decide: |_step, _append, role, row| rename::decide(role, row, name),
    }
    3 = Add { users: Vec<UserId> = 1 } => {
        since: FIRST,
        groups_only: true,
        grows: true,
        cost: size_of_val(users.as_slice()),
        refusals: &[],
        check: |_append| check_count(&distinct(users)?),
        decide: |step, append, role, row| step.decide_add(append.conversation, role, row, users),
    }
    4 = Remove { user: UserId = 1 } => {
        since: FIRST,
        groups_only: true,
        grows: false,
        cost: 0,
        refusals: &[],
        check: |append| members::check_remove(append.actor, *user),
        decide: |step, append, role, row| step.decide_remove(append.conversation, role, row, *user),
    }
    5 = Leave => {
        since: FIRST,
        groups_only: true,
        grows: false,
        cost: 0,
        refusals: &[],
        check: |_append| Ok(()),
        decide: |step, append, role, row| step.decide_leave(append, role, row),
    }
    /// Only where the group is open.
    6 = Join => {
        since: FIRST,
        groups_only: true,
        grows: true,
        cost: 0,
        refusals: &[],
        check: |_append| Ok(()),
        decide: |step, append, role, row| step.decide_join(append, role, row),
    }
    7 = SetRole { user: UserId = 1, role: Role = 2 } => {
        since: FIRST,
        groups_only: true,
        grows: false,
        cost: 0,
        refusals: &[],
        check: |_append| Ok(()),
        decide: |step, append, actor, row| step.decide_role(append.conversation, actor, row, *user, *role),
    }
    8 = React { to: Seq = 1, emoji: String = 2, remove: bool = 3 } => {
        since: SECOND,
        groups_only: false,
        grows: !remove,
        cost: emoji.len(),
        refusals: reaction::REFUSALS,
        check: |_append| reaction::check(emoji),
        decide: |step, append, _role, _row| step.decide_react(append, *to, emoji, *remove),
    }
    9 = Edit { to: Seq = 1, body: Body = 2 } => {
        since: SECOND,
        groups_only: false,
        grows: true,
        cost: body.content.len(),
        refusals: edit::REFUSALS,
        check: |_append| edit::check(body),
        decide: |step, append, _role, _row| step.decide_edit(append, *to, body),
    }
    /// The sender of the message may within so many milliseconds of it; the node that takes the
    /// request sets them.
    10 = Recall { to: Seq = 1, within_ms: u64 = 2 } => {
        since: SECOND,
        groups_only: false,
        grows: false,
        cost: 0,
        refusals: recall::REFUSALS,
        check: |_append| Ok(()),
        decide: |step, append, role, row| step.decide_recall(append, role, row, *to, *within_ms),
    }
    20 = Set(settings: Box<Settings>) => {
        since: SECOND,
        groups_only: true,
        grows: true,
        cost: settings.bytes(),
        refusals: settings::REFUSALS,
        check: |_append| settings::check(settings),
        decide: |step, _append, role, row| step.decide_settings(role, row, settings),
    }
    /// Until zero: the mute is lifted.
    21 = Mute { user: UserId = 1, until: Timestamp = 2 } => {
        since: SECOND,
        groups_only: true,
        grows: false,
        cost: 0,
        refusals: silence::REFUSALS,
        check: |append| silence::check_mute(append.actor, *user),
        decide: |step, append, role, row| step.decide_mute(append, role, row, *user, *until),
    }
    22 = Ban { user: UserId = 1, lift: bool = 2 } => {
        since: SECOND,
        groups_only: true,
        grows: false,
        cost: 0,
        refusals: ban::REFUSALS,
        check: |append| ban::check_ban(append.actor, *user),
        decide: |step, append, role, row| step.decide_ban(append, role, row, *user, *lift),
    }
    23 = Transfer { to: UserId = 1 } => {
        since: SECOND,
        groups_only: true,
        grows: false,
        cost: 0,
        refusals: &[],
        check: |_append| Ok(()),
        decide: |step, append, role, row| step.decide_transfer(append.conversation, role, row, append.actor, *to),
    }
    24 = Disband => {
        since: SECOND,
        groups_only: true,
        grows: false,
        cost: 0,
        refusals: owner::REFUSALS,
        check: |_append| Ok(()),
        decide: |_step, _append, role, _row| demand(role == Some(Role::Owner)).map(|()| EventKind::Disbanded),
    }
    /// Expires zero: never.
    25 = MakeLink { hash: TokenHash = 1, uses: u32 = 2, expires: Timestamp = 3 } => {
        since: SECOND,
        groups_only: true,
        grows: true,
        cost: 0,
        refusals: link::REFUSALS,
        check: |_append| link::check_link(*uses),
        decide: |step, append, role, row| step.decide_link(append, role, row, (*hash, *uses, *expires)),
    }
    26 = RevokeLink { link: u64 = 1 } => {
        since: SECOND,
        groups_only: true,
        grows: false,
        cost: 0,
        refusals: &[],
        check: |_append| Ok(()),
        decide: |step, append, role, row| step.decide_revoke(append, role, row, *link),
    }
    /// Its event is that of any user that joins.
    27 = JoinByLink { hash: TokenHash = 1 } => {
        since: SECOND,
        groups_only: true,
        grows: true,
        cost: 0,
        refusals: &[],
        check: |_append| Ok(()),
        decide: |step, append, role, row| step.decide_join_by_link(append, role, row, hash),
    }
    /// `device`: of the caller, see [`crate::signal::device_tag`].
    50 = StartCall { video: bool = 1, device: u64 = 2 } => {
        since: SECOND,
        groups_only: false,
        grows: true,
        cost: 0,
        refusals: call::REFUSALS,
        check: |append| call::check(append.conversation),
        decide: |step, append, _role, row| step.decide_start_call(append, row, *video, *device),
    }
    51 = AnswerCall { call: Seq = 1, answer: CallAnswer = 2, device: u64 = 3 } => {
        since: SECOND,
        groups_only: false,
        grows: false,
        cost: 0,
        refusals: &[],
        check: |append| call::check(append.conversation),
        decide: |step, append, _role, row| step.decide_answer_call(append, row, *call, *answer, *device),
    }
    52 = EndCall { call: Seq = 1 } => {
        since: SECOND,
        groups_only: false,
        grows: false,
        cost: 0,
        refusals: &[],
        check: |append| call::check(append.conversation),
        decide: |step, append, _role, row| step.decide_end_call(append, row, *call),
    }
}

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
        project: |step, conversation, _row, _event| step.project_recalled(conversation, *to),
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
}

fn demand(allowed: bool) -> Result<(), Rejection> {
    if allowed { Ok(()) } else { Err(Rejection::NotAllowed) }
}
