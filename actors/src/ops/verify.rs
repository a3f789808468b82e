//! Verifies the caller of one request, for edges whose requests belong to no connection.
//!
//! In contrast to `resume` it opens nothing: another connection of the session stays, and the
//! session does not count as online.

use troupe_core::record::AccountRole;
use troupe_proto::client::{self, SessionToken};

use crate::address::Address;
use crate::message::{Answer, Refusal, Request, Session};
use crate::passwords::token_hash;
use crate::service::{Caller, Service};

/// A verified caller, as its account was at that moment.
#[derive(Clone, Debug)]
pub struct Known {
    pub caller: Caller,
    pub name: String,
    pub role: AccountRole,
}

pub(crate) async fn verify(service: &Service, address: Address, token: &[u8]) -> Result<Known, Refusal> {
    let token = SessionToken::decode(token).map_err(|_| client::Refusal::ExpiredToken)?;
    let (user, device) = (token.user, token.device);
    let session = Session { user, device, token: token_hash(&token.secret), node: service.context.me() };
    match service.ask(user.slot(), Request::Verify(session.clone())).await.map_err(Refusal::of_lookup)? {
        Answer::Account(account) => {
            let caller = Caller::of(session, address, account.bot);
            Ok(Known { caller, name: account.name, role: account.standing.role() })
        }
        _ => Err(Refusal::Unavailable),
    }
}
