//! The number of an event among those that are numbered for a user: [`crate::unread`].

use super::number;
use crate::id::{ConversationId, Seq, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub u64);

number!(Number, Conversations, Some(0x40), (ConversationId, UserId, Seq));
