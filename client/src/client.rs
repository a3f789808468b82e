//! The SDK's face: a handle to send and ask with, and the stream of what comes in.
//!
//! ```no_run
//! # async fn example() -> troupe_client::Result<()> {
//! use troupe_client::{Client, FileStore, Incoming};
//! use troupe_core::{Body, ConversationId};
//!
//! let (client, mut events) = Client::builder()
//!     .nodes(["10.0.0.1:7700", "10.0.0.2:7700", "10.0.0.3:7700"])
//!     .credentials("alice", "correct horse")
//!     .device("laptop")
//!     .store(FileStore::open("alice.troupe")?)
//!     .connect()
//!     .await?;
//!
//! // In the outbox when `send` returns; acknowledged once it is durable. Nodes may come and go in between.
//! let acked = client.send(ConversationId::Everyone, Body::text("hello"))?.await?;
//! println!("message {} is at {}", acked.id, acked.seq);
//!
//! while let Some(incoming) = events.next().await {
//!     if let Incoming::Event { conversation, event } = incoming {
//!         println!("{conversation} {}: {:?}", event.seq, event.kind);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use troupe_core::{Body, ClientMessageId, ConversationId, Event, Rejection, Seq, Timestamp, UserId, limits};
use troupe_runtime::Platform;

use crate::builder::Builder;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::outbox::Outbox;
use crate::store::{Queued, Record, Session, SharedStore};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Connecting,
    Online {
        node: u64,
        address: String,
    },
    /// On the way to another node; nothing needs to be done.
    Offline {
        reason: String,
    },
    /// Ended for good by the server: replaced, revoked, logged out, or the password is wrong.
    Kicked {
        code: String,
        text: String,
    },
}

/// What comes in, in order per conversation.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Each event once, gapless from where the device started.
    Event {
        conversation: ConversationId,
        event: Event,
    },
    /// Somebody has received or read up to here. May be left out when the application is slow.
    Cursor {
        conversation: ConversationId,
        user: UserId,
        delivered: Seq,
        read: Seq,
    },
    ConversationAdded {
        conversation: ConversationId,
        head: Seq,
    },
    ConversationRemoved {
        conversation: ConversationId,
    },
    /// The cluster was restored from a backup, or recovered from one copy, and less came back than
    /// this device has handed out. Events up to `kept` are as they were; the `lost` ones behind
    /// them are gone, and the conversation goes on from `kept` with others. All of it is gone where
    /// `kept` is 0.
    Restored {
        conversation: ConversationId,
        kept: Seq,
        lost: u64,
        /// Number of the history that the device is in from here on.
        history: u64,
    },
    /// A stranger has added this user to a group. `Client::invitations` lists what is not answered.
    Invitation {
        conversation: ConversationId,
        by: UserId,
    },
    State(State),
    /// The outcome of a message that was in the outbox when the client started, or whose handle was
    /// dropped.
    Settled {
        conversation: ConversationId,
        id: ClientMessageId,
        outcome: Result<Acked>,
    },
}

/// A message has its place, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acked {
    pub id: ClientMessageId,
    pub seq: Seq,
    pub time: Timestamp,
}

/// The outcome to come: a future of [`Acked`] or of why not. Dropping it does not take the message
/// back.
pub struct SendHandle {
    pub conversation: ConversationId,
    pub id: ClientMessageId,
    outcome: oneshot::Receiver<Result<Acked>>,
}

impl Future for SendHandle {
    type Output = Result<Acked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Acked>> {
        Pin::new(&mut self.outcome)
            .poll(cx)
            .map(|outcome| outcome.unwrap_or_else(|_| Err(Error::Stopped("it is still in the outbox".into()))))
    }
}

/// The callback way to take what comes in: see [`Events::run`].
pub trait Handler {
    fn incoming(&mut self, incoming: Incoming);
}

impl<F: FnMut(Incoming)> Handler for F {
    fn incoming(&mut self, incoming: Incoming) {
        self(incoming)
    }
}

/// What the client's task and its handles share.
pub(crate) struct Shared {
    pub context: Platform,
    pub store: SharedStore,
    pub sending: Mutex<Sending>,
    /// Handed out and not yet acknowledged to the server.
    pub taken: Mutex<BTreeMap<ConversationId, Seq>>,
    pub wake: Notify,
    pub closing: CancellationToken,
    pub state: watch::Sender<State>,
    pub connection: watch::Sender<Option<Arc<Connection>>>,
    pub session: Mutex<Option<Session>>,
    pub patience: Duration,
}

#[derive(Default)]
pub(crate) struct Sending {
    pub outbox: Outbox,
    pub waiters: BTreeMap<ClientMessageId, oneshot::Sender<Result<Acked>>>,
}

/// A logged-in device. Clones are handles to the same; when the last is dropped the connection
/// ends.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    pub(crate) task: Arc<Mutex<AbortOnDropHandle<()>>>,
}

impl Client {
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Puts a message into the outbox, behind all others of this device, and returns its id and its
    /// outcome to come.
    pub fn send(&self, conversation: ConversationId, body: Body) -> Result<SendHandle> {
        let id = ClientMessageId(self.shared.context.rng.bytes());
        self.send_as(conversation, id, body)
    }

    /// As `send`, under an id of the caller's choice: sending again with the same id never makes a
    /// second message.
    pub fn send_as(&self, conversation: ConversationId, id: ClientMessageId, body: Body) -> Result<SendHandle> {
        if body.content.len() > limits::MESSAGE_BYTES {
            return Err(Error::rejected(&Rejection::TooLarge));
        }
        if let State::Kicked { text, .. } = &*self.shared.state.borrow() {
            return Err(Error::Stopped(text.clone()));
        }
        let (answer, outcome) = oneshot::channel();
        {
            let mut sending = self.shared.sending.lock();
            if sending.outbox.is_full() {
                return Err(Error::OutboxFull);
            }
            if sending.outbox.contains(&id) {
                return Err(Error::rejected(&Rejection::BadRequest("this id is in the outbox already")));
            }
            let queued = Queued { conversation, id, body };
            self.shared.store.lock().append(&Record::Queued(queued.clone()))?;
            sending.outbox.push(conversation, id, queued.body);
            sending.waiters.insert(id, answer);
        }
        self.shared.wake.notify_one();
        Ok(SendHandle { conversation, id, outcome })
    }

    /// Messages that have no outcome yet.
    pub fn outbox_len(&self) -> usize {
        self.shared.sending.lock().outbox.len()
    }

    pub fn state(&self) -> State {
        self.shared.state.borrow().clone()
    }

    /// Changes of [`state`](Client::state), apart from the stream of events.
    pub fn watch_state(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    pub async fn wait_online(&self, patience: Duration) -> Result<()> {
        let mut state = self.watch_state();
        let settled = state.wait_for(|state| matches!(state, State::Online { .. } | State::Kicked { .. }));
        match tokio::time::timeout(patience, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Kicked { code, text } => Err(Error::Rejected { code: code.clone(), text: text.clone() }),
                _ => Ok(()),
            },
            Ok(Err(_)) => Err(Error::Stopped("it was closed".into())),
            Err(_) => match self.state() {
                State::Offline { reason } => Err(Error::Unavailable(reason)),
                _ => Err(Error::Unavailable("no node answers".into())),
            },
        }
    }

    /// Who this is; `None` before the first login.
    pub fn user(&self) -> Option<UserId> {
        self.shared.session.lock().as_ref().map(|session| session.user)
    }

    pub fn name(&self) -> Option<String> {
        self.shared.session.lock().as_ref().map(|session| session.name.clone())
    }

    pub fn device(&self) -> Option<String> {
        self.shared.session.lock().as_ref().map(|session| session.device.clone())
    }

    /// The session's secret, to continue it elsewhere.
    pub fn token(&self) -> Option<Bytes> {
        self.shared.session.lock().as_ref().map(|session| session.token.clone())
    }

    /// The connection of this moment, for requests that the SDK has no name for. It may end at any
    /// time.
    pub fn connection(&self) -> Option<Arc<Connection>> {
        self.shared.connection.borrow().clone()
    }

    /// Messages seen on this device whose text contains `word`; the newest `limit`, oldest first.
    pub fn search(&self, word: &str, limit: usize) -> Result<Vec<(ConversationId, Event)>> {
        Ok(self.shared.store.lock().search(word, limit)?)
    }

    /// Acknowledges what was handed out and ends the connection. The session and the outbox stay.
    pub async fn close(self) {
        self.shared.closing.cancel();
        let mut state = self.watch_state();
        // The task drops its side of the stream when it is done; it bounds its own time.
        let done = state.wait_for(|state| matches!(state, State::Kicked { .. } | State::Offline { .. }));
        drop(tokio::time::timeout(Duration::from_secs(2), done).await);
        drop(self.task);
    }
}

/// The stream of what comes in. Dropping it ends receiving, not sending.
pub struct Events {
    pub(crate) incoming: mpsc::Receiver<Incoming>,
    pub(crate) shared: Arc<Shared>,
}

impl Events {
    /// The next, or `None` when the client has ended. An event counts as handed out when this
    /// returns it: its cursor and the event itself are in the store before.
    pub async fn next(&mut self) -> Option<Incoming> {
        let incoming = self.receive().await?;
        self.processed(&incoming);
        Some(incoming)
    }

    /// As `next`, but an event counts as handed out only once [`processed`](Events::processed) is
    /// called for it. A process that ends in between gets it again: at least once instead of at
    /// most once.
    pub async fn receive(&mut self) -> Option<Incoming> {
        self.incoming.recv().await
    }

    /// Stores that the application is done with what [`receive`](Events::receive) gave. To be
    /// called in the same order.
    pub fn processed(&self, incoming: &Incoming) {
        self.hand_out(incoming);
    }

    /// As `next`, if there is something now.
    pub fn try_next(&mut self) -> Option<Incoming> {
        let incoming = self.incoming.try_recv().ok()?;
        self.hand_out(&incoming);
        Some(incoming)
    }

    /// Calls `handler` with everything until the client ends.
    pub async fn run(mut self, mut handler: impl Handler) {
        while let Some(incoming) = self.next().await {
            handler.incoming(incoming);
        }
    }

    fn hand_out(&self, incoming: &Incoming) {
        match incoming {
            Incoming::Event { conversation, event } => {
                self.keep(&Record::HandedOut { conversation: *conversation, event: event.clone() });
                self.shared.taken.lock().insert(*conversation, event.seq);
                self.shared.wake.notify_one();
            }
            // Here, and not when it was noticed: events of the old history were still on their way
            // to the application.
            Incoming::Restored { conversation, kept, history, .. } => {
                self.keep(&Record::Cursor { conversation: *conversation, seq: *kept });
                self.keep(&Record::History { conversation: *conversation, history: *history });
                self.shared.taken.lock().remove(conversation);
            }
            _ => {}
        }
    }

    fn keep(&self, record: &Record) {
        if let Err(error) = self.shared.store.lock().append(record) {
            // Handing it out again after a restart is better than not at all.
            tracing::error!(%error, "the cursor is not kept");
        }
    }
}
