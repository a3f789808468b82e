//! Commands around presence.

use troupe_core::command::{NoteSeen, ShowPresence};
use troupe_core::form::DecodeError;
use troupe_core::record::Viewers;
use troupe_core::{Timestamp, UserId};

use crate::field;
use crate::wire::record as wire;

impl From<&NoteSeen> for wire::NoteSeen {
    fn from(c: &NoteSeen) -> Self {
        wire::NoteSeen { user: c.user.0, at: c.at.0 }
    }
}

impl From<wire::NoteSeen> for NoteSeen {
    fn from(c: wire::NoteSeen) -> Self {
        NoteSeen { user: UserId(c.user), at: Timestamp(c.at) }
    }
}

impl From<&ShowPresence> for wire::ShowPresence {
    fn from(c: &ShowPresence) -> Self {
        wire::ShowPresence { user: c.user.0, to: c.to.number().into() }
    }
}

impl TryFrom<wire::ShowPresence> for ShowPresence {
    type Error = DecodeError;

    fn try_from(c: wire::ShowPresence) -> Result<Self, DecodeError> {
        let to = Viewers::of(c.to).ok_or(field::invalid("show_presence.to", "everyone, contacts or no one"))?;
        Ok(ShowPresence { user: UserId(c.user), to })
    }
}
