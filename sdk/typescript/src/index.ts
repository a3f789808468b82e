/**
 * The TypeScript SDK of Troupe: a client that sends each message exactly once and delivers every
 * event once, in order. docs/sdk.md has the rules that it shares with the other SDKs.
 */

export { Client, type ClientOptions, Events } from "./client.js";
export { type Clock, realClock } from "./clock.js";
export { ConversationList, type ConversationView } from "./conversations.js";
export {
  OutboxFull,
  OutOfOrder,
  Overloaded,
  ProtocolError,
  Rejected,
  Stopped,
  StoreError,
  TroupeError,
  Unavailable,
} from "./errors.js";
export { encodeBody, type NewBody, type SendOptions, type TypedBody, typedBody } from "./content.js";
export { bodyOf, type Content, COUNTS_AS_UNREAD, type Event, isErased, type MessageContent, ofWire, TEXT, textOf } from "./event.js";
export {
  type ClientMessageId,
  clientMessageId,
  compareConversations,
  type ConversationId,
  conversationId,
  direct,
  EVERYONE,
  group,
  hex,
  ofHex,
  randomId,
  type Seq,
  seq,
  type UserId,
  userId,
} from "./ids.js";
export { fallbackDialer } from "./fallback.js";
export { httpDialer } from "./http.js";
export { IndexedDbStore, storeOfPlatform } from "./indexeddb.js";
export type {
  Acked,
  CursorMoved,
  EventReceived,
  Incoming,
  MessageState,
  Restored,
  Settled,
  SignalReceived,
  StartAt,
  State,
} from "./items.js";
export { consistentHash, leastConnections, type NodeChoice, randomly, roundRobin } from "./nodes.js";
export type { ProfileChange } from "./people.js";
export type { PersonalChange } from "./personal.js";
export { fileName, type HistoryPage, type SearchFor } from "./requests.js";
export { SentMessage } from "./sent.js";
export * as signals from "./signals.js";
export { type Change, type EventQuery, type Kept, MemoryStore, type Saved, type Session, type Store } from "./store.js";
export { type Channel, type Locks, type Share, sharedByTabs, type TabsPlatform } from "./tabs.js";
export type { Dialer, Transport } from "./transport.js";
export type { Watched } from "./value.js";
export { websocketDialer } from "./websocket.js";
export * as wire from "./wire.js";
