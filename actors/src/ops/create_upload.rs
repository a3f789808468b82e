//! `create_upload`: announces a file of a conversation, once per upload id.
//!
//! The shard of the user reserves the bytes first, so that all conversations of a user share one
//! room. Without room the conversation is asked all the same: an upload that it has is answered.

use troupe_core::command::{CreateUpload, ReserveRoom};
use troupe_core::machine::room::FILES_QUOTA;
use troupe_core::{Command, ConversationId, Rejection, Timestamp, machine};
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
        let mut create = CreateUpload {
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
            reserved_until: Timestamp(0),
        };
        machine::check(&Command::from(create.clone()))?;
        if let ConversationId::Direct { .. } = conversation {
            let peer = conversation.peer_of(owner).ok_or(Rejection::NotMember)?;
            exist(&service, owner, &[peer]).await?;
        }
        create.reserved_until = reserve(&service, &create).await?;
        upload(service.commit(Command::from(create)).await?)
    }
}

/// The end of the reservation; zero: there is no room.
pub(super) async fn reserve(service: &Service, create: &CreateUpload) -> Result<Timestamp, Refusal> {
    let CreateUpload { owner: user, conversation, size: bytes, .. } = *create;
    let most = service.context.router.routing().settings.file_bytes;
    let reserve = Command::from(ReserveRoom { user, conversation, bytes, most });
    match service.commit(reserve).await {
        Ok(answer) => match answer.into_message() {
            Some(ServerMessage::Usage(usage)) => Ok(Timestamp(usage.reserved_until_ms)),
            _ => Err(Refusal::Unavailable),
        },
        Err(Refusal::Rejected { code, .. }) if code == FILES_QUOTA.code => Ok(Timestamp(0)),
        Err(refusal) => Err(refusal),
    }
}

/// The state of an upload after a commit.
pub fn upload(answer: Answer) -> Result<wire::Upload, Refusal> {
    match answer.into_message() {
        Some(ServerMessage::Upload(upload)) => Ok(upload),
        _ => Err(Refusal::Unavailable),
    }
}
