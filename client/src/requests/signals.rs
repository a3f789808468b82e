//! Signals: they are sent once, and lost without harm.

use bytes::Bytes;
use troupe_core::{ConversationId, signal};
use troupe_proto::wire::client as wire;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};

impl Client {
    /// Tells the other members that this user types. Repeat it every few seconds while that lasts.
    pub async fn send_typing(&self, conversation: ConversationId) -> Result<()> {
        self.signal(conversation, signal::TYPING, Bytes::new(), 0).await
    }

    /// Sends a signal to the devices of the other members that are connected now; `device`: in a
    /// direct conversation only to that one, unless it is 0. It is never repeated: it arrives at
    /// most once, or not at all.
    pub async fn signal(&self, conversation: ConversationId, kind: u32, payload: Bytes, device: u64) -> Result<()> {
        let connection = self.connection().ok_or_else(|| Error::Unavailable("not connected: try again".into()))?;
        let signal = wire::Signal { conversation: conversation.to_string(), kind, payload, device };
        match connection.request(Request::Signal(signal)).await? {
            Message::Done(wire::Done {}) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}
