//! A device that streams messages. It repeats pieces, some under an index that is too high, looks
//! at pages meanwhile, and goes on at another node when a request has no answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_client::{Client, Error};
use troupe_core::{Body, ClientMessageId, ConversationId, Seq, UserId};
use troupe_proto::wire::client::{Fetch, client_frame::Request, server_frame::Message};
use troupe_runtime::Rng;

use super::account::Account;
use super::{AGAIN, Phase, WorkloadContext};

/// A request without an answer may or may not have been applied.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pieces of a stream, at most.
const PIECES: u64 = 30;
/// Maximum pause between two pieces.
const PAUSE_MS: u64 = 60;
/// Events of a page.
const RECENT: u32 = 30;

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let users = workload.everybody().await;
    let me = users[&user];
    let account = Account::new(workload.clone(), number, user, "streamer");
    let client = account.start();
    let streamer = Streamer { workload: workload.clone(), number, me, client, rng: account.platform.rng.clone() };
    let phase = workload.phase.subscribe();
    let others: Vec<UserId> = users.values().copied().collect();
    while *phase.borrow() == Phase::Talking {
        streamer.speak(&others).await;
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

struct Streamer {
    workload: Arc<WorkloadContext>,
    number: u32,
    me: UserId,
    client: Client,
    rng: Arc<Rng>,
}

impl Streamer {
    /// One stream, until its end has a place or it is refused.
    async fn speak(&self, others: &[UserId]) {
        let other = others[self.rng.range(0, others.len() as u64) as usize];
        let conversation = match self.rng.range(0, 3) {
            0 => ConversationId::Everyone,
            _ => ConversationId::direct(self.me, other).unwrap_or(ConversationId::Everyone),
        };
        let (id, evidence) = (ClientMessageId(self.rng.bytes()), &self.workload.evidence);
        let name = format!("{}/{id}", self.me);
        evidence.invoked(self.number, self.me, conversation, &name);
        let Ok(handle) = self.client.send_as(conversation, id, Body::text("").streaming()) else { return };
        let seq = match handle.await {
            Ok(acked) => acked.seq,
            Err(Error::Rejected { code, .. }) => {
                return evidence.rejected(self.number, conversation, &name, &code);
            }
            Err(_) => return,
        };
        evidence.acked(self.number, conversation, &name, seq.0);
        for index in 0..self.rng.range(1, PIECES) {
            if !self.append(conversation, seq, index).await {
                return;
            }
            sleep(Duration::from_millis(self.rng.range(0, PAUSE_MS))).await;
        }
        self.look(conversation).await;
        let request = ClientMessageId(self.rng.bytes());
        let aborted = self.rng.range(0, 4) == 0;
        // One in five is left alone.
        for _ in 0..self.rng.range(0, 5) {
            let end = self.client.end_stream_as(request, conversation, seq, None, aborted);
            match timeout(PATIENCE, end).await {
                Ok(Ok(_)) => break,
                Ok(Err(Error::Rejected { .. })) => break,
                _ => sleep(AGAIN).await,
            }
        }
    }

    /// Appends a piece until it is acknowledged; whether the stream goes on.
    async fn append(&self, conversation: ConversationId, seq: Seq, index: u64) -> bool {
        let (evidence, text) = (&self.workload.evidence, format!("<{index} of {seq}>"));
        evidence.piece(self.number, conversation, seq.0, (index, &text), false);
        let phase = self.workload.phase.subscribe();
        loop {
            match timeout(PATIENCE, self.client.write_piece(conversation, seq, index, &text)).await {
                Ok(Ok(())) => evidence.piece(self.number, conversation, seq.0, (index, &text), true),
                Ok(Err(Error::Rejected { code, text })) => {
                    if !["stream_over", "upgrade_pending"].contains(&&*code) {
                        evidence.wrong(format!("piece {index} of {seq} in {conversation} was refused: {text}"));
                    }
                    return false;
                }
                _ if *phase.borrow() > Phase::LastWords => return false,
                _ => {
                    sleep(AGAIN).await;
                    continue;
                }
            }
            // Again, as if the answer were lost.
            if self.rng.range(0, 3) > 0 {
                return true;
            }
        }
    }

    async fn look(&self, conversation: ConversationId) {
        let Some(connection) = self.client.connection() else { return };
        let asked = self.workload.evidence.now();
        let fetch = Fetch { conversation: conversation.to_string(), seq: 0, backward: true, limit: RECENT };
        if let Ok(Ok(Message::Page(page))) = timeout(PATIENCE, connection.request(Request::Fetch(fetch))).await {
            self.workload.evidence.streaming(self.number, asked, &page);
        }
    }
}
