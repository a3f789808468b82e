//! The stories reach every answer, event and effect.

use std::collections::BTreeSet;

use proptest::prelude::*;
use troupe_core::{Effect, EventKind, Machine, Reply};

use crate::commands::long_stories;
use crate::run;

/// A law over empty stories proves nothing: every answer, event and effect must occur.
#[test]
fn stories_go_everywhere() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..30_000 {
        let Ok(story) = long_stories().new_tree(&mut runner) else { panic!("the strategy always gives a story") };
        let (state, answers) = run(Machine::default(), &story.current());
        for (reply, effects) in answers {
            seen.insert(match reply {
                Reply::Registered { .. } => "registered",
                Reply::SessionOpened { replaced: None } => "opened",
                Reply::SessionOpened { replaced: Some(_) } => "replaced",
                Reply::SessionClosed { closed: None } => "closed nothing",
                Reply::SessionClosed { closed: Some(_) } => "closed",
                Reply::Placed { duplicate: false, .. } => "placed",
                Reply::Placed { duplicate: true, .. } => "placed before",
                Reply::GroupCreated { .. } => "group created",
                Reply::Imported { .. } => "imported",
                Reply::SessionTouched { open: true } => "touched",
                Reply::SessionTouched { open: false } => "touched nothing",
                Reply::Scheduled { .. } => "scheduled",
                Reply::DueDone { .. } => "due",
                Reply::Upload { .. } => "upload",
                Reply::Room { .. } => "room",
                Reply::Done => "done",
                Reply::Rejected(why) => why.code(),
            });
            seen.extend(effects.iter().map(|effect| match effect {
                Effect::Deliver { .. } => "deliver",
                Effect::InboxChanged { .. } => "inbox changed",
                Effect::Invited { .. } => "invited",
                Effect::ProfileChanged { .. } => "profile changed",
                Effect::ContactChanged { .. } => "contact changed",
                Effect::PresenceShown { .. } => "presence shown",
                Effect::PersonalChanged { .. } => "personal changed",
                Effect::FavouriteChanged { .. } => "favourite changed",
                Effect::InvitationExpired { .. } => "invitation expired",
                Effect::SessionEnded { .. } => "session ended",
                Effect::CursorMoved { .. } => "cursor moved",
                Effect::OutboxFilled { .. } => "outbox filled",
                Effect::HooksChanged { .. } => "hooks",
                Effect::AskHook { .. } => "ask a hook",
                Effect::DuePlanned { .. } => "planned",
                Effect::Grown { .. } => "grown",
            }));
        }
        let log = state.conversations().into_iter().flat_map(|conversation| state.events(conversation));
        seen.extend(log.map(|event| match event.kind {
            EventKind::Reacted { removed: true, .. } => "took back",
            EventKind::Edited { .. } => "edited",
            EventKind::Recalled { .. } => "recalled",
            EventKind::Vanished { .. } => "vanished",
            EventKind::Voted { removed: false, .. } => "voted",
            EventKind::Voted { removed: true, .. } => "unvoted",
            EventKind::PollClosed { .. } => "poll closed",
            EventKind::StreamEnded { .. } => "stream ended",
            EventKind::SettingsChanged(_) => "settings changed",
            EventKind::Muted { .. } => "muted",
            EventKind::Banned { .. } => "banned",
            EventKind::Transferred { .. } => "transferred",
            EventKind::Disbanded => "disbanded",
            EventKind::LinkMade { .. } | EventKind::LinkRevoked { .. } => "link",
            EventKind::CallStarted { .. } | EventKind::CallAnswered { .. } | EventKind::CallEnded { .. } => "call",
            EventKind::Unknown { .. } => "unknown",
            kind => kind.name(),
        }));
    }
    let all = [
        ["registered", "opened", "replaced", "closed nothing", "closed", "placed", "placed before"].as_slice(),
        &["group created", "done", "name_taken", "no_such_user", "not_member", "not_allowed", "not_open"],
        &[
            "last_owner",
            "already_member",
            "no_such_member",
            "leave_instead",
            "not_a_group",
            "bad_request",
            "out_of_order",
        ],
        &["touched", "touched nothing", "account_disabled", "account_changed", "own_account"],
        &["deliver", "inbox changed", "invited", "session ended", "cursor moved", "outbox filled"],
        &["message", "created", "renamed", "added", "removed", "role_changed", "reacted", "took back"],
        &["edited", "recalled", "erased", "not_your_message", "another_kind", "recall_too_late", "unknown"],
        &["voted", "poll closed", "not_a_poll", "bad_vote", "no_such_option", "already_voted"],
        &["no_such_vote", "poll_stays"],
        &["bad_emoji", "no_such_message", "already_reacted", "no_such_reaction"],
        &["settings changed", "muted", "banned", "transferred", "disbanded", "join_asked", "join_closed", "pinned"],
        &["already_asked", "no_such_request", "already_pinned", "not_pinned"],
        &["due", "planned", "vanished", "personal changed", "state_changed", "seq_beyond_head", "request_reused"],
        &["muted", "group_muted", "slow_mode", "not_muted", "banned", "already_banned", "not_banned", "bad_time"],
    ];
    let all = all.into_iter().flatten().copied();
    assert_eq!(all.filter(|what| !seen.contains(what)).collect::<Vec<_>>(), Vec::<&str>::new(), "never happened");
}
