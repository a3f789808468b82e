//! `write_chunk`: continues an upload. Its answer follows the commit: the bytes are on a majority.
//!
//! A node accepts a bounded rate of them, and a shard has one at a time in its log: messages do not
//! wait for files.

use troupe_core::command::WriteChunk;
use troupe_core::{Command, limits, machine, media};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, Cost};
use super::create_upload::upload;
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

/// Bytes of a chunk that cost a unit: chunks come at a bounded pace, and reach no member.
const CHUNK_BYTES_PER_UNIT: u64 = 4 * BYTES_PER_UNIT;

impl Operation for wire::WriteChunk {
    /// A write within a chunk costs as much as the chunk, which is written again.
    fn cost(&self) -> Cost {
        let end = self.offset.saturating_add(self.content.len() as u64);
        let bytes = end % limits::CHUNK_BYTES as u64;
        let written = if bytes == 0 { self.content.len() } else { limits::CHUNK_BYTES };
        Cost::Units(1 + written as u64 / CHUNK_BYTES_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let owner = caller.user();
        let bytes = self.content;
        let command = Command::from(WriteChunk {
            conversation: client::conversation("write_chunk.conversation", &self.conversation)?,
            owner,
            upload: client::client_message_id("write_chunk.upload", &self.upload)?,
            offset: self.offset,
            media_type: if self.offset == 0 { media::sniff(&bytes).to_owned() } else { String::new() },
            bytes: bytes.clone(),
        });
        machine::check(&command)?;
        let pause = service.budgets.chunk(owner, bytes.len())?;
        tokio::time::sleep(pause).await;
        upload(service.commit(command).await?)
    }
}
