//! `register`: makes a user, with an invitation code where the cluster wants one.
//!
//! A code and a name live in different slots, so this is three steps under one id. A use of the
//! code is reserved in the slot of the code under the id of the registration, then the name is
//! registered in its own slot. A registration that is refused for good gives the use back; one
//! whose outcome is unknown keeps it, and finds it again when it is repeated under the same id.

use troupe_core::command::{ChangeInvite, InviteChange, Register};
use troupe_core::feature::code_hash;
use troupe_core::record::InviteId;
use troupe_core::{ClientMessageId, Command, NameKey, Rejection, TokenHash, UserId, Username};
use troupe_proto::client;
use troupe_raft::api::Registration;

use super::Entry;
use super::repeat::made_with;
use crate::address::Address;
use crate::message::{Answer, Refusal, Request, wire};
use crate::service::Service;

impl Entry for wire::Register {
    type Entered = wire::Registered;

    async fn enter(self, service: Service, address: Address) -> Result<wire::Registered, Refusal> {
        let name = Username::check(&self.name).map_err(|why| Refusal::rejected(Rejection::BadName.code(), why))?;
        let request = client::client_message_id("register.request", &self.request)?;
        service.budgets.register(address)?;
        let invited = match service.context.router.routing().settings.registration {
            Registration::Open => None,
            Registration::Closed => return Err(client::Refusal::RegistrationClosed.into()),
            Registration::Invite if self.invite.is_empty() => return Err(client::Refusal::InviteRequired.into()),
            Registration::Invite => Some(code_hash(&self.invite).ok_or(Rejection::BadInvite)?),
        };
        free_under_old_keys(&service, &self.name, &name).await?;
        // Before the password is hashed: a guessed code costs no more than reading a row.
        if let Some(hash) = invited {
            let name = name.key().clone();
            change(&service, hash, InviteChange::Reserve { hash, request, name }).await?;
        }
        match enrol(&service, address, name, self.password.clone(), request).await {
            Ok((user, hash)) => {
                if let Some(hash) = invited {
                    settle(&service, hash, InviteChange::Settle { request, user });
                }
                made_with(&service, address, user, &hash, self.password).await?;
                Ok(wire::Registered { user_id: user.0 })
            }
            Err(refusal) => {
                let definite = matches!(refusal, Refusal::Rejected { .. });
                if let Some(hash) = invited.filter(|_| definite) {
                    settle(&service, hash, InviteChange::Release { request });
                }
                Err(refusal)
            }
        }
    }
}

/// An account of a version before 0.2 may have this name under another key. No account gets such a
/// key any more, so a free name stays free until the command is applied.
pub async fn free_under_old_keys(service: &Service, typed: &str, name: &Username) -> Result<(), Refusal> {
    let mut keys = NameKey::candidates(typed);
    keys.extend(NameKey::candidates(name.as_str()));
    keys.sort();
    keys.dedup();
    for key in keys.into_iter().filter(|key| key != name.key()) {
        let request = Request::Users { asker: UserId(0), ids: Vec::new(), names: vec![key.clone()] };
        match service.ask(key.slot(), request).await? {
            Answer::Users(found) if found.users.is_empty() => {}
            Answer::Users(_) => return Err(Rejection::NameTaken.into()),
            _ => return Err(Refusal::Unavailable),
        }
    }
    Ok(())
}

async fn enrol(
    service: &Service,
    address: Address,
    name: Username,
    password: String,
    request: ClientMessageId,
) -> Result<(UserId, String), Refusal> {
    let hash = service.passwords.hash(address, password).await?;
    let password_hash = hash.clone();
    match service.commit(Command::Register(Register { name, password_hash, request })).await? {
        Answer::Registered(user) => Ok((user, hash)),
        _ => Err(Refusal::Unavailable),
    }
}

async fn change(service: &Service, hash: TokenHash, change: InviteChange) -> Result<(), Refusal> {
    let id = InviteId::of(&hash);
    service.commit_done(Command::from(ChangeInvite { id, change })).await.map(drop)
}

/// Settles or releases a use behind the answer to the registration. A use that is not settled
/// counts as taken.
fn settle(service: &Service, hash: TokenHash, what: InviteChange) {
    let service = service.clone();
    tokio::spawn(async move {
        if let Err(refusal) = change(&service, hash, what).await {
            tracing::warn!(?refusal, "the use of an invitation is not settled: it counts as taken");
        }
    });
}
