//! The head that a conversation had when it was restored from a backup, or recovered. Later events
//! are of the new history.

use super::number;
use crate::id::{ConversationId, Seq};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptHead(pub Seq);

number!(KeptHead, Conversations, Some(b'p'), ConversationId);
