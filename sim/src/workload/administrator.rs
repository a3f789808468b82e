//! The administrator: creates accounts, changes them, invites users, and verifies that ended
//! sessions and accounts stay ended. It also plays the owners of these accounts.

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

use super::{AGAIN, PASSWORD, Phase, WorkloadContext};

/// A request without an answer may or may not have been applied. It is repeated after this time.
const SILENCE: Duration = Duration::from_secs(2);
/// Maximum pause between two acts.
const PAUSE_MS: u64 = 300;
/// Strangers register while registration is open. The administrator waits this long for them.
const STRANGERS: Duration = Duration::from_secs(3);
const FAR: u64 = 1 << 52;

pub async fn live(workload: Arc<WorkloadContext>, number: u32) {
    let platform = workload.platform(number);
    let born = loop {
        match workload.evidence.look(|seen| seen.born.clone()) {
            Some(born) => break born,
            None => sleep(AGAIN).await,
        }
    };
    let administrator =
        Administrator { workload: workload.clone(), platform, name: born.0, connection: Mutex::default() };
    while administrator.enter(&administrator.name, &born.1, PASSWORD, "desk").await.is_none() {}
    workload.administered.send_replace(true);
    workload.everybody().await;
    let mut strangers = workload.strangers.subscribe();
    let come = strangers.wait_for(|strangers| strangers.len() >= workload.plan.society.strangers);
    drop(timeout(STRANGERS, come).await);
    administrator.rule().await;
}

struct Administrator {
    workload: Arc<WorkloadContext>,
    platform: Platform,
    name: String,
    connection: Mutex<Option<Arc<Connection>>>,
}

/// An account, and the tokens of its two devices.
struct Subject {
    name: String,
    password: String,
    tokens: [Bytes; 2],
}

const DEVICES: [&str; 2] = ["phone", "tablet"];

impl Administrator {
    async fn rule(&self) {
        for round in 0.. {
            if self.is_over() {
                return;
            }
            let outcome = match self.platform.rng.range(0, 3) {
                0 => self.invite(round).await,
                _ => self.look_after(round).await,
            };
            // Without an outcome the run is over.
            if outcome.is_none() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        *self.workload.phase.borrow() == Phase::Silent
    }

    /// Creates an account and applies random changes to it.
    async fn look_after(&self, round: usize) -> Option<()> {
        let rng = &self.platform.rng;
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
                    let request = self.request();
                    self.act_as(request, "user.make_admin", set(true)).await?.ok()?;
                    for another in [set(false), Operation::DisableAccount(name.clone())] {
                        self.is_refused(request, another).await?;
                    }
                    self.act("user.revoke_admin", set(false)).await?.ok()?;
                    self.goes_on(&tokens[1], name).await?;
                }
            }
        }
        Some(())
    }

    /// Creates a code and registers more guests than it has uses.
    async fn invite(&self, round: usize) -> Option<()> {
        let rng = &self.platform.rng;
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
            let (workload, platform, code) = (self.workload.clone(), self.platform.clone(), code.clone());
            guests.spawn(async move { register(workload, platform, format!("guest-{round}-{guest}"), code).await });
        }
        let mut refused = false;
        while let Some(outcome) = guests.join_next().await {
            refused |= outcome.is_ok_and(|outcome| outcome == Some(false));
        }
        if refused {
            self.workload.evidence.refused_guest(&id);
        }
        if rng.range(0, 2) == 0 {
            self.act_as(request, "invite.revoke", Operation::RevokeInvite(id)).await?.ok()?;
        }
        self.act("cluster.settings", only("open")).await?.ok()?;
        Some(())
    }

    fn request(&self) -> ClientMessageId {
        ClientMessageId(self.platform.rng.bytes())
    }

    async fn act(&self, action: &'static str, operation: Operation) -> Option<Result<Answer, Error>> {
        self.act_as(self.request(), action, operation).await
    }

    /// Repeats one act until it is applied or refused. None: the run ended first, and it may have
    /// been applied.
    async fn act_as(
        &self,
        request: ClientMessageId,
        action: &'static str,
        operation: Operation,
    ) -> Option<Result<Answer, Error>> {
        let evidence = &self.workload.evidence;
        evidence.asked(request, action);
        let admin = wire::Admin { request: Bytes::copy_from_slice(&request.0), operation: Some(operation) };
        loop {
            match self.ask(Request::Admin(admin.clone())).await {
                Ok(Message::Admin(wire::AdminAnswer { answer: Some(answer) })) => {
                    evidence.done(request, action);
                    return Some(Ok(answer));
                }
                // An earlier login without an answer may commit late and replace this session.
                Err(error) if error.code() == Some(Refusal::ExpiredToken.code()) => {}
                Err(error @ Error::Rejected { .. }) if error.code() != Some(Refusal::NotLoggedIn.code()) => {
                    evidence.wrong(format!("the administrator may not do {action}: {error}"));
                    return Some(Err(error));
                }
                _ => {}
            }
            self.pause().await?;
        }
    }

    /// Asks for another operation under the id of an act. It must be refused, and do nothing.
    async fn is_refused(&self, request: ClientMessageId, operation: Operation) -> Option<()> {
        let said = format!("{operation:?}");
        let admin = wire::Admin { request: Bytes::copy_from_slice(&request.0), operation: Some(operation) };
        loop {
            match self.ask(Request::Admin(admin.clone())).await {
                Ok(_) => {
                    self.workload.evidence.wrong(format!("keys: {said} was answered under the id of another act"));
                    return Some(());
                }
                Err(error) if error.code() == Some(Rejection::RequestReused.code()) => return Some(()),
                Err(_) => self.pause().await?,
            }
        }
    }

    async fn pause(&self) -> Option<()> {
        self.connection.lock().take();
        sleep(Duration::from_millis(self.platform.rng.range(10, 300))).await;
        (!self.is_over()).then_some(())
    }

    /// Asks as the administrator, over one connection while it lasts.
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
        open(&self.workload, &self.platform).await
    }

    /// Logs in until it succeeds. Returns the token.
    async fn enter(&self, name: &str, password: &str, new: &str, device: &str) -> Option<Bytes> {
        loop {
            let Ok(connection) = self.open().await else {
                self.pause().await?;
                continue;
            };
            match in_time(connection.login_with_new(name, password, new, device)).await {
                Ok(logged_in) => return Some(logged_in.token),
                Err(error) if error.code() == Some(Refusal::WrongCredentials.code()) => {
                    self.workload.evidence.wrong(format!("{name} cannot log in with \"{password}\": {error}"));
                    return None;
                }
                // A login without an answer may commit late, and end the session of its repetition.
                Err(error) if error.code().is_none() => return None,
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

    /// Whether a session can be resumed, according to any node.
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
            self.workload.evidence.wrong(format!("accounts: a session of {name} continues although {why}"));
        }
        Some(())
    }

    async fn goes_on(&self, token: &Bytes, name: &str) -> Option<()> {
        if !self.resumes(token).await? {
            self.workload.evidence.wrong(format!("accounts: a session of {name} ended without a request"));
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
                    self.workload.evidence.wrong(format!("accounts: {name} is disabled and has logged in"));
                    return Some(());
                }
                Err(error) if error.code() == Some(Rejection::AccountDisabled.code()) => return Some(()),
                Err(_) => self.pause().await?,
            }
        }
    }
}

/// Registers until accepted or refused. None if the run ends first.
async fn register(workload: Arc<WorkloadContext>, platform: Platform, name: String, code: String) -> Option<bool> {
    let request = platform.rng.bytes::<16>();
    loop {
        let registered = match open(&workload, &platform).await {
            Ok(connection) => in_time(connection.register_invited(&name, PASSWORD, request, &code)).await,
            Err(error) => Err(error),
        };
        match registered {
            Ok(_) => return Some(true),
            Err(error) if error.code() == Some(Rejection::BadInvite.code()) => return Some(false),
            Err(_) => sleep(Duration::from_millis(platform.rng.range(10, 300))).await,
        }
        if *workload.phase.borrow() == Phase::Silent {
            return None;
        }
    }
}

async fn open(workload: &WorkloadContext, platform: &Platform) -> Result<Connection, Error> {
    let node = platform.rng.range(0, workload.plan.machines() as u64) as usize;
    let address = &workload.nodes(node)[0];
    Ok(in_time(Connection::open(&*platform.net, address)).await?.0)
}

async fn in_time<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(SILENCE, what).await.unwrap_or_else(|_| Err(Error::closed()))
}
