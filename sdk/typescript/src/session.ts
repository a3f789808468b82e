/** What a client stands on: a device with a session, in this process or in another tab. */

import type { TroupeError } from "./errors.js";
import type { ClientMessageId, ConversationId, UserId } from "./ids.js";
import type { Acked, Incoming, MessageState, State } from "./items.js";
import type { Request, ServerMessage } from "./line.js";
import type { Queued } from "./outbox.js";
import type { EventQuery, Kept } from "./store.js";

export interface Account {
  readonly user: UserId;
  readonly name: string;
  readonly device: string;
}

/** A message of the outbox has another state. */
export interface Moved {
  readonly notice: "moved";
  readonly message: Queued;
  readonly state: MessageState;
}

/** A message has left the outbox. */
export interface Outcome {
  readonly notice: "settled";
  readonly conversation: ConversationId;
  readonly id: ClientMessageId;
  readonly outcome: Acked | TroupeError;
  /** It is for this client to report, and not for one in another tab. */
  readonly isOwn: boolean;
}

/** Something that a client shows at once. */
export type Notice =
  | Moved
  | Outcome
  | { readonly notice: "state"; readonly state: State }
  /** The session has ended. Messages without an outcome stay in the outbox. */
  | { readonly notice: "stopped"; readonly why: string };

export interface Session {
  readonly state: State;
  /** Undefined before the first login. */
  readonly account: Account | undefined;
  readonly token: Uint8Array | undefined;
  readonly device: string;
  /** Messages without an outcome. */
  readonly outbox: Iterable<[Queued, MessageState]>;
  /** Reads the store. `listen` is called with every notice from then on. */
  start(listen: (notice: Notice) => void): Promise<void>;
  /** The message is in the store and in the outbox when this resolves. */
  send(message: Queued): Promise<void>;
  /** Asks the present node once. Throws what a failure says. */
  ask(request: Request): Promise<ServerMessage>;
  /** The next item, or undefined after the end. */
  receive(): Promise<Incoming | undefined>;
  /** Stores that the application has these items. */
  processed(items: readonly Incoming[]): Promise<void>;
  /** Puts an item among those that are received. */
  offer(item: Incoming): void;
  events(query: EventQuery): Promise<Kept[]>;
  close(): Promise<void>;
  /** Ends like a killed process: nothing is acknowledged, and nothing is waited for. */
  kill(): void;
}
