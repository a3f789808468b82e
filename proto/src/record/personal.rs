//! Commands around a user's own state of a conversation, and the messages that it saves.

use bytes::Bytes;
use troupe_core::command::{ChangeFavourite, ChangePersonal, DeleteForMe, PersonalChange};
use troupe_core::form::DecodeError;
use troupe_core::{Seq, Timestamp, UserId};

use crate::field;
use crate::wire::record as wire;

impl From<&ChangePersonal> for wire::ChangePersonal {
    fn from(c: &ChangePersonal) -> Self {
        let PersonalChange { pin, muted_until, archived, hidden, draft, marked_unread, clear_to } = c.change.clone();
        wire::ChangePersonal {
            conversation: c.conversation.to_string(),
            user: c.user.0,
            request: Bytes::copy_from_slice(&c.request.0),
            seen: c.seen,
            pin,
            muted_until: muted_until.map(|until| until.0),
            archived,
            hidden,
            draft,
            marked_unread,
            clear_to: clear_to.map(|to| to.0),
        }
    }
}

impl TryFrom<wire::ChangePersonal> for ChangePersonal {
    type Error = DecodeError;

    fn try_from(c: wire::ChangePersonal) -> Result<Self, DecodeError> {
        let wire::ChangePersonal { pin, muted_until, archived, hidden, draft, marked_unread, clear_to, .. } = c;
        Ok(ChangePersonal {
            conversation: field::conversation("change_personal.conversation", &c.conversation)?,
            user: UserId(c.user),
            request: field::client_message_id("change_personal.request", &c.request)?,
            seen: c.seen,
            change: PersonalChange {
                pin,
                muted_until: muted_until.map(Timestamp),
                archived,
                hidden,
                draft,
                marked_unread,
                clear_to: clear_to.map(Seq),
            },
        })
    }
}

impl From<&DeleteForMe> for wire::DeleteForMe {
    fn from(c: &DeleteForMe) -> Self {
        let seqs = c.seqs.iter().map(|seq| seq.0).collect();
        wire::DeleteForMe { conversation: c.conversation.to_string(), user: c.user.0, seqs }
    }
}

impl TryFrom<wire::DeleteForMe> for DeleteForMe {
    type Error = DecodeError;

    fn try_from(c: wire::DeleteForMe) -> Result<Self, DecodeError> {
        let conversation = field::conversation("delete_for_me.conversation", &c.conversation)?;
        Ok(DeleteForMe { conversation, user: UserId(c.user), seqs: c.seqs.into_iter().map(Seq).collect() })
    }
}

impl From<&ChangeFavourite> for wire::ChangeFavourite {
    fn from(c: &ChangeFavourite) -> Self {
        wire::ChangeFavourite {
            user: c.user.0,
            request: Bytes::copy_from_slice(&c.request.0),
            conversation: c.conversation.to_string(),
            seq: c.seq.0,
            removed: c.removed,
        }
    }
}

impl TryFrom<wire::ChangeFavourite> for ChangeFavourite {
    type Error = DecodeError;

    fn try_from(c: wire::ChangeFavourite) -> Result<Self, DecodeError> {
        Ok(ChangeFavourite {
            user: UserId(c.user),
            request: field::client_message_id("change_favourite.request", &c.request)?,
            conversation: field::conversation("change_favourite.conversation", &c.conversation)?,
            seq: Seq(c.seq),
            removed: c.removed,
        })
    }
}
