//! A bot: its owner makes it under one request id again and again, each time with another token.
//! With that it sends messages, and tries what its token is not for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Error};
use troupe_core::{Body, ClientMessageId, ConversationId, UserId};
use troupe_proto::wire::client::{Bot, BotScopes};
use troupe_runtime::Rng;

use super::account::Account;
use super::{AGAIN, Phase, WorkloadContext};

/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(10);
/// Maximum pause between two messages.
const PAUSE_MS: u64 = 400;
/// Messages with one token.
const MESSAGES: u64 = 12;
const REFUSED: &str = "not_for_bots";

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    workload.everybody().await;
    let account = Account::new(workload.clone(), number, user, "bot-owner");
    let (owner, rng) = (account.start(), account.platform.rng.clone());
    let request = ClientMessageId(rng.bytes());
    let mut robot = Robot { workload: workload.clone(), number, rng, me: None };
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        let scopes = BotScopes { read: true, send: true, manage: false };
        match timeout(PATIENCE, owner.create_bot_as(request, "robot", scopes)).await {
            Ok(Ok(made)) => {
                robot.made(&made);
                let (client, mut events) = account.bot(made.token);
                let draining = tokio::spawn(async move { while events.next().await.is_some() {} });
                robot.speak(&client).await;
                draining.abort();
            }
            Ok(Err(Error::Stopped(_))) => return,
            Ok(Err(_)) | Err(_) => sleep(AGAIN).await,
        }
    }
    // The owner's device stays connected and receives events.
    std::future::pending().await
}

struct Robot {
    workload: Arc<WorkloadContext>,
    number: u32,
    rng: Arc<Rng>,
    me: Option<UserId>,
}

impl Robot {
    fn made(&mut self, made: &Bot) {
        let bot = UserId(made.user_id);
        let me = *self.me.get_or_insert(bot);
        if bot != me || made.name != "robot" {
            self.workload.evidence.wrong(format!("one request has made the bots {me} and {bot}: {made:?}"));
        }
    }

    /// Until the token ends, or has been used for some time.
    async fn speak(&self, client: &Client) {
        let (evidence, Some(me)) = (&self.workload.evidence, self.me) else { return };
        let (place, phase) = (ConversationId::Everyone, self.workload.phase.subscribe());
        for _ in 0..MESSAGES {
            sleep(Duration::from_millis(self.rng.range(0, PAUSE_MS))).await;
            if *phase.borrow() != Phase::Talking {
                break;
            }
            let id = ClientMessageId(self.rng.bytes());
            let name = format!("{me}/{id}");
            evidence.invoked(self.number, me, place, &name);
            let Ok(handle) = client.send_as(place, id, Body::text(&format!("{id} beep"))) else { break };
            match timeout(PATIENCE, handle).await {
                Ok(Ok(acked)) => evidence.acked(self.number, place, &name, acked.seq.0),
                Ok(Err(Error::Rejected { code, .. })) => evidence.rejected(self.number, place, &name, &code),
                // The token may have ended.
                Ok(Err(_)) | Err(_) => break,
            }
            self.overreach(client).await;
        }
        // Nothing of this token is sent later.
        evidence.forget(self.number, |_| false);
    }

    async fn overreach(&self, client: &Client) {
        match timeout(PATIENCE, client.bots()).await {
            Ok(Ok(bots)) => self.workload.evidence.wrong(format!("a bot has listed {bots:?}")),
            Ok(Err(Error::Rejected { code, text })) if code != REFUSED => {
                self.workload.evidence.wrong(format!("a bot's list of bots was refused as {code}: {text}"));
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
}
