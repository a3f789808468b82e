//! `change_password`: the user's own. The old password is verified at the cost of a login, and the
//! sessions of the other devices end.

use troupe_core::command::{AccountChange, ChangeAccount};
use troupe_core::record::Author;
use troupe_core::{ClientMessageId, Command, DeviceId, TokenHash};
use troupe_proto::client;

use super::admin::accounts::resolve;
use super::cost::{CHANGE, Cost};
use super::repeat::sets_the_same;
use super::{Answered, Operation};
use crate::address::Address;
use crate::message::{Account, Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ChangePassword {
    /// Two hashes, as two logins.
    fn cost(&self) -> Cost {
        Cost::Units(4 * CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let (session, address) = (&caller.session, caller.address);
        let request = client::client_message_id("change_password.request", &self.request)?;
        let account = resolve(&service, &session.user.to_string()).await?;
        let keep = Some((session.device.clone(), session.token));
        let change = AccountChange::ChangePassword { password_hash: String::new(), revision: 0, keep: keep.clone() };
        if let Some(repeated) = account.standing.repeated(request, account.user, &change) {
            let is_present = repeated?;
            if is_present {
                sets_the_same(&service, address, account, self.new_password).await?;
            }
            return Ok(wire::Done {});
        }
        let who = account.user.to_string();
        service.budgets.login(address, &who)?;
        let kept = Some(account.password_hash.clone());
        if !service.passwords.verify(address, self.old_password.clone(), kept).await? {
            service.budgets.login_failed(address, &who);
            return Err(client::Refusal::WrongCredentials.into());
        }
        if self.old_password == self.new_password {
            return Err(client::Refusal::SamePassword.into());
        }
        set_password(&service, account, self.new_password, request, keep, address).await?;
        Ok(wire::Done {})
    }
}

/// Sets a new password for the one of `account`, which the caller has verified; returns the
/// revision of the new one.
pub async fn set_password(
    service: &Service,
    account: Account,
    new: String,
    request: ClientMessageId,
    keep: Option<(DeviceId, TokenHash)>,
    address: Address,
) -> Result<u64, Refusal> {
    let password_hash = service.passwords.hash(address, new).await?;
    let (user, revision) = (account.user, account.standing.revision);
    let by = Author { user, name: account.name, address: address.to_string() };
    let change = AccountChange::ChangePassword { password_hash, revision, keep };
    service.commit_done(Command::from(ChangeAccount { user, request, by, change })).await?;
    Ok(revision + 1)
}
