/**
 * The items that a client hands to its application, in order per conversation. All are plain data.
 */

import type { TroupeError } from "./errors.js";
import type { Event } from "./event.js";
import type { ClientMessageId, ConversationId, Seq, UserId } from "./ids.js";
import type * as wire from "./wire.js";

/**
 * Where to start in a conversation that the device has never followed.
 *
 * - `delivered`: after the last event that any device of the user received. In `everyone` it is the
 *   head if nothing was received.
 * - `beginning`: all history that the user may see.
 * - `head`: only new events.
 */
export type StartAt = "delivered" | "beginning" | "head";

export type State =
  | { readonly is: "connecting" }
  | { readonly is: "online"; readonly node: bigint; readonly address: string }
  /** The client is looking for another node. No action is needed. */
  | { readonly is: "offline"; readonly reason: string }
  /** The session has ended: replaced, revoked, logged out, or wrong password. The client stops. */
  | { readonly is: "kicked"; readonly code: string; readonly text: string };

/** The message is durable at this seq. */
export interface Acked {
  readonly id: ClientMessageId;
  readonly seq: Seq;
  readonly timeMs: number;
}

/** Each event once, without gaps from the device's start position. */
export interface EventReceived {
  readonly type: "event";
  readonly conversation: ConversationId;
  readonly event: Event;
}

/** The delivered and read positions of a user. Omitted if the application is slow. */
export interface CursorMoved {
  readonly type: "cursorMoved";
  readonly conversation: ConversationId;
  readonly user: UserId;
  readonly delivered: Seq;
  readonly read: Seq;
}

/**
 * The cluster was restored with fewer events than this device has delivered. Events up to `kept`
 * are unchanged, and the `lost` events after them are gone. The conversation continues after
 * `kept`.
 */
export interface Restored {
  readonly type: "restored";
  readonly conversation: ConversationId;
  readonly kept: Seq;
  readonly lost: number;
  /** Number of the history that the device follows from here on. */
  readonly history: bigint;
}

/**
 * The outcome of a message that was in the outbox at the start, or whose outcome was not asked for.
 */
export interface Settled {
  readonly type: "settled";
  readonly conversation: ConversationId;
  readonly id: ClientMessageId;
  readonly outcome: Acked | TroupeError;
}

/**
 * Another user types, or tells this device something that no log keeps. Omitted if the application
 * is slow. `signals` has the kinds.
 */
export interface SignalReceived {
  readonly type: "signal";
  readonly conversation: ConversationId;
  readonly user: UserId;
  /** The sending device, for an answer to it alone. */
  readonly device: number;
  readonly kind: number;
  readonly payload: Uint8Array;
  /** The head of the conversation at that moment. */
  readonly seq: Seq;
}

export type Incoming =
  | EventReceived
  | CursorMoved
  | Restored
  | Settled
  | { readonly type: "conversationAdded"; readonly conversation: ConversationId; readonly head: Seq }
  | { readonly type: "conversationRemoved"; readonly conversation: ConversationId }
  /** A stranger has added this user to a group, or has written to it: see `Client.invitations`. */
  | { readonly type: "invited"; readonly conversation: ConversationId; readonly by: UserId }
  | SignalReceived
  /** A watched user has come, has gone, or shows something else now. Omitted if the application is slow. */
  | { readonly type: "presence"; readonly user: UserId; readonly online: boolean; readonly lastSeenMs: number }
  /** This user has changed its profile, on any device. A lower `version` is late. */
  | { readonly type: "profileChanged"; readonly own: wire.OwnProfile }
  /** This user's relation to another one has changed, by either. A lower `version` is late. */
  | { readonly type: "contactChanged"; readonly contact: wire.Contact }
  /** This user has saved a message, or saves it no more, on any device. A lower `version` is late. */
  | { readonly type: "favouriteChanged"; readonly conversation: ConversationId; readonly seq: Seq; readonly removed: boolean; readonly version: number }
  /**
   * This user has changed its own state of a conversation, on any device. A lower `version` is late.
   */
  | { readonly type: "personalChanged"; readonly personal: wire.Personal }
  | { readonly type: "stateChanged"; readonly state: State }
  /**
   * Only with `sharedByTabs`: events were dropped because this tab slept too long. Read the history
   * again.
   */
  | { readonly type: "missed" };

/**
 * The life of a message.
 *
 * - `queued`: in the outbox; it leaves when a node can be reached.
 * - `sent`: on its way.
 * - `unknown`: an attempt ended without an answer; the client sends it again under its id.
 * - `durable`: on the disks of a majority.
 * - `refused`: it never takes a place.
 */
export type MessageState = "queued" | "sent" | "unknown" | "durable" | "refused";
