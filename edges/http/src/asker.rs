//! The asker of a request: its address, its budget and, with a session, its verified caller.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::Instant;
use troupe_actors::address::Address;
use troupe_actors::budgets::Payer;
use troupe_actors::connection::Connection;
use troupe_actors::message::{Refusal, wire};
use troupe_actors::ops::check_file_link::FileLink;
use troupe_actors::ops::cost::{self, Cost};
use troupe_actors::ops::verify::Known;
use troupe_actors::ops::{Entry, Operation};
use troupe_actors::places::GivesWay;
use troupe_actors::service::Caller;
use troupe_core::{ConversationId, Intent, Seq};
use troupe_proto::client::{self, SessionToken};
use troupe_runtime::metrics::Metrics;

use crate::api::Api;
use crate::fair::{address_of, pay};
use crate::problem::{Problem, no_session, reused};
use crate::tokens::Tokens;

/// A token in the text form of this API.
pub fn token_text(token: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(token)
}

/// A request without a session.
pub struct Guest {
    pub api: Api,
    pub address: Address,
    payer: Arc<Payer>,
}

/// A request of a verified caller.
pub struct Asker {
    guest: Guest,
    pub known: Known,
    token: Vec<u8>,
}

impl FromRequestParts<Api> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Guest, Problem> {
        let address = address_of(&parts.extensions);
        Ok(Guest { api: api.clone(), address, payer: Arc::new(api.service.payer(address)) })
    }
}

impl FromRequestParts<Api> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Asker, Problem> {
        Guest::from_request_parts(parts, api).await?.verified(&parts.headers).await
    }
}

fn bearer(headers: &HeaderMap) -> Result<Vec<u8>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Err(no_session()) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let token = text.and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    // No token is longer, so a longer text is not decoded.
    let token = token.filter(|token| token.len() <= SessionToken::MAX_BYTES * 2);
    let decoded = token.and_then(|token| URL_SAFE_NO_PAD.decode(token).ok());
    decoded.ok_or_else(|| client::Refusal::ExpiredToken.into())
}

impl Guest {
    /// Verifies the session token of the request.
    pub async fn verified(self, headers: &HeaderMap) -> Result<Asker, Problem> {
        let token = match bearer(headers) {
            Ok(token) => token,
            Err(problem) => {
                self.pay(Cost::Units(1)).await?;
                return Err(problem);
            }
        };
        let (api, key) = (&self.api, Tokens::key(&token, self.address));
        let known = match api.tokens.find(&key) {
            Some(known) => known,
            None => {
                self.pay(Cost::Entry).await?;
                let asked = Instant::now();
                let known = api.service.verify(self.address, &token).await.map_err(|refusal| self.refused(refusal))?;
                api.tokens.keep(key, asked, known.clone());
                known
            }
        };
        self.payer.logged_in(known.caller.user());
        Ok(Asker { guest: self, known, token })
    }

    /// The maker of a link to a file, which the signature proves. It is for reading that file only.
    pub async fn by_link(self, link: FileLink, signature: &[u8]) -> Result<Asker, Problem> {
        self.pay(Cost::Units(cost::READ)).await?;
        let known = self.api.service.follow(self.address, link, signature).await;
        let known = known.map_err(|refusal| self.refused(refusal))?;
        self.payer.logged_in(known.caller.user());
        Ok(Asker { guest: self, known, token: Vec::new() })
    }

    /// Before anything is done for the request.
    pub async fn pay(&self, cost: Cost) -> Result<(), Problem> {
        pay(&self.payer, cost).await.map_err(|refusal| self.refused(refusal))
    }

    /// A node that is about to stop opens no session.
    pub async fn enter<E: Entry>(&self, entry: E) -> Result<E::Entered, Problem> {
        self.pay(Cost::Entry).await?;
        if self.api.service.is_draining() {
            return Err(wire::Failure::shutting_down().into());
        }
        self.api.service.enter(self.address, entry).await.map_err(|refusal| self.refused(refusal))
    }

    pub fn refused(&self, refusal: Refusal) -> Problem {
        count(self.api.service.metrics(), &refusal);
        self.payer.owe(cost::of_refusal(&refusal));
        refusal.into()
    }
}

impl Asker {
    /// Pays for the operation, and performs it.
    pub async fn perform<O: Operation>(&self, operation: O) -> Result<O::Answer, Problem> {
        self.try_perform(operation).await?.map_err(|refusal| self.guest.refused(refusal))
    }

    /// As [`Asker::perform`], for a handler that judges the refusal.
    pub async fn try_perform<O: Operation>(&self, operation: O) -> Result<Result<O::Answer, Refusal>, Problem> {
        let paid = operation.cost();
        self.guest.pay(paid).await?;
        let answered = self.api().service.perform(&self.known.caller, operation).await;
        self.guest.payer.settle(paid, O::worth(&answered));
        Ok(answered)
    }

    /// Continues the session on a connection: from now on it counts as online, if the policy for a
    /// second login allows that.
    pub async fn resume(&self) -> Result<Caller, Problem> {
        let resume = wire::Resume { token: self.token.clone().into() };
        Ok(self.guest.enter(resume).await?.caller)
    }

    /// Gives this request a place among the connections. `silent` has to give way before the login.
    pub fn connect(&self, silent: Arc<dyn GivesWay>) -> Result<Connection, Problem> {
        let place = Connection::open(&self.api().service, self.guest.address, silent);
        place.ok_or_else(|| self.refused(Refusal::Overloaded { after_ms: 1_000 }))
    }

    /// Pays for what is read on behalf of the caller.
    pub fn payer(&self) -> Arc<Payer> {
        self.guest.payer.clone()
    }

    /// Pays for an operation that is no frame of the protocol.
    pub async fn pay(&self, units: u64) -> Result<(), Problem> {
        self.guest.pay(Cost::Units(units)).await
    }

    /// For a small answer that this node has already.
    pub async fn read(&self) -> Result<(), Problem> {
        self.guest.pay(Cost::Units(cost::READ)).await
    }

    /// Refuses a repeated key whose first request has placed something else at `seq`.
    pub async fn is_the_same(&self, conversation: ConversationId, seq: Seq, intent: &Intent) -> Result<(), Problem> {
        self.read().await?;
        let same = self.api().service.asks_the_same(&self.known.caller, conversation, seq, intent).await;
        if same.map_err(|refusal| self.refused(refusal))? { Ok(()) } else { Err(reused()) }
    }

    /// Refuses a repeated key whose first request has made another group.
    pub async fn is_the_same_group(&self, conversation: &str, asked: wire::CreateGroup) -> Result<(), Problem> {
        self.read().await?;
        let same = self.api().service.makes_the_same(&self.known.caller, conversation, &asked).await;
        if same.map_err(|refusal| self.refused(refusal))? { Ok(()) } else { Err(reused()) }
    }

    pub fn api(&self) -> &Api {
        &self.guest.api
    }

    pub fn user(&self) -> u64 {
        self.known.caller.user().0
    }

    pub fn refused(&self, refusal: Refusal) -> Problem {
        self.guest.refused(refusal)
    }

    /// Sessions of any user may have ended.
    pub fn forget_all_tokens(&self) {
        self.api().tokens.forget_all();
    }

    /// Sessions of this user may have ended: they are verified again.
    pub fn forget_tokens(&self) {
        self.api().tokens.forget(self.known.caller.user());
    }
}

/// As each edge counts what it refuses.
fn count(metrics: &Metrics, refusal: &Refusal) {
    match refusal {
        Refusal::Rejected { .. } => metrics.rejected.up(),
        Refusal::Overloaded { .. } | Refusal::StorageLow | Refusal::NotOwner { .. } => metrics.overloaded.up(),
        Refusal::Limited { .. } => metrics.rate_limited.up(),
        Refusal::Unavailable => metrics.unavailable.up(),
    }
}
