//! Changes of a user's own state of a conversation, in the slot of the conversation.

use crate::id::{ClientMessageId, ConversationId, Seq, Timestamp, UserId};

/// By the user itself. A repeat with the same `request` changes nothing and is answered alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePersonal {
    pub conversation: ConversationId,
    pub user: UserId,
    pub request: ClientMessageId,
    /// The version that the device has seen. The change is refused if a property that it names was
    /// changed since. `None`: the last change in the log wins.
    pub seen: Option<u64>,
    pub change: PersonalChange,
}

/// By the user itself: these messages are not shown to it any more. A repeat changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteForMe {
    pub conversation: ConversationId,
    pub user: UserId,
    pub seqs: Vec<Seq>,
}

/// Properties that are present are set; all others stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PersonalChange {
    pub pin: Option<u64>,
    pub muted_until: Option<Timestamp>,
    pub archived: Option<bool>,
    pub hidden: Option<bool>,
    pub draft: Option<String>,
    pub marked_unread: Option<bool>,
    /// The history up to here is cleared.
    pub clear_to: Option<Seq>,
}
