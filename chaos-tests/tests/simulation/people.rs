//! Alice and Bob: two devices of the real SDK that register, talk, lose their node, come back, and write everything down.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use troupe_chaos::history::{Conversation, DeviceNumber, MessageId, Record};
use troupe_chaos::recorder::Recorder;
use troupe_client::store::{Record as Kept, Saved};
use troupe_client::{Client, Events, Incoming, MemoryStore, StartAt, Store};
use troupe_core::{Body, ClientMessageId, ConversationId, Event, EventKind, UserId};
use troupe_runtime::NodeCtx;

use crate::nodes;

const PASSWORD: &str = "correct horse";
/// The cluster may still be forming when they come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages of one person without an answer. Whoever has so many waits before saying more.
const UNANSWERED: usize = 16;
/// Between two messages of a person, at most.
const PAUSE_MS: u64 = 20;
/// One message in so many takes the id of the other's last one in the same conversation: ids are the sender's own.
const COLLIDE: u64 = 10;
/// What each still says after everything is whole again.
pub const LAST_WORDS: usize = 40;

/// What the director lets them know.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// The node that leads their direct conversation.
    pub leader: Option<usize>,
    /// Told for the record.
    pub faults: Vec<String>,
    /// The node that was lost runs again.
    pub healed: bool,
    /// All replicas agree on these, and nobody says anything more.
    pub heads: Option<BTreeMap<Conversation, u64>>,
}

/// What they let the director know.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    pub conversations: Vec<ConversationId>,
    pub acked: BTreeMap<Conversation, usize>,
    /// By device.
    pub unanswered: BTreeMap<DeviceNumber, BTreeSet<MessageId>>,
    /// The newest id in each conversation.
    pub last: BTreeMap<Conversation, ClientMessageId>,
    /// By device: how far it was handed each conversation.
    pub positions: BTreeMap<DeviceNumber, BTreeMap<Conversation, u64>>,
    /// Everything is said and answered.
    pub settled: bool,
}

/// Between the people and the director.
pub struct Board {
    pub news: watch::Sender<News>,
    pub talk: watch::Sender<Talk>,
    /// Made by the people: it goes by their clock.
    pub recorder: OnceLock<Arc<Recorder>>,
}

impl Board {
    pub fn new() -> Board {
        Board { news: watch::Sender::default(), talk: watch::Sender::default(), recorder: OnceLock::new() }
    }

    async fn until_news<T>(&self, want: impl Fn(&News) -> Option<T>) -> T {
        let mut news = self.news.subscribe();
        let news = news.wait_for(|news| want(news).is_some()).await.expect("the board outlives the people");
        want(&news).expect("it was waited for")
    }

    async fn until_talk(&self, done: impl FnMut(&Talk) -> bool) {
        let mut talk = self.talk.subscribe();
        talk.wait_for(done).await.expect("the board outlives the people");
    }
}

/// The whole story, as the people see it.
pub async fn live(seed: u64, board: Arc<Board>) -> turmoil::Result {
    let recorder = board.recorder.get_or_init(|| Arc::new(Recorder::new(false))).clone();
    let reporter = tokio::spawn(report_faults(board.clone(), recorder.clone()));
    let person = |number: DeviceNumber, name: &'static str| Person {
        number,
        name,
        world: nodes::world(seed, 100 + u64::from(number), 0, 0, None),
        pocket: Pocket::default(),
        used: Mutex::default(),
        board: board.clone(),
        recorder: recorder.clone(),
    };
    let (alice, bob) = (person(0, "alice"), person(1, "bob"));
    let alice_id = alice.builder(0).register().await?;
    let bob_id = bob.builder(1).register().await?;
    let direct = ConversationId::direct(alice_id, bob_id).ok_or("two users")?;
    board.talk.send_modify(|talk| talk.conversations.push(direct));

    // Alice is connected to the node that will be lost, Bob to one that will not.
    let leader = board.until_news(|news| news.leader).await;
    let mut alice_online = alice.log_in(leader).await?;
    let mut bob_online = bob.log_in((leader + 1) % nodes::NAMES.len()).await?;
    let group = alice_online.client.create_group("friends", false, &[alice_id, bob_id]).await?;
    board.talk.send_modify(|talk| talk.conversations.push(group));

    let healed = |news: &News| news.healed.then_some(());
    tokio::join!(
        alice.talk(&alice_online, alice_id, [direct, group], board.until_news(healed)),
        bob.talk(&bob_online, bob_id, [direct, group], board.until_news(healed)),
    );
    // Both close their devices in the middle of a sentence and open them again at other nodes, the lost one among them.
    alice_online = alice.reopen(alice_online, (leader + 2) % nodes::NAMES.len()).await?;
    bob_online = bob.reopen(bob_online, leader).await?;
    tokio::join!(
        alice.say(&alice_online, alice_id, [direct, group], LAST_WORDS),
        bob.say(&bob_online, bob_id, [direct, group], LAST_WORDS),
    );
    board.until_talk(|talk| talk.unanswered.values().all(BTreeSet::is_empty)).await;
    board.talk.send_modify(|talk| talk.settled = true);

    let heads = board.until_news(|news| news.heads.clone()).await;
    let names = [direct, group].map(|conversation| conversation.to_string());
    board
        .until_talk(|talk| {
            let at = |device: &DeviceNumber, name: &String| talk.positions.get(device)?.get(name).copied();
            [0, 1].iter().all(|device| names.iter().all(|name| at(device, name) == heads.get(name).copied()))
        })
        .await;
    alice_online.close().await?;
    bob_online.close().await?;
    reporter.abort();
    Ok(())
}

async fn report_faults(board: Arc<Board>, recorder: Arc<Recorder>) {
    let mut news = board.news.subscribe();
    let mut told = 0;
    loop {
        let faults = news.borrow_and_update().faults.clone();
        faults[told..].iter().for_each(|fault| recorder.fault(fault));
        told = faults.len();
        if news.changed().await.is_err() {
            return;
        }
    }
}

/// A person and the device they have, switched on or off.
struct Person {
    number: DeviceNumber,
    name: &'static str,
    world: NodeCtx,
    pocket: Pocket,
    /// Ids that this device has given away.
    used: Mutex<BTreeSet<ClientMessageId>>,
    board: Arc<Board>,
    recorder: Arc<Recorder>,
}

/// The device is on.
struct Online {
    client: Client,
    listening: JoinHandle<()>,
}

impl Online {
    /// Returns when everything that was handed out is written down.
    async fn close(self) -> turmoil::Result {
        self.client.close().await;
        Ok(self.listening.await?)
    }
}

impl Person {
    /// Knows one node; the others are learned from it.
    fn builder(&self, node: usize) -> troupe_client::builder::Builder {
        Client::builder()
            .context(self.world.clone())
            .nodes([nodes::client_address(node)])
            .credentials(self.name, PASSWORD)
            .device("phone")
            .start_at(StartAt::Beginning)
            .patience(PATIENCE)
            .store(self.pocket.clone())
    }

    async fn log_in(&self, node: usize) -> turmoil::Result<Online> {
        let (client, events) = self.builder(node).connect().await?;
        let listening = tokio::spawn(listen(self.number, events, self.board.clone(), self.recorder.clone()));
        Ok(Online { client, listening })
    }

    async fn reopen(&self, online: Online, node: usize) -> turmoil::Result<Online> {
        online.close().await?;
        self.log_in(node).await
    }

    /// Speaks until `enough`, now here, now there.
    async fn talk(
        &self,
        online: &Online,
        me: UserId,
        conversations: [ConversationId; 2],
        enough: impl Future<Output = ()>,
    ) {
        tokio::select! {
            biased;
            () = enough => {}
            () = self.say(online, me, conversations, usize::MAX) => {}
        }
    }

    async fn say(&self, online: &Online, me: UserId, conversations: [ConversationId; 2], messages: usize) {
        for message in 0..messages {
            self.board.until_talk(|talk| talk.unanswered.get(&self.number).map_or(0, BTreeSet::len) < UNANSWERED).await;
            let conversation = conversations[self.world.rng.range(0, 2) as usize];
            self.send(&online.client, me, conversation, message);
            tokio::time::sleep(Duration::from_millis(self.world.rng.range(0, PAUSE_MS))).await;
        }
    }

    fn send(&self, client: &Client, me: UserId, conversation: ConversationId, message: usize) {
        let mut id = ClientMessageId(self.world.rng.bytes());
        if self.world.rng.range(0, COLLIDE) == 0
            && let Some(theirs) = self.board.talk.borrow().last.get(&conversation.to_string())
            && !self.used.lock().contains(theirs)
        {
            id = *theirs;
        }
        self.used.lock().insert(id);
        let name = format!("{me}/{id}");
        self.recorder.record(|at| Record::Invoke {
            at,
            device: self.number,
            user: me.0,
            conversation: conversation.to_string(),
            id: name.clone(),
        });
        self.board.talk.send_modify(|talk| {
            talk.unanswered.entry(self.number).or_default().insert(name.clone());
            talk.last.insert(conversation.to_string(), id);
        });
        let text = format!("{} says {message}", self.name);
        let sent = client.send_as(conversation, id, Body::text(&text)).expect("the outbox has room");
        let (number, board, recorder) = (self.number, self.board.clone(), self.recorder.clone());
        tokio::spawn(async move {
            // Without an outcome it is still in the outbox: the device was switched off, and says it later.
            let outcome = sent.await;
            if !matches!(outcome, Err(troupe_client::Error::Stopped(_))) {
                settled(number, conversation, name, outcome, &board, &recorder);
            }
        });
    }
}

fn settled(
    device: DeviceNumber,
    conversation: ConversationId,
    id: MessageId,
    outcome: troupe_client::Result<troupe_client::Acked>,
    board: &Board,
    recorder: &Recorder,
) {
    // Nothing that they say is refusable, and an outbox keeps whatever is unknown.
    let acked = outcome.unwrap_or_else(|error| panic!("{id} was refused: {error}"));
    let place = conversation.to_string();
    recorder.record(|at| Record::Ack { at, device, conversation: place.clone(), id: id.clone(), seq: acked.seq.0 });
    board.talk.send_modify(|talk| {
        *talk.acked.entry(place).or_default() += 1;
        talk.unanswered.entry(device).or_default().remove(&id);
    });
}

/// Writes down what a device is handed.
async fn listen(device: DeviceNumber, mut events: Events, board: Arc<Board>, recorder: Arc<Recorder>) {
    while let Some(incoming) = events.next().await {
        match incoming {
            Incoming::Event { conversation, event } => handed(device, conversation, &event, &board, &recorder),
            Incoming::Settled { conversation, id, outcome } => {
                // Said before the device was switched off; the name of a message is its sender and its id.
                let unanswered = board.talk.borrow().unanswered.get(&device).cloned().unwrap_or_default();
                let id = id.to_string();
                let name = unanswered.into_iter().find(|name| name.ends_with(&id)).expect("it was said by this device");
                settled(device, conversation, name, outcome, &board, &recorder);
            }
            Incoming::Cursor { conversation, user, delivered, read } => recorder.record(|at| Record::Cursor {
                at,
                device,
                conversation: conversation.to_string(),
                user: user.0,
                delivered: delivered.0,
                read: read.0,
            }),
            _ => {}
        }
    }
}

fn handed(device: DeviceNumber, conversation: ConversationId, event: &Event, board: &Board, recorder: &Recorder) {
    let place = conversation.to_string();
    recorder.record(|at| Record::Deliver {
        at,
        device,
        conversation: place.clone(),
        seq: event.seq.0,
        sender: event.sender.0,
        id: format!("{}/{}", event.sender, event.client_message_id),
        message: matches!(event.kind, EventKind::Message(_)),
    });
    board.talk.send_modify(|talk| {
        talk.positions.entry(device).or_default().insert(place, event.seq.0);
    });
}

/// A device's store that outlives its being switched off.
#[derive(Clone, Default)]
struct Pocket(Arc<Mutex<MemoryStore>>);

impl Store for Pocket {
    fn load(&mut self) -> io::Result<Saved> {
        self.0.lock().load()
    }

    fn append(&mut self, record: &Kept) -> io::Result<()> {
        self.0.lock().append(record)
    }

    fn search(&mut self, word: &str, limit: usize) -> io::Result<Vec<(ConversationId, Event)>> {
        self.0.lock().search(word, limit)
    }
}
