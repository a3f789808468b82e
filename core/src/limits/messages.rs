//! Bounds of messages that vanish, of polls, of forwards and of streams.

/// Milliseconds after which a message vanishes, at least and at most: a second, and 366 days.
/// Outside: `Rejected(bad_expiry)`; of the retention of a conversation: `Rejected(bad_request)`.
pub const EXPIRES_MIN_MS: u64 = 1_000;
pub const EXPIRES_MAX_MS: u64 = 366 * 24 * 3_600 * 1_000;
/// Milliseconds for which an imported message stays on disks behind its time, unseen, so that the
/// rest of its log can bring the event of its end.
pub const EXPIRES_IMPORTED_MS: u64 = 3_600 * 1_000;
/// Events that are read to join a vanished message with the run of vanished ones before it. Behind
/// more of them, it counts as unread until it is read.
pub const VANISHED_LOOKED_AT: u64 = 64;
/// Bytes of the question of a poll. Above it: `Rejected(bad_poll)`.
pub const POLL_QUESTION_BYTES: usize = 1_024;
/// Options of a poll. Above it: `Rejected(bad_poll)`.
pub const POLL_OPTIONS: usize = 20;
/// Users in one page of the votes of a poll.
pub const PAGE_VOTES: usize = 200;
/// Polls with votes in one page of history. A page with more is cut.
pub const PAGE_POLLS: usize = 100;
/// Messages of one forward, and of one bundle. Above it: `Rejected(bad_forward)` and
/// `Rejected(bad_bundle)`.
pub const FORWARDED: usize = 20;
/// Conversations to which one request forwards. Above it: `Rejected(bad_forward)`.
pub const FORWARD_TO: usize = 20;
/// Messages that one forward sends, over all conversations. Above it: `Rejected(bad_forward)`.
pub const FORWARD_SENDS: usize = 100;
/// Bytes that one forward sends, over all conversations. Above it: `Rejected(too_large)`.
pub const FORWARD_BYTES: usize = 2 * 1024 * 1024;
/// Contacts to which one request broadcasts. The answer says where the next goes on.
pub const BROADCAST_CONTACTS: usize = 50;
/// Bytes of one piece of a stream. Above it: `Rejected(bad_request)`.
pub const PIECE_BYTES: usize = 3 * 1024;
/// Pieces of one stream. Above it, and above `MESSAGE_BYTES` in all: `Rejected(stream_full)`.
pub const STREAM_PIECES: u64 = 4_096;
/// Open streams of one user in one conversation. Above it: `Rejected(too_many_streams)`.
pub const STREAMS_OPEN: u32 = 4;
/// Milliseconds after the last piece, and after the beginning, at which a stream ends by itself.
pub const STREAM_IDLE_MS: u64 = 60 * 1_000;
pub const STREAM_MS: u64 = 3_600 * 1_000;
/// Milliseconds for which an imported stream stays open at least, so that the rest of its log can
/// bring its end.
pub const STREAM_IMPORTED_MS: u64 = 12 * 3_600 * 1_000;
/// Bytes of a page of history that a piece counts beside its text.
pub const PIECE_ROW_BYTES: usize = 64;
