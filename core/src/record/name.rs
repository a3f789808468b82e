//! The user of a name, by the name's key. Its slot is the hash of the key, so that a login can
//! compute it.

use super::number;
use crate::id::{Slot, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameOf(pub UserId);

impl NameOf {
    /// The row of a name's key.
    pub fn of(key: &str) -> (Slot, String) {
        (Slot::of(key.as_bytes()), key.to_owned())
    }
}

number!(NameOf, Users, Some(b'n'), (Slot, String));
