/** What a driver has its shell do. */

import type { TroupeError } from "./errors.js";
import type { ClientMessageId, ConversationId } from "./ids.js";
import type { Acked, Incoming, MessageState, State } from "./items.js";
import type { Queued } from "./outbox.js";
import type { Change } from "./store.js";

export type Output =
  /** Open a transport to this address, and report with the number of the line. */
  | { readonly do: "dial"; readonly line: number; readonly address: string }
  | { readonly do: "write"; readonly line: number; readonly frame: Uint8Array<ArrayBuffer> }
  /** `orderly`: after everything is written. */
  | { readonly do: "hangUp"; readonly line: number; readonly orderly: boolean }
  | { readonly do: "store"; readonly change: Change }
  /** A message has left the outbox. */
  | { readonly do: "settled"; readonly message: Settlement }
  /** A message of the outbox has another state. */
  | { readonly do: "moved"; readonly message: Queued; readonly state: MessageState }
  | { readonly do: "state"; readonly state: State }
  /** The client has stopped. Messages without an outcome stay in the outbox. */
  | { readonly do: "stopped"; readonly why: string }
  | { readonly do: "log"; readonly text: string };

export interface Settlement {
  readonly conversation: ConversationId;
  readonly id: ClientMessageId;
  readonly outcome: Acked | TroupeError;
}

/** The change with which the store remembers that the application has this item. */
export function changeOf(item: Incoming): Change | undefined {
  if (item.type === "event") return { set: "event", conversation: item.conversation, event: item.event };
  // Stored now and not at detection: events of the old history were still queued.
  if (item.type === "restored") return { set: "history", conversation: item.conversation, history: item.history, kept: item.kept };
  return undefined;
}
