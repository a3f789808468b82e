//! `admin`: operations of administrators on accounts, invitation codes, reports, the audit log and
//! settings.
//!
//! Each request reads the caller's role behind a barrier in the caller's own shard: administrators
//! do all of it, and auditors what [`reads`]. The act itself
//! is a command in the slot of the row that it changes, and writes its audit row there.

pub mod accounts;
pub mod audit;
mod export;
mod groups;
mod import;
mod import_file;
mod import_people;
pub mod invites;
mod reports;
mod settings;

use troupe_core::command::AccountChange;
use troupe_core::planted::Bug;
use troupe_core::record::{AccountRole, Author};
use troupe_core::{Level, Rejection, Slot, UserId};
use troupe_proto::client;
use wire::admin::Operation as Act;
use wire::admin_answer::Answer as Told;

use super::cost::{CHANGE, Cost, SEARCH};
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::address::Address;
use crate::message::{Answer, Refusal, Request, wire};
use crate::service::{Caller, Service};

impl Operation for wire::Admin {
    fn cost(&self) -> Cost {
        Cost::Units(match &self.operation {
            Some(Act::ReadAudit(_)) => SEARCH,
            Some(Act::ListAccounts(_) | Act::ListInvites(_) | Act::ListGroups(_)) => SEARCH / 2,
            Some(Act::ImportEvents(import)) => CHANGE + import.events.len() as u64,
            _ => 2 * CHANGE,
        })
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let account = match service.ask(caller.user().slot(), Request::Resume(caller.session.clone())).await? {
            Answer::Account(account) => account,
            _ => return Err(Refusal::Unavailable),
        };
        let role = account.standing.role();
        if role == AccountRole::User {
            return Err(client::Refusal::NotAdmin.into());
        }
        // Invariant: private. An administrator does not see what others write; a holder of the
        // cluster's key has all its data anyway.
        if self.operation.as_ref().is_some_and(is_of_operators) {
            return Err(client::Refusal::NotOperator.into());
        }
        let changes = self.operation.as_ref().is_some_and(|act| !reads(act));
        if role < AccountRole::Admin && changes && !service.planted().is(Bug::AuditorMayWrite) {
            return Err(client::Refusal::ReadOnlyRole.into());
        }
        let by = Author { user: account.user, name: account.name, address: caller.address.to_string() };
        operate(&service, caller.address, by, self).await
    }
}

fn is_of_operators(act: &Act) -> bool {
    let imports = matches!(act, Act::ImportEvents(_) | Act::ImportAccount(_) | Act::ImportFile(_));
    imports || matches!(act, Act::Export(_) | Act::ImportProfile(_) | Act::ImportContact(_))
}

/// The operations of auditors. Another operation is a change until it stands here.
fn reads(act: &Act) -> bool {
    matches!(
        act,
        Act::ListAccounts(_)
            | Act::ShowAccount(_)
            | Act::AccountSessions(_)
            | Act::ListInvites(_)
            | Act::ReadAudit(_)
            | Act::ShowSettings(_)
            | Act::ListReports(_)
            | Act::ListGroups(_)
    )
}

/// Performs an act. The caller has verified that its author is an administrator.
pub async fn operate(service: &Service, address: Address, by: Author, admin: wire::Admin) -> Answered<wire::Admin> {
    if service.context.router.routing().level < Level::SECOND {
        return Err(client::Refusal::UpgradePending.into());
    }
    let id = client::client_message_id("admin.request", &admin.request);
    let request = || id.clone();
    let change = |named: String, change| accounts::change(service, by.clone(), request(), named, change);
    let act = admin.operation.ok_or(Rejection::BadRequest("this server does not know the operation"))?;
    let told = match act {
        Act::ListAccounts(list) => accounts::list(service, by.user, list).await?,
        Act::ShowAccount(name) => accounts::show(service, by.user, &name).await?,
        Act::CreateAccount(create) => accounts::create(service, address, by, request()?, create).await?,
        Act::DisableAccount(name) => change(name, AccountChange::Disable).await?,
        Act::EnableAccount(name) => change(name, AccountChange::Enable).await?,
        Act::DeleteAccount(name) => change(name, AccountChange::Delete).await?,
        Act::SetAdmin(set) => change(set.account, AccountChange::SetAdmin { admin: set.admin }).await?,
        Act::SetRole(set) => {
            const ROLES: Rejection = Rejection::BadRequest("a role is user, auditor or admin");
            let role = AccountRole::named(&set.role).ok_or(ROLES)?;
            change(set.account, AccountChange::SetRole { role }).await?
        }
        Act::EndSessions(end) => {
            let device = match end.device.as_str() {
                "" => None,
                device => Some(client::device("end_sessions.device", device)?),
            };
            change(end.account, AccountChange::EndSessions { device }).await?
        }
        Act::ResetPassword(reset) => accounts::reset_password(service, address, by, request()?, reset).await?,
        Act::AccountSessions(name) => accounts::sessions(service, &name).await?,
        Act::CreateInvite(create) => invites::create(service, by, request()?, create).await?,
        Act::ListInvites(list) => invites::list(service, by.user, list).await?,
        Act::RevokeInvite(id) => invites::revoke(service, by, &id).await?,
        Act::ReadAudit(read) => audit::read(service, by.user, read).await?,
        Act::ShowSettings(wire::Done {}) => settings::show(service),
        Act::ChangeSettings(wanted) => settings::change(service, by, request()?, wanted).await?,
        Act::ListReports(list) => reports::list(service, by.user, list).await?,
        Act::ListGroups(list) => groups::list(service, by.user, list).await?,
        Act::CloseReport(close) => reports::close(service, by, request()?, close).await?,
        Act::Export(export) => export::export(service, by, request()?, export).await?,
        Act::ImportEvents(import) => import::import(service, by, request()?, import).await?,
        Act::ImportFile(file) => import_file::import(service, file).await?,
        Act::ImportAccount(account) => import::account(service, by, request()?, account).await?,
        Act::ImportProfile(profile) => import_people::profile(service, by, request()?, profile).await?,
        Act::ImportContact(contact) => import_people::contact(service, by, request()?, contact).await?,
    };
    Ok(wire::AdminAnswer { answer: Some(told) })
}

/// One shard's part of a list. The asking node has verified that the caller is an administrator.
impl AtLeader for wire::Admin {
    fn plan(self, _: UserId, leader: &Leader<'_>) -> Result<Plan<wire::AdminAnswer>, Refusal> {
        let slots = leader.slots.clone();
        let online = || leader.presence.online().into_iter().collect();
        match self.operation {
            Some(Act::ListAccounts(list)) => {
                let online = online();
                Ok(read(move |view| accounts::page(view, slots, &list, &online)))
            }
            Some(Act::ShowAccount(id)) => {
                let online = online();
                Ok(read(move |view| accounts::one(view, &id, &online)))
            }
            Some(Act::ListInvites(list)) => Ok(read(move |view| invites::page(view, slots, &list))),
            Some(Act::ReadAudit(read_audit)) => Ok(read(move |view| audit::page(view, slots, &read_audit))),
            Some(Act::ListGroups(list)) => {
                let skips = leader.context.platform.planted(Bug::GroupListSkipsOne);
                Ok(read(move |view| groups::page(view, slots, &list, skips)))
            }
            Some(Act::ListReports(list)) => Ok(read(move |view| reports::page(view, &list))),
            Some(Act::Export(export)) => Ok(read(move |view| export::page(view, slots, &export))),
            _ => Err(Rejection::BadRequest("no leader does this by itself").into()),
        }
    }
}

type Part = super::Found<Told>;

fn read(work: impl FnOnce(&troupe_store::rows::View) -> Part + Send + 'static) -> Plan<wire::AdminAnswer> {
    Plan::read_for_admins(move |view| Ok(work(view)?.map(|told| wire::AdminAnswer { answer: Some(told) })))
}

/// Asks the leader of a slot for its part.
async fn part(service: &Service, slot: Slot, asker: UserId, act: Act) -> Result<Told, Refusal> {
    let admin = wire::Admin { request: bytes::Bytes::new(), operation: Some(act) };
    service.ask_leader(slot, asker, admin).await?.answer.ok_or(Refusal::Unavailable)
}

/// Asks shard after shard from the one of `begin`, until the page is full; whether there is more.
async fn walk(
    service: &Service,
    asker: UserId,
    begin: Slot,
    limit: usize,
    act: impl Fn(bool, u32) -> Act,
    mut take: impl FnMut(Told) -> Option<(usize, bool)>,
) -> Result<bool, Refusal> {
    let map = service.context.router.routing().shards.ok_or(Refusal::OVERLOADED)?;
    let mut left = limit;
    let from = map.shard(begin);
    for shard in map.shards().skip_while(|shard| *shard < from) {
        if left == 0 {
            return Ok(true);
        }
        let told = part(service, Slot(map.slots(shard).0), asker, act(shard == from, left as u32)).await?;
        let (count, more) = take(told).ok_or(Refusal::Unavailable)?;
        if more {
            return Ok(true);
        }
        left = left.saturating_sub(count);
    }
    Ok(false)
}
