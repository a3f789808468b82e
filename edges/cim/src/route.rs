//! CIM's HTTP paths: those of its route, and the one of its server.
//!
//! A request acts for a user only with a login of that user from the same address. Messages go into
//! the log before the answer; CIM's answer says whether the receiver is online.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};
use troupe_actors::address::Address;
use troupe_actors::budgets::{Payer, Verdict};
use troupe_actors::message::{Refusal, wire};
use troupe_actors::ops::cost::{Cost, of_refusal};
use troupe_actors::ops::{Operation, passwordless};
use troupe_actors::service::Caller;
use troupe_core::{ConversationId, DeviceId, UserId};

use crate::answer::{Answer, Status};
use crate::logins::{Login, Refused};
use crate::send::{self, Outgoing};
use crate::{Edge, body};

/// The device of all sessions of this edge: a user has one CIM client at a time.
const DEVICE: &str = "cim";
/// A connection that has just ended counts as online for a moment. A login waits that long.
const SETTLES: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// CIM's client waits three seconds for an answer.
const FETCH_WITHIN: Duration = Duration::from_millis(2_500);
/// Pages of users in one answer. Above it the list is cut.
const ONLINE_PAGES: usize = 10;

/// The origin of a request.
pub struct Asked {
    pub edge: Arc<Edge>,
    pub address: Address,
    /// Of the connection, for requests without a login.
    pub payer: Arc<Payer>,
}

/// The method of a path, if there is such a path.
pub fn method(path: &str) -> Option<Method> {
    match path {
        "/onlineUser" => Some(Method::GET),
        "/registerAccount" | "/login" | "/p2pRoute" | "/groupRoute" | "/offLine" | "/fetchOfflineMsgs" | "/sendMsg" => {
            Some(Method::POST)
        }
        _ => None,
    }
}

pub async fn answer(asked: Asked, path: &str, body: &[u8]) -> Answer {
    asked.perform(path, body).await.unwrap_or_else(|answer| answer)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    user_id: u64,
    user_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Server<'a> {
    ip: &'a str,
    cim_server_port: u16,
    http_port: u16,
}

#[derive(Serialize)]
struct Pushed {
    msg: &'static str,
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Answer> {
    serde_json::from_slice(body).map_err(|error| Answer::invalid(error.to_string()))
}

impl Asked {
    async fn perform(&self, path: &str, body: &[u8]) -> Result<Answer, Answer> {
        match path {
            "/registerAccount" => self.register(parse(body)?).await,
            "/login" => self.log_in(parse(body)?).await,
            "/p2pRoute" => self.send_to_one(parse(body)?).await,
            "/groupRoute" => self.send_to_all(parse(body)?).await,
            "/offLine" => self.log_out(parse(body)?).await,
            "/fetchOfflineMsgs" => self.fetch(parse(body)?).await,
            "/sendMsg" => self.push(parse(body)?).await,
            _ => self.online().await,
        }
    }

    async fn register(&self, body: body::Register) -> Result<Answer, Answer> {
        self.pay(&self.payer, Cost::Entry).await?;
        let enrolled = passwordless::register(&self.edge.service, self.address, &body.user_name).await;
        let enrolled = enrolled.map_err(|refusal| self.refused(&refusal))?;
        if enrolled.fresh
            && let Err(refusal) = self.begin_at_head(enrolled.user, &body.user_name).await
        {
            tracing::debug!(?refusal, "a new CIM user gets earlier messages of the channel");
        }
        Ok(Answer::with(Account { user_id: enrolled.user.0, user_name: body.user_name }))
    }

    /// A new user misses what is sent from now on, and nothing before.
    async fn begin_at_head(&self, user: UserId, name: &str) -> Result<(), Refusal> {
        let service = &self.edge.service;
        let caller = passwordless::visit(service, self.address, user, name, device()?).await?.caller;
        let list = wire::ListConversations { after: String::new(), limit: 1 };
        for row in service.perform(&caller, list).await?.conversations {
            if row.head > 0 {
                let read = wire::MarkRead { conversation: row.conversation, seq: row.head };
                service.perform(&caller, read).await?;
            }
        }
        Ok(())
    }

    async fn log_in(&self, body: body::Login) -> Result<Answer, Answer> {
        self.pay(&self.payer, Cost::Entry).await?;
        let (edge, user) = (&self.edge, body.user_id.0);
        if edge.service.is_draining() {
            return Ok(Answer::status(Status::NotAvailable));
        }
        let device = device().map_err(|refusal| self.refused(&refusal))?;
        let visited = passwordless::visit(&edge.service, self.address, user, &body.user_name, device).await;
        let visitor = visited.map_err(|refusal| match refusal {
            Refusal::Rejected { .. } => Answer::status(Status::NoSuchAccount),
            other => self.refused(&other),
        })?;
        if edge.logins.bars(user, self.address) || self.is_online_elsewhere(&visitor.caller, user).await? {
            return Ok(Answer::status(Status::RepeatedLogin));
        }
        let payer = Arc::new(edge.service.payer(self.address));
        payer.logged_in(user);
        match edge.logins.admit(visitor, body.user_name, payer) {
            Ok(()) => {}
            Err(Refused::Repeated) => return Ok(Answer::status(Status::RepeatedLogin)),
            Err(Refused::TooMany) => return Err(self.refused(&Refusal::OVERLOADED)),
        }
        let told = edge.told();
        Ok(Answer::with(Server { ip: &told.host, cim_server_port: told.channel, http_port: told.http }))
    }

    /// Whether the user has a channel at another node. The node of an ended one may not have said
    /// so yet.
    async fn is_online_elsewhere(&self, caller: &Caller, user: UserId) -> Result<bool, Answer> {
        let until = Instant::now() + SETTLES;
        while self.user(caller, user).await?.is_some_and(|user| user.online) {
            if Instant::now() >= until {
                return Ok(true);
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(false)
    }

    async fn send_to_one(&self, body: body::Chat) -> Result<Answer, Answer> {
        let receiver = body.receive_user_id.ok_or_else(|| Answer::invalid("receiveUserId is missing"))?.0;
        let online = self.send_direct(body.user_id.0, receiver, Outgoing::of(body)?).await?;
        Ok(if online { Answer::ok() } else { Answer::status(Status::Offline) })
    }

    /// As CIM's server: the answer does not depend on the receiver's channel.
    async fn push(&self, body: body::Push) -> Result<Answer, Answer> {
        if !matches!(body.cmd.as_deref(), None | Some("MESSAGE" | "OFFLINE")) {
            return Err(Answer::invalid("cmd wants MESSAGE or OFFLINE"));
        }
        let sender = body.properties.as_ref().and_then(|properties| properties.send_user_id);
        let sender = sender.ok_or_else(|| Answer::invalid("properties.sendUserId is missing"))?.0;
        self.send_direct(sender, body.user_id.0, Outgoing::of_push(body)?).await?;
        Ok(Answer::with(Pushed { msg: "OK" }))
    }

    /// Returns whether the receiver is online.
    async fn send_direct(&self, sender: UserId, receiver: UserId, outgoing: Outgoing) -> Result<bool, Answer> {
        let login = self.login(sender)?;
        let conversation = ConversationId::direct(sender, receiver)
            .ok_or_else(|| Answer::invalid("receiveUserId is the sender: choose another user"))?;
        let online = self.edge.logins.is_here(receiver) || {
            let found = self.user(&login.visitor.caller, receiver).await?.filter(|user| !user.deleted);
            found.ok_or_else(|| Answer::invalid("no user has the id receiveUserId"))?.online
        };
        self.place(&login, conversation, outgoing).await?;
        Ok(online)
    }

    async fn send_to_all(&self, body: body::Chat) -> Result<Answer, Answer> {
        let login = self.login(body.user_id.0)?;
        // As CIM: a batch goes to one user only.
        let outgoing = Outgoing::of(body::Chat { batch_msg: None, ..body })?;
        self.place(&login, ConversationId::Everyone, outgoing).await?;
        Ok(Answer::ok())
    }

    async fn place(&self, login: &Login, conversation: ConversationId, outgoing: Outgoing) -> Result<(), Answer> {
        let caller = &login.visitor.caller;
        let sends = outgoing.sends(caller.user(), conversation, || self.edge.platform.rng.bytes());
        self.pay(&login.payer, send::cost(&sends)).await?;
        send::place(&self.edge.service, caller, sends).await.map_err(|refusal| {
            login.payer.owe(of_refusal(&refusal));
            self.refused(&refusal)
        })
    }

    /// As CIM, this succeeds also for a user that has no login.
    async fn log_out(&self, body: body::LogOut) -> Result<Answer, Answer> {
        self.pay(&self.payer, Cost::Entry).await?;
        if let Some(channel) = self.edge.logins.log_out(body.user_id.0, self.address) {
            // The next login finds no channel any more.
            let _ = timeout(FETCH_WITHIN, channel.is_over()).await;
        }
        Ok(Answer::ok())
    }

    async fn online(&self) -> Result<Answer, Answer> {
        let login = self.edge.logins.from(self.address).ok_or_else(|| {
            let text = "no user is logged in from this address: POST /login first";
            Answer::error(StatusCode::FORBIDDEN, Status::NoSuchAccount, text)
        })?;
        let (mut all, mut after) = (Vec::new(), String::new());
        for _ in 0..ONLINE_PAGES {
            let page = self.ask(&login.visitor.caller, wire::ListOnline { after, limit: 0 }).await?;
            after = page.users.last().map(|user| user.name.clone()).unwrap_or_default();
            all.extend(page.users.into_iter().map(|user| Account { user_id: user.user_id, user_name: user.name }));
            if !page.more {
                break;
            }
        }
        // As CIM: no list instead of an empty one.
        Ok(if all.is_empty() { Answer::ok() } else { Answer::with(all) })
    }

    /// As CIM, this succeeds also without a channel, and then does nothing.
    async fn fetch(&self, body: body::Fetch) -> Result<Answer, Answer> {
        self.pay(&self.payer, Cost::Entry).await?;
        let login = self.edge.logins.of(body.receive_user_id.0, self.address);
        let Some(channel) = login.and_then(|login| login.channel()) else { return Ok(Answer::ok()) };
        // A long absence takes longer than the client waits; the channel goes on with it.
        match timeout(FETCH_WITHIN, channel.fetch()).await {
            Ok(true) | Err(_) => Ok(Answer::ok()),
            Ok(false) => Ok(Answer::status(Status::NotFetched)),
        }
    }

    fn login(&self, user: UserId) -> Result<Login, Answer> {
        self.edge.logins.of(user, self.address).ok_or_else(Answer::not_logged_in)
    }

    async fn user(&self, caller: &Caller, user: UserId) -> Result<Option<wire::User>, Answer> {
        let found = self.ask(caller, wire::GetUsers { ids: vec![user.0], names: Vec::new() }).await?;
        Ok(found.users.into_iter().next())
    }

    /// A question, which the address pays.
    async fn ask<O: Operation>(&self, caller: &Caller, operation: O) -> Result<O::Answer, Answer> {
        self.pay(&self.payer, operation.cost()).await?;
        self.edge.service.perform(caller, operation).await.map_err(|refusal| self.refused(&refusal))
    }

    async fn pay(&self, payer: &Payer, cost: Cost) -> Result<(), Answer> {
        match payer.pay(cost) {
            Verdict::Pass => Ok(()),
            Verdict::Pace(pause) => {
                sleep(pause).await;
                Ok(())
            }
            Verdict::Refuse(after) => {
                self.edge.service.metrics().rate_limited.up();
                Err(Answer::limited(after))
            }
        }
    }

    fn refused(&self, refusal: &Refusal) -> Answer {
        let metrics = self.edge.service.metrics();
        match refusal {
            Refusal::Rejected { .. } => metrics.rejected.up(),
            Refusal::Overloaded { .. } | Refusal::StorageLow | Refusal::NotOwner { .. } => metrics.overloaded.up(),
            Refusal::Limited { .. } => metrics.rate_limited.up(),
            Refusal::Unavailable => metrics.unavailable.up(),
        }
        Answer::refused(refusal)
    }
}

fn device() -> Result<DeviceId, Refusal> {
    DeviceId::new(DEVICE).ok_or(Refusal::Unavailable)
}
