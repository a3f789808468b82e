//! A device that schedules messages: it repeats requests, cancels some, and asks again for messages
//! that it has cancelled.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Error};
use troupe_core::{Body, ClientMessageId, ConversationId, Timestamp, UserId};
use troupe_runtime::Rng;

use super::account::Account;
use super::{Phase, WorkloadContext};

/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far ahead of the newest event the messages are, at most.
const AHEAD_MS: u64 = 2_500;
/// Maximum pause between two messages.
const PAUSE_MS: u64 = 250;
/// Attempts under one id, after a first one.
const REPEATS: u64 = 3;
/// Refusals of a message whose time has come, or whose sender has left.
const EXPECTED: [&str; 5] = ["time_passed", "too_many_scheduled", "not_member", "group_disbanded", "upgrade_pending"];

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let users = workload.everybody().await;
    let me = users[&user];
    let account = Account::new(workload.clone(), number, user, "planner");
    let client = account.start();
    let planner = Planner { workload: workload.clone(), number, me, client, rng: account.platform.rng.clone() };
    let phase = workload.phase.subscribe();
    let others: Vec<UserId> = users.values().copied().collect();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(planner.rng.range(0, PAUSE_MS))).await;
        planner.plan(&others).await;
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

struct Planner {
    workload: Arc<WorkloadContext>,
    number: u32,
    me: UserId,
    client: Client,
    rng: Arc<Rng>,
}

impl Planner {
    /// One message: scheduled, often again, and often cancelled.
    async fn plan(&self, others: &[UserId]) {
        let newest = self.workload.evidence.look(|seen| seen.newest_ms);
        if newest == 0 {
            return;
        }
        let (conversation, id) = (self.somewhere(others), ClientMessageId(self.rng.bytes()));
        let at = Timestamp(newest + self.rng.range(1, AHEAD_MS));
        let name = format!("{}/{id}", self.me);
        self.workload.evidence.scheduling(self.number, self.me, conversation, &name, at.0);
        let mut known = false;
        for _ in 0..=self.rng.range(0, REPEATS) {
            known |= self.schedule(conversation, id, at, known).await;
        }
        if self.rng.range(0, 3) == 0 && self.cancel(conversation, id).await && self.rng.range(0, 2) == 0 {
            // As a request that was late.
            self.schedule(conversation, id, at, false).await;
        }
    }

    fn somewhere(&self, others: &[UserId]) -> ConversationId {
        let (group, open) = (*self.workload.group.borrow(), self.workload.churn_groups.borrow().clone());
        let other = others[self.rng.range(0, others.len() as u64) as usize];
        match self.rng.range(0, 4) {
            0 => group.unwrap_or(ConversationId::Everyone),
            1 if !open.is_empty() => open[self.rng.range(0, open.len() as u64) as usize],
            2 => ConversationId::Everyone,
            _ => ConversationId::direct(self.me, other).unwrap_or(ConversationId::Everyone),
        }
    }

    /// Returns whether it was acknowledged. `known`: it was so before, so nothing refuses it.
    async fn schedule(&self, conversation: ConversationId, id: ClientMessageId, at: Timestamp, known: bool) -> bool {
        let (evidence, name) = (&self.workload.evidence, format!("{}/{id}", self.me));
        let body = Body::text(&format!("{id} at {at}"));
        match timeout(PATIENCE, self.client.schedule_as(id, conversation, body, at)).await {
            Ok(Ok(ack)) => {
                evidence.scheduled(self.number, conversation, &name, ack.sent.map(|sent| sent.seq.0));
                true
            }
            Ok(Err(Error::Rejected { code, text })) => {
                if known || !EXPECTED.contains(&&*code) {
                    evidence.wrong(format!("{name} was refused in {conversation} for {at}: {text}"));
                }
                false
            }
            // The log, or the rows of the conversation, show whether it was applied.
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Returns whether it will never be sent.
    async fn cancel(&self, conversation: ConversationId, id: ClientMessageId) -> bool {
        let (evidence, name) = (&self.workload.evidence, format!("{}/{id}", self.me));
        evidence.cancel(self.number, conversation, &name, false);
        match timeout(PATIENCE, self.client.cancel_scheduled(conversation, id)).await {
            Ok(Ok(())) => {
                evidence.cancel(self.number, conversation, &name, true);
                true
            }
            Ok(Err(Error::Rejected { code, text })) => {
                // One that is unknown may have had no answer, and come later.
                if !["already_sent", "no_such_scheduled", "upgrade_pending"].contains(&&*code) {
                    evidence.wrong(format!("{name} was not cancelled in {conversation}: {text}"));
                }
                false
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }
}
