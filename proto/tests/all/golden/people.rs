//! Rows and commands of people.

use troupe_core::command::{
    AdvanceHook, BotChange, ChangeBot, ChangeContact, ChangeHook, ChangeProfile, ChangePush, CloseReport, ContactAct,
    FileReport, GivenUp, HearContact, HookChange, JudgeScheduled, MakePushKey, NoteSeen, PostHook, ProfileChange,
    PushChange, Said, SetGate, SettleContacts, SettledContact, ShowPresence, Vetted, WritePiece,
};
use troupe_core::feature::{ActiveCall, CallOutcome};
use troupe_core::record::{
    Audience, Author, Block, Bot, Change, Contact, ContactBook, DeadEvent, Gate, Hook, OwedContact, Profile, PushKey,
    PushSubscription, Report, ReportBook, Seen, Viewers,
};
use troupe_core::{Append, Body, Command, ConversationId, DeviceId, EventKind, Intent, Seq, Timestamp};

use super::{ALICE, BEFORE, BOB, DIRECT, GROUP, ID, NOW, TOKEN, record};

fn changes() -> Vec<Change> {
    vec![Change { request: BEFORE, digest: 1 << 63 }, Change { request: ID, digest: 7 }]
}

#[test]
fn profile() {
    let profile = Profile {
        display_name: "Alice B.".into(),
        avatar: "sha256:0a".into(),
        about: "one\ntwo".into(),
        language: "de".into(),
        version: 2,
        changes: changes(),
        messages_from: Audience::Everyone,
    };
    let private = Profile { messages_from: Audience::Contacts, ..profile.clone() };
    record("profile", &[("unset", Profile::default()), ("profile", profile), ("private", private)]);
}

#[test]
fn contact() {
    let contact = Contact {
        wants: true,
        said: 7,
        wanted: true,
        heard: 5,
        ended: 3,
        text: "hello".into(),
        remark: "Bob from work".into(),
        since: NOW,
        version: 9,
        changes: changes(),
    };
    record("contact", &[("ended", Contact { said: 7, ..Contact::default() }), ("contact", contact)]);
    record("block", &[("block", Block { since: NOW })]);
    let book = ContactBook { version: 9, mutual: 1, sent: 2, received: 3, blocks: 4 };
    record("contact_book", &[("contact_book", book)]);
    record("owed_contact", &[("owed", OwedContact { contact: 7, gate: 9 })]);
    record("gate", &[("open", Gate { version: 9, closed: false }), ("closed", Gate { version: 10, closed: true })]);
}

fn reported(created: Timestamp) -> Report {
    Report {
        by: ALICE,
        about: BOB,
        conversation: DIRECT,
        seq: Seq(9),
        excerpt: "the text".into(),
        reason: "abuse".into(),
        created,
        request: ID,
    }
}

#[test]
fn report() {
    record("report", &[("report", reported(NOW))]);
    record("report_book", &[("report_book", ReportBook { last: 9, open: 2 })]);
}

#[test]
fn bot() {
    let (name, scopes, token_set, request) = ("weather".to_owned(), Bot::ALL, Timestamp(NOW.0 + 1), ID);
    record("bot", &[("bot", Bot { name: name.clone(), scopes, created: NOW, token_set, request })]);
    let change = |change| Command::from(ChangeBot { owner: ALICE, request: ID, change });
    record(
        "bot_command",
        &[
            ("create", change(BotChange::Create { name, token: TOKEN, scopes })),
            ("rotate", change(BotChange::Rotate { bot: BOB, token: TOKEN })),
            ("end", change(BotChange::End { bot: BOB })),
        ],
    );
}

#[test]
fn hook() {
    let (name, url, key) = ("builds".to_owned(), "https://a.example/hook".to_owned(), "a secret of a hook".to_owned());
    let hook = Hook {
        kind: Hook::OUTGOING,
        name: name.clone(),
        by: ALICE,
        created: NOW,
        hash: TOKEN,
        key: key.clone(),
        url: url.clone(),
        delivered: Seq(7),
        dead: 1,
        request: ID,
        closed: false,
    };
    let before = Hook { kind: Hook::BEFORE, closed: true, ..hook.clone() };
    record("hook", &[("hook", hook), ("before", before)]);
    let dead = DeadEvent { attempts: 8, status: 503, why: "busy".into(), at: NOW, again: true };
    record("dead_event", &[("dead_event", dead)]);
    let change = |change| {
        Command::from(ChangeHook { conversation: ConversationId::Group(GROUP), actor: ALICE, request: ID, change })
    };
    let (conversation, hook, body) = (ConversationId::Group(GROUP), 9, Body::text("done"));
    let asked = |said| Command::from(Vetted { hook, said });
    let intent = Intent::Message(body.clone());
    let send = Append { conversation, actor: ALICE, client_message_id: ID, after: None, intent };
    let piece = WritePiece { conversation, sender: ALICE, message: Seq(6), index: 2, text: "more".into() };
    let (sender, client_message_id, refused) = (ALICE, ID, "refused_by_hook".into());
    let judged = JudgeScheduled { conversation, sender, client_message_id, hook, refused };
    let dead = vec![GivenUp { seq: Seq(6), attempts: 8, status: 503, why: "busy".into() }];
    record(
        "hook_command",
        &[
            ("make", change(HookChange::Make { kind: Hook::OUTGOING, name, hash: TOKEN, key, url, closed: false })),
            ("end", change(HookChange::End { hook })),
            ("retry", change(HookChange::Retry { hook, seq: Seq(6) })),
            ("post", Command::from(PostHook { conversation, hook, hash: TOKEN, id: ID, body: body.clone() })),
            ("asked_post", asked(Said::Post(PostHook { conversation, hook, hash: TOKEN, id: ID, body: body.clone() }))),
            ("asked_send", asked(Said::Append(send))),
            ("asked_piece", asked(Said::Piece(piece))),
            ("judge", Command::from(judged)),
            ("advance", Command::from(AdvanceHook { conversation, hook, to: Seq(7), dead, taken: vec![Seq(4)] })),
        ],
    );
}

#[test]
fn people_command() {
    let change = |change| Command::from(ChangeProfile { user: ALICE, request: ID, change });
    let named = ProfileChange { display_name: Some("Alice B.".into()), ..ProfileChange::default() };
    let text = |text: &str| Some(text.to_owned());
    let all = ProfileChange {
        display_name: text(""),
        avatar: text("sha256:0a"),
        about: text("one"),
        language: text("de"),
        messages_from: Some(Audience::Contacts),
    };
    let act = |act| Command::from(ChangeContact { user: ALICE, other: BOB, request: ID, act });
    let hear = HearContact { user: BOB, by: ALICE, said: 7, wants: true, ended: 5, text: "hello".into() };
    let gate = SetGate { conversation: DIRECT, user: ALICE, version: 9, closed: true };
    let row = SettledContact { user: ALICE, other: BOB, contact: 7, gate: 9 };
    let settle = SettleContacts { slot: ALICE.slot(), rows: vec![row] };
    record(
        "people_command",
        &[
            ("change_profile", change(named)),
            ("change_all", change(all)),
            ("ask", act(ContactAct::Ask { text: "hello".into() })),
            ("accept", act(ContactAct::Accept)),
            ("end", act(ContactAct::End)),
            ("remark", act(ContactAct::Remark { text: "Bob from work".into() })),
            ("block", act(ContactAct::Block)),
            ("unblock", act(ContactAct::Unblock)),
            ("hear_contact", Command::from(hear)),
            ("set_gate", Command::SetGate(gate)),
            ("file_report", Command::from(FileReport { report: reported(Timestamp(0)) })),
            (
                "close_report",
                Command::from(CloseReport {
                    number: 9,
                    request: ID,
                    by: Author { user: ALICE, name: "Alice".into(), address: "127.0.0.1".into() },
                    note: "warned".into(),
                }),
            ),
            ("settle_contacts", Command::SettleContacts(settle)),
        ],
    );
}

#[test]
fn active_call() {
    let (call, caller, rings) = (Seq(299), BOB, Timestamp(0));
    let rings = ActiveCall { call, caller, video: true, started: NOW, answered: rings, device: 0 };
    let lasts = ActiveCall { answered: NOW, device: 6_000, ..rings.clone() };
    record("active_call", &[("rings", rings), ("lasts", lasts)]);
}

/// The events of a call.
pub fn calls() -> [(&'static str, EventKind); 3] {
    let (call, caller, outcome) = (Seq(299), BOB, CallOutcome::Talked);
    [
        ("call_started", EventKind::CallStarted { video: true, device: 5_000 }),
        ("call_answered", EventKind::CallAnswered { call, device: 6_000 }),
        ("call_ended", EventKind::CallEnded { call, caller, video: true, outcome, lasted_ms: 65_000 }),
    ]
}

#[test]
fn seen() {
    let shown = |shown_to| Seen { at: troupe_core::Timestamp(1_700_000_000_000), shown_to };
    let rows = Viewers::ALL.map(|audience| (audience.name(), shown(audience)));
    record("seen", &rows);
    let noted = Command::NoteSeen(NoteSeen { user: ALICE, at: troupe_core::Timestamp(1_700_000_000_000) });
    let hidden = Command::ShowPresence(ShowPresence { user: ALICE, to: Viewers::NoOne });
    record("presence_command", &[("note_seen", noted), ("show_presence", hidden)]);
}

#[test]
fn push() {
    let (endpoint, p256dh, auth) = ("https://push.example/1".to_owned(), "BA".to_owned(), "CA".to_owned());
    let device = DeviceId::new("phone").expect("a device");
    let row = PushSubscription {
        endpoint: endpoint.clone(),
        p256dh: p256dh.clone(),
        auth: auth.clone(),
        device: device.clone(),
        token: TOKEN,
        created: NOW,
    };
    record("push_subscription", &[("subscription", row)]);
    record("push_key", &[("key", PushKey { private: "secret".into(), public: "point".into() })]);
    let change = |change| Command::from(ChangePush { user: ALICE, change });
    let made = MakePushKey { private: "secret".into(), public: "point".into() };
    let subscribe = PushChange::Subscribe { device, token: TOKEN, endpoint: endpoint.clone(), p256dh, auth };
    record(
        "push_command",
        &[
            ("subscribe", change(subscribe)),
            ("end", change(PushChange::End { endpoint })),
            ("key", Command::from(made)),
        ],
    );
}
