//! Files of conversations.

use bytes::Bytes;
use troupe_core::{ClientMessageId, ConversationId, FileHash, Timestamp, UserId, limits};
use troupe_proto::wire::client as wire;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};

/// A file, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    pub hash: FileHash,
    pub name: String,
    /// As its first bytes show it.
    pub media_type: String,
    pub size: u64,
    pub by: UserId,
    pub time: Timestamp,
    /// `None`: an event refers to it.
    pub expires: Option<Timestamp>,
}

/// An upload in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadState {
    pub received: u64,
    pub size: u64,
    /// The name of the file, once everything has come.
    pub file: Option<FileHash>,
}

/// The room of the user's files over all conversations, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Of files and of announced uploads.
    pub bytes: u64,
    /// Of uploads that were announced a moment ago.
    pub reserved: u64,
    pub most: u64,
}

impl Client {
    pub async fn usage(&self) -> Result<Usage> {
        match self.call(Request::GetUsage(wire::GetUsage {})).await? {
            Message::Usage(wire::Usage { bytes, reserved_bytes: reserved, most_bytes: most, .. }) => {
                Ok(Usage { bytes, reserved, most })
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Uploads a file and returns its name. Whatever the network did, the name is that of these
    /// bytes.
    pub async fn upload(&self, conversation: ConversationId, name: &str, content: &[u8]) -> Result<FileHash> {
        let id = ClientMessageId(self.shared.context.rng.bytes());
        let mut upload = self.begin_upload(id, conversation, name, content).await?;
        loop {
            if let Some(file) = upload.file {
                return Ok(file);
            }
            upload = self.continue_upload(id, conversation, upload.received, content).await?;
        }
    }

    /// Announces a file. A repeat with the same id finds the upload.
    pub async fn begin_upload(
        &self,
        id: ClientMessageId,
        conversation: ConversationId,
        name: &str,
        content: &[u8],
    ) -> Result<UploadState> {
        let hash = FileHash::of_file(content).map(|hash| Bytes::copy_from_slice(&hash.0)).unwrap_or_default();
        let create = wire::CreateUpload {
            conversation: conversation.to_string(),
            upload: Bytes::copy_from_slice(&id.0),
            name: name.to_owned(),
            media_type: String::new(),
            size: content.len() as u64,
            hash,
        };
        state(self.call(Request::CreateUpload(create)).await?)
    }

    /// Writes the chunk at the offset, of all bytes of the file.
    pub async fn continue_upload(
        &self,
        id: ClientMessageId,
        conversation: ConversationId,
        offset: u64,
        content: &[u8],
    ) -> Result<UploadState> {
        let beyond = || Error::Protocol("the upload goes on beyond its end".into());
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).ok_or_else(beyond)?;
        let room = limits::CHUNK_BYTES - offset as usize % limits::CHUNK_BYTES;
        let write = wire::WriteChunk {
            conversation: conversation.to_string(),
            upload: Bytes::copy_from_slice(&id.0),
            offset,
            content: Bytes::copy_from_slice(&rest[..rest.len().min(room)]),
        };
        state(self.call(Request::WriteChunk(write)).await?)
    }

    pub async fn upload_state(&self, id: ClientMessageId, conversation: ConversationId) -> Result<UploadState> {
        let upload = Bytes::copy_from_slice(&id.0);
        state(self.call(Request::GetUpload(wire::GetUpload { conversation: conversation.to_string(), upload })).await?)
    }

    pub async fn cancel_upload(&self, id: ClientMessageId, conversation: ConversationId) -> Result<()> {
        let upload = Bytes::copy_from_slice(&id.0);
        self.done(Request::CancelUpload(wire::CancelUpload { conversation: conversation.to_string(), upload })).await
    }

    pub async fn file(&self, conversation: ConversationId, file: FileHash) -> Result<FileInfo> {
        let show = wire::ShowFile { conversation: conversation.to_string(), hash: Bytes::copy_from_slice(&file.0) };
        match self.call(Request::ShowFile(show)).await? {
            Message::File(wire::File { name, media_type, size, by, time_ms, expires_ms, .. }) => Ok(FileInfo {
                hash: file,
                name,
                media_type,
                size,
                by: UserId(by),
                time: Timestamp(time_ms),
                expires: Some(Timestamp(expires_ms)).filter(|expires| expires.0 != 0),
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// The bytes of a file from the offset on, as many as one answer holds.
    pub async fn read_file(&self, conversation: ConversationId, file: FileHash, offset: u64) -> Result<Bytes> {
        let hash = Bytes::copy_from_slice(&file.0);
        let read = wire::ReadFile { conversation: conversation.to_string(), hash, offset };
        match self.call(Request::ReadFile(read)).await? {
            Message::FilePart(part) => Ok(part.content),
            other => Err(unexpected(&other)),
        }
    }

    /// A small JPEG of an image, without what its file says about place and camera.
    pub async fn preview(&self, conversation: ConversationId, file: FileHash) -> Result<Bytes> {
        let hash = Bytes::copy_from_slice(&file.0);
        let read = wire::ReadPreview { conversation: conversation.to_string(), hash };
        match self.call(Request::ReadPreview(read)).await? {
            Message::Preview(preview) => Ok(preview.content),
            other => Err(unexpected(&other)),
        }
    }

    /// A whole file, whose bytes have this name.
    pub async fn download(&self, conversation: ConversationId, file: FileHash) -> Result<Vec<u8>> {
        let size = self.file(conversation, file).await?.size.min(limits::FILE_BYTES) as usize;
        let mut content = Vec::new();
        while content.len() < size {
            let part = self.read_file(conversation, file, content.len() as u64).await?;
            if part.is_empty() {
                return Err(Error::Protocol("a part of a file is empty".into()));
            }
            content.extend_from_slice(&part);
        }
        if FileHash::of_file(&content) != Some(file) {
            return Err(Error::Protocol("the file is not the one that was asked for".into()));
        }
        Ok(content)
    }
}

fn state(answer: Message) -> Result<UploadState> {
    match answer {
        Message::Upload(wire::Upload { received, size, hash, .. }) => {
            Ok(UploadState { received, size, file: <[u8; 32]>::try_from(&hash[..]).ok().map(FileHash) })
        }
        other => Err(unexpected(&other)),
    }
}
