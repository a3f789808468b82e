//! Registering: an account for whoever asks, as far as the cluster lets them.
//!
//! Where an invitation is wanted, a use of its code is reserved in the slot of the code under the
//! id of the registration, then the name is registered in its own slot. A registration that is
//! refused for good gives the use back; one whose outcome is unknown keeps it, and finds it again
//! when it is repeated under the same id.

use std::sync::Arc;

use troupe_core::command::{ChangeInvite, InviteChange, Register};
use troupe_core::record::InviteId;
use troupe_core::{ClientMessageId, Command, Rejection, TokenHash, UserId, Username};
use troupe_proto::client;
use troupe_raft::api::Registration;

use super::admin::code_hash;
use super::login::free_under_old_keys;
use super::{Front, ServerMessage};
use crate::address::Address;
use crate::message::{Answer, Refusal, Request, wire};
use crate::router::PATIENCE;

pub async fn register(front: Arc<Front>, address: Address, register: wire::Register) -> Result<ServerMessage, Refusal> {
    let name = Username::check(&register.name).map_err(|why| Refusal::rejected(Rejection::BadName.code(), why))?;
    let request = client::client_message_id("register.request", &register.request)?;
    front.budgets.register(address)?;
    let invited = match front.world.router.routing().settings.registration {
        Registration::Open => None,
        Registration::Closed => return Err(client::Refusal::RegistrationClosed.into()),
        Registration::Invite if register.invite.is_empty() => return Err(client::Refusal::InviteRequired.into()),
        Registration::Invite => Some(code_hash(&register.invite).ok_or(Rejection::BadInvite)?),
    };
    free_under_old_keys(&front, &register.name, &name).await?;
    // Before the password is hashed: whoever guesses codes costs no more than a look at a row.
    if let Some(hash) = invited {
        let name = name.key().clone();
        change(&front, hash, InviteChange::Reserve { hash, request, name }).await?;
    }
    match enrol(&front, address, name, register.password, request).await {
        Ok(user) => {
            if let Some(hash) = invited {
                settle(&front, hash, InviteChange::Settle { request, user });
            }
            Ok(ServerMessage::Registered(wire::Registered { user_id: user.0 }))
        }
        Err(refusal) => {
            let definite = matches!(refusal, Refusal::Rejected { .. });
            if let Some(hash) = invited.filter(|_| definite) {
                settle(&front, hash, InviteChange::Release { request });
            }
            Err(refusal)
        }
    }
}

async fn enrol(
    front: &Front,
    address: Address,
    name: Username,
    password: String,
    request: ClientMessageId,
) -> Result<UserId, Refusal> {
    let password_hash = front.passwords.hash(address, password).await?;
    let slot = name.slot();
    let command = Command::Register(Register { name, password_hash, request });
    match front.world.router.ask(slot, Request::Commit(command), PATIENCE).await? {
        Answer::Registered(user) => Ok(user),
        _ => Err(Refusal::Unavailable),
    }
}

async fn change(front: &Front, hash: TokenHash, change: InviteChange) -> Result<(), Refusal> {
    let id = InviteId::of(&hash);
    let command = Command::from(ChangeInvite { id, change });
    super::done(front.world.router.ask(id.slot(), Request::Commit(command), PATIENCE).await?)
}

/// What became of a use. The registration is answered without it: a use that is not settled only
/// counts as taken.
fn settle(front: &Arc<Front>, hash: TokenHash, what: InviteChange) {
    let front = front.clone();
    tokio::spawn(async move {
        if let Err(refusal) = change(&front, hash, what).await {
            tracing::warn!(?refusal, "the use of an invitation is not settled: it counts as taken");
        }
    });
}
