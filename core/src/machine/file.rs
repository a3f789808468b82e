//! Files of a conversation: an upload grows chunk by chunk, becomes a file with its last byte, and
//! is removed when nothing needs it.
//!
//! Chunks are rows that commands of the conversation's own log have written. So they are on a
//! majority of its replicas before any event can refer to them, and snapshots, moves and backups
//! hold them like all other rows. A file is named by its chunks, so the same file twice in a
//! conversation is one. Removal is bounded per commit: the row goes at once, and its chunks follow.

use super::{Outcome, Step};
use crate::command::{CancelUpload, CreateUpload, WriteChunk};
use crate::error::{Refused, Rejection};
use crate::feature::DISBANDED;
use crate::file::{FileHash, chunks_of};
use crate::id::{ClientMessageId, ConversationId, Seq, Timestamp, UserId};
use crate::limits;
use crate::planted::Bug;
use crate::record::{Chunk, ChunkHash, Conversation, File, FileUsage, Preview, Upload, Work};
use crate::reply::Reply;
use crate::state::Rows;

pub const NO_SUCH_UPLOAD: Refused =
    Refused { code: "no_such_upload", text: "there is no such upload of yours, or it has expired: begin another one" };
pub const NO_SUCH_FILE: Refused = Refused {
    code: "no_such_file",
    text: "there is no such file in this conversation that you can see: ask for another",
};
pub const BEYOND_THE_FILE: Refused =
    Refused { code: "beyond_the_file", text: "the file ends before this offset: ask for its size" };
const FILE_TOO_LARGE: Refused =
    Refused { code: "file_too_large", text: "a file has 1 byte to 100 MiB: send a smaller one, or parts of it" };
const BAD_FILE_NAME: Refused = Refused {
    code: "bad_file_name",
    text: "the name of a file has 1 to 255 bytes, no slash and no control characters: choose another",
};
const TOO_MANY_UPLOADS: Refused = Refused {
    code: "too_many_uploads",
    text: "you have 16 unfinished uploads in this conversation: finish or cancel one first",
};
const FILES_FULL: Refused = Refused {
    code: "files_full",
    text: "the files of this conversation, or yours in it, take all the room they may: send a smaller one, or wait",
};
pub const WRONG_OFFSET: Refused = Refused {
    code: "wrong_offset",
    text: "the upload goes on at another place: ask how far it has come, and continue there",
};
pub const UPLOAD_TOO_LONG: Refused = Refused {
    code: "upload_too_long",
    text: "these bytes go beyond the size that the upload has announced: begin another one with the right size",
};
const WRONG_HASH: Refused = Refused {
    code: "wrong_hash",
    text: "with these bytes the file gets another name than was announced: cancel the upload and begin again",
};

/// The refusals that only files have.
pub const REFUSALS: &[Refused] = &[
    NO_SUCH_UPLOAD,
    NO_SUCH_FILE,
    FILE_TOO_LARGE,
    BAD_FILE_NAME,
    TOO_MANY_UPLOADS,
    FILES_FULL,
    WRONG_OFFSET,
    UPLOAD_TOO_LONG,
    WRONG_HASH,
    BEYOND_THE_FILE,
];

/// The holder of the usage of all members.
const ALL: UserId = UserId(0);

pub(super) fn check_create(c: &CreateUpload) -> Result<(), Rejection> {
    let is_name = (1..=limits::FILE_NAME_BYTES).contains(&c.name.len())
        && !c.name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'));
    if !is_name {
        return Err(BAD_FILE_NAME.into());
    }
    if c.claimed.len() > limits::MEDIA_TYPE_BYTES || !c.claimed.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(Rejection::BadRequest("a media type has at most 255 bytes of printable ASCII: correct it"));
    }
    if (1..=limits::FILE_BYTES).contains(&c.size) { Ok(()) } else { Err(FILE_TOO_LARGE.into()) }
}

pub(super) fn check_chunk(c: &WriteChunk) -> Result<(), Rejection> {
    let room = limits::CHUNK_BYTES as u64 - c.offset % limits::CHUNK_BYTES as u64;
    if c.bytes.is_empty() || c.bytes.len() as u64 > room {
        return Err(Rejection::BadRequest("a write has 1 to 65536 bytes within one chunk of 65536: cut it there"));
    }
    let is_type = c.media_type.len() <= limits::MEDIA_TYPE_BYTES && c.media_type.is_ascii();
    if is_type { Ok(()) } else { Err(Rejection::BadRequest("a media type has at most 255 bytes of ASCII: correct it")) }
}

impl From<&Upload> for Reply {
    fn from(upload: &Upload) -> Reply {
        let Upload { received, size, file, expires, .. } = *upload;
        Reply::Upload { received, size, file, expires }
    }
}

impl Step<'_> {
    pub(super) fn create_upload(&mut self, c: &CreateUpload) -> Outcome {
        check_create(c)?;
        self.takes_files(c.conversation, c.owner)?;
        let key = (c.conversation, c.owner, c.upload);
        if let Some(held) = self.state.get::<Upload>(&key) {
            let same = (&held.name, &held.claimed, held.size) == (&c.name, &c.claimed, c.size);
            if !same {
                return Err(Rejection::RequestReused);
            }
            // The repeat has reserved its room again.
            self.owe_room(c.conversation, c.owner, Some(c.reserved_until));
            return Ok((&held).into());
        }
        self.has_room(c.reserved_until)?;
        let [own, all] = [c.owner, ALL].map(|user| self.usage(c.conversation, user));
        if own.open >= limits::UPLOADS_OPEN {
            return Err(TOO_MANY_UPLOADS.into());
        }
        let full = |usage: &FileUsage, most| usage.bytes.saturating_add(c.size) > most;
        if full(&own, limits::FILES_BYTES_OF_USER) || full(&all, limits::FILES_BYTES_OF_CONVERSATION) {
            return Err(FILES_FULL.into());
        }
        let number = self.mint(c.conversation.slot())?;
        let expires = Timestamp(self.now.0.saturating_add(limits::UPLOAD_MS));
        let upload = Upload {
            name: c.name.clone(),
            claimed: c.claimed.clone(),
            size: c.size,
            received: 0,
            number,
            chain: None,
            media_type: String::new(),
            expected: c.expected,
            expires,
            file: None,
        };
        self.state.put(&key, &upload);
        self.plan(expires, Work::Upload { conversation: c.conversation, owner: c.owner, id: c.upload });
        self.use_files(c.conversation, c.owner, Some(c.reserved_until), |usage| {
            usage.bytes = usage.bytes.saturating_add(c.size);
            usage.open += 1;
        });
        Ok((&upload).into())
    }

    pub(super) fn write_chunk(&mut self, c: &WriteChunk) -> Outcome {
        check_chunk(c)?;
        self.takes_files(c.conversation, c.owner)?;
        let key = (c.conversation, c.owner, c.upload);
        let mut upload = self.state.get::<Upload>(&key).ok_or(NO_SUCH_UPLOAD)?;
        let end = c.offset.saturating_add(c.bytes.len() as u64);
        if end > upload.size {
            return Err(UPLOAD_TOO_LONG.into());
        }
        if end <= upload.received {
            return Ok((&upload).into());
        }
        if c.offset != upload.received {
            return Err(WRONG_OFFSET.into());
        }
        let place = c.offset / limits::CHUNK_BYTES as u64;
        let at = (c.conversation, upload.number, place);
        let begun =
            if c.offset.is_multiple_of(limits::CHUNK_BYTES as u64) { None } else { self.state.get::<Chunk>(&at) };
        let Chunk(mut bytes) = begun.unwrap_or(Chunk(Vec::new()));
        bytes.extend_from_slice(&c.bytes);
        let is_last = end == upload.size;
        if is_last || bytes.len() == limits::CHUNK_BYTES {
            let hash = FileHash::of_chunk(&bytes);
            let chain = FileHash::with(upload.chain, hash);
            if is_last && upload.expected.is_some_and(|expected| expected != chain) {
                return Err(WRONG_HASH.into());
            }
            upload.chain = Some(chain);
            self.state.put(&at, &ChunkHash(hash));
        }
        self.state.put(&at, &Chunk(bytes));
        if c.offset == 0 {
            upload.media_type.clone_from(&c.media_type);
        }
        upload.received = end;
        if is_last && let Some(name) = upload.chain {
            upload.file = Some(name);
            self.finish(c, &upload, name);
        }
        self.state.put(&key, &upload);
        Ok((&upload).into())
    }

    /// The upload becomes a file, or the same file that is there already.
    fn finish(&mut self, c: &WriteChunk, upload: &Upload, name: FileHash) {
        let head = self.state.get::<Conversation>(&c.conversation).map_or(Seq::ZERO, |row| row.head);
        let held = self.state.get::<File>(&(c.conversation, name));
        let twice = held.is_some();
        let file = match held {
            Some(held) => {
                let removed = if self.planted(Bug::SameFileCollected) { held.number } else { upload.number };
                self.remove_chunks(c.conversation, removed, upload.size);
                self.unplan(held.expires, Work::File { conversation: c.conversation, file: name });
                // An owner of the bytes may read them, also where it came behind their events.
                let seen_at = if held.references > 0 { head } else { Seq::ZERO };
                File { seen_at, ..held }
            }
            None => File {
                number: upload.number,
                size: upload.size,
                name: upload.name.clone(),
                media_type: upload.media_type.clone(),
                by: c.owner,
                time: self.now,
                references: 0,
                seen_at: Seq::ZERO,
                expires: Timestamp(0),
                held: 0,
                from: head,
            },
        };
        self.keep(c.conversation, name, file);
        self.use_files(c.conversation, c.owner, None, |usage| {
            usage.open = usage.open.saturating_sub(1);
            usage.bytes = if twice { usage.bytes.saturating_sub(upload.size) } else { usage.bytes };
        });
    }

    pub(super) fn cancel_upload(&mut self, c: &CancelUpload) -> Outcome {
        self.takes_files(c.conversation, c.owner)?;
        let key = (c.conversation, c.owner, c.upload);
        let upload = self.state.get::<Upload>(&key).ok_or(NO_SUCH_UPLOAD)?;
        let work = Work::Upload { conversation: c.conversation, owner: c.owner, id: c.upload };
        self.unplan(upload.expires, work);
        self.end_upload(c, &upload);
        Ok(Reply::Done)
    }

    fn end_upload(&mut self, c: &CancelUpload, upload: &Upload) {
        self.state.delete::<Upload>(&(c.conversation, c.owner, c.upload));
        if upload.file.is_some() {
            return;
        }
        self.remove_chunks(c.conversation, upload.number, upload.received);
        self.use_files(c.conversation, c.owner, None, |usage| {
            usage.open = usage.open.saturating_sub(1);
            usage.bytes = usage.bytes.saturating_sub(upload.size);
        });
    }

    /// Counts what needs the file. It has no end while an event or a scheduled message does.
    /// Without any it stays for a day, to its uploader only.
    pub(crate) fn change_file(&mut self, conversation: ConversationId, name: FileHash, change: impl Fn(&mut File)) {
        let Some(held) = self.state.get::<File>(&(conversation, name)) else { return };
        if held.expires != Timestamp(0) {
            self.unplan(held.expires, Work::File { conversation, file: name });
        }
        let mut file = held;
        change(&mut file);
        self.keep(conversation, name, file);
    }

    pub(super) fn expire_upload(&mut self, conversation: ConversationId, owner: UserId, id: ClientMessageId) {
        if let Some(upload) = self.state.get::<Upload>(&(conversation, owner, id)) {
            self.end_upload(&CancelUpload { conversation, owner, upload: id }, &upload);
        }
    }

    /// Removes a file that no event has referred to since `expires` was set.
    pub(super) fn drop_file(&mut self, conversation: ConversationId, name: FileHash, expires: Timestamp) {
        let key = (conversation, name);
        let Some(file) = self.state.get::<File>(&key) else { return };
        if file.is_needed() || file.expires != expires {
            return;
        }
        self.state.delete::<File>(&key);
        self.state.delete::<Preview>(&key);
        self.remove_chunks(conversation, file.number, file.size);
        self.use_files(conversation, file.by, None, |usage| usage.bytes = usage.bytes.saturating_sub(file.size));
    }

    /// Removes some chunks, and plans the others.
    pub(super) fn drop_chunks(
        &mut self,
        conversation: ConversationId,
        number: u64,
        next: u64,
        end: u64,
        at: Timestamp,
    ) {
        let until = end.min(next.saturating_add(limits::CHUNKS_REMOVED));
        for place in next..until {
            self.state.delete::<Chunk>(&(conversation, number, place));
            self.state.delete::<ChunkHash>(&(conversation, number, place));
        }
        if until < end {
            self.plan(at, Work::Chunks { conversation, number, next: until, end });
        }
    }

    /// Only members have files in a conversation.
    // Invariant: private. A missing conversation and a foreign one have the same answer.
    fn takes_files(&self, conversation: ConversationId, user: UserId) -> Result<(), Rejection> {
        super::somebody(user)?;
        let row = self.state.get::<Conversation>(&conversation);
        if row.is_none() && conversation.is_group() || self.role(conversation, user).is_none() {
            return Err(Rejection::NotMember);
        }
        if row.is_some_and(|row| row.disbanded) { Err(DISBANDED.into()) } else { Ok(()) }
    }

    fn usage(&self, conversation: ConversationId, user: UserId) -> FileUsage {
        self.state.get(&(conversation, user)).unwrap_or_default()
    }

    /// Counts a change. The shard of the user hears of it, with the reservation that it uses.
    fn use_files(
        &mut self,
        conversation: ConversationId,
        user: UserId,
        reserved: Option<Timestamp>,
        change: impl Fn(&mut FileUsage),
    ) {
        for user in [user, ALL] {
            let mut usage = self.usage(conversation, user);
            let before = usage.bytes;
            change(&mut usage);
            if user != ALL && usage.bytes != before {
                self.owe_room(conversation, user, reserved);
            }
            match usage {
                FileUsage { bytes: 0, open: 0 } => self.state.delete::<FileUsage>(&(conversation, user)),
                usage => self.state.put(&(conversation, user), &usage),
            }
        }
    }

    /// Writes a file, and when it is removed.
    fn keep(&mut self, conversation: ConversationId, name: FileHash, file: File) {
        let end = Timestamp(self.now.0.saturating_add(limits::UNREFERENCED_MS));
        let expires = if file.is_needed() { Timestamp(0) } else { end };
        self.state.put(&(conversation, name), &File { expires, ..file });
        if expires != Timestamp(0) {
            self.plan(expires, Work::File { conversation, file: name });
        }
    }

    /// The chunks of so many bytes go with the next commits.
    fn remove_chunks(&mut self, conversation: ConversationId, number: u64, bytes: u64) {
        let end = chunks_of(bytes);
        if end > 0 {
            self.plan(self.now, Work::Chunks { conversation, number, next: 0, end });
        }
    }
}
