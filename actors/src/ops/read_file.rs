//! `read_file`: some chunks of a file, each verified against its hash.

use bytes::{Bytes, BytesMut};
use troupe_core::machine::file::BEYOND_THE_FILE;
use troupe_core::record::{Chunk, ChunkHash, File};
use troupe_core::{ConversationId, FileHash, Rejection, UserId, limits};
use troupe_proto::client;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::cost::{BYTES_PER_UNIT, Cost, READ};
use super::show_file::visible_file;
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

/// Bytes of a file that cost a unit: a run is cheaper to read than a page of history.
const FILE_BYTES_PER_UNIT: u64 = 16 * BYTES_PER_UNIT;
const CHUNK: u64 = limits::CHUNK_BYTES as u64;
/// The membership, the file, and the chunks with their hashes; a chunk costs several small rows.
const ROWS: usize = 2 + 8 * limits::FILE_PART_CHUNKS;

impl Operation for wire::ReadFile {
    /// The largest part.
    fn cost(&self) -> Cost {
        Cost::Units(units(limits::FILE_PART_CHUNKS * limits::CHUNK_BYTES))
    }

    fn worth(answered: &Answered<Self>) -> Option<u64> {
        Some(answered.as_ref().map_or(READ, |part| units(part.content.len())))
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("read_file.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ReadFile {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::FilePart>, Refusal> {
        let conversation = client::conversation("read_file.conversation", &self.conversation)?;
        let hash = client::file_hash("read_file.hash", &self.hash)?;
        let offset = self.offset;
        Ok(Plan::read(user, ROWS, move |view| part(view, user, conversation, hash, offset)))
    }
}

fn units(bytes: usize) -> u64 {
    READ + bytes as u64 / FILE_BYTES_PER_UNIT
}

fn part(view: &View, user: UserId, conversation: ConversationId, hash: FileHash, offset: u64) -> Found<wire::FilePart> {
    let file = match visible_file(view, user, conversation, hash)? {
        Ok(file) => file,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if offset >= file.size {
        return Ok(Err(Rejection::from(BEYOND_THE_FILE).into()));
    }
    Ok(Ok(wire::FilePart { offset, content: content(view, conversation, &file, offset)? }))
}

/// Some bytes of the file from there on; none at its end.
pub fn content(view: &View, conversation: ConversationId, file: &File, offset: u64) -> Result<Bytes, EngineError> {
    if offset >= file.size {
        return Ok(Bytes::new());
    }
    let first = offset / CHUNK;
    let last = (first + limits::FILE_PART_CHUNKS as u64).min(file.size.div_ceil(CHUNK));
    let mut content = BytesMut::new();
    for place in first..last {
        content.extend_from_slice(&verified(view, conversation, file.number, place)?);
    }
    let within = ((offset % CHUNK) as usize).min(content.len());
    Ok(Bytes::from(content).slice(within..))
}

/// A chunk that is what was uploaded.
// Invariant: durable. Damaged bytes are a fault of this node, and never an answer.
fn verified(view: &View, conversation: ConversationId, number: u64, place: u64) -> Result<Vec<u8>, EngineError> {
    let key = (conversation, number, place);
    match (view.get::<Chunk>(&key)?, view.get::<ChunkHash>(&key)?) {
        (Some(Chunk(bytes)), Some(ChunkHash(hash))) if FileHash::of_chunk(&bytes) == hash => Ok(bytes),
        _ => Err(EngineError::Damaged(format!("chunk {place} of file {number} of {conversation} is not as it was"))),
    }
}
