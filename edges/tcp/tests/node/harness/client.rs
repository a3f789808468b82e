//! A client that speaks bare frames.

use std::collections::{BTreeMap, VecDeque};

use bytes::BytesMut;
use prost::Message as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use troupe_core::{Event, EventKind, limits};
use troupe_proto::frame::{FrameDecoder, encode_frame};
use troupe_proto::wire::client as wire;
use troupe_runtime::Stream;

use super::{Ask, Node, ServerMessage, within};

pub struct Client {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    pushes: VecDeque<ServerMessage>,
    /// Answers that came before the one that was waited for: reads have no order.
    early: BTreeMap<u64, ServerMessage>,
    next_id: u64,
    pub user: u64,
    salt: u64,
    request: u64,
}

impl Client {
    pub async fn connect(node: &Node) -> Client {
        let address = node.edge.address().to_string();
        let stream = within(node.platform.net.connect(&address)).await.expect("a connection");
        Client {
            stream,
            buffer: BytesMut::new(),
            pushes: VecDeque::new(),
            early: BTreeMap::new(),
            next_id: 1,
            user: 0,
            salt: node.platform.rng.u64(),
            request: 0,
        }
    }

    /// Says hello; nothing may come before the welcome.
    pub async fn greet(&mut self) {
        let hello = wire::Hello { min_version: 1, max_version: 1, client: "test".into() };
        let ServerMessage::Welcome(welcome) = self.ask(Ask::Hello(hello)).await else { panic!("not welcome") };
        assert_eq!((welcome.version, self.pushes.len()), (1, 0));
    }

    pub async fn ask(&mut self, request: Ask) -> ServerMessage {
        let id = self.tell(request).await;
        self.answer(id).await
    }

    /// Sends without waiting; returns the id that the answer will have.
    pub async fn tell(&mut self, request: Ask) -> u64 {
        let request_id = self.next_id;
        self.next_id += 1;
        let mut bytes = BytesMut::new();
        encode_frame(&wire::ClientFrame { request_id, request: Some(request) }, &mut bytes);
        self.write(&bytes).await;
        request_id
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.expect("written");
    }

    pub async fn answer(&mut self, id: u64) -> ServerMessage {
        loop {
            if let Some(message) = self.early.remove(&id) {
                return message;
            }
            let (request_id, message) = self.frame().await.expect("an answer before the end");
            if request_id == 0 {
                self.pushes.push_back(message);
            } else {
                assert!(self.early.insert(request_id, message).is_none(), "two answers to {request_id}");
            }
        }
    }

    /// The next push that fits; the others before it are passed over.
    pub async fn push<T>(&mut self, fits: impl Fn(&ServerMessage) -> Option<T>) -> T {
        loop {
            while let Some(message) = self.pushes.pop_front() {
                if let Some(found) = fits(&message) {
                    return found;
                }
            }
            let (_, message) = self.frame().await.expect("a push before the end");
            self.pushes.push_back(message);
        }
    }

    /// The next event of a conversation: its seq and text (or what else it is).
    pub async fn event(&mut self, conversation: &str) -> (u64, String) {
        self.push(|said| match said {
            ServerMessage::Event(push) if push.conversation == conversation => push.event.as_ref().map(show),
            _ => None,
        })
        .await
    }

    /// Reads until the server has closed; returns the last frame.
    pub async fn end(&mut self) -> Option<ServerMessage> {
        let mut last = self.pushes.pop_back();
        while let Some((_, message)) = self.frame().await {
            last = Some(message);
        }
        last
    }

    async fn frame(&mut self) -> Option<(u64, ServerMessage)> {
        let decoder = FrameDecoder { cap: limits::SERVER_FRAME_BYTES };
        loop {
            if let Some(payload) = decoder.decode(&mut self.buffer).expect("a frame") {
                let frame = wire::ServerFrame::decode(payload).expect("a message");
                return Some((frame.request_id, frame.message.expect("something said")));
            }
            let read = within(self.stream.read_buf(&mut self.buffer)).await;
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    pub async fn register(&mut self, name: &str) -> u64 {
        let request = self.fresh_id();
        let register = wire::Register { name: name.into(), password: password(name), request, ..Default::default() };
        match self.ask(Ask::Register(register)).await {
            ServerMessage::Registered(registered) => registered.user_id,
            other => panic!("{name} is not registered: {other:?}"),
        }
    }

    pub async fn log_in(&mut self, name: &str, device: &str) -> wire::LoggedIn {
        let login =
            wire::Login { name: name.into(), password: password(name), device: device.into(), ..Default::default() };
        match self.ask(Ask::Login(login)).await {
            ServerMessage::LoggedIn(logged_in) => {
                self.user = logged_in.user_id;
                logged_in
            }
            other => panic!("{name} is not logged in: {other:?}"),
        }
    }

    pub async fn create_group(&mut self, name: &str, members: &[u64]) -> String {
        let request = self.fresh_id();
        let create = wire::CreateGroup { request, name: name.into(), open: false, members: members.to_vec() };
        match self.ask(Ask::CreateGroup(create)).await {
            ServerMessage::GroupCreated(created) => created.conversation,
            other => panic!("{name} is not created: {other:?}"),
        }
    }

    pub async fn send(&mut self, conversation: &str, text: &str) -> wire::SendAck {
        let id = self.fresh_id();
        self.send_as(conversation, text, id).await
    }

    pub async fn send_as(&mut self, conversation: &str, text: &str, id: bytes::Bytes) -> wire::SendAck {
        match self.ask(Ask::Send(message(conversation, text, id))).await {
            ServerMessage::SendAck(ack) => ack,
            other => panic!("{text} is not sent: {other:?}"),
        }
    }

    pub async fn fails(&mut self, request: Ask) -> wire::Failure {
        match self.ask(request).await {
            ServerMessage::Failure(failure) => failure,
            other => panic!("should have failed: {other:?}"),
        }
    }

    /// Sends until it is acked: a failover may take longer than one request is tried.
    pub async fn send_until_acked(&mut self, conversation: &str, text: &str) -> wire::SendAck {
        let id = self.fresh_id();
        loop {
            match self.ask(Ask::Send(message(conversation, text, id.clone()))).await {
                ServerMessage::SendAck(ack) => return ack,
                ServerMessage::Failure(failure) if failure.kind() != wire::failure::Kind::Rejected => {}
                other => panic!("{text} is not sent: {other:?}"),
            }
        }
    }

    /// Waits until this connection has heard of an event, by a push of it or by a head to fetch up
    /// to.
    pub async fn hears_of(&mut self, conversation: &str, seq: u64) {
        self.push(|said| match said {
            ServerMessage::Event(push) if push.conversation == conversation => {
                push.event.as_ref().filter(|event| event.seq >= seq).map(drop)
            }
            ServerMessage::Conversation(push) if push.conversation == conversation && push.head >= seq => Some(()),
            _ => None,
        })
        .await
    }

    /// Waits for the push of the conversation, which means that it is subscribed.
    pub async fn follows(&mut self, conversation: &str) -> u64 {
        self.push(|said| match said {
            ServerMessage::Conversation(push) if push.present && push.conversation == conversation => Some(push.head),
            _ => None,
        })
        .await
    }

    pub async fn history(&mut self, conversation: &str) -> Vec<(u64, String)> {
        let fetch = wire::Fetch { conversation: conversation.into(), ..Default::default() };
        match self.ask(Ask::Fetch(fetch)).await {
            ServerMessage::Page(page) => page.events.iter().map(show).collect(),
            other => panic!("no history of {conversation}: {other:?}"),
        }
    }

    pub fn fresh_id(&mut self) -> bytes::Bytes {
        self.request += 1;
        let unique = (u128::from(self.salt) << 64) | u128::from(self.request);
        bytes::Bytes::copy_from_slice(&unique.to_be_bytes())
    }
}

pub fn password(name: &str) -> String {
    format!("the password of {name}")
}

pub fn message(conversation: &str, text: &str, id: bytes::Bytes) -> wire::Send {
    let body = wire::Body { kind: 1, content: text.as_bytes().to_vec().into(), context: None };
    wire::Send {
        conversation: conversation.into(),
        client_message_id: id,
        after: bytes::Bytes::new(),
        body: Some(body),
    }
}

pub fn direct(a: u64, b: u64) -> String {
    format!("d{}-{}", a.min(b), a.max(b))
}

fn show(event: &wire::Event) -> (u64, String) {
    let text = match Event::try_from(event.clone()).expect("an event").kind {
        EventKind::Message(body) => String::from_utf8_lossy(&body.content).into_owned(),
        EventKind::Created { name } => format!("created {name}"),
        EventKind::Renamed { name } => format!("renamed {name}"),
        EventKind::Added { users } => format!("added {:?}", users.iter().map(|user| user.0).collect::<Vec<_>>()),
        EventKind::Removed { user } => format!("removed {user}"),
        EventKind::RoleChanged { user, .. } => format!("role of {user}"),
        EventKind::Unknown { kind, content } => format!("unknown {kind} {content:?}"),
        kind => kind.words(),
    };
    (event.seq, text)
}
