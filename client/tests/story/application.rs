//! The application of a story: one client with a store, and the items that it receives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;
use troupe_client::{Acked, Client, Error, Events, FileStore, Incoming, SendHandle, StartAt, State};
use troupe_core::planted::Planted;
use troupe_core::{Body, ClientMessageId, EventKind};
use troupe_runtime::{Platform, Rng};

use super::frames::Result;
use super::server::{Server, Wires};

/// Items that no step has taken, by kind.
pub type Told = Arc<Mutex<BTreeMap<&'static str, VecDeque<Value>>>>;

struct Running {
    client: Client,
    events: Arc<tokio::sync::Mutex<Events>>,
    /// `None` while the application takes nothing.
    reader: Option<AbortOnDropHandle<()>>,
}

pub struct Application {
    folder: tempfile::TempDir,
    server: Arc<Server>,
    running: Option<Running>,
    pub handles: BTreeMap<String, SendHandle>,
    pub told: Told,
    planted: Planted,
}

impl Application {
    pub fn new(server: Arc<Server>, planted: Planted) -> Application {
        let folder = tempfile::tempdir().expect("a folder");
        Application { folder, server, planted, running: None, handles: BTreeMap::new(), told: Told::default() }
    }

    pub async fn start(&mut self, options: &Value) {
        let text = |name: &str| options[name].as_str().unwrap_or_default().to_owned();
        let nodes = options["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let start_at = match text("start_at").as_str() {
            "beginning" => StartAt::Beginning,
            "head" => StartAt::Head,
            _ => StartAt::Delivered,
        };
        let platform = Platform {
            net: Arc::new(Wires(self.server.clone())),
            rng: Arc::new(Rng::from_seed(7)),
            planted: self.planted,
            ..Platform::production()
        };
        let builder = Client::builder()
            .context(platform)
            .nodes(nodes)
            .credentials(text("name"), text("password"))
            .device(text("device"))
            .start_at(start_at)
            .store(self.store().await);
        let (client, events) = builder.start().expect("the options of a story are valid");
        self.running = Some(Running { client, events: Arc::new(tokio::sync::Mutex::new(events)), reader: None });
        self.take();
    }

    /// Takes items from now on.
    pub fn take(&mut self) {
        let Some(running) = &mut self.running else { return };
        let (told, server, events) = (self.told.clone(), self.server.clone(), running.events.clone());
        let reader = tokio::spawn(async move {
            let mut events = events.lock().await;
            while let Some(incoming) = events.next().await {
                let (kind, value) = shown(incoming);
                told.lock().entry(kind).or_default().push_back(value);
                server.changed.notify_one();
            }
        });
        running.reader = Some(AbortOnDropHandle::new(reader));
    }

    /// Takes no item from now on.
    pub fn hold(&mut self) {
        if let Some(running) = &mut self.running {
            running.reader = None;
        }
    }

    /// The earlier client releases the file shortly after its end.
    async fn store(&self) -> FileStore {
        loop {
            match FileStore::open(self.folder.path().join("alice.troupe")) {
                Ok(store) => return store,
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub fn kill(&mut self) {
        self.handles.clear();
        self.running = None;
    }

    pub async fn close(&mut self) {
        self.handles.clear();
        if let Some(running) = self.running.take() {
            running.client.close().await;
        }
    }

    fn client(&self) -> Result<&Client> {
        self.running.as_ref().map(|running| &running.client).ok_or_else(|| "the client was not started".to_owned())
    }

    /// Returns the id of the message, or the code of its refusal.
    pub fn send(&mut self, step: &Value, id: Option<Bytes>) -> Result<std::result::Result<[u8; 16], String>> {
        let text = |name: &str| step[name].as_str().unwrap_or_default();
        let conversation = text("conversation").parse().map_err(|_| "this is no conversation".to_owned())?;
        let (client, body) = (self.client()?, Body::text(text("text")));
        let sent = match id {
            Some(id) => {
                let id = id.as_ref().try_into().map_err(|_| "an id has 16 bytes".to_owned())?;
                client.send_as(conversation, ClientMessageId(id), body)
            }
            None => client.send(conversation, body),
        };
        match sent {
            Ok(handle) => {
                let id = handle.id.0;
                self.handles.insert(text("as").to_owned(), handle);
                Ok(Ok(id))
            }
            Err(error) => Ok(Err(error.code().unwrap_or_default().to_owned())),
        }
    }

    pub fn outbox(&self) -> Result<usize> {
        Ok(self.client()?.outbox_len())
    }

    pub async fn outcome(&mut self, name: &str, within: Duration) -> Result<troupe_client::Result<Acked>> {
        let handle = self.handles.remove(name).ok_or_else(|| format!("no message is named {name}"))?;
        tokio::time::timeout(within, handle).await.map_err(|_| format!("{name} has no outcome"))
    }
}

/// The name of an error in stories, and its code.
pub fn error(error: &Error) -> (&'static str, String) {
    let name = match error {
        Error::Rejected { .. } => "rejected",
        Error::Stopped(_) => "stopped",
        Error::Unavailable(_) => "unavailable",
        _ => "another error",
    };
    (name, error.code().unwrap_or_default().to_owned())
}

fn shown(incoming: Incoming) -> (&'static str, Value) {
    match incoming {
        Incoming::Event { conversation, event } => {
            let mut shown =
                json!({"conversation": conversation.to_string(), "seq": event.seq.0, "sender": event.sender.0});
            match &event.kind {
                EventKind::Unknown { kind, .. } => shown["unsupported"] = json!(kind),
                EventKind::Message(body) => shown["text"] = json!(body.as_text()),
                _ => {}
            }
            ("event", shown)
        }
        Incoming::State(state) => ("state", state_as(&state)),
        Incoming::Settled { conversation, id, outcome } => {
            let mut shown = json!({"conversation": conversation.to_string(), "message": id.to_string()});
            match &outcome {
                Ok(acked) => shown["seq"] = json!(acked.seq.0),
                Err(why) => shown["code"] = json!(error(why).1),
            }
            ("settled", shown)
        }
        Incoming::Restored { conversation, kept, lost, .. } => {
            ("restored", json!({"conversation": conversation.to_string(), "kept": kept.0, "lost": lost}))
        }
        Incoming::ConversationAdded { conversation, head } => {
            ("conversation_added", json!({"conversation": conversation.to_string(), "head": head.0}))
        }
        Incoming::ConversationRemoved { conversation } => {
            ("conversation_removed", json!({"conversation": conversation.to_string()}))
        }
        Incoming::Invitation { conversation, by } => {
            ("invited", json!({"conversation": conversation.to_string(), "by": by.0}))
        }
        Incoming::Profile(own) => ("profile", json!({"version": own.version})),
        Incoming::Signal { conversation, from, device, kind, payload, seq } => (
            "signal",
            json!({
                "conversation": conversation.to_string(),
                "user": from.0,
                "device": device,
                "kind": kind,
                "payload": String::from_utf8_lossy(&payload),
                "seq": seq.0,
            }),
        ),
        Incoming::Presence(presence) => ("presence", json!({"user": presence.user.0, "online": presence.online})),
        Incoming::Favourite { conversation, seq, removed, version } => {
            let what =
                json!({"conversation": conversation.to_string(), "seq": seq.0, "removed": removed, "version": version});
            ("favourite", what)
        }
        Incoming::Personal { conversation, state } => {
            ("personal", json!({"conversation": conversation.to_string(), "version": state.version, "pin": state.pin}))
        }
        Incoming::Contact(contact) => ("contact", json!({"user": contact.user.0, "version": contact.version})),
        Incoming::Cursor { conversation, user, delivered, read } => (
            "cursor",
            json!({
                "conversation": conversation.to_string(),
                "user": user.0,
                "delivered": delivered.0,
                "read": read.0,
            }),
        ),
    }
}

fn state_as(state: &State) -> Value {
    match state {
        State::Connecting => json!({"connecting": true}),
        State::Online { address, .. } => json!({"online": address}),
        State::Offline { .. } => json!({"offline": true}),
        State::Kicked { code, .. } => json!({"kicked": code}),
    }
}
