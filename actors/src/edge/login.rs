//! The way in: greeting, registering, logging in, resuming, and following one's conversations.

use std::sync::Arc;

use troupe_core::record::Status;
use troupe_core::{ClientMessageId, NameKey, Rejection, UserId, Username, limits};
use troupe_proto::client::{self, SessionToken};

use super::{Front, admin, done};
use crate::address::Address;
use crate::message::{Answer, Refusal, Request, Session, UserKey, wire};
use crate::passwords::token_hash;
use crate::router::PATIENCE;
use crate::world::World;

/// Who has logged in, and the token for the next time.
pub struct Entered {
    pub session: Session,
    pub name: String,
    pub token: Vec<u8>,
}

pub fn welcome(world: &World) -> wire::Welcome {
    let routing = world.router.routing();
    wire::Welcome {
        version: client::PROTOCOL_VERSION,
        cluster_id: bytes::Bytes::copy_from_slice(&routing.cluster_id),
        node_id: world.me().0,
        server: concat!("troupe ", env!("CARGO_PKG_VERSION")).to_owned(),
        nodes: routing
            .nodes
            .values()
            .filter(|node| !routing.leaves(node.id))
            .filter_map(|node| node.for_clients().map(str::to_owned))
            .collect(),
        max_message_bytes: limits::MESSAGE_BYTES as u32,
        send_window: limits::SEND_WINDOW as u32,
        ping_seconds: (limits::IDLE_SECONDS / 3) as u32,
        history: routing.history,
        continues: routing.continues.iter().map(|id| bytes::Bytes::copy_from_slice(id)).collect(),
    }
}

/// An account of a version before 0.2 may have this name under another key. No account gets such a
/// key any more, so what is free here stays free until the command is applied.
pub(super) async fn free_under_old_keys(front: &Front, typed: &str, name: &Username) -> Result<(), Refusal> {
    let mut keys = NameKey::candidates(typed);
    keys.extend(NameKey::candidates(name.as_str()));
    keys.sort();
    keys.dedup();
    for key in keys.into_iter().filter(|key| key != name.key()) {
        let slot = key.slot();
        match front
            .world
            .router
            .ask(slot, Request::Users { asker: UserId(0), ids: Vec::new(), names: vec![key] }, PATIENCE)
            .await?
        {
            Answer::Users(found) if found.users.is_empty() => {}
            Answer::Users(_) => return Err(Rejection::NameTaken.into()),
            _ => return Err(Refusal::Unavailable),
        }
    }
    Ok(())
}

pub async fn login(front: Arc<Front>, address: Address, login: wire::Login) -> Result<Entered, Refusal> {
    let device = client::device("login.device", &login.device)?;
    // A text that is neither a name nor an id takes the path of an unknown user, at the same cost.
    let keys = match login.name.parse() {
        Ok(id) => vec![UserKey::Id(UserId(id))],
        Err(_) => NameKey::candidates(&login.name).into_iter().map(UserKey::Name).collect(),
    };
    let mut account = None;
    for key in keys {
        match front.world.router.ask(key.slot(), Request::Credentials(key), PATIENCE).await {
            Ok(Answer::Account(found)) => {
                account = Some(found);
                break;
            }
            Err(Refusal::Rejected { .. }) => {}
            Ok(_) => return Err(Refusal::Unavailable),
            Err(refusal) => return Err(refusal),
        }
    }
    // An account has one budget of failures by whichever name it is called, and a name without an
    // account has one too.
    let who = account.as_ref().map_or_else(|| login.name.clone(), |account| account.user.to_string());
    front.budgets.login(address, &who)?;
    let kept = account.as_ref().map(|account| account.password_hash.clone());
    let mut right = front.passwords.verify(address, login.password.clone(), kept.clone()).await?;
    let mut sets = !login.new_password.is_empty();
    if !right && sets {
        // Set already by an earlier try whose answer was lost.
        right = front.passwords.verify(address, login.new_password.clone(), kept).await?;
        sets = false;
    }
    let Some(account) = account.filter(|_| right) else {
        front.budgets.login_failed(address, &who);
        front.failed_logins.note(&login.name, &address);
        return Err(client::Refusal::WrongCredentials.into());
    };
    // Only who knows the password hears how the account stands.
    match account.standing.status {
        Status::Active => {}
        Status::Disabled => return Err(Rejection::AccountDisabled.into()),
        Status::Deleted => return Err(client::Refusal::WrongCredentials.into()),
    }
    let (user, name, mut revision) = (account.user, account.name.clone(), account.standing.revision);
    if sets {
        if login.password == login.new_password {
            return Err(client::Refusal::SamePassword.into());
        }
        let request = ClientMessageId(front.world.ctx.rng.bytes());
        revision = admin::set_password(&front, account, login.new_password, request, None, address).await?;
    } else if account.standing.one_time {
        return Err(Rejection::PasswordChangeRequired.into());
    }
    let token = SessionToken { user, device: device.clone(), secret: front.world.ctx.rng.bytes() };
    let session = Session { user, device, token: token_hash(&token.secret), node: front.world.me() };
    let request = Request::OpenSession { session: session.clone(), revision };
    done(front.world.router.ask(session.user.slot(), request, PATIENCE).await?)?;
    Ok(Entered { session, name, token: token.encode() })
}

pub async fn resume(front: Arc<Front>, resume: wire::Resume) -> Result<Entered, Refusal> {
    let expired = || Refusal::from(client::Refusal::ExpiredToken);
    let token = SessionToken::decode(&resume.token).map_err(|_| expired())?;
    let session =
        Session { user: token.user, device: token.device, token: token_hash(&token.secret), node: front.world.me() };
    let request = Request::Resume(session.clone());
    match front.world.router.ask(session.user.slot(), request, PATIENCE).await? {
        Answer::Account(account) => Ok(Entered { session, name: account.name, token: Vec::new() }),
        _ => Err(Refusal::Unavailable),
    }
}
