//! `show_file`: what a file of a conversation is, without its bytes.

use bytes::Bytes;
use troupe_core::machine::file::NO_SUCH_FILE;
use troupe_core::record::File;
use troupe_core::{ConversationId, FileHash, Rejection, UserId};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};
use crate::visible::visible_from;

/// The membership and the file.
const ROWS: usize = 2;

impl Operation for wire::ShowFile {
    fn cost(&self) -> Cost {
        Cost::Units(READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("show_file.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ShowFile {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::File>, Refusal> {
        let conversation = client::conversation("show_file.conversation", &self.conversation)?;
        let hash = client::file_hash("show_file.hash", &self.hash)?;
        Ok(Plan::read(user, ROWS, move |view| {
            Ok(visible_file(view, user, conversation, hash)?.map(|file| wire::File {
                hash: Bytes::copy_from_slice(&hash.0),
                name: file.name,
                media_type: file.media_type,
                size: file.size,
                by: file.by.0,
                time_ms: file.time.0,
                expires_ms: file.expires.0,
            }))
        }))
    }
}

/// A file that this user may read.
// Invariant: private. A file that the user may not see has the answer of a missing one.
pub fn visible_file(view: &View, user: UserId, conversation: ConversationId, hash: FileHash) -> Found<File> {
    let Some(first) = visible_from(view, conversation, user)? else { return Ok(Err(Rejection::NotMember.into())) };
    let file = view.get::<File>(&(conversation, hash))?;
    let file = file.filter(|file| file.is_shown_to(user, first));
    Ok(file.ok_or(Rejection::from(NO_SUCH_FILE).into()))
}
