//! Bounds of files, their uploads and their previews.

/// Bytes of a chunk of a file, and of one write of an upload. Above it: `Rejected(bad_request)`.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Uploads of one user in one conversation without their last byte. Above it:
/// `Rejected(too_many_uploads)`.
pub const UPLOADS_OPEN: u32 = 16;
/// Bytes of the files of one user in one conversation, uploads included. Above it:
/// `Rejected(files_full)`; files that no event refers to make room after a day.
pub const FILES_BYTES_OF_USER: u64 = 2 * 1024 * 1024 * 1024;
/// Bytes of all files of one conversation, with the same behaviour at the limit.
pub const FILES_BYTES_OF_CONVERSATION: u64 = 20 * 1024 * 1024 * 1024;
/// Bytes of the files of one user over all conversations, unless the cluster sets others. Above it:
/// `Rejected(files_quota)`.
pub const FILES_BYTES_OF_ALL: u64 = 10 * 1024 * 1024 * 1024;
/// Milliseconds in which an upload with reserved room reaches its conversation. Behind them:
/// `Rejected(reservation_over)`.
pub const ROOM_RESERVED_MS: u64 = 60 * 1_000;
/// Milliseconds for which the reservation is kept behind that, for clocks that differ.
pub const ROOM_GRACE_MS: u64 = 60 * 1_000;
/// Reservations of one user at once. Above it: `Rejected(too_many_reservations)`.
pub const ROOM_RESERVATIONS: u32 = 64;
/// Milliseconds after which an upload expires, whole or not: a day.
pub const UPLOAD_MS: u64 = 24 * 3_600 * 1_000;
/// Milliseconds after which a file that no event refers to is removed: a day.
pub const UNREFERENCED_MS: u64 = 24 * 3_600 * 1_000;
/// Chunks that one piece of due work removes. Further ones are a piece of their own.
pub const CHUNKS_REMOVED: u64 = 64;
/// Chunks of a file in one answer. A reader asks for the next.
pub const FILE_PART_CHUNKS: usize = 4;
/// Bytes of the preview of an image. One of more is made smaller.
pub const PREVIEW_BYTES: usize = 32 * 1024;
/// Bytes of an image that a preview is made of. A larger one has none, like one of more pixels on a
/// side or in memory: `Rejected(no_preview)`.
pub const PREVIEW_SOURCE_BYTES: u64 = 20 * 1024 * 1024;
pub const PREVIEW_SOURCE_PIXELS: u32 = 16_384;
pub const PREVIEW_MEMORY: u64 = 160 * 1024 * 1024;
/// Previews that wait for their turn at a node, of all users and of one. Above it: `Overloaded`.
pub const PREVIEWS_WAITING: usize = 16;
pub const PREVIEWS_WAITING_OF_USER: usize = 2;
/// Chunks that wait for their turn in a shard, of all uploads. Above it: `Overloaded`.
pub const CHUNKS_WAITING: usize = 64;
/// Bytes of chunks that a node accepts per second, and at once. Above it a write waits, and after
/// [`super::PACE_MS`]: `Overloaded(rate_limited)`.
pub const CHUNK_BYTES_PER_SECOND: (u64, u64) = (8 * 1024 * 1024, 1024 * 1024);
/// Messages in one page of the files of a conversation.
pub const PAGE_FILES: usize = 50;
/// Rows of that list that one page looks at. A page ends there, and the next one goes on.
pub const FILES_LOOKED_AT: usize = 500;
