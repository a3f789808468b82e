//! A device that forwards recent messages to other conversations, singly and as bundles, and
//! repeats each request: no conversation gets a message twice.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Error, Forward};
use troupe_core::{ClientMessageId, ConversationId, EventKind, Seq, UserId};
use troupe_runtime::Rng;

use super::account::Account;
use super::{Phase, WorkloadContext};

/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two forwards.
const PAUSE_MS: u64 = 800;
/// Events of a page from which messages are chosen.
const RECENT: usize = 20;
/// Attempts under one request.
const ATTEMPTS: u64 = 3;
/// Refusals of a forward of what was just recalled, and in a group that the user has left.
const EXPECTED: [&str; 5] = ["erased", "no_such_message", "not_member", "group_disbanded", "upgrade_pending"];

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let users = workload.everybody().await;
    let (me, other) = (users[&user], users[&(1 - user)]);
    let account = Account::new(workload.clone(), number, user, "forwarder");
    let client = account.start();
    let rng = account.platform.rng.clone();
    let forwarder = Forwarder { workload: workload.clone(), number, me, other, client, rng };
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(forwarder.rng.range(0, PAUSE_MS))).await;
        forwarder.forward().await;
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

struct Forwarder {
    workload: Arc<WorkloadContext>,
    number: u32,
    me: UserId,
    other: UserId,
    client: Client,
    rng: Arc<Rng>,
}

impl Forwarder {
    async fn forward(&self) {
        let Some(group) = *self.workload.group.borrow() else { return };
        let Some(direct) = ConversationId::direct(self.me, self.other) else { return };
        let from = if self.rng.range(0, 2) == 0 { group } else { ConversationId::Everyone };
        let asked = timeout(PATIENCE, self.client.history_before(from, Seq::ZERO, RECENT)).await;
        let Ok(Ok(page)) = asked else { return };
        let evidence = &self.workload.evidence;
        evidence.looked_at(self.me, from, page.events.iter().map(|event| event.seq.0));
        let messages = page.events.iter().filter(|event| event.kind.number() == EventKind::MESSAGE);
        let all: Vec<Seq> = messages.map(|event| event.seq).collect();
        let seqs: Vec<Seq> = all.into_iter().filter(|_| self.rng.range(0, 6) == 0).take(3).collect();
        if seqs.is_empty() {
            return;
        }
        let (to, bundle) = (vec![direct, ConversationId::Everyone], self.rng.range(0, 3) == 0);
        let request = ClientMessageId(self.rng.bytes());
        // The ids follow from the request, so each is known before the first attempt.
        let number = if bundle { 1 } else { seqs.len() as u32 };
        let ids = |to: ConversationId| (0..number).map(move |at| Client::forwarded_id(request, to, at));
        for to in &to {
            for id in ids(*to) {
                evidence.invoked(self.number, self.me, *to, &format!("{}/{id}", self.me));
            }
        }
        let forward = Forward { from, seqs, to: to.clone(), bundle, text: String::new() };
        for _ in 0..1 + self.rng.range(0, ATTEMPTS) {
            match timeout(PATIENCE, self.client.forward(request, forward.clone())).await {
                Ok(Ok(outcomes)) => {
                    for (to, outcome) in to.iter().zip(outcomes) {
                        for (id, placed) in ids(*to).zip(outcome.placed) {
                            evidence.acked(self.number, *to, &format!("{}/{id}", self.me), placed.seq.0);
                        }
                    }
                }
                Ok(Err(Error::Rejected { code, text })) => {
                    if !EXPECTED.contains(&&*code) {
                        evidence.wrong(format!("a forward of user {} from {from} was refused: {text}", self.me));
                    }
                    break;
                }
                // The log shows whether it was applied.
                Ok(Err(_)) | Err(_) => {}
            }
        }
        // A message without an outcome never gets one: no outbox has it.
        evidence.forget(self.number, |_| false);
    }
}
