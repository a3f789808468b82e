//! `create_upload`: announces a file of a conversation, once per upload id.

use troupe_core::command::CreateUpload;
use troupe_core::{Command, ConversationId, Rejection, machine};
use troupe_proto::client;

use super::cost::{CHANGE, Cost};
use super::create_group::exist;
use super::{Answered, Operation};
use crate::message::{Answer, Refusal, ServerMessage, wire};
use crate::service::{Caller, Service};

impl Operation for wire::CreateUpload {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let owner = caller.user();
        let conversation = client::conversation("create_upload.conversation", &self.conversation)?;
        let command = Command::from(CreateUpload {
            conversation,
            owner,
            upload: client::client_message_id("create_upload.upload", &self.upload)?,
            name: self.name,
            claimed: self.media_type,
            size: self.size,
            expected: match &self.hash[..] {
                [] => None,
                hash => Some(client::file_hash("create_upload.hash", hash)?),
            },
        });
        machine::check(&command)?;
        if let ConversationId::Direct { .. } = conversation {
            let peer = conversation.peer_of(owner).ok_or(Rejection::NotMember)?;
            exist(&service, owner, &[peer]).await?;
        }
        upload(service.commit(command).await?)
    }
}

/// The state of an upload after a commit.
pub fn upload(answer: Answer) -> Result<wire::Upload, Refusal> {
    match answer.into_message() {
        Some(ServerMessage::Upload(upload)) => Ok(upload),
        _ => Err(Refusal::Unavailable),
    }
}
