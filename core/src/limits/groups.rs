//! Bounds of groups: their settings, links, requests to join, and pins.

/// Bytes of the notice of a group. Above it: `Rejected(bad_request)`; of a body that is a notice:
/// `Rejected(bad_content)`.
pub const NOTICE_BYTES: usize = 4 * 1024;
/// Bytes of the reference to an avatar of a group or a user. Above it: `Rejected(bad_request)`.
pub const AVATAR_BYTES: usize = 256;
/// Seconds between two messages in slow mode. Above it: `Rejected(bad_request)`.
pub const SLOW_SECONDS: u64 = 86_400;
/// Muted users of one group. At the limit mutes that are over make room; above it:
/// `Rejected(too_many_mutes)`.
pub const GROUP_MUTES: usize = 1_000;
/// Banned users of one group. Above it: `Rejected(too_many_bans)`.
pub const GROUP_BANS: usize = 10_000;
/// Members of a disbanded group that one commit removes. The next commit goes on.
pub const DISMISSED_AT_ONCE: usize = 256;
/// Users that one invite link of a group may let in. Above it: `Rejected(bad_request)`.
pub const LINK_USES: u32 = 10_000;
/// Invite links of one group. Above it: `Rejected(too_many_links)`.
pub const GROUP_LINKS: usize = 100;
/// Members of the largest conversation that shows who has read a message. Above it:
/// `Rejected(too_many_members)`.
pub const READERS_MEMBERS: usize = 1_000;
/// Users in one page of the readers of a message.
pub const PAGE_READERS: usize = 200;
/// Messages whose readers one request counts. Above it: `Rejected(too_many)`.
pub const READ_COUNTS: usize = 50;
/// Pinned messages of one conversation. Above it: `Rejected(too_many_pins)`.
pub const PINS: usize = 50;
/// Open requests to join one group; each user has one at most. Above it:
/// `Rejected(too_many_join_requests)`.
pub const JOIN_REQUESTS: usize = 200;
/// Bytes of the text of such a request. Above it: `Rejected(bad_request)`.
pub const JOIN_TEXT_BYTES: usize = 512;
/// Conversations on the list of each of two users that are looked at, before one of them asks the
/// other for a contact or writes to it first. Those behind them count as not shared.
pub const MEETING_CONVERSATIONS: usize = 2_000;
/// Of the groups on both lists, those that are asked.
pub const MEETING_GROUPS: usize = 500;
