//! A device whose messages vanish soon. It edits and recalls some, and looks at pages while they
//! vanish.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Error};
use troupe_core::{Body, ClientMessageId, ConversationId, Seq, UserId};
use troupe_proto::wire::client::{Fetch, client_frame::Request, server_frame::Message};
use troupe_runtime::Rng;

use super::account::Account;
use super::{Phase, WorkloadContext};

/// A change or a page without an answer is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the messages stay.
const AFTER_MS: std::ops::Range<u64> = 1_000..3_000;
/// Maximum pause between two messages.
const PAUSE_MS: u64 = 300;
/// Events of a page.
const RECENT: u32 = 30;

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let users = workload.everybody().await;
    let me = users[&user];
    let account = Account::new(workload.clone(), number, user, "burner");
    let client = account.start();
    let burner = Burner { workload: workload.clone(), number, me, client, rng: account.platform.rng.clone() };
    let phase = workload.phase.subscribe();
    let others: Vec<UserId> = users.values().copied().collect();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(burner.rng.range(0, PAUSE_MS))).await;
        burner.speak(&others).await;
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

struct Burner {
    workload: Arc<WorkloadContext>,
    number: u32,
    me: UserId,
    client: Client,
    rng: Arc<Rng>,
}

impl Burner {
    /// One message, then maybe a change of it, and a page.
    async fn speak(&self, others: &[UserId]) {
        let other = others[self.rng.range(0, others.len() as u64) as usize];
        let conversation = match self.rng.range(0, 3) {
            0 => ConversationId::Everyone,
            _ => ConversationId::direct(self.me, other).unwrap_or(ConversationId::Everyone),
        };
        let id = ClientMessageId(self.rng.bytes());
        let (name, after) = (format!("{}/{id}", self.me), self.rng.range(AFTER_MS.start, AFTER_MS.end));
        let evidence = &self.workload.evidence;
        evidence.expires(self.number, conversation, &name, after);
        evidence.invoked(self.number, self.me, conversation, &name);
        let body = Body::text(&format!("{id} for {after} ms")).expiring_in_ms(after);
        let Ok(handle) = self.client.send_as(conversation, id, body) else { return };
        match handle.await {
            Ok(acked) => {
                evidence.acked(self.number, conversation, &name, acked.seq.0);
                self.change(conversation, acked.seq).await;
            }
            Err(Error::Rejected { code, .. }) => evidence.rejected(self.number, conversation, &name, &code),
            Err(_) => {}
        }
        self.look(conversation).await;
    }

    async fn change(&self, conversation: ConversationId, seq: Seq) {
        let change = match self.rng.range(0, 6) {
            0 => timeout(PATIENCE, self.client.edit(conversation, seq, "with another text")).await,
            1 => timeout(PATIENCE, self.client.recall(conversation, seq)).await,
            _ => return,
        };
        if let Ok(Err(Error::Rejected { code, text })) = change
            && !["erased", "upgrade_pending"].contains(&&*code)
        {
            self.workload.evidence.wrong(format!("a change of seq {seq} in {conversation} was refused: {text}"));
        }
    }

    async fn look(&self, conversation: ConversationId) {
        let Some(connection) = self.client.connection() else { return };
        let asked = self.workload.evidence.now();
        let fetch = Fetch { conversation: conversation.to_string(), seq: 0, backward: true, limit: RECENT };
        if let Ok(Ok(Message::Page(page))) = timeout(PATIENCE, connection.request(Request::Fetch(fetch))).await {
            self.workload.evidence.shown(self.number, asked, &page);
        }
    }
}
