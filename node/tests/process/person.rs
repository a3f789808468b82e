//! A user with one connection, who says what is wanted and sees what really comes back.

use std::sync::atomic::{AtomicU64, Ordering};

use troupe_client::connection::{Connection, Message, Push, Pushes, Request};
use troupe_client::{Error, Result};
use troupe_proto::wire::client as wire;
use troupe_runtime::Platform;

use crate::server::within;

/// Ids of messages and requests: different in one test, which is enough.
static NEXT: AtomicU64 = AtomicU64::new(1);

pub fn fresh_id() -> [u8; 16] {
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
}

pub fn password(name: &str) -> String {
    format!("the password of {name}")
}

/// A connection that has said hello.
pub async fn connect(address: &str) -> (Connection, Pushes) {
    let net = Platform::production().net;
    Connection::open(&*net, address).await.expect("welcome")
}

/// The code of what must have been refused for good, in words that say something.
pub fn code<T: std::fmt::Debug>(refused: Result<T>) -> String {
    match refused {
        Err(Error::Rejected { code, text }) => {
            assert!(text.len() > 10, "{code}: {text}");
            code
        }
        other => panic!("should have been rejected: {other:?}"),
    }
}

pub struct Person {
    pub connection: Connection,
    /// Somebody has to take them: when too many wait, answers wait behind them.
    pushes: Option<Pushes>,
    pub name: String,
    pub user: u64,
    pub token: bytes::Bytes,
}

impl Person {
    pub async fn new(address: &str, name: &str) -> Person {
        let (connection, pushes) = connect(address).await;
        let user = connection.register(name, &password(name), fresh_id()).await.expect("registered");
        let session = connection.login(name, &password(name), "phone").await.expect("logged in");
        Person { connection, pushes: Some(pushes), name: name.to_owned(), user, token: session.token }
    }

    /// Pushes are dropped.
    pub fn deaf(mut self) -> Person {
        self.pushes = None;
        self
    }

    /// Logs in who is registered already.
    pub async fn again(address: &str, name: &str) -> Person {
        let (connection, pushes) = connect(address).await;
        let session = connection.login(name, &password(name), "phone").await.expect("logged in");
        Person { connection, pushes: Some(pushes), name: name.to_owned(), user: session.user_id, token: session.token }
    }

    /// Another connection of the same user.
    pub async fn also_on(&self, device: &str) -> Person {
        let (connection, pushes) = connect(self.connection.address()).await;
        let session = connection.login(&self.name, &password(&self.name), device).await.expect("logged in");
        Person { connection, pushes: Some(pushes), name: self.name.clone(), user: self.user, token: session.token }
    }

    pub async fn ask(&self, request: Request) -> Result<Message> {
        self.connection.request(request).await
    }

    pub async fn send(&self, conversation: &str, text: &str) -> Result<u64> {
        self.send_as(fresh_id(), conversation, text).await
    }

    /// As a good client does it: what is unknown is sent again under the same id.
    pub async fn says(&self, conversation: &str, text: &str) -> u64 {
        let id = fresh_id();
        let said = async {
            loop {
                match self.send_as(id, conversation, text).await {
                    Ok(seq) => return seq,
                    Err(Error::Unavailable(_)) if !self.connection.is_closed() => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        within(said).await
    }

    async fn send_as(&self, id: [u8; 16], conversation: &str, text: &str) -> Result<u64> {
        let body = wire::Body { kind: 1, content: text.as_bytes().to_vec().into(), context: None };
        let client_message_id = id.to_vec().into();
        let conversation = conversation.to_owned();
        let send = wire::Send { conversation, client_message_id, after: bytes::Bytes::new(), body: Some(body) };
        match self.ask(Request::Send(send)).await? {
            Message::SendAck(ack) => Ok(ack.seq),
            other => panic!("no ack: {other:?}"),
        }
    }

    pub async fn fetch(&self, conversation: &str, seq: u64) -> Result<wire::Page> {
        let fetch = wire::Fetch { conversation: conversation.to_owned(), seq, ..Default::default() };
        match self.ask(Request::Fetch(fetch)).await? {
            Message::Page(page) => Ok(page),
            other => panic!("no page: {other:?}"),
        }
    }

    pub async fn mark_read(&self, conversation: &str, seq: u64) -> Result<()> {
        let mark = wire::MarkRead { conversation: conversation.to_owned(), seq };
        self.ask(Request::MarkRead(mark)).await.map(drop)
    }

    pub async fn new_group(&self, name: &str, members: &[u64]) -> String {
        let request = fresh_id().to_vec().into();
        let create = wire::CreateGroup { request, name: name.into(), open: false, members: members.to_vec() };
        match self.ask(Request::CreateGroup(create)).await {
            Ok(Message::GroupCreated(group)) => group.conversation,
            other => panic!("no group: {other:?}"),
        }
    }

    /// Waits for the push of a text.
    pub async fn hears(&mut self, text: &str) {
        let heard = async {
            loop {
                let Some(push) = self.pushes.as_mut().expect("it listens").next().await else {
                    panic!("{} is disconnected", self.name)
                };
                let Push::Event(wire::EventPush { event: Some(event), .. }) = push else { continue };
                if event.body().is_some_and(|body| body.content == text.as_bytes()) {
                    return;
                }
            }
        };
        within(heard).await;
    }

    /// Why the server has ended this connection.
    pub async fn is_kicked(&mut self) -> String {
        let kicked = async {
            loop {
                match self.pushes.as_mut().expect("it listens").next().await {
                    Some(Push::Kicked(kicked)) => return kicked.code,
                    Some(_) => {}
                    None => panic!("{} is disconnected without a word", self.name),
                }
            }
        };
        within(kicked).await
    }
}
