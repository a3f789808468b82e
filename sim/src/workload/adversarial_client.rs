//! A client without the SDK that trusts no answer: it sends every message several times over
//! several nodes, under one id. It takes pushes literally, so a push across a gap is detected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use troupe_client::connection::Push;
use troupe_client::{Client, Connection, Error};
use troupe_core::{Body, ClientMessageId, ConversationId, Event, UserId};
use troupe_proto::client::Refusal;
use troupe_proto::wire::client::{self as wire, Fetch, client_frame::Request, server_frame::Message};
use troupe_runtime::Platform;

use super::stranger::answer;
use super::{AGAIN, PASSWORD, Phase, WorkloadContext};

/// A connection is given up after this silence.
const SILENCE: Duration = Duration::from_secs(2);
/// Maximum number of copies of a message.
const COPIES: u64 = 4;

pub async fn live(workload: Arc<WorkloadContext>, receiver: u32, sender: u32, user: usize) {
    let platform = workload.platform(receiver);
    let builder = Client::builder()
        .context(platform.clone())
        .nodes(workload.nodes(receiver as usize))
        .credentials(WorkloadContext::name(user), PASSWORD)
        .patience(Duration::from_secs(30));
    let me = loop {
        match builder.register().await {
            Ok(me) => break me,
            Err(_) => sleep(AGAIN).await,
        }
    };
    workload.users.send_modify(|users| users.extend([(user, me)]));
    let users = workload.everybody().await;
    tokio::spawn(Receiver { workload: workload.clone(), number: receiver, user, platform: platform.clone() }.listen());
    Sender { workload, number: sender, user, me, platform, connections: Mutex::default() }.speak(users).await;
}

struct Receiver {
    workload: Arc<WorkloadContext>,
    number: u32,
    user: usize,
    platform: Platform,
}

impl Receiver {
    async fn listen(self) {
        let nodes = self.workload.nodes(self.number as usize);
        for address in nodes.iter().cycle() {
            // The reason does not matter; the next node follows.
            let _ = self.follow(address).await;
            sleep(AGAIN).await;
        }
    }

    /// Follows one connection until it ends.
    async fn follow(&self, address: &str) -> Result<(), Error> {
        let (connection, mut pushes) = in_time(Connection::open(&*self.platform.net, address)).await?;
        let device = format!("ear-{}", self.number);
        let me = UserId(in_time(connection.login(&WorkloadContext::name(self.user), PASSWORD, &device)).await?.user_id);
        let connection = Arc::new(connection);
        self.enter(&connection, me);
        loop {
            let push = match timeout(SILENCE, pushes.next()).await {
                Ok(push) => push.ok_or_else(Error::closed)?,
                // Silence is fine while the node answers.
                Err(_) => {
                    in_time(connection.request(Request::Ping(Default::default()))).await?;
                    continue;
                }
            };
            match push {
                Push::Conversation(news) if news.present => {
                    self.catch_up(&connection, &news.conversation, news.head).await?
                }
                Push::Event(push) => {
                    let event = push.event.and_then(|event| Event::try_from(event).ok()).ok_or_else(Error::closed)?;
                    if event.seq.0 > self.position(&push.conversation) {
                        self.handed(&push.conversation, &event);
                    }
                }
                Push::Invitation(_) => self.enter(&connection, me),
                Push::Kicked(_) | Push::GoAway(_) => return Ok(()),
                _ => {}
            }
        }
    }

    /// With invitations, membership needs an acceptance.
    fn enter(&self, connection: &Arc<Connection>, me: UserId) {
        if self.workload.plan.society.strangers > 0 {
            tokio::spawn(answer(self.workload.clone(), connection.clone(), me, self.platform.rng.clone()));
        }
    }

    async fn catch_up(&self, connection: &Connection, conversation: &str, head: u64) -> Result<(), Error> {
        while self.position(conversation) < head {
            let seq = self.position(conversation);
            let fetch = Fetch { conversation: conversation.to_owned(), seq, backward: false, limit: 500 };
            let Message::Page(page) = in_time(connection.request(Request::Fetch(fetch))).await? else {
                return Err(Error::closed());
            };
            if page.events.is_empty() {
                return Err(Error::closed());
            }
            for event in page.events.into_iter().filter_map(|event| Event::try_from(event).ok()) {
                self.handed(conversation, &event);
            }
        }
        Ok(())
    }

    fn position(&self, conversation: &str) -> u64 {
        let at = |seen: &crate::evidence::Seen| seen.positions.get(&self.number)?.get(conversation).copied();
        self.workload.evidence.look(at).unwrap_or(0)
    }

    fn handed(&self, conversation: &str, event: &Event) {
        if let Ok(conversation) = conversation.parse() {
            self.workload.evidence.handed(self.number, conversation, event);
        }
    }
}

struct Sender {
    workload: Arc<WorkloadContext>,
    number: u32,
    user: usize,
    me: UserId,
    platform: Platform,
    /// By node.
    connections: Mutex<BTreeMap<usize, Arc<Connection>>>,
}

impl Sender {
    async fn speak(self, users: BTreeMap<usize, UserId>) {
        let sender = Arc::new(self);
        let pause = sender.workload.plan.people.pause_ms + 20;
        let phase = sender.workload.phase.subscribe();
        while *phase.borrow() == Phase::Talking {
            sender.clone().insist(&users).await;
            sleep(Duration::from_millis(sender.platform.rng.range(0, pause))).await;
        }
        sender.workload.until(Phase::LastWords).await;
        sender.insist(&users).await;
    }

    /// Sends one message until it is acknowledged, and sometimes once more. Without `after`, only
    /// this keeps the order.
    async fn insist(self: Arc<Self>, users: &BTreeMap<usize, UserId>) {
        let rng = &self.platform.rng;
        let group = *self.workload.group.borrow();
        let other = users[&(rng.range(0, users.len() as u64) as usize)];
        let conversation = match rng.range(0, 4) {
            0 => ConversationId::Everyone,
            1 => ConversationId::direct(self.me, other).unwrap_or(ConversationId::Everyone),
            _ => group.unwrap_or(ConversationId::Everyone),
        };
        let id = ClientMessageId(rng.bytes());
        self.workload.evidence.invoked(self.number, self.me, conversation, &format!("{}/{id}", self.me));
        while !self.clone().send_copies(conversation, id, 1 + rng.range(0, COPIES)).await {
            sleep(Duration::from_millis(rng.range(10, 200))).await;
        }
        if rng.range(0, 2) == 0 {
            self.send_copies(conversation, id, 1).await;
        }
    }

    /// Whether any copy was acknowledged.
    async fn send_copies(self: Arc<Self>, conversation: ConversationId, id: ClientMessageId, copies: u64) -> bool {
        let mut sends = JoinSet::new();
        for _ in 0..copies {
            let sender = self.clone();
            sends.spawn(async move { sender.send(conversation, id).await });
        }
        let mut acked = false;
        while let Some(sent) = sends.join_next().await {
            acked |= sent.unwrap_or(false);
        }
        acked
    }

    async fn send(&self, conversation: ConversationId, id: ClientMessageId) -> bool {
        let node = self.platform.rng.range(0, self.workload.plan.nodes as u64) as usize;
        let evidence = &self.workload.evidence;
        let Ok(connection) = self.connect(node).await else { return false };
        let send = wire::Send {
            conversation: conversation.to_string(),
            client_message_id: Bytes::copy_from_slice(&id.0),
            after: Bytes::new(),
            body: Some((&Body::text(&id.to_string())).into()),
        };
        let name = format!("{}/{id}", self.me);
        match in_time(connection.request(Request::Send(send))).await {
            Ok(Message::SendAck(ack)) => {
                evidence.acked(self.number, conversation, &name, ack.seq);
                return true;
            }
            Err(Error::Rejected { code, text }) if code != Refusal::NotLoggedIn.code() => {
                evidence.wrong(format!("{name} was refused in {conversation}: {text}"));
            }
            Err(Error::Overloaded { .. }) => return false,
            _ => {}
        }
        self.connections.lock().remove(&node);
        false
    }

    async fn connect(&self, node: usize) -> Result<Arc<Connection>, Error> {
        let held = self.connections.lock().get(&node).cloned();
        if let Some(connection) = held.filter(|connection| !connection.is_closed()) {
            return Ok(connection);
        }
        let address = &self.workload.nodes(node)[0];
        let (connection, _) = in_time(Connection::open(&*self.platform.net, address)).await?;
        let device = format!("mouth-{}-{node}", self.number);
        in_time(connection.login(&WorkloadContext::name(self.user), PASSWORD, &device)).await?;
        let connection = Arc::new(connection);
        self.connections.lock().insert(node, connection.clone());
        Ok(connection)
    }
}

async fn in_time<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(SILENCE, what).await.unwrap_or_else(|_| Err(Error::closed()))
}
