//! The entries of a conversation's log: [`Event`] in the form of [`crate::event::wire`], with a
//! seal since version 2.

use prost::Message;

use super::table;
use crate::event::{Event, wire};
use crate::form::{DecodeError, Form, Nothing, Record, open};
use crate::id::{ConversationId, Seq};

/// Version 1: without flags and without the hash of the content; its chain covers the content.
struct Unsealed(Event);

/// Version 2: the envelope holds everything that the chain covers.
struct Sealed(Event);

impl Form for Unsealed {
    const VERSION: u8 = 1;
    type Previous = Nothing;

    fn parse(message: &[u8]) -> Result<Self, DecodeError> {
        let event = wire::Event::decode(message)?.faithful()?;
        Ok(Unsealed(Event { seal: None, ..event }))
    }

    fn migrate(previous: Nothing) -> Self {
        match previous {}
    }
}

impl Form for Sealed {
    const VERSION: u8 = 2;
    type Previous = Unsealed;

    fn parse(message: &[u8]) -> Result<Self, DecodeError> {
        let event = wire::Event::decode(message)?.faithful()?;
        event.seal.ok_or(DecodeError::Missing { field: "event.content_hash" })?;
        Ok(Sealed(event))
    }

    /// It stays without a seal, so that the reader knows what its chain is over. The flags follow
    /// from its kind.
    fn migrate(Unsealed(event): Unsealed) -> Self {
        Sealed(event)
    }
}

impl Record for Event {
    const VERSION: u8 = Sealed::VERSION;

    fn encode(&self) -> Vec<u8> {
        self.encode_over(&self.kind.content())
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        open::<Sealed>(bytes).map(|Sealed(event)| event)
    }
}

impl Event {
    /// The row, where the content is encoded already; in the version of its first encoding.
    pub(crate) fn encode_over(&self, content: &[u8]) -> Vec<u8> {
        let version = if self.seal.is_some() { Sealed::VERSION } else { Unsealed::VERSION };
        self.put(content, Some(version))
    }
}

table!(Event, Events, None, (ConversationId, Seq));
