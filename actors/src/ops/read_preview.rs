//! `read_preview`: a small JPEG of an image, made when it is first asked for.
//!
//! The node that takes the request makes it and commits it beside the file, so it is made once. The
//! first one stays: nodes of two versions may make different ones. A file without a preview has an
//! empty one.

use bytes::Bytes;
use troupe_core::command::KeepPreview;
use troupe_core::machine::preview::NO_PREVIEW;
use troupe_core::record::Preview;
use troupe_core::{Command, ConversationId, FileHash, Rejection, UserId, limits};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{CHANGE, Cost};
use super::show_file::visible_file;
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::pictures::format_of;
use crate::service::{Caller, Service};

/// The membership, the file and the preview.
const ROWS: usize = 3;

impl Operation for wire::ReadPreview {
    /// Of one that has to be made; reading the file costs as much again.
    fn cost(&self) -> Cost {
        Cost::Units(4 * CHANGE)
    }

    fn worth(answered: &Answered<Self>) -> Option<u64> {
        let is_kept = answered.as_ref().is_ok_and(|preview| preview.is_kept);
        is_kept.then_some(super::cost::READ)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("read_preview.conversation", &self.conversation)?;
        let hash = client::file_hash("read_preview.hash", &self.hash)?;
        let found = service.ask_leader(conversation.slot(), caller.user(), self.clone()).await?;
        if found.is_kept {
            return shown(found);
        }
        let content = whole(&service, &caller, &self, found.size).await?;
        let content = service.pictures.preview(caller.user(), &found.media_type, content).await?;
        let keep = KeepPreview { conversation, file: hash, content: content.clone() };
        service.commit_done(Command::from(keep)).await?;
        shown(wire::Preview { content, ..found })
    }
}

fn shown(preview: wire::Preview) -> Answered<wire::ReadPreview> {
    if preview.content.is_empty() { Err(Rejection::from(NO_PREVIEW).into()) } else { Ok(preview) }
}

/// The whole file, as this caller reads it.
async fn whole(service: &Service, caller: &Caller, of: &wire::ReadPreview, size: u64) -> Result<Vec<u8>, Refusal> {
    let conversation = client::conversation("read_preview.conversation", &of.conversation)?;
    let mut content = Vec::with_capacity(size as usize);
    while (content.len() as u64) < size {
        let (offset, hash) = (content.len() as u64, of.hash.clone());
        let read = wire::ReadFile { conversation: of.conversation.clone(), hash, offset };
        let part = service.ask_leader(conversation.slot(), caller.user(), read).await?;
        if part.content.is_empty() {
            return Err(Refusal::Unavailable);
        }
        content.extend_from_slice(&part.content);
    }
    Ok(content)
}

impl AtLeader for wire::ReadPreview {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Preview>, Refusal> {
        let conversation = client::conversation("read_preview.conversation", &self.conversation)?;
        let hash = client::file_hash("read_preview.hash", &self.hash)?;
        Ok(Plan::read(user, ROWS, move |view| found(view, user, conversation, hash)))
    }
}

fn found(view: &View, user: UserId, conversation: ConversationId, hash: FileHash) -> Found<wire::Preview> {
    let file = match visible_file(view, user, conversation, hash)? {
        Ok(file) => file,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let kept = view.get::<Preview>(&(conversation, hash))?;
    // Nothing is made of other files, and nothing is kept for them.
    let can_have = format_of(&file.media_type).is_some() && file.size <= limits::PREVIEW_SOURCE_BYTES;
    let is_kept = kept.is_some() || !can_have;
    let content = kept.map_or_else(Bytes::new, |Preview(bytes)| bytes.into());
    Ok(Ok(wire::Preview { content, is_kept, size: file.size, media_type: file.media_type }))
}
