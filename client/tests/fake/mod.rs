//! An in-memory server that speaks the protocol over duplex streams: one state, and many nodes that
//! can be cut, frozen, and made to lose or repeat frames.

mod wires;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::{broadcast, watch};
use tokio_util::codec::Framed;
use troupe_core::{EventKind, Rejection};
use troupe_proto::client::Refusal;
use troupe_proto::frame::FrameCodec;
use troupe_proto::wire::client::client_frame::Request;
use troupe_proto::wire::client::server_frame::Message;
use troupe_proto::wire::client::{self as wire, ClientFrame, Failure, ServerFrame};
use troupe_runtime::{Platform, Rng, Stream};

use wires::Wires;

/// How a node treats the frames of its clients, in percent.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// A send is accepted, and its ack is lost with the connection.
    pub cut_after_send: u64,
    /// A send is answered as unavailable, in half of the cases after it was accepted.
    pub unavailable: u64,
    pub overloaded: u64,
    pub lose_push: u64,
    pub repeat_push: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Up,
    /// Refuses and closes connections.
    Down,
    /// Keeps connections open and stays silent.
    Frozen,
    /// Belongs to another cluster now, and knows no user of this one.
    Foreign,
}

#[derive(Default)]
struct Truth {
    logs: BTreeMap<String, Vec<wire::Event>>,
    users: Vec<String>,
    /// After a restore: the number of the history, and the restored heads.
    history: u64,
    kept: BTreeMap<String, u64>,
}

pub struct Server {
    truth: Mutex<Truth>,
    pushes: broadcast::Sender<(String, wire::Event)>,
    modes: BTreeMap<String, watch::Sender<Mode>>,
    pub faults: Mutex<Faults>,
    go_away: watch::Sender<Option<String>>,
    rng: Rng,
    /// The id of the cluster, and the ids of the clusters that it was restored from.
    pub cluster: Mutex<(&'static str, Vec<&'static str>)>,
    /// Received passwords, tokens and messages, in words.
    pub heard: Mutex<Vec<String>>,
    /// Every session has ended.
    pub forgetful: Mutex<bool>,
}

impl Server {
    pub fn new(nodes: &[&str], seed: u64) -> Arc<Server> {
        let modes = nodes.iter().map(|node| (node.to_string(), watch::Sender::new(Mode::Up))).collect();
        Arc::new(Server {
            truth: Mutex::default(),
            pushes: broadcast::Sender::new(4096),
            modes,
            faults: Mutex::default(),
            go_away: watch::Sender::new(None),
            rng: Rng::from_seed(seed),
            cluster: Mutex::new(("one", Vec::new())),
            heard: Mutex::default(),
            forgetful: Mutex::new(false),
        })
    }

    /// The platform of a client of this server.
    pub fn context(self: &Arc<Server>, seed: u64) -> Platform {
        let net = Arc::new(Wires(self.clone()));
        Platform { net, rng: Arc::new(Rng::from_seed(seed)), ..Platform::production() }
    }

    pub fn set(&self, node: &str, mode: Mode) {
        self.modes[node].send_replace(mode);
    }

    /// The node asks its clients to leave.
    pub fn drain(&self, node: &str) {
        self.go_away.send_replace(Some(node.to_owned()));
    }

    /// The texts of a log, with their seqs.
    pub fn log(&self, conversation: &str) -> Vec<(u64, String)> {
        let truth = self.truth.lock();
        let events = truth.logs.get(conversation).into_iter().flatten();
        events.map(|event| (event.seq, text(event))).collect()
    }

    /// Appends an event of any kind, as a server of a later version might, and pushes it.
    pub fn put(&self, conversation: &str, sender: u64, kind: u32, content: &[u8]) {
        let mut truth = self.truth.lock();
        let log = truth.logs.entry(conversation.to_owned()).or_default();
        let seq = log.len() as u64 + 1;
        let event = wire::Event {
            seq,
            time_ms: 1,
            sender,
            client_message_id: Bytes::copy_from_slice(&u128::from(seq).to_be_bytes()),
            kind,
            content: Bytes::copy_from_slice(content),
            ..wire::Event::default()
        };
        log.push(event.clone());
        drop(self.pushes.send((conversation.to_owned(), event)));
    }

    /// All logs are cut to at most this many events, as after a restore from an older backup.
    pub fn restore(&self, kept: usize, history: u64) {
        let mut truth = self.truth.lock();
        truth.history = history;
        truth.logs.values_mut().for_each(|log| log.truncate(kept));
        truth.logs.retain(|_, log| !log.is_empty());
        truth.kept = truth.logs.iter().map(|(conversation, log)| (conversation.clone(), log.len() as u64)).collect();
    }

    fn chance(&self, percent: u64) -> bool {
        self.rng.range(0, 100) < percent
    }

    fn place(&self, user: u64, send: &wire::Send) -> Result<wire::SendAck, Failure> {
        let mut truth = self.truth.lock();
        let log = truth.logs.entry(send.conversation.clone()).or_default();
        let find = |id: &Bytes| log.iter().find(|event| event.sender == user && event.client_message_id == *id);
        let ack = |event: &wire::Event, duplicate| wire::SendAck {
            client_message_id: event.client_message_id.clone(),
            seq: event.seq,
            time_ms: event.time_ms,
            duplicate,
            conversation: send.conversation.clone(),
        };
        if let Some(event) = find(&send.client_message_id) {
            return Ok(ack(event, true));
        }
        if send.conversation.starts_with('g') && send.conversation != "g1024" {
            return Err(Failure::rejected(&Rejection::NotMember));
        }
        if send.body.as_ref().is_some_and(|body| body.content.starts_with(b"poison")) {
            return Err(Failure::rejected(&Rejection::NotAllowed));
        }
        if !send.after.is_empty() && find(&send.after).is_none() {
            return Err(Failure::rejected(&Rejection::OutOfOrder));
        }
        let event = wire::Event {
            seq: log.len() as u64 + 1,
            time_ms: 1,
            sender: user,
            client_message_id: send.client_message_id.clone(),
            kind: EventKind::MESSAGE,
            content: send.body.clone().unwrap_or_default().encode_to_vec().into(),
            ..wire::Event::default()
        };
        let placed = ack(&event, false);
        log.push(event.clone());
        drop(self.pushes.send((send.conversation.clone(), event)));
        Ok(placed)
    }

    fn user(&self, name: &str) -> u64 {
        let mut truth = self.truth.lock();
        let known = truth.users.iter().position(|user| user == name);
        let at = known.unwrap_or_else(|| {
            truth.users.push(name.to_owned());
            truth.users.len() - 1
        });
        at as u64 + 1
    }

    fn answer(&self, request: &Request, user: &mut Option<u64>) -> Message {
        let failed = |why: Refusal| Message::Failure(Failure::refused(why));
        match request {
            Request::Login(login) => self.heard.lock().push(format!("password of {}", login.name)),
            Request::Resume(_) => self.heard.lock().push("token".to_owned()),
            Request::Send(send) => self.heard.lock().push(format!("message to {}", send.conversation)),
            Request::Logout(_) => self.heard.lock().push("logout".to_owned()),
            Request::MarkRead(mark) => self.heard.lock().push(format!("read {} {}", mark.conversation, mark.seq)),
            _ => {}
        }
        let (cluster, continues) = self.cluster.lock().clone();
        match (request, *user) {
            (Request::Hello(_), _) => Message::Welcome(wire::Welcome {
                version: 1,
                node_id: 1,
                nodes: self.modes.keys().cloned().collect(),
                send_window: 16,
                ping_seconds: 30,
                cluster_id: cluster.into(),
                continues: continues.into_iter().map(Bytes::from).collect(),
                history: self.truth.lock().history,
                ..Default::default()
            }),
            (Request::Register(register), _) => {
                Message::Registered(wire::Registered { user_id: self.user(&register.name) })
            }
            (Request::Login(login), _) if login.password != "password" => failed(Refusal::WrongCredentials),
            (Request::Login(login), _) => {
                let id = self.user(&login.name);
                *user = Some(id);
                let token = Bytes::from(format!("{id} {} {}", login.name, login.device));
                Message::LoggedIn(wire::LoggedIn {
                    user_id: id,
                    name: login.name.clone(),
                    device: login.device.clone(),
                    token,
                })
            }
            (Request::Resume(_), _) if *self.forgetful.lock() => failed(Refusal::ExpiredToken),
            (Request::Resume(resume), _) => {
                let token = String::from_utf8_lossy(&resume.token).into_owned();
                let mut parts = token.split(' ');
                let (Some(id), Some(name), Some(device)) =
                    (parts.next().and_then(|id| id.parse().ok()), parts.next(), parts.next())
                else {
                    return failed(Refusal::ExpiredToken);
                };
                *user = Some(id);
                let (name, device) = (name.to_owned(), device.to_owned());
                Message::LoggedIn(wire::LoggedIn { user_id: id, name, device, token: Bytes::new() })
            }
            (_, None) => failed(Refusal::NotLoggedIn),
            (Request::Send(send), Some(user)) => match self.place(user, send) {
                Ok(ack) => Message::SendAck(ack),
                Err(failure) => Message::Failure(failure),
            },
            (Request::Fetch(fetch), _) => {
                let truth = self.truth.lock();
                let log = truth.logs.get(&fetch.conversation).map(Vec::as_slice).unwrap_or_default();
                let page: Vec<_> = log.iter().filter(|event| event.seq > fetch.seq).take(7).cloned().collect();
                let head = log.len() as u64;
                let more = page.last().is_some_and(|last| last.seq < head);
                let conversation = fetch.conversation.clone();
                Message::Page(wire::Page { conversation, events: page, head, more, ..Default::default() })
            }
            (Request::ListConversations(_), _) => {
                let truth = self.truth.lock();
                let line = |(conversation, log): (&String, &Vec<wire::Event>)| wire::Conversation {
                    conversation: conversation.clone(),
                    head: log.len() as u64,
                    // Every group has the name of a user.
                    name: if conversation.starts_with('g') { "bob".into() } else { String::new() },
                    kept: truth.kept.get(conversation).copied().unwrap_or(0),
                    ..Default::default()
                };
                let conversations = truth.logs.iter().map(line).collect();
                Message::Conversations(wire::Conversations { conversations, ..Default::default() })
            }
            (Request::GetUsers(get), _) => {
                let truth = self.truth.lock();
                let wanted =
                    |(at, name): &(usize, &String)| get.ids.contains(&(*at as u64 + 1)) || get.names.contains(name);
                let user = |(at, name): (usize, &String)| wire::User {
                    user_id: at as u64 + 1,
                    name: name.clone(),
                    online: true,
                    ..Default::default()
                };
                let users = truth.users.iter().enumerate().filter(wanted).map(user).collect();
                Message::Users(wire::Users { users, more: false })
            }
            (Request::ChangeGroup(change), _) if change.conversation == "g1024" => {
                Message::Failure(Failure::rejected(&Rejection::LastOwner))
            }
            (Request::Ping(ping), _) => Message::Pong(wire::Pong { nonce: ping.nonce }),
            _ => Message::Done(wire::Done {}),
        }
    }

    async fn serve(self: Arc<Server>, node: String, stream: Box<dyn Stream>) {
        let mut frames = Framed::new(stream, FrameCodec::server());
        let mut pushes = self.pushes.subscribe();
        let mut mode = self.modes[&node].subscribe();
        let mut go_away = self.go_away.subscribe();
        let mut user = None;
        loop {
            let now = *mode.borrow_and_update();
            match now {
                Mode::Down => return,
                Mode::Frozen => {
                    if mode.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
                Mode::Up | Mode::Foreign => {}
            }
            let faults = *self.faults.lock();
            let mut say: Vec<ServerFrame> = Vec::new();
            let push = |message| ServerFrame { request_id: 0, message: Some(message) };
            tokio::select! {
                _ = mode.changed() => continue,
                _ = go_away.changed() => {
                    if go_away.borrow_and_update().as_deref() == Some(node.as_str()) {
                        let nodes = self.modes.keys().filter(|other| **other != node).cloned().collect();
                        say.push(push(Message::GoAway(wire::GoAway { nodes })));
                    }
                }
                frame = frames.next() => {
                    let Some(Ok(payload)) = frame else { return };
                    let Ok(ClientFrame { request_id, request: Some(request) }) = ClientFrame::decode(payload) else { return };
                    if matches!(request, Request::Acknowledge(_) | Request::Pong(_)) {
                        continue;
                    }
                    let reply = |message| ServerFrame { request_id, message: Some(message) };
                    if matches!(request, Request::Send(_)) && self.chance(faults.unavailable) {
                        if self.chance(50) {
                            self.answer(&request, &mut user);
                        }
                        say.push(reply(Message::Failure(Failure::unavailable(0))));
                    } else if matches!(request, Request::Send(_)) && self.chance(faults.overloaded) {
                        say.push(reply(Message::Failure(Failure::overloaded(5))));
                    } else {
                        let mut answer = self.answer(&request, &mut user);
                        if now == Mode::Foreign {
                            answer = match answer {
                                Message::Welcome(welcome) => {
                                    Message::Welcome(wire::Welcome { cluster_id: "another".into(), ..welcome })
                                }
                                _ => Message::Failure(Failure::refused(Refusal::ExpiredToken)),
                            };
                        }
                        if matches!(request, Request::Send(_)) && self.chance(faults.cut_after_send) {
                            return;
                        }
                        say.push(reply(answer));
                    }
                }
                event = pushes.recv(), if user.is_some() => match event {
                    Ok((conversation, event)) if !self.chance(faults.lose_push) => {
                        let event = push(Message::Event(wire::EventPush { conversation, event: Some(event) }));
                        if self.chance(faults.repeat_push) {
                            say.push(event.clone());
                        }
                        say.push(event);
                    }
                    Ok((conversation, event)) => {
                        // Repairs a lost push: the exchange of heads.
                        let head = wire::ConversationPush { conversation, present: true, head: event.seq };
                        say.push(push(Message::Conversation(head)));
                    }
                    Err(_) => return,
                }
            }
            for frame in say {
                if frames.send(&frame).await.is_err() {
                    return;
                }
            }
        }
    }
}

pub fn text(event: &wire::Event) -> String {
    match event.body() {
        Some(body) => String::from_utf8_lossy(&body.content).into_owned(),
        None => format!("kind {}", event.kind),
    }
}
