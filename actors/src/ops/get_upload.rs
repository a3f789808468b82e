//! `get_upload`: how far an upload of the caller has come.

use bytes::Bytes;
use troupe_core::machine::file::NO_SUCH_UPLOAD;
use troupe_core::record::Upload;
use troupe_core::{ClientMessageId, ConversationId, Rejection, UserId};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};
use crate::visible::is_in;

/// The membership and the upload.
const ROWS: usize = 2;

impl Operation for wire::GetUpload {
    fn cost(&self) -> Cost {
        Cost::Units(READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("get_upload.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::GetUpload {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Upload>, Refusal> {
        let conversation = client::conversation("get_upload.conversation", &self.conversation)?;
        let upload = client::client_message_id("get_upload.upload", &self.upload)?;
        Ok(Plan::read(user, ROWS, move |view| found(view, user, conversation, upload)))
    }
}

fn found(view: &View, user: UserId, conversation: ConversationId, upload: ClientMessageId) -> Found<wire::Upload> {
    if !is_in(view, conversation, user)? {
        return Ok(Err(Rejection::NotMember.into()));
    }
    let Some(upload) = view.get::<Upload>(&(conversation, user, upload))? else {
        return Ok(Err(Rejection::from(NO_SUCH_UPLOAD).into()));
    };
    Ok(Ok(wire::Upload {
        received: upload.received,
        size: upload.size,
        hash: upload.file.map(|hash| Bytes::copy_from_slice(&hash.0)).unwrap_or_default(),
        expires_ms: upload.expires.0,
    }))
}
