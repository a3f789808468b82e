//! The state of a conversation that is this user's own, the same on its devices.

use bytes::Bytes;
use troupe_core::command::PersonalChange;
use troupe_core::{ClientMessageId, ConversationId, Seq, Timestamp};
use troupe_proto::wire::client as wire;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};

/// The default is that of a user that has set nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Personal {
    /// Counts the changes: a push with a lower one is late.
    pub version: u64,
    /// The place among the pinned conversations. Zero: not pinned.
    pub pin: u64,
    pub muted_until: Timestamp,
    pub archived: bool,
    /// Until the next event.
    pub hidden: bool,
    pub draft: String,
    /// Until the read position moves.
    pub marked_unread: bool,
    /// The history up to here is not shown to this user.
    pub cleared: Seq,
    /// Messages that this user has deleted for itself, ascending; empty in lists.
    pub deleted: Vec<Seq>,
}

impl From<wire::Personal> for Personal {
    fn from(row: wire::Personal) -> Personal {
        let wire::Personal { version, pin, archived, hidden, draft, marked_unread, .. } = row;
        let (muted_until, cleared) = (Timestamp(row.muted_until_ms), Seq(row.cleared));
        let deleted = row.deleted.into_iter().map(Seq).collect();
        Personal { version, pin, muted_until, archived, hidden, draft, marked_unread, cleared, deleted }
    }
}

/// The conversation of a push, and its state.
pub(crate) fn pushed(push: wire::PersonalPush) -> Option<(ConversationId, Personal)> {
    let row = push.personal?;
    Some((row.conversation.parse().ok()?, row.into()))
}

impl Client {
    pub async fn personal(&self, conversation: ConversationId) -> Result<Personal> {
        let show = wire::ShowPersonal { conversation: conversation.to_string() };
        state(self.call(Request::ShowPersonal(show)).await?)
    }

    /// This user sees these messages no more, at most 100 in one request. It cannot be undone.
    pub async fn delete_for_me(&self, conversation: ConversationId, seqs: &[Seq]) -> Result<Personal> {
        let seqs = seqs.iter().map(|seq| seq.0).collect();
        let delete = wire::DeleteForMe { conversation: conversation.to_string(), seqs };
        state(self.call(Request::DeleteForMe(delete)).await?)
    }

    /// Sets the properties that are present, once, and returns the state behind the change. With
    /// `seen` it is refused if another device has changed one of them since that version.
    pub async fn change_personal(
        &self,
        conversation: ConversationId,
        seen: Option<u64>,
        change: PersonalChange,
    ) -> Result<Personal> {
        self.change_personal_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, seen, change).await
    }

    pub async fn change_personal_as(
        &self,
        request: ClientMessageId,
        conversation: ConversationId,
        seen: Option<u64>,
        change: PersonalChange,
    ) -> Result<Personal> {
        let PersonalChange { pin, muted_until, archived, hidden, draft, marked_unread, clear_to } = change;
        let change = wire::ChangePersonal {
            conversation: conversation.to_string(),
            request: Bytes::copy_from_slice(&request.0),
            seen,
            pin,
            muted_until_ms: muted_until.map(|until| until.0),
            archived,
            hidden,
            draft,
            marked_unread,
            clear_to: clear_to.map(|to| to.0),
        };
        state(self.call(Request::ChangePersonal(change)).await?)
    }
}

fn state(message: Message) -> Result<Personal, Error> {
    match message {
        Message::Personal(row) => Ok(row.into()),
        other => Err(unexpected(&other)),
    }
}
