//! The place that a client message id has taken: what makes a repetition harmless.

use super::number;
use crate::id::{ClientMessageId, ConversationId, Seq, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed(pub Seq);

number!(Placed, Conversations, Some(b'd'), (ConversationId, UserId, ClientMessageId));
