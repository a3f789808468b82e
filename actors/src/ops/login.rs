//! `login`: verifies a password and opens a session of a device.

use troupe_core::record::Status;
use troupe_core::{ClientMessageId, NameKey, Rejection, UserId};
use troupe_proto::client::{self, SessionToken};
use troupe_store::rows::View;

use super::change_password::set_password;
use super::{Entry, Found};
use crate::address::Address;
use crate::message::{Account, Answer, Refusal, Request, Session, UserKey, wire};
use crate::passwords::token_hash;
use crate::service::{Caller, Service, done};

/// A verified caller, and the token for the next time.
pub struct Entered {
    pub caller: Caller,
    pub name: String,
    pub token: Vec<u8>,
}

impl Entry for wire::Login {
    type Entered = Entered;

    async fn enter(self, service: Service, address: Address) -> Result<Entered, Refusal> {
        let device = client::device("login.device", &self.device)?;
        // A text that is neither a name nor an id takes the path of an unknown user, at the same
        // cost.
        let account = account_named(&service, &self.name).await?;
        // All names of an account share one budget of failures. A name without an account has one
        // too.
        let who = account.as_ref().map_or_else(|| self.name.clone(), |account| account.user.to_string());
        service.budgets.login(address, &who)?;
        let kept = account.as_ref().map(|account| account.password_hash.clone());
        let mut right = service.passwords.verify(address, self.password.clone(), kept.clone()).await?;
        let mut sets = !self.new_password.is_empty();
        if !right && sets {
            // An earlier attempt has set it, and its answer was lost.
            right = service.passwords.verify(address, self.new_password.clone(), kept).await?;
            sets = false;
        }
        let Some(account) = account.filter(|_| right) else {
            service.budgets.login_failed(address, &who);
            service.failed_logins.note(&self.name, &address);
            return Err(client::Refusal::WrongCredentials.into());
        };
        // The state of an account is shown only to one that knows its password.
        match account.standing.status {
            Status::Active => {}
            Status::Disabled => return Err(Rejection::AccountDisabled.into()),
            Status::Deleted => return Err(client::Refusal::WrongCredentials.into()),
        }
        let (user, name, mut revision) = (account.user, account.name.clone(), account.standing.revision);
        if sets {
            if self.password == self.new_password {
                return Err(client::Refusal::SamePassword.into());
            }
            let request = ClientMessageId(service.context.platform.rng.bytes());
            revision = set_password(&service, account, self.new_password, request, None, address).await?;
        } else if account.standing.one_time {
            return Err(Rejection::PasswordChangeRequired.into());
        }
        let token = SessionToken { user, device: device.clone(), secret: service.context.platform.rng.bytes() };
        let session = Session { user, device, token: token_hash(&token.secret), node: service.context.me() };
        let request = Request::OpenSession { session: session.clone(), revision, from: address.to_string() };
        done(service.ask(user.slot(), request).await?)?;
        Ok(Entered { caller: Caller::verified(session, address), name, token: token.encode() })
    }
}

/// The account of a name or an id in decimal, its password's hash included.
pub async fn account_named(service: &Service, named: &str) -> Result<Option<Account>, Refusal> {
    let keys = match named.parse() {
        Ok(id) => vec![UserKey::Id(UserId(id))],
        Err(_) => NameKey::candidates(named).into_iter().map(UserKey::Name).collect(),
    };
    account_under(service, keys).await
}

/// The account of the first of these keys that has one.
pub(super) async fn account_under(service: &Service, keys: Vec<UserKey>) -> Result<Option<Account>, Refusal> {
    for key in keys {
        match service.ask(key.slot(), Request::Credentials(key)).await {
            Ok(Answer::Account(found)) => return Ok(Some(found)),
            Err(Refusal::Rejected { .. }) => {}
            Ok(_) => return Err(Refusal::Unavailable),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(None)
}

/// At the leader of the account's shard.
pub fn credentials(view: &View, key: &UserKey) -> Found<Answer> {
    let id = match key {
        UserKey::Name(name) => view.user_of_name(name.as_str())?,
        UserKey::Id(id) => Some(*id),
    };
    let Some(user) = id.map(|id| view.user(id)).transpose()?.flatten() else {
        return Ok(Err(Rejection::NoSuchUser.into()));
    };
    Ok(Ok(Answer::Account(Account::with_password(user))))
}
