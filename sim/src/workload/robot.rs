//! Bots: their owner makes them, gives them other tokens, and ends them. With each token a bot does
//! what it is for, and tries what it is not for. Tokens that have ended are tried again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use troupe_chaos::history::{BotAct, BotAnswer};
use troupe_client::{Client, Connection, Error};
use troupe_core::{Body, ClientMessageId, ConversationId, UserId};
use troupe_proto::client::Refusal;
use troupe_proto::wire::client::{self as wire, Bot, BotScopes, client_frame::Request, server_frame::Message};
use troupe_runtime::Platform;

use super::account::Account;
use super::{AGAIN, Phase, WorkloadContext};
use crate::evidence::bots::BotToken;

/// A change without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection is given up after this silence.
const SILENCE: Duration = Duration::from_secs(2);
/// Maximum pause between two acts.
const PAUSE_MS: u64 = 400;
/// Acts with one token, at most.
const ACTS: u64 = 8;
/// Each bot has one of these.
const SCOPES: [(bool, bool, bool); 4] =
    [(true, true, false), (true, false, false), (false, true, false), (false, false, true)];
const REFUSED: &str = "not_for_bots";
/// Of the owner's hooks, which a bot may ask for by its scope, and not as no member.
const BEHIND_THE_SCOPE: &str = "not_member";

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    workload.everybody().await;
    let account = Account::new(workload.clone(), number, user, "bot-owner");
    let (owner, platform) = (account.start(), account.platform.clone());
    let mut robots: Vec<Robot> = SCOPES
        .map(|(read, send, manage)| Robot::new(&platform, BotScopes { read, send, manage }))
        .into_iter()
        .collect();
    let mut keeper = Keeper { workload: workload.clone(), number, owner, platform, tokens: 0 };
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        let chosen = keeper.platform.rng.range(0, SCOPES.len() as u64) as usize;
        keeper.look_after(&mut robots[chosen]).await;
        sleep(Duration::from_millis(keeper.platform.rng.range(0, PAUSE_MS))).await;
    }
    // The owner's device stays connected and receives events.
    std::future::pending().await
}

struct Robot {
    request: ClientMessageId,
    scopes: BotScopes,
    me: Option<UserId>,
    /// The present one, and the last one that has ended.
    token: Option<(BotToken, Bytes)>,
    ended: Option<(BotToken, Bytes)>,
}

impl Robot {
    fn new(platform: &Platform, scopes: BotScopes) -> Robot {
        Robot { request: ClientMessageId(platform.rng.bytes()), scopes, me: None, token: None, ended: None }
    }

    /// The name is unlike that of each other bot.
    fn name(&self) -> String {
        let [a, b, c, d, ..] = self.request.0;
        format!("robot-{a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

struct Keeper {
    workload: Arc<WorkloadContext>,
    number: u32,
    owner: Client,
    platform: Platform,
    /// The number of tokens that it has received.
    tokens: u64,
}

impl Keeper {
    async fn look_after(&mut self, robot: &mut Robot) {
        if !self.give(robot).await {
            return;
        }
        for _ in 0..self.platform.rng.range(1, ACTS) {
            self.act(robot).await;
            sleep(Duration::from_millis(self.platform.rng.range(0, PAUSE_MS))).await;
        }
        if let Some((token, secret)) = &robot.ended {
            self.enter(*token, secret).await;
        }
        if self.platform.rng.range(0, 6) == 0 {
            self.end(robot).await;
        }
    }

    /// Whether the bot has another token: that of a repeat, or of a rotation.
    async fn give(&mut self, robot: &mut Robot) -> bool {
        let rotated = robot.me.filter(|_| self.platform.rng.range(0, 2) == 0);
        let change = async {
            match rotated {
                Some(me) => self.owner.rotate_bot(me).await,
                None => self.owner.create_bot_as(robot.request, &robot.name(), robot.scopes).await,
            }
        };
        match timeout(PATIENCE, change).await {
            Ok(Ok(made)) => {
                self.made(robot, made);
                true
            }
            Ok(Err(_)) | Err(_) => {
                sleep(AGAIN).await;
                false
            }
        }
    }

    fn made(&mut self, robot: &mut Robot, made: Bot) {
        let (evidence, bot) = (&self.workload.evidence, UserId(made.user_id));
        let me = *robot.me.get_or_insert(bot);
        if bot != me || made.name != robot.name() || made.scopes != Some(robot.scopes) {
            evidence.wrong(format!("one request has made the bots {me} and {bot}: {made:?}"));
        }
        if let Some((token, _)) = &robot.token {
            evidence.bot_ended(*token);
        }
        self.tokens += 1;
        let token = (bot, self.tokens);
        evidence.bot_given(token, robot.scopes);
        robot.ended = robot.token.replace((token, made.token));
    }

    async fn end(&self, robot: &mut Robot) {
        let Some(me) = robot.me else { return };
        let ended = timeout(PATIENCE, self.owner.end_bot(me)).await;
        let last = std::mem::replace(robot, Robot::new(&self.platform, robot.scopes)).token;
        if let (Ok(Ok(())), Some((token, secret))) = (ended, last) {
            self.workload.evidence.bot_ended(token);
            self.enter(token, &secret).await;
        }
    }

    async fn act(&mut self, robot: &mut Robot) {
        let act = match self.platform.rng.range(0, 6) {
            0 => BotAct::Read,
            1 => BotAct::Manage,
            2 => BotAct::OfUsers,
            _ => return self.say(robot).await,
        };
        let Some((token, secret)) = robot.token.clone() else { return };
        let Some(connection) = self.enter(token, &secret).await else { return };
        let everyone = ConversationId::Everyone.to_string();
        let request = match act {
            BotAct::Manage => Request::ListHooks(wire::ListHooks { conversation: everyone }),
            BotAct::OfUsers => Request::ListBots(wire::ListBots {}),
            _ => Request::Fetch(wire::Fetch { conversation: everyone, seq: 0, backward: true, limit: 1 }),
        };
        let asked = self.now();
        let answer = in_time(connection.request(request)).await;
        self.answered(token, asked, act, &answer);
    }

    /// Sends one message until it has an answer, with other tokens if this one has ended, and
    /// sometimes once more.
    async fn say(&mut self, robot: &mut Robot) {
        let (Some(me), place) = (robot.me, ConversationId::Everyone) else { return };
        let id = ClientMessageId(self.platform.rng.bytes());
        let name = format!("{me}/{id}");
        self.workload.evidence.invoked(self.number, me, place, &name);
        loop {
            if self.send(robot, id, &name).await && self.platform.rng.range(0, 3) > 0 {
                return;
            }
            if *self.workload.phase.borrow() > Phase::LastWords {
                // Its outcome stays unknown.
                return self.workload.evidence.forget(self.number, |_| false);
            }
            sleep(AGAIN).await;
        }
    }

    /// Whether the message has an answer.
    async fn send(&mut self, robot: &mut Robot, id: ClientMessageId, name: &str) -> bool {
        let Some((token, secret)) = robot.token.clone() else { return false };
        let Some(connection) = self.enter(token, &secret).await else {
            // A change that had no answer may have ended it.
            self.give(robot).await;
            return false;
        };
        let place = ConversationId::Everyone;
        let send = wire::Send {
            conversation: place.to_string(),
            client_message_id: Bytes::copy_from_slice(&id.0),
            after: Bytes::new(),
            body: Some((&Body::text(&format!("{id} beep"))).into()),
        };
        let asked = self.now();
        let answer = in_time(connection.request(Request::Send(send))).await;
        self.answered(token, asked, BotAct::Send, &answer);
        match answer {
            Ok(Message::SendAck(ack)) => self.workload.evidence.acked(self.number, place, &name.to_owned(), ack.seq),
            Err(Error::Rejected { code, .. }) if !is_of_session(&code) => {
                self.workload.evidence.rejected(self.number, place, &name.to_owned(), &code);
            }
            _ => return false,
        }
        true
    }

    /// A connection of its own, if the token opens one.
    async fn enter(&self, token: BotToken, secret: &Bytes) -> Option<Connection> {
        let node = self.platform.rng.range(0, self.workload.plan.machines() as u64) as usize;
        let address = &self.workload.nodes(node)[0];
        let (connection, _) = in_time(Connection::open(&*self.platform.net, address)).await.ok()?;
        let asked = self.now();
        let resumed = in_time(connection.resume(secret.clone())).await;
        self.answered(token, asked, BotAct::Enter, &resumed);
        resumed.is_ok().then_some(connection)
    }

    fn answered<T>(&self, token: BotToken, asked: u64, act: BotAct, answer: &Result<T, Error>) {
        let answer = match answer {
            Ok(_) => BotAnswer::Passed,
            Err(Error::Rejected { code, .. }) if code == REFUSED => BotAnswer::NotForBots,
            Err(Error::Rejected { code, .. }) if is_of_session(code) => BotAnswer::Ended,
            Err(Error::Rejected { code, .. }) if code == BEHIND_THE_SCOPE => BotAnswer::Passed,
            Err(_) => return,
        };
        self.workload.evidence.bot_answered(token, asked, act, answer);
    }

    fn now(&self) -> u64 {
        self.workload.evidence.now().as_micros() as u64
    }
}

fn is_of_session(code: &str) -> bool {
    [Refusal::ExpiredToken, Refusal::NotLoggedIn].iter().any(|refusal| refusal.code() == code)
}

async fn in_time<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(SILENCE, what).await.unwrap_or_else(|_| Err(Error::closed()))
}
