//! The list of intents. Each entry says since which level logs may carry it, what it costs, and
//! which functions of its feature check and decide it.

use bytes::Bytes;

use super::*;
use crate::error::{Refused, Rejection};
use crate::event::{Body, Role};
use crate::id::{Seq, Timestamp, TokenHash, UserId};
use crate::level::Level;
use crate::machine::{Step, somebody};
use crate::record::Conversation;

/// The refusals that belong to no intent alone.
const OF_COMMANDS: &[&[Refused]] = &[
    attachment::REFUSALS,
    scheduled::REFUSALS,
    crate::search::REFUSALS,
    hook::REFUSALS,
    before::REFUSALS,
    forward::REFUSALS,
];

list::intents! {
    1 = Message(body: Body) => {
        since: FIRST,
        groups_only: false,
        grows: true,
        cost: body.bytes(),
        refusals: message::REFUSALS,
        check: |_append| message::check(body),
        decide: |step, append, _role, row| step.decide_message(append, row, body),
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
        decide: |step, append, _role, row| step.decide_edit(append, row, *to, body),
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
    /// By the numbers of options, in order. `remove` takes the vote back, and names none.
    12 = Vote { to: Seq = 1, options: Vec<u32> = 2, remove: bool = 3 } => {
        since: SECOND,
        groups_only: false,
        grows: !remove,
        cost: size_of_val(options.as_slice()),
        refusals: poll::REFUSALS,
        check: |_append| poll::check(options, *remove),
        decide: |step, append, _role, row| step.decide_vote(append, row, *to, options, *remove),
    }
    13 = ClosePoll { to: Seq = 1 } => {
        since: SECOND,
        groups_only: false,
        grows: false,
        cost: 0,
        refusals: &[],
        check: |_append| Ok(()),
        decide: |step, append, role, row| step.decide_close_poll(append, role, row, *to),
    }
    /// A direct conversation has the retention only.
    20 = Set(settings: Box<Settings>) => {
        since: SECOND,
        groups_only: false,
        grows: true,
        cost: settings.bytes(),
        refusals: settings::REFUSALS,
        check: |append| settings::check(append.conversation, settings),
        decide: |step, append, role, row| step.decide_settings(append.conversation, role, row, settings),
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
    /// Only where the group lets users in by approval.
    28 = AskToJoin { text: String = 1 } => {
        since: SECOND,
        groups_only: true,
        grows: true,
        cost: text.len(),
        refusals: join_request::REFUSALS,
        check: |_append| join_request::check_ask(text),
        decide: |step, append, role, row| step.decide_ask(append, role, row, text),
    }
    /// An acceptance has the event of any user that is added.
    29 = AnswerRequest { user: UserId = 1, accept: bool = 2 } => {
        since: SECOND,
        groups_only: true,
        grows: *accept,
        cost: 0,
        refusals: &[],
        check: |_append| somebody(*user),
        decide: |step, append, role, row| step.decide_answer_request(append, role, row, *user, *accept),
    }
    /// Of the actor's own request to join.
    30 = Withdraw => {
        since: SECOND,
        groups_only: true,
        grows: false,
        cost: 0,
        refusals: &[],
        check: |_append| Ok(()),
        decide: |step, append, _role, _row| step.decide_withdraw(append),
    }
    31 = Pin { to: Seq = 1, remove: bool = 2 } => {
        since: SECOND,
        groups_only: false,
        grows: !remove,
        cost: 0,
        refusals: pin::REFUSALS,
        check: |_append| Ok(()),
        decide: |step, append, role, row| step.decide_pin(append, role, row, *to, *remove),
    }
    /// Of the node that has read the messages for the actor. Its event is that of any message.
    40 = Bundle(body: Body) => {
        since: SECOND,
        groups_only: false,
        grows: true,
        cost: body.bytes(),
        refusals: &[],
        check: |_append| forward::check_bundle(body),
        decide: |step, append, _role, row| step.decide_message(append, row, body),
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
    /// Without a text: the message keeps what was streamed.
    90 = EndStream { to: Seq = 1, text: String = 2, aborted: bool = 3 } => {
        since: SECOND,
        groups_only: false,
        grows: true,
        cost: text.len(),
        refusals: stream::REFUSALS,
        check: |_append| stream::check_end(text),
        decide: |step, append, _role, row| step.decide_end_stream(append, row, *to, text, *aborted),
    }
}
