//! Strategies for the rows and commands of accounts.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use troupe_core::command::{
    AccountChange, ChangeAccount, ChangeInvite, CreateAccount, InviteChange, RecordAct, TouchSession,
};
use troupe_core::record::{
    AccountRole, Act, AuditKey, AuditRow, Author, Invite, InviteId, Reservation, Standing, Status,
};
use troupe_core::{Command, Timestamp};

use super::{device, message_id, number, slot, text, time, token_hash, user, username};

prop_compose! {
    pub fn standing()(
        status in prop::sample::select(vec![Status::Active, Status::Disabled, Status::Deleted]), admin: bool,
        one_time: bool, revision in number(), changes in vec(message_id(), 0..4),
        password_set in time(), born_with_cluster: bool, auditor: bool,
        acts in vec((number(), number()).prop_map(|(digest, revision)| Act { digest, revision }), 0..4)
    ) -> Standing {
        Standing { status, admin, one_time, revision, changes, password_set, born_with_cluster, acts, auditor }
    }
}

prop_compose! {
    pub fn author()(user in user(), name in text(), address in text()) -> Author {
        Author { user, name, address }
    }
}

prop_compose! {
    pub fn audit_row()(
        slot in slot(), time in time(), number in number(), by in author(), action in text(), target in text(),
        detail in text(), request in message_id()
    ) -> AuditRow {
        AuditRow { key: AuditKey { slot, time, number }, by, action, target, detail, request }
    }
}

prop_compose! {
    pub fn invite()(
        hash in token_hash(), request in message_id(), by in author(), created in time(), expires in time(),
        uses: u32, used: u32, revoked: bool, note in text()
    ) -> Invite {
        Invite { id: InviteId::of(&hash), hash, request, by, created, expires, uses, used, revoked, note }
    }
}

prop_compose! {
    pub fn reservation()(
        invite in number(), request in message_id(), name in text(), at in time(), user in user()
    ) -> Reservation {
        Reservation { invite: InviteId(invite), request, name, at, user }
    }
}

prop_compose! {
    fn create_account()(
        name in username(), password_hash in text(), request in message_id(), by in author(), admin: bool,
        one_time: bool, born_with_cluster: bool, created in option::of((1..u64::MAX).prop_map(Timestamp))
    ) -> Command {
        let create = CreateAccount { name, password_hash, request, by, admin, one_time, born_with_cluster, created };
        Command::from(create)
    }
}

fn change_account() -> impl Strategy<Value = Command> {
    let keep = option::of((device(), token_hash()));
    let change = prop_oneof![
        (text(), number(), keep).prop_map(|(password_hash, revision, keep)| {
            AccountChange::ChangePassword { password_hash, revision, keep }
        }),
        (text(), number())
            .prop_map(|(password_hash, revision)| AccountChange::ResetPassword { password_hash, revision }),
        Just(AccountChange::Disable),
        Just(AccountChange::Enable),
        Just(AccountChange::Delete),
        any::<bool>().prop_map(|admin| AccountChange::SetAdmin { admin }),
        (0..3usize).prop_map(|role| AccountChange::SetRole { role: AccountRole::ALL[role] }),
        option::of(device()).prop_map(|device| AccountChange::EndSessions { device }),
    ];
    (user(), message_id(), author(), change)
        .prop_map(|(user, request, by, change)| Command::from(ChangeAccount { user, request, by, change }))
}

prop_compose! {
    fn touch_session()(
        user in user(), device in device(), token in token_hash(), idle_ms in number(), live: bool
    ) -> Command {
        Command::TouchSession(TouchSession { user, device, token, idle_ms, live })
    }
}

fn change_invite() -> impl Strategy<Value = Command> {
    let create = (token_hash(), message_id(), author(), any::<u32>(), time(), text());
    let change = prop_oneof![
        create.prop_map(|(hash, request, by, uses, expires, note)| {
            InviteChange::Create { hash, request, by, uses, expires, note }
        }),
        author().prop_map(|by| InviteChange::Revoke { by }),
        (token_hash(), message_id(), username()).prop_map(|(hash, request, name)| InviteChange::Reserve {
            hash,
            request,
            name: name.key().clone(),
        }),
        message_id().prop_map(|request| InviteChange::Release { request }),
        (message_id(), user()).prop_map(|(request, user)| InviteChange::Settle { request, user }),
    ];
    (number(), change).prop_map(|(id, change)| Command::from(ChangeInvite { id: InviteId(id), change }))
}

prop_compose! {
    fn record_act()(
        slot in slot(), request in message_id(), by in author(), action in text(), target in text(), detail in text()
    ) -> Command {
        Command::from(RecordAct { slot, request, by, action, target, detail })
    }
}

pub fn command() -> impl Strategy<Value = Command> {
    prop_oneof![create_account(), change_account(), touch_session(), change_invite(), record_act()]
}
