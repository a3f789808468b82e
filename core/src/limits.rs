//! Every bound in one place, with its unit and the behaviour at the limit.
//!
//! Invariant: bounded. A bound that concerns one file only stands in that file.

mod files;
mod groups;
mod hooks;
mod messages;
mod presence;

pub use files::*;
pub use groups::*;
pub use hooks::*;
pub use messages::*;
pub use presence::*;

/// Bytes of one message's body. Above it: `Rejected(too_large)`.
pub const MESSAGE_BYTES: usize = 64 * 1024;
/// Bytes of one client frame after the length prefix: a body and room for its envelope. Above it
/// the connection is closed.
pub const FRAME_BYTES: usize = MESSAGE_BYTES + 16 * 1024;
/// Bytes of one server frame: a page of history is cut so that it fits.
pub const SERVER_FRAME_BYTES: usize = 1024 * 1024;
/// Bytes of one frame between nodes. Senders check before they send.
pub const NODE_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Letters and digits of a user's name, marks and punctuation not counted. Below it:
/// `Rejected(bad_name)`.
pub const USERNAME_MIN_LETTERS: usize = 2;
/// Characters of a user's name, marks counted. Above it: `Rejected(bad_name)`.
pub const USERNAME_MAX_CHARS: usize = 32;
/// Bytes of a user's name as typed. A longer one is refused before normalization, and matches no
/// user in a lookup.
pub const USERNAME_MAX_BYTES: usize = 256;
/// Marks on one letter of a user's name. Above it: `Rejected(bad_name)`.
pub const USERNAME_MARKS: usize = 4;
pub const PASSWORD_MIN_CHARS: usize = 8;
/// A longer password is refused before it is hashed.
pub const PASSWORD_MAX_BYTES: usize = 256;
/// Bytes of a hashed password (PHC string). Above it: `Rejected(too_large)` before the proposal.
pub const PASSWORD_HASH_BYTES: usize = 512;
pub const DEVICE_ID_BYTES: usize = 64;
pub const GROUP_NAME_CHARS: usize = 64;
/// Members of one group. Above it: `Rejected(group_full)`.
pub const GROUP_MEMBERS: usize = 100_000;
/// Users named in one add-members request.
pub const MEMBERS_PER_REQUEST: usize = 200;
/// Bytes of the emoji of a reaction; the longest sequence of Unicode has 35. Above it:
/// `Rejected(bad_emoji)`.
pub const EMOJI_BYTES: usize = 36;
/// Different emoji on one message. Above it: `Rejected(too_many_reactions)`; those that it has may
/// still be given and taken back.
pub const REACTIONS_PER_MESSAGE: usize = 16;
/// Edits of one message. Above it: `Rejected(too_many_edits)`. A recall rewrites as many events.
pub const EDITS_PER_MESSAGE: usize = 32;
/// Seconds after a message in which its sender may recall it, unless the cluster sets others. Above
/// it: `Rejected(recall_too_late)`.
pub const RECALL_SECONDS: u64 = 120;
/// Users that one message mentions. Above it: `Rejected(bad_mentions)`; it may mention everyone.
pub const MENTIONS: usize = 50;
/// Bytes of the name of a file, as file systems have it. Above it: `Rejected(bad_file_name)` of an
/// upload, `Rejected(bad_attachment)` of a message.
pub const FILE_NAME_BYTES: usize = 255;
/// Bytes of the type of a file (RFC 6838). Above it: `Rejected(bad_request)` of an upload,
/// `Rejected(bad_attachment)` of a message.
pub const MEDIA_TYPE_BYTES: usize = 255;
/// Bytes of one file. Above it: `Rejected(file_too_large)` of an upload, `Rejected(bad_attachment)`
/// of a message.
pub const FILE_BYTES: u64 = 100 * 1024 * 1024;
/// Bytes of the text beside an image, a video or a file. Above it: `Rejected(bad_content)`.
pub const CAPTION_BYTES: usize = 4 * 1024;
/// Bytes of a name in a typed body: of a sticker, a card, a place. Above it:
/// `Rejected(bad_content)`.
pub const LABEL_BYTES: usize = 256;
/// Pixels of an image in one direction. Above it: `Rejected(bad_content)`.
pub const PIXELS: u32 = 100_000;
/// Milliseconds of a recording: a day. Above it: `Rejected(bad_content)`.
pub const DURATION_MS: u64 = 24 * 3_600 * 1_000;
/// Messages of one user that wait for their time in one conversation. Above it:
/// `Rejected(too_many_scheduled)`.
pub const SCHEDULED_OF_USER: usize = 100;
/// The same with its refused and cancelled ones, whose rows end by themselves.
pub const SCHEDULED_KEPT_OF_USER: usize = 1_000;
/// Messages of all users that wait in one conversation, with the same behaviour at the limit.
pub const SCHEDULED: usize = 10_000;
/// Milliseconds ahead for which a message may be scheduled: 366 days. Above it:
/// `Rejected(time_too_far)`.
pub const SCHEDULED_AHEAD_MS: u64 = 366 * 24 * 3_600 * 1_000;
/// Milliseconds for which a message that was refused at its time stays on its sender's list.
pub const SCHEDULED_REFUSED_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Until the hook of its group is asked again about a scheduled message whose time has come.
pub const SCHEDULED_ASKED_MS: u64 = 5_000;
/// Milliseconds for which the row of a cancelled one outlives its time: longer than clocks of
/// leaders differ, so that no leader schedules it again.
pub const SCHEDULED_CANCELLED_MS: u64 = 3_600 * 1_000;
/// Scheduled messages in one page of a user's list.
pub const PAGE_SCHEDULED: usize = 100;
/// Pieces of due work in one command. The leader proposes the next command for the rest.
pub const DUE_AT_ONCE: usize = 16;
/// Bans in one page of a group's bans.
pub const PAGE_BANS: usize = 500;
/// Requests of one user to join groups in a day, counted by each node. Above it:
/// `Overloaded(quota_exceeded)`.
pub const JOIN_REQUESTS_PER_DAY: u64 = 100;
/// Requests to join in one page of those of a group.
pub const PAGE_JOIN_REQUESTS: usize = 100;
/// Events in one command of an import. Above it: `Rejected(too_many)`.
pub const IMPORT_EVENTS: usize = 256;
/// Positions of members in one command of an import. Above it: `Rejected(too_many)`.
pub const IMPORT_CURSORS: usize = 1_024;
/// Characters of a user's display name. Above it: `Rejected(bad_request)`.
pub const DISPLAY_NAME_CHARS: usize = 64;
/// Bytes of a user's text about itself. Above it: `Rejected(bad_request)`.
pub const ABOUT_BYTES: usize = 1_024;
/// Bytes of a user's language tag. Above it: `Rejected(bad_request)`.
pub const LANGUAGE_BYTES: usize = 35;
/// Bytes of a draft that a user keeps for a conversation. Above it: `Rejected(bad_request)`.
pub const DRAFT_BYTES: usize = 4 * 1024;
/// Messages that a user deletes for itself in one request. Above it: `Rejected(too_many)`.
pub const DELETED_AT_ONCE: usize = 100;
/// Messages of one conversation that a user has deleted for itself behind its cleared history.
/// Above it: `Rejected(too_many_deleted)`; clearing the history makes room.
pub const DELETED_FOR_ME: usize = 500;
/// Messages that a user has saved. Above it: `Rejected(too_many_favourites)`.
pub const FAVOURITES: usize = 5_000;
/// Saved messages in one page. Each is read in its conversation.
pub const PAGE_FAVOURITES: usize = 50;
/// The last place of a pinned conversation. Above it: `Rejected(bad_request)`.
pub const PIN_PLACE: u64 = 1_000_000;
/// Unread mentions that a list of conversations counts. Above it: this number.
pub const MENTIONS_COUNTED: usize = 100;
/// Contacts of one user, with those that it has asked. Above it: `Rejected(too_many_contacts)`.
pub const CONTACTS: usize = 10_000;
/// Requests of one user without an answer. Above it: `Rejected(too_many_requests)`.
pub const CONTACT_REQUESTS_SENT: usize = 200;
/// Requests to one user without an answer. Above it a request ends like one that was refused.
pub const CONTACT_REQUESTS_RECEIVED: usize = 500;
/// Bytes of the text of a request. Above it: `Rejected(bad_request)`.
pub const CONTACT_TEXT_BYTES: usize = 512;
/// Characters of a user's own name for a contact. Above it: `Rejected(bad_request)`.
pub const REMARK_CHARS: usize = 64;
/// Users that one user blocks. Above it: `Rejected(too_many_blocks)`.
pub const BLOCKS: usize = 10_000;
/// Contacts, or blocks, in one page.
pub const PAGE_CONTACTS: usize = 200;
/// Open reports of one user. Above it: `Rejected(too_many_reports)`.
pub const REPORTS_OF_USER: usize = 20;
/// Open reports of all users. Above it: `Rejected(too_many_reports)`.
pub const REPORTS: usize = 10_000;
/// Bytes of the reason of a report. Above it: `Rejected(bad_request)`.
pub const REPORT_REASON_BYTES: usize = 1_024;
/// Bytes of the reported text that a report keeps. A longer one is cut.
pub const REPORT_EXCERPT_BYTES: usize = 1_024;
/// Reports in one page.
pub const PAGE_REPORTS: usize = 100;
/// Unanswered invitations of strangers to one user. Above it an invitation is refused: the user
/// leaves the group.
pub const INVITATIONS_PENDING: usize = 100;
/// Of those, invitations by the same stranger, with the same behaviour at the limit.
pub const INVITATIONS_PENDING_OF_ONE: usize = 10;
/// Milliseconds after which an unanswered invitation expires: thirty days.
pub const INVITATION_MS: u64 = 30 * 24 * 3_600 * 1_000;
/// Sessions of one user. Above it the oldest is replaced.
pub const SESSIONS_PER_USER: usize = 16;
/// Changes of an account against which a late repeat is recognised. A repeat after more others is
/// executed again.
pub const CHANGES_REMEMBERED: usize = 8;
/// Rows of the audit log per slot. Above it the oldest is dropped.
pub const AUDIT_ROWS_PER_SLOT: u64 = 1_024;
/// Rows of a slot against which an act that changes nothing else is compared, so that it is
/// recorded once. A repeat behind more of them leaves a second row.
pub const AUDIT_ROWS_COMPARED: usize = 32;
/// Bytes of each text in an audit row. A longer one is cut.
pub const AUDIT_TEXT_BYTES: usize = 256;
/// Accounts that one invitation code may register.
pub const INVITE_USES: u32 = 1_000;
/// Bytes of the note of an invitation. Above it: `Rejected(bad_request)`.
pub const INVITE_NOTE_BYTES: usize = 256;
/// Bytes of an invitation code. Other lengths are invalid.
pub const INVITE_CODE_MIN_BYTES: usize = 12;
pub const INVITE_CODE_MAX_BYTES: usize = 64;
/// Rows in one page of the audit log.
pub const PAGE_AUDIT: usize = 500;
/// Groups in one page of an administrator's list.
pub const PAGE_GROUPS: usize = 200;
/// Accounts, or invitations, in one page of an administrator's list.
pub const PAGE_ACCOUNTS: usize = 200;

/// Events in one page of history. A larger request is cut to it.
pub const PAGE_EVENTS: usize = 500;
/// Bytes of bodies in one page of history; at least one event is always in a page.
pub const PAGE_BYTES: usize = 512 * 1024;
/// Users of a shard whose names one request for the online list reads; later requests read on.
/// Above it: `Overloaded`.
pub const ONLINE_READ: usize = 2_000;
/// Users in one page of a search or of the online list.
pub const PAGE_USERS: usize = 100;
/// Conversations in one page of the conversation list.
pub const PAGE_CONVERSATIONS: usize = 200;

/// Members in one page of a conversation's members.
pub const PAGE_MEMBERS: usize = 500;

/// Bytes of one frame before the login: a greeting, a login or a registration. Above it the
/// connection is closed.
pub const GREETING_FRAME_BYTES: usize = 4 * 1024;
/// Milliseconds for which a connection above its budget is read later instead of refused. Above it:
/// `Overloaded(rate_limited)`.
pub const PACE_MS: u64 = 1_000;
/// Heartbeats of one connection per second, and at once. Above it the connection is read later.
pub const HEARTBEATS: (u64, u64) = (10, 100);
/// Connections that one address may open per second, and at once. Above it a new one is closed.
pub const CONNECTIONS_OPENED: (u64, u64) = (100, 500);
/// Microseconds of CPU that the HTTP connections of one address may use per second at a node, and
/// at once. Above it they are polled later.
pub const HTTP_CPU_MICROS: (u64, u64) = (100_000, 20_000);
/// Users, and addresses, whose budgets a node keeps. Above it unknown ones share one.
pub const BUDGETS_KEPT: usize = 65_536;
/// Acknowledgements of one connection in progress at once; more wait.
pub const ACKNOWLEDGING: usize = 16;
/// Conversations of one connection whose acknowledgement waits; a later seq replaces an earlier
/// one. Above it: dropped.
pub const ACKNOWLEDGEMENTS_WAITING: usize = 1_024;

/// Sends of one connection that wait for their ack. At the limit the edge stops reading that
/// socket.
pub const SEND_WINDOW: usize = 256;
/// Bytes waiting for a slow connection. Above it the connection is closed and resumes by its
/// cursor.
pub const CONNECTION_OUT_BYTES: usize = 4 * 1024 * 1024;
/// Divisor: one connection may use this fraction of the room left for the output of all connections
/// of a node.
pub const OUTPUT_SHARE: usize = 16;
/// Seconds in which a connection takes none of its waiting output, before it is closed and resumes
/// by its cursor.
pub const WRITE_STALL_SECONDS: u64 = 20;
/// Seconds in which the machine of a client acknowledges none of the bytes on their way, before its
/// connection is closed.
pub const UNACKNOWLEDGED_SECONDS: u64 = 30;
/// Bytes of HTTP bodies that come in at a node, until each is whole. Above it: `Overloaded`.
pub const BODIES_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of HTTP bodies that come in from one address. Above it: `Overloaded`.
pub const BODIES_BYTES_OF_ADDRESS: usize = 16 * 1024 * 1024;
/// Connections without a login, per node. Above it the oldest of the address with most of them is
/// closed.
pub const UNAUTHENTICATED_CONNECTIONS: usize = 4_096;
/// Seconds a connection may stay without logging in.
pub const UNAUTHENTICATED_SECONDS: u64 = 15;
/// An unanswered send may still commit for this long: 5 s of edge retries, 5 s of proposal timeout,
/// doubled for a stalled process. After it, a refusal of the same id is final.
pub const DOUBT_SECONDS: u64 = 20;
/// Seconds without any frame from a client before its connection is closed.
pub const IDLE_SECONDS: u64 = 90;
/// Seconds between pings on a WebSocket. Proxies close connections that are silent for a minute.
pub const WEBSOCKET_PING_SECONDS: u64 = 25;
/// Password hashes running at once on a node; each takes some 19 MiB and 20 ms of a core.
pub const HASHES_RUNNING: usize = 2;
/// Password hashes waiting. Above it the address with most of them loses its last.
pub const HASHES_WAITING: usize = 256;
/// Password hashes of one address waiting. Above it: `Overloaded`.
pub const HASHES_WAITING_OF_ADDRESS: usize = 64;
/// Failed logins of one address into one account at once, and per minute after that. Above it:
/// `Overloaded(rate_limited)` before hashing. Other addresses, perhaps the owner's, are unaffected.
pub const FAILED_LOGINS: (u64, u64) = (5, 6);

/// Waiting reads of applied state, of all users of a node. Above it the longest queue of one user
/// loses an item.
pub const READS_WAITING: usize = 8_192;
/// Waiting reads of applied state of one user on a node. Above it: `Overloaded`.
pub const READS_WAITING_OF_USER: usize = 128;
/// Words of a search. Above it: `Rejected(too_many_words)`.
pub const SEARCH_WORDS: usize = 16;
/// Characters of the query of a search. Above it: `Rejected(bad_request)`.
pub const SEARCH_CHARS: usize = 256;
/// Places in the snippet of a found message. Further ones are left out.
pub const SEARCH_PLACES: usize = 16;
/// Messages in one page of a search. A larger request is cut to it.
pub const PAGE_FOUND: usize = 100;
/// Rows that one page of a search reads, in all shards together. At the limit the page ends, and
/// the next one goes on there.
pub const SEARCH_ROWS: usize = 4_000;
/// Rows that a shard may read for one page at least, however many others are asked.
pub const SEARCH_ROWS_OF_SHARD: usize = 250;
/// Conversations that one page of a search looks into. A user with more searches these first, in
/// the order of the list, and the others on further pages.
pub const SEARCH_CONVERSATIONS: usize = 500;
/// Blocks of events that wait for the index of a shard. Above it all conversations are compared.
pub const SEARCH_BLOCKS_WAITING: usize = 4_096;
/// Shards asked at once by one search.
pub const SEARCHED_AT_ONCE: usize = 8;

/// Requests in flight at one entity actor. Above it: `Overloaded`.
pub const ENTITY_IN_FLIGHT: usize = 1_024;
/// Requests in flight at one shard. Above it: `Overloaded`.
pub const SHARD_IN_FLIGHT: usize = 8_192;
/// Envelopes waiting in one lane to one node. Above it: `Overloaded`.
pub const LANE_ENVELOPES: usize = 8_192;
/// Bytes waiting in one lane to one node (one larger envelope still goes alone). Above it:
/// `Overloaded`.
pub const LANE_BYTES: usize = 32 * 1024 * 1024;
/// Requests of this node that wait for an answer of another node. Above it: `Overloaded`.
pub const NODE_PENDING: usize = 65_536;

/// Envelopes from other nodes that are not finished. Above it their lanes get no credits.
pub const NODE_RECEIVED: usize = 32_768;
/// Users of one conversation whose cursors wait to be written. Above it: delivered is dropped, read
/// is `Overloaded`.
pub const CURSORS_WAITING: usize = 4_096;
/// In a larger group, and in `everyone`, cursors are stored, but the server pushes only a user's
/// own read position, to its devices.
pub const MEMBERS_SEEING_CURSORS: usize = 64;
/// Bytes of the payload of a signal. Above it: `Rejected(bad_request)`.
pub const SIGNAL_BYTES: usize = 4 * 1024;
/// Members of the largest group that carries signals. Above it: `Rejected(too_many_receivers)`.
pub const SIGNAL_MEMBERS: usize = 256;
/// Signals of one user per second, and at once. Above it: `Overloaded(rate_limited)`.
pub const SIGNALS: (u64, u64) = (20, 200);
/// Divisor: signals use this fraction of the room of a slow connection. Above it they are dropped,
/// so that none takes the room of an event.
pub const SIGNALS_SHARE: usize = 4;
/// Milliseconds between two times at which a user was last online. Times between are not kept.
pub const SEEN_EVERY_MS: u64 = 60_000;
/// Milliseconds for which a call rings. Then it ends as missed.
pub const CALL_RINGS_MS: u64 = 60_000;
/// Milliseconds of the longest call. Then it ends, so that two lost devices block no other call.
pub const CALL_MS: u64 = 12 * 3_600 * 1_000;
/// Heads in one push between nodes; the next go in another.
pub const HEADS_PER_PUSH: usize = 4_096;
/// Conversations subscribed to, or sessions attached, in one request between nodes; the next go in
/// another.
pub const INTERESTS_PER_REQUEST: usize = 1_024;
/// Events of one conversation held back while a gap before them is filled. Above it the latest are
/// dropped and fetched later.
pub const EVENTS_HELD_BACK: usize = 256;
/// Users whose existence a node caches, so that not every message queries it.
pub const USERS_REMEMBERED: usize = 16_384;
/// Direct conversations that one node remembers as begun. At the limit all are dropped, and looked
/// up again.
pub const BEGUN_REMEMBERED: usize = 65_536;
/// Seconds for which a node caches the existence of a user. For this long after a deletion, other
/// nodes may still accept sends to the account.
pub const USER_BELIEVED_SECONDS: u64 = 10;
/// Conversations that one connection follows. Those above it are listed and fetched, but not
/// pushed.
pub const CONVERSATIONS_FOLLOWED: usize = 10_000;

/// Commands in one Raft entry.
pub const BATCH_COMMANDS: usize = 64;
/// Encoded bytes of the commands in one Raft entry; at the limit the next command goes into the
/// next entry. One command above it: `Rejected(too_large)` before it enters a log.
pub const BATCH_BYTES: usize = 256 * 1024;
/// Bytes of one Raft entry of any group, a batch or a part of a restore. No larger entry enters a
/// log, so it bounds every row as well. The layers below assert at compile time that they carry it.
pub const ENTRY_BYTES: usize = 512 * 1024;
/// Bytes of the largest entry that versions before [`ENTRY_BYTES`] could write: they counted names
/// as 0 bytes. Raft connections still carry it, in pieces, so that a log that holds one is not
/// stuck.
pub const OLD_ENTRY_BYTES: usize = BATCH_COMMANDS * (FRAME_BYTES + 1024);
/// Bytes proposed to one shard and not yet applied. Above it the proposer waits.
pub const SHARD_PROPOSED_BYTES: usize = 16 * 1024 * 1024;

/// Hops of messages that a node keeps, of 64 bytes each. Above it the oldest is dropped.
pub const TRACE_HOPS: usize = 256 * 1024;

/// The reactions of a page of history with as many as possible: each takes its emoji, a number and
/// a flag.
const PAGE_REACTIONS_BYTES: usize = PAGE_EVENTS * REACTIONS_PER_MESSAGE * (EMOJI_BYTES + 14);

/// The polls of a page of history: each option has a count and may be the reader's.
const PAGE_POLLS_BYTES: usize = PAGE_POLLS * (POLL_OPTIONS * 7 + 32);

const _: () = assert!(SIGNAL_BYTES > PIECE_BYTES + 64);
const _: () = assert!(FRAME_BYTES > MESSAGE_BYTES);
const _: () = assert!(FRAME_BYTES > CHUNK_BYTES + 1024);
const _: () = assert!(SERVER_FRAME_BYTES > FILE_PART_CHUNKS * CHUNK_BYTES + 1024);
const _: () = assert!(SERVER_FRAME_BYTES > PAGE_BYTES + FRAME_BYTES + PAGE_REACTIONS_BYTES + PAGE_POLLS_BYTES);
const _: () = assert!(NODE_FRAME_BYTES > SERVER_FRAME_BYTES);
const _: () = assert!(BATCH_BYTES > FRAME_BYTES);
// A batch has a version and a time besides its commands.
const _: () = assert!(ENTRY_BYTES > BATCH_BYTES + 64);
const _: () = assert!(NODE_FRAME_BYTES > 2 * ENTRY_BYTES);
// The largest commands of the nodes themselves: cursors of 40 bytes each.
const _: () = assert!(BATCH_BYTES > CURSORS_WAITING * 40 + 1024);
