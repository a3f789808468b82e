//! The group that a request of its creator has made.

use super::number;
use crate::id::{ClientMessageId, GroupId, Slot, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupOfRequest(pub GroupId);

number!(GroupOfRequest, Conversations, Some(b'g'), (Slot, UserId, ClientMessageId));
