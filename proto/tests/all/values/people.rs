//! Strategies for profiles, contacts and blocks.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use troupe_core::command::{
    AdvanceHook, BotChange, ChangeBot, ChangeContact, ChangeHook, ChangeProfile, ChangePush, CloseReport, ContactAct,
    FileReport, GivenUp, HearContact, HookChange, JudgeScheduled, MakePushKey, NoteSeen, PostHook, ProfileChange,
    PushChange, Said, SetGate, SettleContacts, SettledContact, ShowPresence, Vetted, WritePiece,
};
use troupe_core::feature::CallOutcome;
use troupe_core::record::{Audience, Report, Viewers};
use troupe_core::{Append, Body, Command, DeviceId, EventKind, Intent, Timestamp};

use super::accounts::author;
use super::{conversation, message_id, number, seq, slot, text, token_hash, user};

fn change() -> impl Strategy<Value = ProfileChange> {
    let text = || option::of(text());
    let audience = option::of(proptest::sample::select(&Audience::ALL[..]));
    (text(), text(), text(), text(), audience).prop_map(|(display_name, avatar, about, language, messages_from)| {
        ProfileChange { display_name, avatar, about, language, messages_from }
    })
}

fn act() -> impl Strategy<Value = ContactAct> {
    prop_oneof![
        text().prop_map(|text| ContactAct::Ask { text }),
        text().prop_map(|text| ContactAct::Remark { text }),
        proptest::sample::select(vec![ContactAct::Accept, ContactAct::End, ContactAct::Block, ContactAct::Unblock,]),
    ]
}

fn settled() -> impl Strategy<Value = SettledContact> {
    (user(), user(), number(), number()).prop_map(|(user, other, contact, gate)| SettledContact {
        user,
        other,
        contact,
        gate,
    })
}

/// Its time is not part of the command.
fn report() -> impl Strategy<Value = Report> {
    (user(), user(), conversation(), seq(), text(), text(), message_id()).prop_map(
        |(by, about, conversation, seq, excerpt, reason, request)| Report {
            by,
            about,
            conversation,
            seq,
            excerpt,
            reason,
            created: Timestamp(0),
            request,
        },
    )
}

fn hook() -> impl Strategy<Value = Command> {
    let made = (any::<u32>(), text(), token_hash(), text(), text(), any::<bool>());
    let change = prop_oneof![
        made.prop_map(|(kind, name, hash, key, url, closed)| HookChange::Make { kind, name, hash, key, url, closed }),
        number().prop_map(|hook| HookChange::End { hook }),
        (number(), seq()).prop_map(|(hook, seq)| HookChange::Retry { hook, seq }),
    ];
    let dead = (seq(), any::<u32>(), any::<u32>(), text());
    let dead = dead.prop_map(|(seq, attempts, status, why)| GivenUp { seq, attempts, status, why });
    prop_oneof![
        (conversation(), user(), message_id(), change).prop_map(|(conversation, actor, request, change)| {
            Command::from(ChangeHook { conversation, actor, request, change })
        }),
        (conversation(), number(), token_hash(), message_id(), text()).prop_map(
            |(conversation, hook, hash, id, text)| {
                let body = Body::text(&text);
                Command::from(PostHook { conversation, hook, hash, id, body })
            }
        ),
        (conversation(), number(), seq(), vec(dead, 0..3), vec(seq(), 0..3)).prop_map(
            |(conversation, hook, to, dead, taken)| Command::from(AdvanceHook { conversation, hook, to, dead, taken })
        ),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let parts = || (conversation(), user(), message_id(), text());
    prop_oneof![
        (parts(), seq(), any::<bool>()).prop_map(|((conversation, actor, client_message_id, text), to, edits)| {
            let body = Body::text(&text);
            let intent = if edits { Intent::Edit { to, body } } else { Intent::Message(body) };
            Said::Append(Append { conversation, actor, client_message_id, after: None, intent })
        }),
        (parts(), number(), token_hash()).prop_map(|((conversation, _, id, text), hook, hash)| {
            Said::Post(PostHook { conversation, hook, hash, id, body: Body::text(&text) })
        }),
        (parts(), seq(), number()).prop_map(|((conversation, sender, _, text), message, index)| {
            Said::Piece(WritePiece { conversation, sender, message, index, text })
        }),
    ]
}

fn asked() -> impl Strategy<Value = Command> {
    prop_oneof![
        (number(), said()).prop_map(|(hook, said)| Command::from(Vetted { hook, said })),
        (conversation(), user(), message_id(), number(), text()).prop_map(
            |(conversation, sender, client_message_id, hook, refused)| {
                Command::from(JudgeScheduled { conversation, sender, client_message_id, hook, refused })
            }
        ),
    ]
}

fn push() -> impl Strategy<Value = Command> {
    let device = DeviceId::new("phone").expect("a device");
    let change = prop_oneof![
        (token_hash(), text(), text(), text()).prop_map(move |(token, endpoint, p256dh, auth)| {
            PushChange::Subscribe { device: device.clone(), token, endpoint, p256dh, auth }
        }),
        text().prop_map(|endpoint| PushChange::End { endpoint }),
    ];
    prop_oneof![
        (user(), change).prop_map(|(user, change)| Command::from(ChangePush { user, change })),
        (text(), text()).prop_map(|(private, public)| Command::from(MakePushKey { private, public })),
    ]
}

fn bot() -> impl Strategy<Value = Command> {
    let change = prop_oneof![
        (text(), token_hash(), any::<u32>()).prop_map(|(name, token, scopes)| BotChange::Create {
            name,
            token,
            scopes
        }),
        (user(), token_hash()).prop_map(|(bot, token)| BotChange::Rotate { bot, token }),
        user().prop_map(|bot| BotChange::End { bot }),
    ];
    (user(), message_id(), change)
        .prop_map(|(owner, request, change)| Command::from(ChangeBot { owner, request, change }))
}

pub fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        bot(),
        hook(),
        asked(),
        push(),
        (user(), number()).prop_map(|(user, at)| Command::NoteSeen(NoteSeen { user, at: Timestamp(at) })),
        (user(), proptest::sample::select(&Viewers::ALL[..]))
            .prop_map(|(user, to)| Command::ShowPresence(ShowPresence { user, to })),
        (user(), message_id(), change()).prop_map(|(user, request, change)| Command::from(ChangeProfile {
            user,
            request,
            change
        })),
        (user(), user(), message_id(), act()).prop_map(|(user, other, request, act)| Command::from(ChangeContact {
            user,
            other,
            request,
            act
        })),
        (user(), user(), number(), any::<bool>(), number(), text()).prop_map(|(user, by, said, wants, ended, text)| {
            Command::from(HearContact { user, by, said, wants, ended, text })
        }),
        (conversation(), user(), number(), any::<bool>()).prop_map(|(conversation, user, version, closed)| {
            Command::SetGate(SetGate { conversation, user, version, closed })
        }),
        report().prop_map(|report| Command::from(FileReport { report })),
        (number(), message_id(), author(), text()).prop_map(|(number, request, by, note)| Command::from(CloseReport {
            number,
            request,
            by,
            note
        })),
        (slot(), vec(settled(), 0..4)).prop_map(|(slot, rows)| Command::SettleContacts(SettleContacts { slot, rows })),
    ]
}

/// An event of a call.
pub fn call() -> impl Strategy<Value = EventKind> {
    let outcome = prop::sample::select(CallOutcome::ALL);
    let ended = (seq(), user(), any::<bool>(), outcome, number());
    prop_oneof![
        (any::<bool>(), number()).prop_map(|(video, device)| EventKind::CallStarted { video, device }),
        (seq(), number()).prop_map(|(call, device)| EventKind::CallAnswered { call, device }),
        ended.prop_map(|(call, caller, video, outcome, lasted_ms)| EventKind::CallEnded {
            call,
            caller,
            video,
            outcome,
            lasted_ms
        }),
    ]
}
