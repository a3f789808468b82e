//! Accounts: listing, making and changing them.

use std::collections::BTreeSet;
use std::ops::Range;

use troupe_core::command::{AccountChange, ChangeAccount, CreateAccount};
use troupe_core::record::{Author, LastLogin, User};
use troupe_core::{ClientMessageId, Command, Rejection, Slot, UserId, Username, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::{Act, Part, Told, part, walk};
use crate::address::Address;
use crate::message::{Account, Answer, Refusal, page_limit, wire};
use crate::ops::login::account_named;
use crate::ops::register::free_under_old_keys;
use crate::ops::repeat::{made_with, sets_the_same};
use crate::service::Service;

pub(super) async fn list(service: &Service, asker: UserId, list: wire::ListAccounts) -> Result<Told, Refusal> {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let mut accounts = Vec::new();
    let begin = if list.after == 0 { Slot(0) } else { UserId(list.after).slot() };
    let more = walk(
        service,
        asker,
        begin,
        limit,
        |first, limit| Act::ListAccounts(wire::ListAccounts { after: if first { list.after } else { 0 }, limit }),
        |told| {
            let Told::Accounts(page) = told else { return None };
            let count = page.accounts.len();
            accounts.extend(page.accounts);
            Some((count, page.more))
        },
    )
    .await?;
    Ok(Told::Accounts(wire::Accounts { accounts, more }))
}

pub(super) fn page(view: &View, slots: Range<u16>, list: &wire::ListAccounts, online: &BTreeSet<UserId>) -> Part {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let after = Some(UserId(list.after)).filter(|user| user.0 != 0);
    let mut users = view.users(slots, after, limit + 1)?;
    let more = users.len() > limit;
    users.truncate(limit);
    let accounts = users.into_iter().map(|user| account(view, user, online)).collect::<Result<_, EngineError>>()?;
    Ok(Ok(Told::Accounts(wire::Accounts { accounts, more })))
}

/// The account of a name or an id in decimal, its password's hash included.
pub async fn resolve(service: &Service, named: &str) -> Result<Account, Refusal> {
    account_named(service, named).await?.ok_or_else(|| Rejection::NoSuchUser.into())
}

pub(super) async fn show(service: &Service, asker: UserId, named: &str) -> Result<Told, Refusal> {
    let user = resolve(service, named).await?.user;
    part(service, user.slot(), asker, Act::ShowAccount(user.to_string())).await
}

/// `id`: in decimal, as the asking node has found it.
pub(super) fn one(view: &View, id: &str, online: &BTreeSet<UserId>) -> Part {
    let id = id.parse().ok().map(UserId);
    match id.map(|id| view.user(id)).transpose()?.flatten() {
        Some(user) => {
            let accounts = vec![account(view, user, online)?];
            Ok(Ok(Told::Accounts(wire::Accounts { accounts, more: false })))
        }
        None => Ok(Err(Rejection::NoSuchUser.into())),
    }
}

fn account(view: &View, user: User, online: &BTreeSet<UserId>) -> Result<wire::Account, EngineError> {
    let last = view.get::<LastLogin>(&user.id)?;
    let (last_login_ms, last_login_from) = last.map(|last| (last.at.0, last.from)).unwrap_or_default();
    Ok(wire::Account {
        user_id: user.id.0,
        sessions: view.sessions(user.id)?.len() as u32,
        online: online.contains(&user.id),
        name: user.name,
        status: user.standing.status.as_str().to_owned(),
        role: user.standing.role().name().to_owned(),
        admin: user.standing.admin,
        one_time_password: user.standing.one_time,
        created_ms: user.created.0,
        password_set_ms: user.standing.password_set.0,
        last_login_ms,
        last_login_from,
    })
}

pub(super) async fn sessions(service: &Service, named: &str) -> Result<Told, Refusal> {
    let user = resolve(service, named).await?.user;
    Ok(Told::Sessions(service.ask_leader(user.slot(), user, wire::ListSessions {}).await?))
}

pub(super) async fn create(
    service: &Service,
    address: Address,
    by: Author,
    request: ClientMessageId,
    create: wire::CreateAccount,
) -> Result<Told, Refusal> {
    let name = Username::for_operator(&create.name).map_err(|why| Refusal::rejected(Rejection::BadName.code(), why))?;
    free_under_old_keys(service, &create.name, &name).await?;
    let hash = service.passwords.hash(address, create.password.clone()).await?;
    let (asker, admin, one_time, password_hash) = (by.user, create.admin, true, hash.clone());
    let (born_with_cluster, created) = (false, None);
    let command =
        Command::from(CreateAccount { name, password_hash, request, by, admin, one_time, born_with_cluster, created });
    let Answer::Registered(user) = service.commit(command).await? else { return Err(Refusal::Unavailable) };
    let account = made_with(service, address, user, &hash, create.password).await?;
    account.standing.created_before(request, asker, admin)?;
    show(service, asker, &user.to_string()).await
}

/// Commits the creation of an account, and shows the account.
pub(super) async fn created_account(service: &Service, asker: UserId, create: Command) -> Result<Told, Refusal> {
    match service.commit(create).await? {
        Answer::Registered(user) => show(service, asker, &user.to_string()).await,
        _ => Err(Refusal::Unavailable),
    }
}

pub(super) async fn change(
    service: &Service,
    by: Author,
    request: Result<ClientMessageId, troupe_proto::DecodeError>,
    named: String,
    change: AccountChange,
) -> Result<Told, Refusal> {
    let (request, user) = (request?, resolve(service, &named).await?.user);
    let deletes = matches!(change, AccountChange::Delete);
    let done = service.commit_done(Command::from(ChangeAccount { user, request, by, change })).await?;
    if deletes {
        service.directory.forget(user);
    }
    Ok(Told::Done(done))
}

pub(super) async fn reset_password(
    service: &Service,
    address: Address,
    by: Author,
    request: ClientMessageId,
    reset: wire::ResetPassword,
) -> Result<Told, Refusal> {
    let account = resolve(service, &reset.account).await?;
    let (user, revision) = (account.user, account.standing.revision);
    let change = |password_hash| AccountChange::ResetPassword { password_hash, revision };
    match account.standing.repeated(request, by.user, &change(String::new())).transpose()? {
        Some(true) => sets_the_same(service, address, account, reset.password).await?,
        Some(false) => {}
        None => {
            let change = change(service.passwords.hash(address, reset.password).await?);
            service.commit_done(Command::from(ChangeAccount { user, request, by, change })).await?;
        }
    }
    Ok(Told::Done(wire::Done {}))
}
