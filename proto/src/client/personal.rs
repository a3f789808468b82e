//! A user's own state of a conversation as its devices see it.

use troupe_core::command::{ChangePersonal, PersonalChange};
use troupe_core::form::DecodeError;
use troupe_core::record::Personal;
use troupe_core::{ConversationId, Seq, Timestamp, UserId};

use crate::field;
use crate::wire::client as wire;

/// A change of the caller's own state. Core validates the values.
pub fn change_personal(user: UserId, change: wire::ChangePersonal) -> Result<ChangePersonal, DecodeError> {
    let wire::ChangePersonal { pin, muted_until_ms, archived, hidden, draft, marked_unread, clear_to, .. } = change;
    Ok(ChangePersonal {
        conversation: field::conversation("change_personal.conversation", &change.conversation)?,
        user,
        request: field::client_message_id("change_personal.request", &change.request)?,
        seen: change.seen,
        change: PersonalChange {
            pin,
            muted_until: muted_until_ms.map(Timestamp),
            archived,
            hidden,
            draft,
            marked_unread,
            clear_to: clear_to.map(Seq),
        },
    })
}

/// Of a conversation with this head, which the user has read up to `read`.
pub fn personal(conversation: ConversationId, row: Personal, head: Seq, read: Seq) -> wire::Personal {
    wire::Personal {
        conversation: conversation.to_string(),
        version: row.version,
        pin: row.pin,
        muted_until_ms: row.muted_until.0,
        archived: row.archived,
        hidden: row.is_hidden(head),
        marked_unread: row.is_marked(read),
        cleared: row.cleared.0,
        deleted: row.deleted.iter().map(|seq| seq.0).collect(),
        draft: row.draft,
    }
}
