//! Accounts without a password, for an edge whose protocol has none.
//!
//! Such an account has a mark in place of a hash, which no password matches, on nodes of any
//! version. [`visit`] admits marked accounts only, so it opens no native account. An administrator
//! who resets the password of a marked account makes it a native one.

use sha2::{Digest, Sha256};
use troupe_core::command::Register;
use troupe_core::record::Status;
use troupe_core::{ClientMessageId, Command, DeviceId, NameKey, Rejection, TokenHash, UserId, Username};
use troupe_proto::client;
use troupe_raft::api::Registration;

use super::login::account_under;
use super::register::free_under_old_keys;
use crate::address::Address;
use crate::message::{Account, Answer, Refusal, Request, Session, UserKey};
use crate::passwords::NO_PASSWORD;
use crate::service::{Caller, Service, done};

/// An account that exists now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolled {
    pub user: UserId,
    /// This call made it.
    pub fresh: bool,
}

/// A caller whose account has no password. Its session is not open yet.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub caller: Caller,
    pub name: String,
    revision: u64,
}

/// Makes the account, or finds the one that an earlier call made. Simultaneous calls make one.
pub async fn register(service: &Service, address: Address, text: &str) -> Result<Enrolled, Refusal> {
    let name = Username::check(text).map_err(|why| Refusal::rejected(Rejection::BadName.code(), why))?;
    let keys = || NameKey::candidates(text).into_iter().map(UserKey::Name).collect();
    if let Some(account) = account_under(service, keys()).await? {
        return found(&account, &name, false);
    }
    if service.context.router.routing().settings.registration != Registration::Open {
        return Err(client::Refusal::RegistrationClosed.into());
    }
    service.budgets.register(address)?;
    free_under_old_keys(service, text, &name).await?;
    let command = Register { name: name.clone(), password_hash: NO_PASSWORD.to_owned(), request: request(&name) };
    let Answer::Registered(_) = service.commit(Command::Register(command)).await? else {
        return Err(Refusal::Unavailable);
    };
    // Another call may have made the account under the same key, in capital letters for instance.
    let account = account_under(service, keys()).await?.ok_or(Refusal::Unavailable)?;
    found(&account, &name, true)
}

/// The account of this id and name, if it has no password.
pub async fn visit(
    service: &Service,
    address: Address,
    user: UserId,
    text: &str,
    device: DeviceId,
) -> Result<Visitor, Refusal> {
    let name = Username::check(text).ok();
    let account = account_under(service, vec![UserKey::Id(user)]).await?;
    let admitted =
        account.filter(|account| is_open(account) && name.as_ref().is_some_and(|name| name.as_str() == account.name));
    let Some(account) = admitted else { return Err(client::Refusal::WrongCredentials.into()) };
    // No secret has this hash, so the session is never resumed elsewhere.
    let token = TokenHash(service.context.platform.rng.bytes());
    let session = Session { user, device, token, node: service.context.me() };
    let caller = Caller::verified(session, address);
    Ok(Visitor { caller, name: account.name, revision: account.standing.revision })
}

/// Opens the session of a visitor. It replaces an earlier one of the same device.
pub async fn open(service: &Service, visitor: &Visitor) -> Result<(), Refusal> {
    let session = visitor.caller.session.clone();
    let from = visitor.caller.address.to_string();
    let request = Request::OpenSession { session, revision: visitor.revision, from };
    done(service.ask(visitor.caller.user().slot(), request).await?).map(drop)
}

fn is_open(account: &Account) -> bool {
    account.password_hash == NO_PASSWORD && account.standing.status == Status::Active
}

fn found(account: &Account, name: &Username, fresh: bool) -> Result<Enrolled, Refusal> {
    if is_open(account) && account.name == name.as_str() {
        Ok(Enrolled { user: account.user, fresh })
    } else {
        Err(Rejection::NameTaken.into())
    }
}

/// One request id per name, so that simultaneous registrations are repeats of one.
fn request(name: &Username) -> ClientMessageId {
    let digest = Sha256::new().chain_update(b"an account without a password:").chain_update(name.key().as_str());
    let mut id = ClientMessageId::default();
    id.0.copy_from_slice(&digest.finalize()[..16]);
    id
}
