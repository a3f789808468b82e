//! `resume`: continues a session on a new connection, at any node.

use subtle::ConstantTimeEq;
use troupe_core::UserId;
use troupe_core::machine::session::has_expired;
use troupe_core::record::{self, Bot, BotOwner, Status};
use troupe_proto::client::{self, SessionToken};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::login::Entered;
use super::{Entry, Found};
use crate::address::Address;
use crate::message::{Account, Answer, Refusal, Request, Session, wire};
use crate::passwords::token_hash;
use crate::service::{Caller, Service};
use crate::shard::touch::Rest;

impl Entry for wire::Resume {
    type Entered = Entered;

    async fn enter(self, service: Service, address: Address) -> Result<Entered, Refusal> {
        let token = SessionToken::decode(&self.token).map_err(|_| client::Refusal::ExpiredToken)?;
        let (user, device) = (token.user, token.device);
        let session = Session { user, device, token: token_hash(&token.secret), node: service.context.me() };
        match service.ask(user.slot(), Request::Resume(session.clone())).await? {
            Answer::Account(account) => {
                Ok(Entered { caller: Caller::of(session, address, account.bot), name: account.name, token: Vec::new() })
            }
            _ => Err(Refusal::Unavailable),
        }
    }
}

/// At the leader of the user's shard: whether this is still the session of that device, compared in
/// constant time.
pub fn resume(view: &View, session: &Session, rest: Rest) -> Found<Answer> {
    let user = view.user(session.user)?.filter(|user| user.standing.status == Status::Active);
    let bot = bot_of(view, session.user)?;
    let rests = |held: &record::Session| bot.is_some() || !has_expired(held, rest.now, rest.idle_ms);
    let held = held(view, session)?.filter(rests);
    match (user, held) {
        (Some(user), Some(_)) => Ok(Ok(Answer::Account(Account { bot, ..Account::without_password(user) }))),
        _ => Ok(Err(client::Refusal::ExpiredToken.into())),
    }
}

/// The bot that this user is, if it is one and has not ended.
pub fn bot_of(view: &View, user: UserId) -> Result<Option<Bot>, EngineError> {
    match view.get::<BotOwner>(&user)? {
        Some(BotOwner(owner)) => view.get::<Bot>(&(owner, user)),
        None => Ok(None),
    }
}

/// The row of a session, if it is still that session.
pub fn held(view: &View, session: &Session) -> Result<Option<record::Session>, EngineError> {
    let held = view.session(session.user, &session.device)?;
    Ok(held.filter(|held| bool::from(held.token.0.ct_eq(&session.token.0))))
}
