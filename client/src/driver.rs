//! The task behind a [`Client`]: it finds a node, logs in, and moves messages between the state
//! machines, the socket and the application.
//!
//! `outbox` and `inbox` decide about order and repetition. The driver owns time: when to try
//! another node, when to give up a silent one, and when to retry.

mod connected;
mod nodes;
mod online;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use troupe_core::effect::Ending;
use troupe_core::{ConversationId, Seq};
use troupe_proto::wire::client::LoggedIn;
use troupe_runtime::Platform;

use crate::builder::{Builder, Credentials, StartAt};
use crate::client::{Client, Events, Incoming, Sending, Shared, State};
use crate::connection::{Connection, Pushes};
use crate::error::{Error, Result, UNTRUSTED};
use crate::inbox::Inbox;
use crate::read_positions::ReadPositions;
use crate::store::{Record, Saved, Store};
use crate::trust::Trust;

use connected::log_in;
pub(crate) use nodes::Nodes;
use online::Online;

/// Slots of the application's channel that are reserved for notices.
const NOTICES: usize = 64;
/// How often a silent connection with pending requests is checked.
const WATCH: Duration = Duration::from_millis(250);

type Connecting = BoxFuture<'static, Result<(Connection, Pushes, LoggedIn)>>;

pub(crate) struct Driver {
    shared: Arc<Shared>,
    incoming: mpsc::Sender<Incoming>,
    nodes: Nodes,
    credentials: Option<Credentials>,
    device: String,
    token: Option<Bytes>,
    /// The cluster of this device. The client sends nothing to another one.
    cluster: Option<Bytes>,
    start_at: StartAt,
    trust: Trust,
    inbox: Inbox,
    /// Cursors of conversations that this device does not follow now.
    cursors: BTreeMap<ConversationId, Seq>,
    /// The history that the held events belong to, if the cluster has more than one.
    histories: BTreeMap<ConversationId, u64>,
    /// Read positions of other users.
    read_positions: ReadPositions,
    online: Option<Online>,
    /// Outcomes of messages that a previous process of the application sent, at most as many as the
    /// outbox held, and one notice per conversation after a restore. They wait for room in the
    /// channel.
    settled: VecDeque<Incoming>,
    connecting: Option<Connecting>,
    retry_at: Option<Instant>,
}

pub(crate) fn start(
    context: Platform,
    builder: Builder,
    device: String,
    store: Box<dyn Store>,
    saved: Saved,
) -> Result<(Client, Events)> {
    let nodes = Nodes::new(&builder.nodes, &context.rng)?;
    let mut sending = Sending::default();
    for queued in saved.outbox {
        sending.outbox.push_again(queued.conversation, queued.id, queued.body, Instant::now());
    }
    let shared = Arc::new(Shared {
        context,
        store: Arc::new(Mutex::new(store)),
        sending: Mutex::new(sending),
        taken: Mutex::default(),
        wake: Notify::new(),
        closing: CancellationToken::new(),
        state: watch::Sender::new(State::Connecting),
        connection: watch::Sender::new(None),
        session: Mutex::new(saved.session),
        patience: builder.patience,
    });
    let (incoming, receiver) = mpsc::channel(builder.room + NOTICES);
    let driver = Driver {
        shared: shared.clone(),
        incoming,
        nodes,
        credentials: builder.credentials,
        device,
        token: builder.token,
        cluster: saved.cluster,
        start_at: builder.start_at,
        trust: builder.trust,
        inbox: Inbox::default(),
        cursors: saved.cursors,
        histories: saved.histories,
        read_positions: ReadPositions::default(),
        online: None,
        settled: VecDeque::new(),
        connecting: None,
        retry_at: Some(Instant::now()),
    };
    let task = Arc::new(Mutex::new(AbortOnDropHandle::new(tokio::spawn(driver.run()))));
    Ok((Client { shared: shared.clone(), task }, Events { incoming: receiver, shared }))
}

/// The next event of the loop.
enum Step {
    Closing,
    Connected(Result<(Connection, Pushes, LoggedIn)>),
    Online(online::Heard),
    Woken,
}

impl Driver {
    async fn run(mut self) {
        loop {
            let ended = match self.step().await {
                Step::Closing => {
                    if let Some(online) = &mut self.online {
                        online.finish(&self.shared).await;
                    }
                    self.shared.connection.send_replace(None);
                    self.say(State::Offline { reason: "closed".into() });
                    return;
                }
                Step::Connected(Ok(session)) => self.connected(session),
                Step::Connected(Err(error)) => self.not_connected(error),
                Step::Online(heard) => self.heard(heard),
                Step::Woken => Ok(()),
            };
            if let Err(kicked) = ended.and_then(|()| self.act()) {
                return self.end(kicked);
            }
        }
    }

    async fn step(&mut self) -> Step {
        let shared = self.shared.clone();
        let wake_at = self.wake_at();
        let connecting = async {
            match &mut self.connecting {
                Some(connecting) => connecting.await,
                None => std::future::pending().await,
            }
        };
        let online = async {
            match &mut self.online {
                Some(online) => online.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = shared.closing.cancelled() => Step::Closing,
            result = connecting => {
                self.connecting = None;
                Step::Connected(result)
            }
            heard = online => Step::Online(heard),
            _ = shared.wake.notified() => Step::Woken,
            _ = tokio::time::sleep_until(wake_at) => Step::Woken,
        }
    }

    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let mut at = now + Duration::from_secs(60);
        if self.connecting.is_none() {
            at = self.retry_at.map_or(at, |retry| retry.min(at));
        }
        if let Some(online) = &self.online {
            at = at.min(online.wake_at(now));
            at = self.shared.sending.lock().outbox.wake_at(now).map_or(at, |wake| wake.min(at));
            at = self.inbox.wake_at(now).map_or(at, |wake| wake.min(at));
        }
        at
    }

    /// Performs all actions that are possible now.
    fn act(&mut self) -> Result<(), State> {
        let now = Instant::now();
        if self.connecting.is_none() && self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            let avoid = self.online.as_ref().map(|online| online.connection.address().to_owned());
            let address = self.nodes.next_but(avoid.as_deref());
            if self.online.is_none() {
                self.say(State::Connecting);
            }
            let (context, token) = (self.shared.context.clone(), self.token.clone());
            let (credentials, device) = (self.credentials.clone(), self.device.clone());
            let (cluster, trust) = (self.cluster.clone(), self.trust.clone());
            self.connecting = Some(Box::pin(log_in(context, address, trust, token, credentials, device, cluster)));
        }
        if let Some(online) = &mut self.online
            && let Some(reason) = online.watch(now)
        {
            self.lost(reason);
        }
        self.hand_over();
        if let Some(online) = &mut self.online {
            online.send(&self.shared, now);
            if !self.incoming.is_closed() {
                online.fetch(&mut self.inbox, now);
            }
            online.acknowledge(&self.shared, now);
        }
        Ok(())
    }

    /// Passes events to the application as far as it has room.
    fn hand_over(&mut self) {
        while !self.settled.is_empty() && self.incoming.capacity() > 0 {
            let Some(settled) = self.settled.pop_front() else { return };
            self.tell(settled);
        }
        while self.inbox.has_ready() && self.incoming.capacity() > NOTICES {
            let Some((conversation, event)) = self.inbox.take() else { return };
            if self.incoming.try_send(Incoming::Event { conversation, event }).is_err() {
                return;
            }
        }
    }

    /// Sends an optional notice to the application.
    fn tell(&self, incoming: Incoming) {
        drop(self.incoming.try_send(incoming));
    }

    fn say(&self, state: State) {
        if *self.shared.state.borrow() != state {
            tracing::debug!(?state, "client");
            self.shared.state.send_replace(state.clone());
            self.tell(Incoming::State(state));
        }
    }

    fn end(self, state: State) {
        self.shared.connection.send_replace(None);
        if let State::Kicked { code, .. } = &state {
            if code != Ending::Replaced.code()
                && code != "other_user"
                && code != "store"
                && code != UNTRUSTED
                && let Err(error) = self.shared.store.lock().append(&Record::LoggedOut)
            {
                tracing::error!(%error, "cannot store the end of the session");
            }
            let waiters = std::mem::take(&mut self.shared.sending.lock().waiters);
            for waiter in waiters.into_values().flatten() {
                drop(waiter.send(Err(Error::Stopped(format!("{code}; the message is still in the outbox")))));
            }
        }
        self.say(state);
    }
}
