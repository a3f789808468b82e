/** Limits of docs/protocol.md that a client keeps. A test compares them with that page. */

export const MESSAGE_BYTES = 65_536;
export const FRAME_BYTES = 81_920;
export const SERVER_FRAME_BYTES = 1_048_576;
export const CHUNK_BYTES = 65_536;
export const FILE_BYTES = 104_857_600;
export const DEVICE_BYTES = 64;
export const PAGE_EVENTS = 500;
export const PAGE_USERS = 100;
export const PAGE_MEMBERS = 500;
export const PAGE_CONTACTS = 200;
export const PAGE_DEAD = 100;
export const PAGE_CONVERSATIONS = 200;
/** Milliseconds for which an unanswered send may still commit. */
export const DOUBT_MS = 20_000;
