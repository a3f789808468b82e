//! Golden bytes of the rows and commands of accounts.

use troupe_core::command::{
    AccountChange, ChangeAccount, ChangeInvite, CreateAccount, InviteChange, OpenSession, RecordAct, TouchSession,
};
use troupe_core::record::{
    AccountRole, AuditKey, AuditRow, Author, Invite, InviteId, LastLogin, Reservation, Standing, User,
};
use troupe_core::{Command, Slot, Timestamp, Username};
use troupe_proto::client::SessionToken;

use super::{ALICE, BEFORE, BOB, ID, NOW, TOKEN, device, kept, record};

fn by() -> Author {
    Author { user: ALICE, name: "alice".into(), address: "10.0.0.1:5000".into() }
}

fn name() -> Username {
    Username::new("Dora").expect("a name")
}

#[test]
fn audit_row() {
    let key = AuditKey { slot: Slot(77), time: NOW, number: 9 };
    let (action, target, detail) = ("user.disable".to_owned(), "bob".to_owned(), String::new());
    record("audit_row", &[("audit_row", AuditRow { key, by: by(), action, target, detail, request: ID })]);
}

#[test]
fn invite() {
    let invite = Invite {
        id: InviteId::of(&TOKEN),
        hash: TOKEN,
        request: ID,
        by: by(),
        created: NOW,
        expires: Timestamp(NOW.0 + 1_000),
        uses: 5,
        used: 2,
        revoked: true,
        note: "for the team".into(),
    };
    record("invite", &[("invite", invite)]);
}

#[test]
fn reservation() {
    let row = Reservation { invite: InviteId::of(&TOKEN), request: ID, name: "dora".into(), at: NOW, user: BOB };
    record("reservation", &[("reservation", row)]);
}

#[test]
fn roles() {
    let set = |role| ChangeAccount { user: BOB, request: ID, by: by(), change: AccountChange::SetRole { role } };
    record("role_command", &AccountRole::ALL.map(|role| (role.name(), Command::from(set(role)))));
    let standing = Standing { auditor: true, ..Standing::default() };
    let (name, password_hash) = ("bob".to_owned(), "$argon2id$".to_owned());
    let auditor = User { id: BOB, name, password_hash, created: NOW, request: ID, standing };
    record("auditor", &[("auditor", auditor)]);
}

#[test]
fn last_login() {
    let from = || "192.0.2.7".to_owned();
    record("last_login", &[("last_login", LastLogin { at: NOW, from: from() })]);
    let open = OpenSession { user: ALICE, device: device(), token: TOKEN, revision: 3, from: from() };
    record("login_command", &[("open_session", Command::OpenSession(open))]);
}

pub fn commands() -> Vec<(&'static str, Command)> {
    let change = |change| Command::from(ChangeAccount { user: BOB, request: ID, by: by(), change });
    let invited = |change| Command::from(ChangeInvite { id: InviteId::of(&TOKEN), change });
    let keep = Some((device(), TOKEN));
    let hash = || "$argon2id$".to_owned();
    vec![
        (
            "open_session",
            Command::OpenSession(OpenSession {
                user: ALICE,
                device: device(),
                token: TOKEN,
                revision: 3,
                from: String::new(),
            }),
        ),
        (
            "create_account",
            Command::from(CreateAccount {
                name: name(),
                password_hash: hash(),
                request: ID,
                by: by(),
                admin: true,
                one_time: true,
                born_with_cluster: true,
                created: None,
            }),
        ),
        ("change_password", change(AccountChange::ChangePassword { password_hash: hash(), revision: 3, keep })),
        ("reset_password", change(AccountChange::ResetPassword { password_hash: hash(), revision: 3 })),
        ("disable", change(AccountChange::Disable)),
        ("enable", change(AccountChange::Enable)),
        ("delete", change(AccountChange::Delete)),
        ("make_admin", change(AccountChange::SetAdmin { admin: true })),
        ("revoke_admin", change(AccountChange::SetAdmin { admin: false })),
        ("end_sessions", change(AccountChange::EndSessions { device: None })),
        ("end_session", change(AccountChange::EndSessions { device: Some(device()) })),
        (
            "touch_session",
            Command::TouchSession(TouchSession {
                user: ALICE,
                device: device(),
                token: TOKEN,
                idle_ms: 60_000,
                live: true,
            }),
        ),
        (
            "create_invite",
            invited(InviteChange::Create {
                hash: TOKEN,
                request: ID,
                by: by(),
                uses: 5,
                expires: NOW,
                note: "for the team".into(),
            }),
        ),
        ("revoke_invite", invited(InviteChange::Revoke { by: by() })),
        ("reserve_invite", invited(InviteChange::Reserve { hash: TOKEN, request: ID, name: name().key().clone() })),
        ("release_invite", invited(InviteChange::Release { request: BEFORE })),
        ("settle_invite", invited(InviteChange::Settle { request: ID, user: BOB })),
        (
            "record_act",
            Command::from(RecordAct {
                slot: Slot(77),
                request: ID,
                by: by(),
                action: "node.drain".into(),
                target: "node 3".into(),
                detail: String::new(),
            }),
        ),
    ]
}

#[test]
fn session_token() {
    let token = SessionToken { user: ALICE, device: device(), secret: [0xd4; 32] };
    kept("session_token", &[("session_token", token)], SessionToken::encode, |bytes| {
        SessionToken::decode(bytes).expect("kept bytes decode")
    });
}
