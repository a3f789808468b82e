//! The public face of the SDK: a handle for sends and requests, and the stream of incoming events.
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
//! // In the outbox when `send` returns; acknowledged once it is durable.
//! let acked = client.send(ConversationId::Everyone, Body::text("hello"))?.await?;
//! println!("message {} is at {}", acked.id, acked.seq);
//! while let Some(incoming) = events.next().await {
//!     if let Incoming::Event { conversation, event } = incoming {
//!         println!("{conversation} {}: {:?}", event.seq, event.kind);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod incoming;

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

pub use incoming::Incoming;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Connecting,
    Online {
        node: u64,
        address: String,
    },
    /// The client is looking for another node. No action is needed.
    Offline {
        reason: String,
    },
    /// The server has ended the session: replaced, revoked, logged out, or wrong password.
    Kicked {
        code: String,
        text: String,
    },
}

/// The message is durable at this seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acked {
    pub id: ClientMessageId,
    pub seq: Seq,
    pub time: Timestamp,
}

/// A pending outcome: a future of [`Acked`] or an error. Dropping it does not withdraw the message.
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

/// The callback interface for incoming events: see [`Events::run`].
pub trait Handler {
    fn incoming(&mut self, incoming: Incoming);
}

impl<F: FnMut(Incoming)> Handler for F {
    fn incoming(&mut self, incoming: Incoming) {
        self(incoming)
    }
}

/// State shared by the client's task and its handles.
pub(crate) struct Shared {
    pub context: Platform,
    pub store: SharedStore,
    pub sending: Mutex<Sending>,
    /// Delivered to the application, and not yet acknowledged to the server.
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
    /// The handles of each message: more than one if the application sent it again.
    pub waiters: BTreeMap<ClientMessageId, Vec<oneshot::Sender<Result<Acked>>>>,
}

/// A logged-in device. Clones are handles to the same device; dropping the last one closes the
/// connection.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    pub(crate) task: Arc<Mutex<AbortOnDropHandle<()>>>,
}

impl Client {
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Appends a message to the outbox. Returns its id and its pending outcome.
    pub fn send(&self, conversation: ConversationId, body: Body) -> Result<SendHandle> {
        let id = ClientMessageId(self.shared.context.rng.bytes());
        self.send_as(conversation, id, body)
    }

    /// Like `send`, with an id chosen by the caller. Sending twice with one id never creates a
    /// second message: the first content stays.
    ///
    /// ```no_run
    /// # use troupe_client::{Client, Result};
    /// # use troupe_core::{Body, ClientMessageId, ConversationId};
    /// # async fn example(client: Client, order: u64) -> Result<()> {
    /// // The id follows from the order, so a restarted program announces each order once.
    /// let id = ClientMessageId((u128::from(order)).to_be_bytes());
    /// client.send_as(ConversationId::Everyone, id, Body::text("your order has left"))?.await?;
    /// # Ok(())
    /// # }
    /// ```
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
            match sending.outbox.conversation_of(&id) {
                // An application that was restarted sends what it had sent before.
                Some(same) if same == conversation => {
                    let waiters = sending.waiters.entry(id).or_default();
                    waiters.retain(|waiter| !waiter.is_closed());
                    waiters.push(answer);
                    return Ok(SendHandle { conversation, id, outcome });
                }
                Some(_) => {
                    let why = "a message to another conversation has this id, and waits in the outbox";
                    return Err(Error::rejected(&Rejection::BadRequest(why)));
                }
                None => {}
            }
            if sending.outbox.is_full() {
                return Err(Error::OutboxFull);
            }
            let queued = Queued { conversation, id, body };
            self.shared.store.lock().append(&Record::Queued(queued.clone()))?;
            sending.outbox.push(conversation, id, queued.body);
            sending.waiters.entry(id).or_default().push(answer);
        }
        self.shared.wake.notify_one();
        Ok(SendHandle { conversation, id, outcome })
    }

    /// Messages without an outcome.
    pub fn outbox_len(&self) -> usize {
        self.shared.sending.lock().outbox.len()
    }

    pub fn state(&self) -> State {
        self.shared.state.borrow().clone()
    }

    /// Changes of [`state`](Client::state), separate from the stream of events.
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

    /// The user id, or `None` before the first login.
    pub fn user(&self) -> Option<UserId> {
        self.shared.session.lock().as_ref().map(|session| session.user)
    }

    pub fn name(&self) -> Option<String> {
        self.shared.session.lock().as_ref().map(|session| session.name.clone())
    }

    pub fn device(&self) -> Option<String> {
        self.shared.session.lock().as_ref().map(|session| session.device.clone())
    }

    /// The session secret, to continue the session elsewhere.
    pub fn token(&self) -> Option<Bytes> {
        self.shared.session.lock().as_ref().map(|session| session.token.clone())
    }

    /// The current connection, for requests that the SDK has no method for. It may close at any
    /// time.
    pub fn connection(&self) -> Option<Arc<Connection>> {
        self.shared.connection.borrow().clone()
    }

    /// Messages stored on this device whose text contains `word`: the newest `limit`, oldest first.
    pub fn search(&self, word: &str, limit: usize) -> Result<Vec<(ConversationId, Event)>> {
        Ok(self.shared.store.lock().search(word, limit)?)
    }

    /// Acknowledges delivered events and closes the connection. The session and the outbox remain.
    pub async fn close(self) {
        self.shared.closing.cancel();
        let mut state = self.watch_state();
        // The task drops its end of the stream when it is done. It bounds its own time.
        let done = state.wait_for(|state| matches!(state, State::Kicked { .. } | State::Offline { .. }));
        drop(tokio::time::timeout(Duration::from_secs(2), done).await);
        drop(self.task);
    }
}

/// The stream of incoming events. Dropping it stops receiving, not sending.
pub struct Events {
    pub(crate) incoming: mpsc::Receiver<Incoming>,
    pub(crate) shared: Arc<Shared>,
}

impl Events {
    /// The next item, or `None` after the client has ended. The event and its cursor are stored
    /// before this returns, so the event counts as delivered.
    pub async fn next(&mut self) -> Option<Incoming> {
        let incoming = self.receive().await?;
        self.processed(&incoming);
        Some(incoming)
    }

    /// Like `next`, but an event counts as delivered only after [`processed`](Events::processed). A
    /// process that ends in between receives it again: at least once instead of at most once.
    ///
    /// ```no_run
    /// # use troupe_client::{Events, Incoming};
    /// # fn print(_: &Incoming) {}
    /// # async fn example(mut events: Events) {
    /// while let Some(incoming) = events.receive().await {
    ///     print(&incoming);
    ///     events.processed(&incoming);
    /// }
    /// # }
    /// ```
    pub async fn receive(&mut self) -> Option<Incoming> {
        self.incoming.recv().await
    }

    /// Marks an item from [`receive`](Events::receive) as processed. Call it in the same order.
    pub fn processed(&self, incoming: &Incoming) {
        self.hand_out(incoming);
    }

    /// Like `next`, if an item is available now.
    pub fn try_next(&mut self) -> Option<Incoming> {
        let incoming = self.incoming.try_recv().ok()?;
        self.hand_out(&incoming);
        Some(incoming)
    }

    /// Calls `handler` with every item until the client ends.
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
            // Stored here and not at detection: events of the old history were still queued for the
            // application.
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
            // A second delivery after a restart is better than none.
            tracing::error!(%error, "cannot store the cursor");
        }
    }
}
