//! Files that were uploaded elsewhere, from an operator: in the order of their chunks, like any
//! upload.

use troupe_core::command::{CreateUpload, WriteChunk};
use troupe_core::{ClientMessageId, Command, Timestamp, UserId, machine, media};
use troupe_proto::client;

use super::Told;
use crate::message::{Refusal, wire};
use crate::ops::create_upload::{reserve, upload};
use crate::service::Service;

pub(super) async fn import(service: &Service, file: wire::ImportFile) -> Result<Told, Refusal> {
    let conversation = client::conversation("import_file.conversation", &file.conversation)?;
    let hash = client::file_hash("import_file.hash", &file.hash)?;
    let owner = UserId(file.owner);
    // It follows from the file, so that a repeat finds the first.
    let upload_id = ClientMessageId(std::array::from_fn(|at| hash.0[at]));
    let command = if file.content.is_empty() {
        let mut create = CreateUpload {
            conversation,
            owner,
            upload: upload_id,
            name: file.name,
            claimed: file.media_type,
            size: file.size,
            expected: Some(hash),
            reserved_until: Timestamp(0),
        };
        machine::check(&Command::from(create.clone()))?;
        create.reserved_until = reserve(service, &create).await?;
        Command::from(create)
    } else {
        let media_type = if file.offset == 0 { media::sniff(&file.content).to_owned() } else { String::new() };
        let (offset, bytes) = (file.offset, file.content);
        Command::from(WriteChunk { conversation, owner, upload: upload_id, offset, bytes, media_type })
    };
    machine::check(&command)?;
    Ok(Told::Upload(upload(service.commit(command).await?)?))
}
