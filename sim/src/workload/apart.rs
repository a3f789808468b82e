//! Users that share one group only, whose members do not get to know each other. They list its
//! members and readers, ask each other for contacts and write to each other; the keeper of the
//! group may, and its plain members may not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Error, Result};
use troupe_core::command::{ContactAct, Intent};
use troupe_core::feature::Settings;
use troupe_core::{Body, ClientMessageId, ConversationId, Seq, UserId};
use troupe_runtime::Rng;

use super::account::Account;
use super::{AGAIN, Phase, WorkloadContext};

/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two attempts.
const PAUSE_MS: u64 = 400;
const HIDDEN: &str = "members_hidden";
const NO_CONTACT: &str = "no_contact";

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize, keeps: bool) {
    let account = Account::new(workload.clone(), number, user, "apart");
    let me = account.register().await;
    workload.everybody().await;
    workload.apart.send_modify(|all| all.extend([(user, me)]));
    let (client, rng) = (account.start(), account.platform.rng.clone());
    let mut all = workload.apart.subscribe();
    let full = workload.plan.society.apart;
    let all: BTreeMap<usize, UserId> =
        all.wait_for(|all| all.len() >= full).await.expect("the square outlives the people").clone();
    let others: Vec<UserId> = all.into_values().filter(|other| *other != me).collect();
    let mut person = Person { workload: workload.clone(), number, me, client, rng, others };
    let group = if keeps { person.keep().await } else { person.enter().await };
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(person.rng.range(10, PAUSE_MS))).await;
        person.act(group, keeps).await;
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

struct Person {
    workload: Arc<WorkloadContext>,
    number: u32,
    me: UserId,
    client: Client,
    rng: Arc<Rng>,
    others: Vec<UserId>,
}

impl Person {
    /// Makes the group, and waits until all others have it in their lists.
    async fn keep(&mut self) -> ConversationId {
        let group = loop {
            match self.client.create_group_as(ClientMessageId([99; 16]), "apart", false, &[]).await {
                Ok(group) => break group,
                Err(_) => sleep(AGAIN).await,
            }
        };
        self.workload.churn_groups.send_modify(|groups| groups.push(group));
        let settings = Settings { join: Settings::OPEN, no_contact: Some(true), ..Settings::default() };
        let request = ClientMessageId(self.rng.bytes());
        while self.client.change_group_as(request, group, Intent::Set(Box::new(settings.clone()))).await.is_err() {
            sleep(AGAIN).await;
        }
        self.workload.apart_group.send_replace(Some(group));
        self.listed(group).await;
        self.all_listed(self.others.len()).await;
        self.workload.evidence.apart_begun(group, &self.others);
        self.workload.apart_listed.send_modify(|listed| _ = listed.insert(self.me));
        group
    }

    /// Joins the group, and waits until the keeper says that all have it in their lists.
    async fn enter(&mut self) -> ConversationId {
        let mut group = self.workload.apart_group.subscribe();
        let known = *group.wait_for(Option::is_some).await.expect("the square outlives the people");
        let group = known.expect("the condition of the wait");
        let request = ClientMessageId(self.rng.bytes());
        while self.client.change_group_as(request, group, Intent::Join).await.is_err() {
            sleep(AGAIN).await;
        }
        self.listed(group).await;
        self.workload.apart_listed.send_modify(|listed| _ = listed.insert(self.me));
        self.all_listed(self.others.len() + 1).await;
        group
    }

    /// Waits until the list of this user has the group.
    async fn listed(&self, group: ConversationId) {
        loop {
            if let Ok(Ok(list)) = timeout(PATIENCE, self.client.conversations()).await
                && list.conversations.iter().any(|line| line.conversation == group)
            {
                return;
            }
            sleep(AGAIN).await;
        }
    }

    async fn all_listed(&self, users: usize) {
        let mut listed = self.workload.apart_listed.subscribe();
        listed.wait_for(|listed| listed.len() >= users).await.expect("the square outlives the people");
    }

    async fn act(&self, group: ConversationId, keeps: bool) {
        let other = self.others[self.rng.range(0, self.others.len() as u64) as usize];
        match self.rng.range(0, 6) {
            0 => {
                let listed = timeout(PATIENCE, self.client.members(group)).await;
                self.shown(group, keeps, listed.map(|listed| listed.map(|members| members.len())).ok());
            }
            1 => self.look(group, keeps).await,
            2 => {
                let ask = ContactAct::Ask { text: "hello".to_owned() };
                if let Ok(answer) = timeout(PATIENCE, self.client.change_contact(other, ask)).await {
                    self.tried(group, other, answer.err());
                }
            }
            3 if keeps => drop(self.say(group).await),
            _ => {
                let direct = ConversationId::direct(self.me, other).expect("two users");
                if let Some(answer) = self.say(direct).await {
                    self.tried(group, other, answer.err());
                }
            }
        }
    }

    /// Asks for the readers of the last event, if that is a message.
    async fn look(&self, group: ConversationId, keeps: bool) {
        let Ok(Ok(page)) = timeout(PATIENCE, self.client.history_before(group, Seq(0), 1)).await else { return };
        let readers = timeout(PATIENCE, self.client.readers(group, page.head)).await;
        self.shown(group, keeps, readers.map(|readers| readers.map(|users| users.len())).ok());
    }

    /// An answer to a request for the names of members: their number.
    fn shown(&self, group: ConversationId, keeps: bool, answer: Option<Result<usize>>) {
        match answer {
            Some(Ok(names)) if names > 0 => self.workload.evidence.apart_shown(group, self.me),
            Some(Err(Error::Rejected { code, text })) if keeps && code == HIDDEN => {
                self.workload.evidence.wrong(format!("{group} hides its members from its keeper: {text}"));
            }
            _ => {}
        }
    }

    /// A contact or a message: the error, or none if it has reached the other user.
    fn tried(&self, group: ConversationId, other: UserId, error: Option<Error>) {
        match error {
            None => self.workload.evidence.apart_tried(group, self.me, other, true),
            Some(Error::Rejected { code, .. }) if code == NO_CONTACT => {
                self.workload.evidence.apart_tried(group, self.me, other, false);
            }
            Some(_) => {}
        }
    }

    /// Sends a message and waits for its outcome. `None`: it has none yet, and the outbox goes on.
    async fn say(&self, conversation: ConversationId) -> Option<Result<()>> {
        let (id, evidence) = (ClientMessageId(self.rng.bytes()), &self.workload.evidence);
        let name = format!("{}/{id}", self.me);
        evidence.invoked(self.number, self.me, conversation, &name);
        let sent = self.client.send_as(conversation, id, Body::text(&id.to_string())).ok()?;
        let outcome = sent.await;
        match outcome {
            Ok(acked) => {
                evidence.acked(self.number, conversation, &name, acked.seq.0);
                Some(Ok(()))
            }
            Err(error) if error.is_definite() => {
                evidence.rejected(self.number, conversation, &name, error.code().unwrap_or("none"));
                Some(Err(error))
            }
            Err(_) => None,
        }
    }
}
