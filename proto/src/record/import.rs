//! Imported events. Each has the form that logs have.

use bytes::Bytes;
use troupe_core::command::{Destination, Import};
use troupe_core::event::wire::Event;
use troupe_core::form::DecodeError;

use super::account::author;
use crate::field;
use crate::wire::record as wire;

impl From<&Import> for wire::Import {
    fn from(c: &Import) -> Self {
        let (conversation, group_key, open) = match c.into {
            Destination::Known(conversation) => (conversation.to_string(), Bytes::new(), false),
            Destination::Group { key, open } => (String::new(), Bytes::copy_from_slice(&key.0), open),
        };
        wire::Import {
            conversation,
            group_key,
            open,
            request: Bytes::copy_from_slice(&c.request.0),
            by: Some((&c.by).into()),
            source: c.source.clone(),
            events: c.events.iter().map(Event::from).collect(),
            cursors: c.cursors.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<wire::Import> for Import {
    type Error = DecodeError;

    fn try_from(c: wire::Import) -> Result<Self, DecodeError> {
        let into = match c.conversation.as_str() {
            "" => Destination::Group { key: field::client_message_id("import.group_key", &c.group_key)?, open: c.open },
            named => Destination::Known(field::conversation("import.conversation", named)?),
        };
        Ok(Import {
            into,
            request: field::client_message_id("import.request", &c.request)?,
            by: author(c.by),
            source: c.source,
            events: c.events.into_iter().map(Event::faithful).collect::<Result<_, _>>()?,
            cursors: c.cursors.into_iter().map(Into::into).collect(),
        })
    }
}
