//! Reactions of two devices of one user, over TCP and over WebSocket. Both choose from few emoji
//! and recent messages, so they also give reactions that exist, and take back those that do not.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use troupe_client::{Connection, Error};
use troupe_core::{ClientMessageId, ConversationId, UserId};
use troupe_proto::wire::client::{self as wire, client_frame::Request, server_frame::Message};
use troupe_runtime::{Platform, Rng};

use super::participants::{DeviceLog, PASSWORD};
use crate::checkers::{Kind, Promise, Violation};
use crate::history::{Count, Reaction, Record};

const EMOJI: [&str; 2] = ["👍", "❤\u{fe0f}"];
/// How far behind the head the messages are.
const RECENT: u64 = 6;
/// Events of a page with counts.
const PAGE: u32 = 20;
const PACE: Duration = Duration::from_millis(120);
const PATIENCE: Duration = Duration::from_secs(6);
/// Attempts under one id. The log shows whether one without an answer was applied.
const ATTEMPTS: u64 = 3;
/// Answers to a change that changes nothing, and to one of an event that is no message.
const EXPECTED: [&str; 3] = ["already_reacted", "no_such_reaction", "no_such_message"];

/// Answers that break a promise by themselves.
pub type Wrong = Arc<Mutex<Vec<Violation>>>;

pub(super) struct Reactor {
    /// Of a device that records reactions only.
    pub log: DeviceLog,
    pub platform: Platform,
    pub nodes: Vec<String>,
    pub name: String,
    pub user: UserId,
    pub conversations: Vec<ConversationId>,
    pub rng: Arc<Rng>,
    pub wrong: Wrong,
}

impl Reactor {
    pub async fn run(self, end: CancellationToken) {
        for node in self.nodes.iter().cycle() {
            tokio::select! {
                () = end.cancelled() => return,
                ended = self.react_at(node) => {
                    if let Err(error) = ended {
                        tracing::debug!(%node, "reactions: {error:#}");
                    }
                    sleep(PACE).await;
                }
            }
        }
    }

    /// Until the connection ends.
    async fn react_at(&self, node: &str) -> Result<()> {
        let open = timeout(PATIENCE, Connection::open(&*self.platform.net, node)).await.context("connect")?;
        let (connection, mut pushes) = open?;
        let device = format!("reactor-{}", self.log.device);
        timeout(2 * PATIENCE, connection.login(&self.name, PASSWORD, &device)).await.context("login")??;
        let reacting = async {
            loop {
                let conversation = self.conversations[self.rng.range(0, self.conversations.len() as u64) as usize];
                timeout(4 * PATIENCE, self.react(&connection, conversation)).await.context("no answer")??;
                sleep(PACE).await;
            }
        };
        tokio::select! {
            ended = reacting => ended,
            // Pushes are read, so that the connection does not count as slow.
            () = async { while pushes.next().await.is_some() {} } => Ok(()),
        }
    }

    /// A change, often repeated or taken back, and the counts after it.
    async fn react(&self, connection: &Connection, conversation: ConversationId) -> Result<()> {
        let head = self.look(connection, conversation).await?;
        let react = wire::React {
            conversation: conversation.to_string(),
            seq: head.saturating_sub(self.rng.range(0, RECENT)).max(1),
            emoji: EMOJI[self.rng.range(0, EMOJI.len() as u64) as usize].to_owned(),
            remove: self.rng.range(0, 4) == 0,
            ..wire::React::default()
        };
        let second = match self.rng.range(0, 3) {
            0 => None,
            1 => Some(wire::React { remove: true, ..react.clone() }),
            _ => Some(react.clone()),
        };
        for react in std::iter::once(react).chain(second) {
            self.ask(connection, conversation, react).await?;
        }
        self.look(connection, conversation).await.map(drop)
    }

    async fn ask(&self, connection: &Connection, conversation: ConversationId, react: wire::React) -> Result<()> {
        let id = ClientMessageId(self.rng.bytes());
        let react = wire::React { request: id.0.to_vec().into(), ..react };
        let mut placed: Option<u64> = None;
        for _ in 0..1 + self.rng.range(0, ATTEMPTS) {
            match connection.request(Request::React(react.clone())).await {
                Ok(Message::SendAck(ack)) => {
                    if placed.replace(ack.seq).is_some_and(|before| before != ack.seq) {
                        self.is_wrong(Kind::Duplicated, format!("the reaction {id} has two places, {}", ack.seq));
                    }
                    let reaction = Reaction { to: react.seq, emoji: react.emoji.clone(), removed: react.remove };
                    self.log.recorder.record(|at| Record::Reacted {
                        at,
                        device: self.log.device,
                        conversation: conversation.to_string(),
                        id: format!("{}/{id}", self.user),
                        seq: ack.seq,
                        reaction,
                    });
                }
                Err(Error::Rejected { code, text }) => {
                    if EXPECTED.contains(&&*code)
                        && let Some(placed) = placed
                    {
                        let text = format!("the reaction {id} is at {placed}, and was refused: {text}");
                        self.is_wrong(Kind::Lost, text);
                    }
                    return Ok(());
                }
                Err(_) if connection.is_closed() => anyhow::bail!("the connection ended"),
                _ => sleep(PACE).await,
            }
        }
        Ok(())
    }

    /// Records the counts of the latest events; returns the head.
    async fn look(&self, connection: &Connection, conversation: ConversationId) -> Result<u64> {
        let place = conversation.to_string();
        let fetch = wire::Fetch { conversation: place.clone(), seq: 0, backward: true, limit: PAGE };
        let Message::Page(page) = connection.request(Request::Fetch(fetch)).await? else { anyhow::bail!("not a page") };
        let (Some(first), Some(last)) = (page.events.first(), page.events.last()) else { return Ok(0) };
        let counts = page.reactions.iter().flat_map(Count::of).collect();
        let (first, last, head) = (first.seq, last.seq, page.head);
        let (device, user) = (self.log.device, self.user.0);
        self.log.recorder.record(|at| Record::Counted {
            at,
            device,
            conversation: place,
            user,
            head,
            first,
            last,
            counts,
        });
        Ok(head)
    }

    fn is_wrong(&self, kind: Kind, text: String) {
        self.wrong.lock().push(Violation { promise: Promise::Reactions, kind, text });
    }
}
