//! The task behind a [`Client`]: finds a node, logs in, and moves messages between the machines,
//! the socket and the application.
//!
//! It decides nothing about order or repetition; `outbox` and `inbox` do. It owns time: when to
//! look for another node, when a silent one is given up, when to ask again.

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
use troupe_core::{ConversationId, Seq, UserId};
use troupe_proto::client::Refusal;
use troupe_proto::wire::client::{LoggedIn, Welcome};
use troupe_runtime::NodeCtx;

use crate::builder::{Builder, Credentials, StartAt};
use crate::client::{Client, Events, Incoming, Sending, Shared, State};
use crate::connection::{Connection, Pushes};
use crate::error::{Error, Result, UNTRUSTED};
use crate::inbox::Inbox;
use crate::marks::Marks;
use crate::store::{Record, Saved, Session, Store};
use crate::trust::{self, Target, Trust};

pub(crate) use nodes::Nodes;
use online::Online;

/// Places in the application's channel that events leave to notices.
const NOTICES: usize = 64;
/// How often a silent connection is looked at while it owes an answer.
const WATCH: Duration = Duration::from_millis(250);

type Connecting = BoxFuture<'static, Result<(Connection, Pushes, LoggedIn)>>;

pub(crate) struct Driver {
    shared: Arc<Shared>,
    incoming: mpsc::Sender<Incoming>,
    nodes: Nodes,
    credentials: Option<Credentials>,
    device: String,
    token: Option<Bytes>,
    /// The cluster of this device. Nothing is sent to another one.
    cluster: Option<Bytes>,
    start_at: StartAt,
    trust: Trust,
    inbox: Inbox,
    /// Where this device stood in conversations that it does not follow now.
    cursors: BTreeMap<ConversationId, Seq>,
    /// Of which history of the cluster it is what this device holds, where there is more than one.
    histories: BTreeMap<ConversationId, u64>,
    /// How far others have got.
    marks: Marks,
    online: Option<Online>,
    /// Outcomes whose waiters have gone with an earlier life of the application, no more than the
    /// outbox held, and what a restore took, once for each conversation. They wait for room.
    settled: VecDeque<Incoming>,
    connecting: Option<Connecting>,
    retry_at: Option<Instant>,
}

pub(crate) fn start(
    context: NodeCtx,
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
        marks: Marks::default(),
        online: None,
        settled: VecDeque::new(),
        connecting: None,
        retry_at: Some(Instant::now()),
    };
    let task = Arc::new(Mutex::new(AbortOnDropHandle::new(tokio::spawn(driver.run()))));
    Ok((Client { shared: shared.clone(), task }, Events { incoming: receiver, shared }))
}

/// What happened next.
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

    /// Does everything that can be done now.
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

    /// Gives the application what it has room for.
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

    /// Tells the application something it can do without.
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

    fn connected(&mut self, (connection, pushes, logged_in): (Connection, Pushes, LoggedIn)) -> Result<(), State> {
        let me = UserId(logged_in.user_id);
        if let Some(owner) = self.shared.session.lock().as_ref().map(|session| session.user)
            && owner != me
        {
            let text = format!("this store belongs to user {owner}, not {me}");
            return Err(State::Kicked { code: "other_user".into(), text });
        }
        if !logged_in.token.is_empty() {
            self.token = Some(logged_in.token.clone());
        }
        let session = Session {
            user: me,
            name: logged_in.name,
            device: logged_in.device,
            token: self.token.clone().unwrap_or_default(),
        };
        let cluster = connection.welcome().cluster_id.clone();
        if self.cluster.as_ref() != Some(&cluster)
            && let Err(error) = self.shared.store.lock().append(&Record::Cluster(cluster.clone()))
        {
            let text = format!("the cluster of this store cannot be kept: {error}");
            return Err(State::Kicked { code: "store".into(), text });
        }
        self.cluster = Some(cluster);
        let known = self.shared.session.lock().replace(session.clone());
        if known.as_ref() != Some(&session)
            && let Err(error) = self.shared.store.lock().append(&Record::LoggedIn(session))
        {
            // The session works; only a restart would have to log in again.
            tracing::error!(%error, "the session is not kept");
        }
        let told = self.followed(connection.address(), &connection.welcome().nodes);
        self.nodes.learn(&told);
        self.nodes.reached(Instant::now());
        self.retry_at = None;
        let (node, address) = (connection.welcome().node_id, connection.address().to_owned());
        let window = connection.welcome().send_window as usize;
        self.shared.sending.lock().outbox.connected(window, Instant::now());
        self.inbox.disconnected();
        let online = Online::new(connection, pushes, me);
        self.shared.connection.send_replace(Some(online.connection.clone()));
        self.online = Some(online);
        self.say(State::Online { node, address });
        Ok(())
    }

    /// What a node tells about others, as far as it is followed from there.
    fn followed(&self, from: &str, told: &[String]) -> Vec<String> {
        let followed = trust::followed(from, told, &*self.shared.context.net);
        if let Some(cluster) = &self.cluster
            && Target::of(from, &*self.shared.context.net).tls
        {
            self.trust.learn(cluster, &followed);
        }
        followed
    }

    fn not_connected(&mut self, error: Error) -> Result<(), State> {
        let expired = error.code() == Some(Refusal::ExpiredToken.code());
        if expired && self.credentials.is_some() && self.token.take().is_some() {
            self.retry_at = Some(Instant::now());
            return Ok(());
        }
        match error {
            // A device that was online is refused as such only until its connection to the lost
            // node is forgotten; a newcomer is told at once.
            Error::Rejected { code, text } if code != Refusal::AlreadyOnline.code() || !self.has_session() => {
                return Err(State::Kicked { code, text });
            }
            // Where the user points at must be right; one bad node among those that were told later
            // is passed by.
            Error::Untrusted(text) if self.cluster.is_none() => {
                return Err(State::Kicked { code: UNTRUSTED.to_owned(), text });
            }
            error => {
                let at_least = match &error {
                    Error::Overloaded { retry_after, .. } => *retry_after,
                    _ => Duration::ZERO,
                };
                let backoff = self.nodes.backoff(&self.shared.context.rng).max(at_least);
                self.retry_at = Some(Instant::now() + backoff);
                if self.online.is_none() {
                    self.say(State::Offline { reason: error.to_string() });
                }
            }
        }
        Ok(())
    }

    fn has_session(&self) -> bool {
        self.shared.session.lock().as_ref().is_some_and(|session| !session.token.is_empty())
    }

    /// The connection is gone; another node is tried at once.
    fn lost(&mut self, reason: String) {
        let Some(online) = self.online.take() else { return };
        self.shared.connection.send_replace(None);
        self.inbox.disconnected();
        if self.connecting.is_none() {
            let now = Instant::now();
            self.retry_at = Some(now + self.nodes.lost(online.connection.address(), now, &self.shared.context.rng));
        }
        self.say(State::Offline { reason });
    }

    fn end(self, state: State) {
        self.shared.connection.send_replace(None);
        if let State::Kicked { code, .. } = &state {
            if code != "replaced"
                && code != "other_user"
                && code != "store"
                && code != UNTRUSTED
                && let Err(error) = self.shared.store.lock().append(&Record::LoggedOut)
            {
                tracing::error!(%error, "the end of the session is not kept");
            }
            let waiters = std::mem::take(&mut self.shared.sending.lock().waiters);
            for waiter in waiters.into_values() {
                drop(waiter.send(Err(Error::Stopped(format!("{code}; the message is still in the outbox")))));
            }
        }
        self.say(state);
    }
}

/// Whether a node is of this cluster, or of one that was restored from it.
fn is_of(welcome: &Welcome, cluster: &Bytes) -> bool {
    welcome.cluster_id == *cluster || welcome.continues.contains(cluster)
}

async fn log_in(
    context: NodeCtx,
    address: String,
    trust: Trust,
    token: Option<Bytes>,
    credentials: Option<Credentials>,
    device: String,
    cluster: Option<Bytes>,
) -> Result<(Connection, Pushes, LoggedIn)> {
    let (connection, pushes) = Connection::open_trusting(&*context.net, &address, &trust).await?;
    // A node of another cluster may have the address of one that stopped. It gets neither token nor
    // password.
    if cluster.is_some_and(|ours| !is_of(connection.welcome(), &ours)) {
        return Err(Error::Unavailable(format!("{address} belongs to another cluster than this device")));
    }
    let logged_in = match (token, credentials) {
        (Some(token), _) => connection.resume(token).await,
        (None, Some(who)) => connection.login(&who.name, &who.password, &device).await,
        (None, None) => Err(Error::rejected(Refusal::NotLoggedIn)),
    };
    Ok((connection, pushes, logged_in?))
}
