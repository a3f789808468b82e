//! The administrator: makes accounts, changes them and invites people to register, whatever breaks
//! meanwhile, and tries whether what was ended has ended. Those whose accounts these are have
//! nothing else to do, so the administrator plays them too.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use troupe_client::{Connection, Error};
use troupe_core::{ClientMessageId, Rejection};
use troupe_proto::client::Refusal;
use troupe_proto::wire::client::{self as wire, admin::Operation, admin_answer::Answer};
use troupe_proto::wire::client::{client_frame::Request, server_frame::Message};
use troupe_runtime::Platform;

use super::{AGAIN, PASSWORD, Phase, Square};

/// A request without an answer by then may have been done or not: it is asked again.
const SILENCE: Duration = Duration::from_secs(2);
/// Between two deeds, at most.
const PAUSE_MS: u64 = 300;
/// Strangers register on their own as long as everybody may; they are waited for so long.
const STRANGERS: Duration = Duration::from_secs(3);
const FAR: u64 = 1 << 52;

pub async fn live(square: Arc<Square>, number: u32) {
    let world = square.world(number);
    let born = loop {
        match square.evidence.look(|seen| seen.born.clone()) {
            Some(born) => break born,
            None => sleep(AGAIN).await,
        }
    };
    let ruler = Ruler { square: square.clone(), world, name: born.0, connection: Mutex::default() };
    while ruler.enter(&ruler.name, &born.1, PASSWORD, "desk").await.is_none() {}
    square.ruled.send_replace(true);
    square.everybody().await;
    let mut strangers = square.strangers.subscribe();
    let come = strangers.wait_for(|strangers| strangers.len() >= square.plan.society.strangers);
    drop(timeout(STRANGERS, come).await);
    ruler.rule().await;
}

struct Ruler {
    square: Arc<Square>,
    world: Platform,
    name: String,
    connection: Mutex<Option<Arc<Connection>>>,
}

/// An account, and what is known of its two devices.
struct Subject {
    name: String,
    password: String,
    tokens: [Bytes; 2],
}

const DEVICES: [&str; 2] = ["phone", "tablet"];

impl Ruler {
    async fn rule(&self) {
        for round in 0.. {
            if self.is_over() {
                return;
            }
            let outcome = match self.world.rng.range(0, 3) {
                0 => self.invite(round).await,
                _ => self.look_after(round).await,
            };
            // Without an outcome the time was up.
            if outcome.is_none() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        *self.square.phase.borrow() == Phase::Silent
    }

    /// An account from its beginning, and one thing after another that is done to it.
    async fn look_after(&self, round: usize) -> Option<()> {
        let rng = &self.world.rng;
        let name = format!("subject-{round}");
        let create = wire::CreateAccount { name: name.clone(), password: "once only".into(), admin: false };
        self.act("user.create", Operation::CreateAccount(create)).await?.ok()?;
        let tokens = [
            self.enter(&name, "once only", "first password", DEVICES[0]).await?,
            self.enter(&name, "first password", "", DEVICES[1]).await?,
        ];
        let mut subject = Subject { name, password: "first password".into(), tokens };
        for step in 0..rng.range(1, 5) {
            sleep(Duration::from_millis(rng.range(0, PAUSE_MS))).await;
            let Subject { name, password, tokens } = &mut subject;
            match rng.range(0, 5) {
                0 => {
                    let new = format!("password {step} of its own");
                    self.change_password(&tokens[0], password, &new).await?;
                    *password = new;
                    self.has_ended(&tokens[1], name, "another device changed the password").await?;
                    self.goes_on(&tokens[0], name).await?;
                    tokens[1] = self.enter(name, password, "", DEVICES[1]).await?;
                }
                1 => {
                    let end = wire::EndSessions { account: name.clone(), device: DEVICES[1].to_owned() };
                    self.act("user.end_sessions", Operation::EndSessions(end)).await?.ok()?;
                    self.has_ended(&tokens[1], name, "the administrator ended it").await?;
                    self.goes_on(&tokens[0], name).await?;
                    tokens[1] = self.enter(name, password, "", DEVICES[1]).await?;
                }
                2 => {
                    self.act("user.disable", Operation::DisableAccount(name.clone())).await?.ok()?;
                    self.has_ended(&tokens[0], name, "the account was disabled").await?;
                    self.is_shut_out(name, password).await?;
                    self.act("user.enable", Operation::EnableAccount(name.clone())).await?.ok()?;
                    self.has_ended(&tokens[1], name, "the account was disabled before").await?;
                    for (token, device) in tokens.iter_mut().zip(DEVICES) {
                        *token = self.enter(name, password, "", device).await?;
                    }
                }
                3 => {
                    let once = format!("password {step} for once");
                    let reset = wire::ResetPassword { account: name.clone(), password: once.clone() };
                    self.act("user.reset_password", Operation::ResetPassword(reset)).await?.ok()?;
                    self.has_ended(&tokens[0], name, "the password was reset").await?;
                    *password = format!("password {step} after a reset");
                    tokens[0] = self.enter(name, &once, password, DEVICES[0]).await?;
                    tokens[1] = self.enter(name, password, "", DEVICES[1]).await?;
                }
                _ => {
                    let set = |admin| Operation::SetAdmin(wire::SetAdmin { account: name.clone(), admin });
                    self.act("user.make_admin", set(true)).await?.ok()?;
                    self.act("user.revoke_admin", set(false)).await?.ok()?;
                    self.goes_on(&tokens[1], name).await?;
                }
            }
        }
        Some(())
    }

    /// A code with some uses, and more people who have it than that.
    async fn invite(&self, round: usize) -> Option<()> {
        let rng = &self.world.rng;
        let only = |word: &str| {
            let registration = Some(word.to_owned());
            Operation::ChangeSettings(wire::ChangeSettings { registration, ..Default::default() })
        };
        self.act("cluster.settings", only("invite")).await?.ok()?;
        let (code, uses) = (format!("code-{:016x}", rng.u64()), 1 + rng.range(0, 3) as u32);
        let create = wire::CreateInvite { code: code.clone(), uses, expires_ms: FAR, note: String::new() };
        let request = self.request();
        let Answer::Invites(made) =
            self.act_as(request, "invite.create", Operation::CreateInvite(create)).await?.ok()?
        else {
            return None;
        };
        let id = made.invites.first()?.id.clone();
        let mut guests = JoinSet::new();
        for guest in 0..uses + 2 {
            let (square, world, code) = (self.square.clone(), self.world.clone(), code.clone());
            guests.spawn(async move { register(square, world, format!("guest-{round}-{guest}"), code).await });
        }
        let mut refused = false;
        while let Some(outcome) = guests.join_next().await {
            refused |= outcome.is_ok_and(|outcome| outcome == Some(false));
        }
        if refused {
            self.square.evidence.refused_guest(&id);
        }
        if rng.range(0, 2) == 0 {
            self.act_as(request, "invite.revoke", Operation::RevokeInvite(id)).await?.ok()?;
        }
        self.act("cluster.settings", only("open")).await?.ok()?;
        Some(())
    }

    fn request(&self) -> ClientMessageId {
        ClientMessageId(self.world.rng.bytes())
    }

    async fn act(&self, action: &'static str, operation: Operation) -> Option<Result<Answer, Error>> {
        self.act_as(self.request(), action, operation).await
    }

    /// One act until it is done or refused. None: the time was up, and it may have been done.
    async fn act_as(
        &self,
        request: ClientMessageId,
        action: &'static str,
        operation: Operation,
    ) -> Option<Result<Answer, Error>> {
        let evidence = &self.square.evidence;
        evidence.asked(request, action);
        let admin = wire::Admin { request: Bytes::copy_from_slice(&request.0), operation: Some(operation) };
        loop {
            match self.ask(Request::Admin(admin.clone())).await {
                Ok(Message::Admin(wire::AdminAnswer { answer: Some(answer) })) => {
                    evidence.done(request, action);
                    return Some(Ok(answer));
                }
                Err(error @ Error::Rejected { .. }) if error.code() != Some(Refusal::NotLoggedIn.code()) => {
                    evidence.wrong(format!("the administrator may not do {action}: {error}"));
                    return Some(Err(error));
                }
                _ => {}
            }
            self.pause().await?;
        }
    }

    async fn pause(&self) -> Option<()> {
        self.connection.lock().take();
        sleep(Duration::from_millis(self.world.rng.range(10, 300))).await;
        (!self.is_over()).then_some(())
    }

    /// As the administrator, over one connection as long as it lasts.
    async fn ask(&self, request: Request) -> Result<Message, Error> {
        let held = self.connection.lock().clone().filter(|connection| !connection.is_closed());
        let connection = match held {
            Some(connection) => connection,
            None => {
                let connection = Arc::new(self.open().await?);
                in_time(connection.login(&self.name, PASSWORD, "desk")).await?;
                self.connection.lock().replace(connection.clone());
                connection
            }
        };
        in_time(connection.request(request)).await
    }

    async fn open(&self) -> Result<Connection, Error> {
        open(&self.square, &self.world).await
    }

    /// Logs in until it works; returns the token.
    async fn enter(&self, name: &str, password: &str, new: &str, device: &str) -> Option<Bytes> {
        loop {
            let entered = match self.open().await {
                Ok(connection) => in_time(connection.login_with_new(name, password, new, device)).await,
                Err(error) => Err(error),
            };
            match entered {
                Ok(logged_in) => return Some(logged_in.token),
                Err(error) if error.code() == Some(Refusal::WrongCredentials.code()) => {
                    self.square.evidence.wrong(format!("{name} cannot log in with \"{password}\": {error}"));
                    return None;
                }
                Err(_) => self.pause().await?,
            }
        }
    }

    async fn change_password(&self, token: &Bytes, old: &str, new: &str) -> Option<()> {
        let request = Bytes::copy_from_slice(&self.request().0);
        let change = wire::ChangePassword { old_password: old.to_owned(), new_password: new.to_owned(), request };
        loop {
            let asked = async {
                let connection = self.open().await?;
                in_time(connection.resume(token.clone())).await?;
                in_time(connection.request(Request::ChangePassword(change.clone()))).await
            };
            if let Ok(Message::Done(_)) = asked.await {
                return Some(());
            }
            self.pause().await?;
        }
    }

    /// Whether a session can be resumed, at whichever node says so.
    async fn resumes(&self, token: &Bytes) -> Option<bool> {
        loop {
            let resumed = match self.open().await {
                Ok(connection) => in_time(connection.resume(token.clone())).await,
                Err(error) => Err(error),
            };
            match resumed {
                Ok(_) => return Some(true),
                Err(error) if error.code() == Some(Refusal::ExpiredToken.code()) => return Some(false),
                Err(_) => self.pause().await?,
            }
        }
    }

    async fn has_ended(&self, token: &Bytes, name: &str, why: &str) -> Option<()> {
        if self.resumes(token).await? {
            self.square.evidence.wrong(format!("accounts: a session of {name} goes on, although {why}"));
        }
        Some(())
    }

    async fn goes_on(&self, token: &Bytes, name: &str) -> Option<()> {
        if !self.resumes(token).await? {
            self.square.evidence.wrong(format!("accounts: a session of {name} has ended, which nobody asked for"));
        }
        Some(())
    }

    async fn is_shut_out(&self, name: &str, password: &str) -> Option<()> {
        loop {
            let entered = match self.open().await {
                Ok(connection) => in_time(connection.login(name, password, "another")).await,
                Err(error) => Err(error),
            };
            match entered {
                Ok(_) => {
                    self.square.evidence.wrong(format!("accounts: {name} is disabled and has logged in"));
                    return Some(());
                }
                Err(error) if error.code() == Some(Rejection::AccountDisabled.code()) => return Some(()),
                Err(_) => self.pause().await?,
            }
        }
    }
}

/// Until it has the account or not; None when the time is up.
async fn register(square: Arc<Square>, world: Platform, name: String, code: String) -> Option<bool> {
    let request = world.rng.bytes::<16>();
    loop {
        let registered = match open(&square, &world).await {
            Ok(connection) => in_time(connection.register_invited(&name, PASSWORD, request, &code)).await,
            Err(error) => Err(error),
        };
        match registered {
            Ok(_) => return Some(true),
            Err(error) if error.code() == Some(Rejection::BadInvite.code()) => return Some(false),
            Err(_) => sleep(Duration::from_millis(world.rng.range(10, 300))).await,
        }
        if *square.phase.borrow() == Phase::Silent {
            return None;
        }
    }
}

async fn open(square: &Square, world: &Platform) -> Result<Connection, Error> {
    let node = world.rng.range(0, square.plan.machines() as u64) as usize;
    let address = &square.nodes(node)[0];
    Ok(in_time(Connection::open(&*world.net, address)).await?.0)
}

async fn in_time<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(SILENCE, what).await.unwrap_or_else(|_| Err(Error::closed()))
}
