//! Configuration of a client: nodes, credentials and device.

use std::time::Duration;

use bytes::Bytes;
use troupe_core::{DeviceId, UserId, same_name};
use troupe_proto::client::Refusal;
use troupe_proto::wire::client::Welcome;
use troupe_runtime::Platform;

use crate::client::{Client, Events};
use crate::connection::Connection;
use crate::driver;
use crate::error::{Error, Result};
use crate::store::{MemoryStore, Saved, Store};
use crate::trust::Trust;

/// The start position in a conversation that the device has never followed. In a followed
/// conversation the device continues from its cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// After the last event that any device of the user received. In `everyone` it is the head if
    /// nothing was received.
    #[default]
    Delivered,
    /// All history that the user may see.
    Beginning,
    /// Only new events.
    Head,
}

/// Credentials for a login when no session is stored.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub name: String,
    pub password: String,
}

/// See [`Client::builder`].
pub struct Builder {
    context: Option<Platform>,
    pub(crate) nodes: Vec<String>,
    pub(crate) credentials: Option<Credentials>,
    invite: String,
    pub(crate) token: Option<Bytes>,
    pub(crate) device: Option<String>,
    pub(crate) start_at: StartAt,
    pub(crate) patience: Duration,
    pub(crate) room: usize,
    pub(crate) trust: Trust,
    store: Option<Box<dyn Store>>,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder {
            context: None,
            nodes: Vec::new(),
            credentials: None,
            invite: String::new(),
            token: None,
            device: None,
            start_at: StartAt::default(),
            patience: Duration::from_secs(15),
            room: 1024,
            trust: Trust::default(),
            store: None,
        }
    }

    /// Sockets and randomness. The default is the operating system's.
    pub fn context(mut self, context: Platform) -> Builder {
        self.context = Some(context);
        self
    }

    /// Trusted server keys. The default trusts the first key of a cluster for the lifetime of this
    /// client.
    pub fn trust(mut self, trust: Trust) -> Builder {
        self.trust = trust;
        self
    }

    /// One or more `host:port`. They use TLS unless the host is this machine; `tls://host:port` and
    /// `tcp://host:port` are explicit. The client learns the other nodes from any of them.
    pub fn nodes<S: Into<String>>(mut self, nodes: impl IntoIterator<Item = S>) -> Builder {
        self.nodes.extend(nodes.into_iter().map(Into::into));
        self
    }

    /// Name (or id) and password. They are used if no session is stored or the stored session has
    /// ended.
    pub fn credentials(mut self, name: impl Into<String>, password: impl Into<String>) -> Builder {
        self.credentials = Some(Credentials { name: name.into(), password: password.into() });
        self
    }

    /// The invitation code for registration, if the cluster requires one.
    pub fn invite(mut self, code: impl Into<String>) -> Builder {
        self.invite = code.into();
        self
    }

    /// A session from elsewhere, as returned by [`Client::token`].
    pub fn token(mut self, token: impl Into<Bytes>) -> Builder {
        self.token = Some(token.into());
        self
    }

    /// The name of this device, 1 to 64 printable ASCII characters. A user has one session per
    /// device.
    pub fn device(mut self, device: impl Into<String>) -> Builder {
        self.device = Some(device.into());
        self
    }

    /// The store of session, outbox and cursors. The default is memory.
    pub fn store(mut self, store: impl Store) -> Builder {
        self.store = Some(Box::new(store));
        self
    }

    pub fn start_at(mut self, start_at: StartAt) -> Builder {
        self.start_at = start_at;
        self
    }

    /// How long `connect` and requests look for a node that answers. Sends wait forever.
    pub fn patience(mut self, patience: Duration) -> Builder {
        self.patience = patience;
        self
    }

    /// Events buffered for the application. The client fetches more when the application has taken
    /// some.
    pub fn room(mut self, events: usize) -> Builder {
        self.room = events.max(1);
        self
    }

    /// Registers the name and password of [`credentials`](Builder::credentials) once, at any node
    /// that answers.
    pub async fn register(&self) -> Result<UserId> {
        let Credentials { name, password } = self.credentials.clone().ok_or_else(no_credentials)?;
        let mut tries = Tries::new(self)?;
        let request = tries.context.rng.bytes::<16>();
        loop {
            let address = tries.nodes.next();
            let attempt = async {
                let context = &tries.context;
                let (connection, _pushes) = Connection::open_trusting(&*context.net, &address, &self.trust).await?;
                connection.register_invited(&name, &password, request, &self.invite).await
            };
            match attempt.await {
                Ok(user) => return Ok(UserId(user)),
                Err(error) => tries.again(error).await?,
            }
        }
    }

    /// The welcome of the first node that answers, with the id of its cluster. The client sends it
    /// nothing else.
    pub async fn welcome(&self) -> Result<Welcome> {
        let mut tries = Tries::new(self)?;
        loop {
            let address = tries.nodes.next();
            match Connection::open_trusting(&*tries.context.net, &address, &self.trust).await {
                Ok((connection, _pushes)) => return Ok(connection.welcome().clone()),
                Err(error) => tries.again(error).await?,
            }
        }
    }

    /// Starts the client and waits for the login.
    pub async fn connect(self) -> Result<(Client, Events)> {
        let patience = self.patience;
        let (client, events) = self.start()?;
        client.wait_online(patience).await?;
        Ok((client, events))
    }

    /// Starts the client without waiting. Messages stay in the outbox until a node is found.
    pub fn start(mut self) -> Result<(Client, Events)> {
        let context = self.world();
        let mut store = self.store.take().unwrap_or_else(|| Box::new(MemoryStore::new()));
        let saved = store.load()?;
        self.agree_with(&saved)?;
        let device = match (&self.device, &saved.session) {
            (Some(device), _) => device.clone(),
            (None, Some(session)) => session.device.clone(),
            (None, None) => format!("sdk-{:016x}", context.rng.u64()),
        };
        if DeviceId::new(&device).is_none() {
            return Err(Error::Rejected {
                code: "bad_request".into(),
                text: "a device is named by 1 to 64 printable ASCII characters".into(),
            });
        }
        driver::start(context, self, device, store, saved)
    }

    /// A store belongs to one user: its outbox must not be sent as another user.
    fn agree_with(&mut self, saved: &Saved) -> Result<()> {
        if let (Some(session), Some(credentials)) = (&saved.session, &self.credentials)
            && !same_name(&session.name, &credentials.name)
            && session.user.to_string() != credentials.name
        {
            return Err(Error::Rejected {
                code: "other_user".into(),
                text: format!("this store belongs to {}: give {} another one", session.name, credentials.name),
            });
        }
        if let Some(session) = &saved.session
            && self.token.is_none()
            && !session.token.is_empty()
            && self.device.as_ref().is_none_or(|device| *device == session.device)
        {
            self.token = Some(session.token.clone());
        }
        if self.token.is_none() && self.credentials.is_none() {
            return Err(no_credentials());
        }
        Ok(())
    }

    fn world(&self) -> Platform {
        self.context.clone().unwrap_or_else(Platform::production)
    }
}

/// Sends requests to one node after another until the patience ends.
struct Tries {
    context: Platform,
    nodes: driver::Nodes,
    deadline: tokio::time::Instant,
}

impl Tries {
    fn new(builder: &Builder) -> Result<Tries> {
        let context = builder.world();
        let nodes = driver::Nodes::new(&builder.nodes, &context.rng)?;
        Ok(Tries { context, nodes, deadline: tokio::time::Instant::now() + builder.patience })
    }

    /// Waits before the next attempt, or returns the error if there is none.
    async fn again(&mut self, error: Error) -> Result<()> {
        let told = match &error {
            Error::Overloaded { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        };
        let pause = self.nodes.backoff(&self.context.rng).max(told);
        if !error.is_transient() || tokio::time::Instant::now() + pause >= self.deadline {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

fn no_credentials() -> Error {
    Error::rejected(Refusal::NotLoggedIn)
}
