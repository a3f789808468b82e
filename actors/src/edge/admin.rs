//! What administrators ask: accounts, invitations, settings and the audit log.
//!
//! Whether the user is an administrator is read behind a barrier in the user's own shard at the
//! time of each request; the act itself is a command in the slot of what it changes, and writes its
//! audit row there.

mod lists;
mod settings;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use troupe_core::command::{AccountChange, ChangeAccount, ChangeInvite, CreateAccount, InviteChange, RecordAct};
use troupe_core::record::{Author, InviteId};
use troupe_core::{
    ClientMessageId, Command, DeviceId, Level, NameKey, Rejection, Slot, Timestamp, TokenHash, UserId, Username, limits,
};
use troupe_proto::client;

use super::{Front, ServerMessage, done};
use crate::address::Address;
use crate::message::accounts::{Query, Wanted};
use crate::message::{Account, Answer, Refusal, Request, Session, UserKey, wire};
use crate::router::PATIENCE;

use wire::admin::Operation;
use wire::admin_answer::Answer as Told;

use lists::{list_accounts, list_invites, read_audit};
use settings::{change_settings, settings};

type Answered = Result<wire::AdminAnswer, Refusal>;

/// Where acts are recorded that belong to no account.
const CLUSTER: &[u8] = b"audit of the cluster";

/// One request of a logged-in user.
pub async fn admin(
    front: Arc<Front>,
    session: Session,
    address: Address,
    admin: wire::Admin,
) -> Result<ServerMessage, Refusal> {
    let account = match front.world.router.ask(session.user.slot(), Request::Resume(session.clone()), PATIENCE).await? {
        Answer::Account(account) => account,
        _ => return Err(Refusal::Unavailable),
    };
    if !account.standing.admin {
        return Err(client::Refusal::NotAdmin.into());
    }
    let by = Author { user: account.user, name: account.name, address: address.to_string() };
    operate(&front, address, by, admin).await.map(ServerMessage::Admin)
}

/// One operation of somebody who may.
pub async fn operate(front: &Front, address: Address, by: Author, admin: wire::Admin) -> Answered {
    if front.world.router.routing().level < Level::SECOND {
        return Err(client::Refusal::UpgradePending.into());
    }
    let id = client::client_message_id("admin.request", &admin.request);
    let request = || id.clone();
    let operation = admin.operation.ok_or(Rejection::BadRequest("this server does not know the operation"))?;
    let change = |change: AccountChange, account: String| change_account(front, by.clone(), request(), account, change);
    match operation {
        Operation::ListAccounts(list) => list_accounts(front, list).await,
        Operation::ShowAccount(name) => show(front, &name).await,
        Operation::CreateAccount(create) => create_account(front, address, by, request()?, create).await,
        Operation::DisableAccount(name) => change(AccountChange::Disable, name).await,
        Operation::EnableAccount(name) => change(AccountChange::Enable, name).await,
        Operation::DeleteAccount(name) => change(AccountChange::Delete, name).await,
        Operation::SetAdmin(set) => change(AccountChange::SetAdmin { admin: set.admin }, set.account).await,
        Operation::EndSessions(end) => {
            let device = match end.device.as_str() {
                "" => None,
                device => Some(client::device("end_sessions.device", device)?),
            };
            change(AccountChange::EndSessions { device }, end.account).await
        }
        Operation::ResetPassword(reset) => reset_password(front, address, by, request()?, reset).await,
        Operation::AccountSessions(name) => {
            let user = resolve(front, &name).await?.user;
            match front.world.router.ask(user.slot(), Request::Sessions(user), PATIENCE).await? {
                Answer::Sessions(sessions) => told(Told::Sessions(sessions)),
                _ => Err(Refusal::Unavailable),
            }
        }
        Operation::CreateInvite(create) => create_invite(front, by, request()?, create).await,
        Operation::ListInvites(list) => list_invites(front, list).await,
        Operation::RevokeInvite(id) => {
            let id: InviteId = id.parse().map_err(|_| Rejection::BadInvite)?;
            commit(front, Command::from(ChangeInvite { id, change: InviteChange::Revoke { by } })).await?;
            told(Told::Done(wire::Done {}))
        }
        Operation::ReadAudit(read) => read_audit(front, read).await,
        Operation::ShowSettings(wire::Done {}) => settings(front),
        Operation::ChangeSettings(wanted) => change_settings(front, by, request()?, wanted).await,
    }
}

/// An act that leaves no trace in a shard is recorded before it is done.
pub async fn record(
    front: &Front,
    by: Author,
    request: ClientMessageId,
    action: &str,
    target: &str,
    detail: &str,
) -> Result<(), Refusal> {
    let (action, target, detail) = (action.to_owned(), target.to_owned(), detail.to_owned());
    let act = RecordAct { slot: Slot::of(CLUSTER), request, by, action, target, detail };
    commit(front, act.into()).await
}

async fn commit(front: &Front, command: Command) -> Result<(), Refusal> {
    done(front.world.router.ask(command.slot(), Request::Commit(command), PATIENCE).await?)
}

fn told(answer: Told) -> Answered {
    Ok(wire::AdminAnswer { answer: Some(answer) })
}

/// The account of a name or an id in decimal, its password's hash included.
pub async fn resolve(front: &Front, named: &str) -> Result<Account, Refusal> {
    let keys = match named.parse() {
        Ok(id) => vec![UserKey::Id(UserId(id))],
        Err(_) => NameKey::candidates(named).into_iter().map(UserKey::Name).collect(),
    };
    for key in keys {
        match front.world.router.ask(key.slot(), Request::Credentials(key), PATIENCE).await {
            Ok(Answer::Account(account)) => return Ok(account),
            Err(Refusal::Rejected { .. }) => {}
            Ok(_) => return Err(Refusal::Unavailable),
            Err(refusal) => return Err(refusal),
        }
    }
    Err(Rejection::NoSuchUser.into())
}

async fn show(front: &Front, named: &str) -> Answered {
    let user = resolve(front, named).await?.user;
    let query = Query { what: Wanted::Show(UserKey::Id(user)), limit: 1 };
    match front.world.router.ask(user.slot(), Request::Accounts(query), PATIENCE).await? {
        Answer::Accounts(accounts) => told(Told::Accounts(accounts)),
        _ => Err(Refusal::Unavailable),
    }
}

async fn create_account(
    front: &Front,
    address: Address,
    by: Author,
    request: ClientMessageId,
    create: wire::CreateAccount,
) -> Answered {
    let name = Username::for_operator(&create.name).map_err(|why| Refusal::rejected(Rejection::BadName.code(), why))?;
    super::login::free_under_old_keys(front, &create.name, &name).await?;
    let password_hash = front.passwords.hash(address, create.password).await?;
    let (admin, one_time) = (create.admin, true);
    let command =
        Command::from(CreateAccount { name, password_hash, request, by, admin, one_time, born_with_cluster: false });
    match front.world.router.ask(command.slot(), Request::Commit(command), PATIENCE).await? {
        Answer::Registered(user) => show(front, &user.to_string()).await,
        _ => Err(Refusal::Unavailable),
    }
}

async fn change_account(
    front: &Front,
    by: Author,
    request: Result<ClientMessageId, troupe_proto::DecodeError>,
    named: String,
    change: AccountChange,
) -> Answered {
    let (request, user) = (request?, resolve(front, &named).await?.user);
    let deletes = matches!(change, AccountChange::Delete);
    commit(front, Command::from(ChangeAccount { user, request, by, change })).await?;
    if deletes {
        front.directory.forget(user);
    }
    told(Told::Done(wire::Done {}))
}

async fn reset_password(
    front: &Front,
    address: Address,
    by: Author,
    request: ClientMessageId,
    reset: wire::ResetPassword,
) -> Answered {
    let account = resolve(front, &reset.account).await?;
    if !account.standing.changes.contains(&request) {
        let (user, revision) = (account.user, account.standing.revision);
        let password_hash = front.passwords.hash(address, reset.password).await?;
        let change = AccountChange::ResetPassword { password_hash, revision };
        commit(front, Command::from(ChangeAccount { user, request, by, change })).await?;
    }
    told(Told::Done(wire::Done {}))
}

/// Of the user who asks. The old password is verified at the cost of a login.
pub async fn change_password(
    front: Arc<Front>,
    session: Session,
    address: Address,
    change: wire::ChangePassword,
) -> Result<ServerMessage, Refusal> {
    let request = client::client_message_id("change_password.request", &change.request)?;
    let account = resolve(&front, &session.user.to_string()).await?;
    if account.standing.changes.contains(&request) {
        return Ok(ServerMessage::Done(wire::Done {}));
    }
    let keep = Some((session.device, session.token));
    let who = account.user.to_string();
    front.budgets.login(address, &who)?;
    if !front.passwords.verify(address, change.old_password.clone(), Some(account.password_hash.clone())).await? {
        front.budgets.login_failed(address, &who);
        return Err(client::Refusal::WrongCredentials.into());
    }
    if change.old_password == change.new_password {
        return Err(client::Refusal::SamePassword.into());
    }
    set_password(&front, account, change.new_password, request, keep, address).await?;
    Ok(ServerMessage::Done(wire::Done {}))
}

/// Sets a new password for the one of `account`, which the caller has verified; returns the
/// revision of the new one.
pub async fn set_password(
    front: &Front,
    account: Account,
    new: String,
    request: ClientMessageId,
    keep: Option<(DeviceId, TokenHash)>,
    address: Address,
) -> Result<u64, Refusal> {
    let password_hash = front.passwords.hash(address, new).await?;
    let (user, revision) = (account.user, account.standing.revision);
    let by = Author { user, name: account.name, address: address.to_string() };
    let change = AccountChange::ChangePassword { password_hash, revision, keep };
    commit(front, Command::from(ChangeAccount { user, request, by, change })).await?;
    Ok(revision + 1)
}

async fn create_invite(front: &Front, by: Author, request: ClientMessageId, create: wire::CreateInvite) -> Answered {
    let hash = code_hash(&create.code)
        .ok_or(Rejection::BadRequest("a code has 12 to 64 letters, digits and dashes: let the program choose one"))?;
    if create.note.len() > limits::INVITE_NOTE_BYTES {
        return Err(Rejection::BadRequest("the note of an invitation has at most 256 bytes").into());
    }
    let (id, expires, uses) = (InviteId::of(&hash), Timestamp(create.expires_ms), create.uses);
    let note = create.note.clone();
    let change = InviteChange::Create { hash, request, by: by.clone(), uses, expires, note };
    commit(front, Command::from(ChangeInvite { id, change })).await?;
    let invite = wire::Invite {
        id: id.to_string(),
        expires_ms: expires.0,
        uses,
        note: create.note,
        by: by.name,
        ..Default::default()
    };
    told(Told::Invites(wire::Invites { invites: vec![invite], more: false }))
}

/// Case and dashes of a code do not count: people copy it by hand.
pub fn code_hash(code: &str) -> Option<TokenHash> {
    let length = limits::INVITE_CODE_MIN_BYTES..=limits::INVITE_CODE_MAX_BYTES;
    let good = length.contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let plain: String = code.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    good.then(|| TokenHash(Sha256::digest(plain).into()))
}
