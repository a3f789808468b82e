//! The operator's imports: every process of a node imports the same log, in parts of its own, until
//! all of it is in. So parts overlap, come twice, and come to a log that another node continues.
//!
//! Each imported message counts as sent before its first attempt and as acknowledged by an answer,
//! so that the checkers of all promises judge it. A part that differs from the log must be refused.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use troupe_actors::node::NodeHandle;
use troupe_core::record::Author;
use troupe_core::{Body, ClientMessageId, ConversationId, Event, EventKind, Seq, Timestamp, UserId};
use troupe_proto::wire::client as wire;
use troupe_runtime::Rng;
use wire::admin::Operation;
use wire::admin_answer::Answer;
use wire::failure::Kind;

use super::Setting;
use crate::evidence::Evidence;

/// Above the numbers of all devices.
const DEVICE: u32 = 1_000_000;
const NAMES: [&str; 2] = ["moved-a", "moved-b"];
const EVENTS: u64 = 24;
/// Between two parts.
const PAUSE_MS: u64 = 400;

pub async fn run(setting: Setting, node: usize, handle: NodeHandle) {
    let rng = Rng::from_seed(setting.plan.seed ^ 0x696d_706f_7274 ^ (node as u64) << 40);
    let importer = Importer { evidence: setting.evidence.clone(), handle, rng };
    let users = [importer.account(0).await, importer.account(1).await];
    let Some(direct) = ConversationId::direct(users[0], users[1]) else { return };
    let (mut held, mut probes) = (0, 0);
    while held < EVENTS || probes < 2 {
        importer.pause().await;
        if held > 0 && importer.rng.range(0, 3) == 0 {
            probes += u64::from(importer.differs(direct, users, 1 + importer.rng.range(0, held)).await);
            continue;
        }
        let first = 1 + importer.rng.range(0, held + 1);
        let last = (first + importer.rng.range(0, 8)).min(EVENTS);
        if first <= last && importer.takes(direct, users, first, last).await {
            held = held.max(last);
        }
    }
}

struct Importer {
    evidence: Arc<Evidence>,
    handle: NodeHandle,
    rng: Rng,
}

impl Importer {
    async fn pause(&self) {
        sleep(Duration::from_millis(1 + self.rng.range(0, PAUSE_MS))).await;
    }

    async fn ask(&self, request: u8, operation: Operation) -> Result<Answer, wire::Failure> {
        let by = Author { name: "operator".to_owned(), ..Author::default() };
        let admin = wire::Admin { request: Bytes::copy_from_slice(&[request; 16]), operation: Some(operation) };
        let answer = self.handle.operate_as_asked(by, admin).await?.answer;
        answer.ok_or_else(|| wire::Failure { kind: Kind::Unavailable.into(), ..wire::Failure::default() })
    }

    async fn account(&self, which: u8) -> UserId {
        let name = NAMES[usize::from(which)].to_owned();
        loop {
            let account = wire::ImportAccount { name: name.clone(), ..Default::default() };
            match self.ask(1 + which, Operation::ImportAccount(account)).await {
                Ok(Answer::Accounts(page)) => {
                    if let Some(account) = page.accounts.first() {
                        return UserId(account.user_id);
                    }
                }
                Err(failure) if failure.kind() == Kind::Rejected => {
                    self.evidence.wrong(format!("import: {name} is refused: {}", failure.code));
                }
                _ => {}
            }
            self.pause().await;
        }
    }

    /// Whether the part is in now.
    async fn takes(&self, direct: ConversationId, users: [UserId; 2], first: u64, last: u64) -> bool {
        let events: Vec<Event> = (first..=last).map(|seq| event(users, seq, "moved")).collect();
        for event in &events {
            self.evidence.importing(DEVICE, event.sender, direct, &named(event));
        }
        match self.ask(9, part(direct, &events)).await {
            Ok(Answer::Imported(imported)) if imported.head >= last => {
                for event in &events {
                    self.evidence.acked(DEVICE, direct, &named(event), event.seq.0);
                }
                true
            }
            Ok(other) => {
                self.evidence.wrong(format!("import: {first} to {last} are answered by {other:?}"));
                false
            }
            Err(failure) if failure.kind() == Kind::Rejected => {
                self.evidence.wrong(format!("import: {first} to {last} are refused: {}", failure.code));
                false
            }
            Err(_) => false,
        }
    }

    /// Whether another text at a place that is taken was refused.
    async fn differs(&self, direct: ConversationId, users: [UserId; 2], seq: u64) -> bool {
        match self.ask(9, part(direct, &[event(users, seq, "another text")])).await {
            Err(failure) if failure.code == "import_differs" => true,
            Err(failure) if failure.kind() == Kind::Rejected => {
                self.evidence.wrong(format!("import: another text at {seq} is refused as {}", failure.code));
                false
            }
            Ok(_) => {
                self.evidence.wrong(format!("import: another text at {seq} counts as the one that is there"));
                false
            }
            Err(_) => false,
        }
    }
}

fn event(users: [UserId; 2], seq: u64, text: &str) -> Event {
    Event {
        seq: Seq(seq),
        // Before the clocks of all nodes.
        time: Timestamp(1 + seq / 3),
        sender: users[(seq % 5 % 2) as usize],
        client_message_id: ClientMessageId([seq as u8; 16]),
        kind: EventKind::Message(Body::text(&format!("{text} {seq}"))),
        seal: None,
    }
}

fn named(event: &Event) -> String {
    format!("{}/{}", event.sender, event.client_message_id)
}

fn part(direct: ConversationId, events: &[Event]) -> Operation {
    let (conversation, source) = (direct.to_string(), "another cluster".to_owned());
    let events = events.iter().map(wire::Event::from).collect();
    Operation::ImportEvents(wire::Import { conversation, source, events, ..Default::default() })
}
