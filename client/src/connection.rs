//! One socket: hello, requests with their answers, pushes.
//!
//! The lowest layer of the SDK, used directly by load generators. It never reconnects or retries: a
//! closed connection stays closed, and each unanswered request on it is *unknown*. See
//! [`crate::Client`] for the rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::codec::FramedRead;
use tokio_util::task::AbortOnDropHandle;
use troupe_proto::client::PROTOCOL_VERSION;
use troupe_proto::frame::FrameCodec;
pub use troupe_proto::wire::client::client_frame::Request;
pub use troupe_proto::wire::client::server_frame::Message;
use troupe_proto::wire::client::{
    ClientFrame, ContactPush, ConversationPush, CursorPush, EventPush, FavouritePush, GoAway, Hello, InvitationPush,
    Kicked, LoggedIn, Login, PersonalPush, PresencePush, ProfilePush, Register, Resume, ServerFrame, SignalPush,
    Welcome,
};
use troupe_runtime::{Net, Stream};

use crate::error::{Error, Result};
use crate::trust::{Target, Trust};
use halves::{encode, next_frame, read_all, write_all};

mod halves;

/// Limit for connect, TLS and hello. After it the caller tries another node.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Limit for an answer. After it the outcome of the request is unknown.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Frames waiting to be written. At the limit `request` waits and `start` refuses.
const OUT_FRAMES: usize = 1024;
/// Pushes waiting for the reader. At the limit the socket is no longer read.
const PUSHES: usize = 256;
/// Read buffer of an idle connection.
const READ_BUFFER: usize = 1024;

/// A message that the server sends without a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Push {
    Event(EventPush),
    Cursor(CursorPush),
    Conversation(ConversationPush),
    Invitation(InvitationPush),
    Profile(ProfilePush),
    /// Dropped if the reader is slow.
    Signal(SignalPush),
    /// As a signal.
    Presence(PresencePush),
    Contact(ContactPush),
    Personal(PersonalPush),
    Favourite(FavouritePush),
    Kicked(Kicked),
    GoAway(GoAway),
}

/// The pushes of one connection, in order. `None` after it has ended.
pub struct Pushes(mpsc::Receiver<Push>);

impl Pushes {
    pub async fn next(&mut self) -> Option<Push> {
        self.0.recv().await
    }

    pub fn try_next(&mut self) -> Option<Push> {
        self.0.try_recv().ok()
    }
}

pub struct Connection {
    out: mpsc::Sender<ClientFrame>,
    shared: Arc<Shared>,
    welcome: Welcome,
    address: String,
    _reader: AbortOnDropHandle<()>,
    writer: AbortOnDropHandle<()>,
}

struct Shared(Mutex<Inner>);

struct Inner {
    pending: BTreeMap<u64, oneshot::Sender<Message>>,
    last_id: u64,
    last_heard: Instant,
    /// Since when at least one request has been unanswered.
    waiting_since: Instant,
    closed: bool,
}

impl Connection {
    /// Connects to `host:port`, `tls://host:port` or `tcp://host:port`, trusts any key, and says
    /// hello, all within [`CONNECT_TIMEOUT`].
    pub async fn open(net: &dyn Net, address: &str) -> Result<(Connection, Pushes)> {
        Connection::open_trusting(net, address, &Trust::first_use()).await
    }

    /// Connects with known keys. Only hello is sent before the key is verified.
    pub async fn open_trusting(net: &dyn Net, address: &str, trust: &Trust) -> Result<(Connection, Pushes)> {
        let opening = async {
            let target = Target::of(address, net);
            let stream = net
                .connect(target.dial)
                .await
                .map_err(|error| Error::Unavailable(format!("connecting to {address}: {error}")))?;
            let (stream, seen) = match target.tls {
                true => trust.secure(stream, target.dial).await?,
                false => (stream, None),
            };
            let opened = Connection::greet(stream, address).await?;
            if let Some(seen) = seen {
                trust.confirm(target.dial, &opened.0.welcome.cluster_id, seen)?;
            }
            Ok(opened)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, opening)
            .await
            .map_err(|_| Error::Unavailable(format!("connecting to {address} takes too long")))?
    }

    /// Says hello over an established stream.
    pub async fn greet(stream: Box<dyn Stream>, address: &str) -> Result<(Connection, Pushes)> {
        let (read, write) = tokio::io::split(stream);
        let mut frames = FramedRead::with_capacity(read, FrameCodec::client(), READ_BUFFER);
        let mut write = write;
        let hello = Hello {
            min_version: PROTOCOL_VERSION,
            max_version: PROTOCOL_VERSION,
            client: concat!("troupe-client/", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let mut buffer = BytesMut::new();
        encode(&ClientFrame { request_id: 1, request: Some(Request::Hello(hello)) }, &mut buffer)?;
        let gone = |error: std::io::Error| Error::Unavailable(format!("{address}: {error}"));
        write.write_all(&buffer).await.map_err(gone)?;
        write.flush().await.map_err(gone)?;
        let welcome = match next_frame(&mut frames).await? {
            Some(ServerFrame { message: Some(Message::Welcome(welcome)), .. }) => welcome,
            Some(ServerFrame { message: Some(Message::Failure(failure)), .. }) => return Err(failure.into()),
            Some(_) => return Err(Error::Protocol("the first frame was no welcome".into())),
            None => return Err(Error::closed()),
        };

        let now = Instant::now();
        let shared = Arc::new(Shared(Mutex::new(Inner {
            pending: BTreeMap::new(),
            last_id: 1,
            last_heard: now,
            waiting_since: now,
            closed: false,
        })));
        let (out, queue) = mpsc::channel(OUT_FRAMES);
        let (push, pushes) = mpsc::channel(PUSHES);
        // Half of the interval that the server asks for, so that one late packet is harmless.
        let quiet = Duration::from_secs(u64::from(welcome.ping_seconds.max(2)) / 2);
        let reader = tokio::spawn(read_all(frames, shared.clone(), push, out.downgrade()));
        let writer = tokio::spawn(write_all(write, queue, quiet));
        let connection = Connection {
            out,
            shared,
            welcome,
            address: address.to_owned(),
            _reader: AbortOnDropHandle::new(reader),
            writer: AbortOnDropHandle::new(writer),
        };
        Ok((connection, Pushes(pushes)))
    }

    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request and waits for its answer. A [`Message::Failure`] is returned as an error.
    pub async fn request(&self, request: Request) -> Result<Message> {
        let (id, reply) = self.expect()?;
        let frame = ClientFrame { request_id: id, request: Some(request) };
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        match tokio::time::timeout_at(deadline, self.out.send(frame)).await {
            Ok(Ok(())) => reply.wait_until(deadline).await,
            Ok(Err(_)) | Err(_) => Err(Error::closed()),
        }
    }

    /// Queues a request without waiting, for many requests in flight, in order. `Overloaded` if the
    /// queue is full.
    pub fn start(&self, request: Request) -> Result<PendingReply> {
        let (id, reply) = self.expect()?;
        self.enqueue(ClientFrame { request_id: id, request: Some(request) })?;
        Ok(reply)
    }

    /// Queues a frame that has no answer (`Acknowledge`).
    pub fn tell(&self, request: Request) -> Result<()> {
        let id = {
            let mut inner = self.shared.0.lock();
            inner.last_id += 1;
            inner.last_id
        };
        self.enqueue(ClientFrame { request_id: id, request: Some(request) })
    }

    pub async fn register(&self, name: &str, password: &str, request: [u8; 16]) -> Result<u64> {
        self.register_invited(name, password, request, "").await
    }

    /// Registers with an invitation code, for clusters that require one.
    pub async fn register_invited(&self, name: &str, password: &str, request: [u8; 16], invite: &str) -> Result<u64> {
        let register = Register {
            name: name.into(),
            password: password.into(),
            request: Bytes::copy_from_slice(&request),
            invite: invite.into(),
        };
        match self.request(Request::Register(register)).await? {
            Message::Registered(registered) => Ok(registered.user_id),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn login(&self, name: &str, password: &str, device: &str) -> Result<LoggedIn> {
        let login = Login { name: name.into(), password: password.into(), device: device.into(), ..Default::default() };
        match self.request(Request::Login(login)).await? {
            Message::LoggedIn(logged_in) => Ok(logged_in),
            other => Err(unexpected(&other)),
        }
    }

    /// Logs in and sets a new password in one step, as a one-time password requires.
    pub async fn login_with_new(&self, name: &str, old: &str, new: &str, device: &str) -> Result<LoggedIn> {
        let login = Login { name: name.into(), password: old.into(), device: device.into(), new_password: new.into() };
        match self.request(Request::Login(login)).await? {
            Message::LoggedIn(logged_in) => Ok(logged_in),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn resume(&self, token: Bytes) -> Result<LoggedIn> {
        match self.request(Request::Resume(Resume { token })).await? {
            Message::LoggedIn(logged_in) => Ok(logged_in),
            other => Err(unexpected(&other)),
        }
    }

    /// How long the server has been silent while it owes an answer. Zero if it owes none.
    pub fn silence(&self) -> Duration {
        let inner = self.shared.0.lock();
        if inner.pending.is_empty() { Duration::ZERO } else { inner.last_heard.max(inner.waiting_since).elapsed() }
    }

    /// Time since the last byte from the server, with or without pending requests.
    pub fn unheard(&self) -> Duration {
        self.shared.0.lock().last_heard.elapsed()
    }

    pub fn in_flight(&self) -> usize {
        self.shared.0.lock().pending.len()
    }

    pub fn is_closed(&self) -> bool {
        self.shared.0.lock().closed
    }

    /// Writes queued frames and closes the connection. A peer that does not read is dropped after a
    /// second.
    pub async fn close(self) {
        let Connection { out, writer, .. } = self;
        drop(out);
        drop(tokio::time::timeout(CONNECT_TIMEOUT, writer).await);
    }

    fn enqueue(&self, frame: ClientFrame) -> Result<()> {
        self.out.try_send(frame).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Overloaded {
                code: "connection_queue".into(),
                text: "this connection has much to write".into(),
                retry_after: Duration::from_millis(10),
            },
            mpsc::error::TrySendError::Closed(_) => Error::closed(),
        })
    }

    fn expect(&self) -> Result<(u64, PendingReply)> {
        let mut inner = self.shared.0.lock();
        if inner.closed {
            return Err(Error::closed());
        }
        inner.last_id += 1;
        let id = inner.last_id;
        let (answer, reply) = oneshot::channel();
        if inner.pending.is_empty() {
            inner.waiting_since = Instant::now();
        }
        inner.pending.insert(id, answer);
        Ok((id, PendingReply { id, reply, shared: self.shared.clone() }))
    }
}

/// The pending answer. Dropping it forgets the request, not its effect on the server.
pub struct PendingReply {
    id: u64,
    reply: oneshot::Receiver<Message>,
    shared: Arc<Shared>,
}

impl PendingReply {
    pub async fn wait(self) -> Result<Message> {
        self.wait_until(Instant::now() + REQUEST_TIMEOUT).await
    }

    pub async fn wait_until(mut self, deadline: Instant) -> Result<Message> {
        match tokio::time::timeout_at(deadline, &mut self.reply).await {
            Ok(Ok(Message::Failure(failure))) => Err(failure.into()),
            Ok(Ok(message)) => Ok(message),
            Ok(Err(_)) => Err(Error::closed()),
            Err(_) => Err(Error::Unavailable("the answer takes too long".into())),
        }
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        self.shared.0.lock().pending.remove(&self.id);
    }
}

/// The server answered with a message that does not fit the request.
pub(crate) fn unexpected(message: &Message) -> Error {
    let text = format!("{message:?}");
    Error::Protocol(format!("unexpected answer {}", text.split('(').next().unwrap_or_default()))
}
