//! `cancel_upload`: ends an upload. Its chunks are removed.

use troupe_core::Command;
use troupe_core::command::CancelUpload;
use troupe_proto::client;

use super::cost::{CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::CancelUpload {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let command = Command::CancelUpload(CancelUpload {
            conversation: client::conversation("cancel_upload.conversation", &self.conversation)?,
            owner: caller.user(),
            upload: client::client_message_id("cancel_upload.upload", &self.upload)?,
        });
        service.commit_done(command).await
    }
}
