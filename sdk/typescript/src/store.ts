/**
 * The persistent state of a device: session, outbox, cursors, and delivered events. A store belongs
 * to one cluster and one user.
 */

import { type Event, textOf } from "./event.js";
import { type ClientMessageId, type ConversationId, sameBytes, type Seq, type UserId } from "./ids.js";
import type { Queued } from "./outbox.js";

/** Events kept for history and search on the device. The oldest are dropped first. */
export const HISTORY_EVENTS = 10_000;

export interface Session {
  readonly user: UserId;
  readonly name: string;
  readonly device: string;
  /** Secret: it authenticates this device. Empty after the session has ended. */
  readonly token: Uint8Array;
}

/** One step of the stored state. */
export type Change =
  /** The cluster of this store. Nothing of the store is ever sent to another one. */
  | { readonly set: "cluster"; readonly id: Uint8Array }
  | { readonly set: "session"; readonly session: Session }
  /** The session has ended. The rest stays for a new login of the same user and device. */
  | { readonly set: "sessionEnded" }
  /** A message enters the outbox. */
  | { readonly set: "queued"; readonly message: Queued }
  /** A message leaves the outbox, acknowledged or definitely refused. */
  | { readonly set: "settled"; readonly id: ClientMessageId }
  /** Event and cursor: this event, and everything before it, was delivered. */
  | { readonly set: "event"; readonly conversation: ConversationId; readonly event: Event }
  /** The device follows this conversation from after `seq`. */
  | { readonly set: "cursor"; readonly conversation: ConversationId; readonly seq: Seq }
  /**
   * The held events belong to this history of the cluster. `kept` moves the cursor back, and drops
   * the kept events above it.
   */
  | { readonly set: "history"; readonly conversation: ConversationId; readonly history: bigint; readonly kept: Seq | undefined };

/** The sum of all changes, without the events. */
export interface Saved {
  cluster: Uint8Array | undefined;
  session: Session | undefined;
  /** In the order in which they were queued. */
  outbox: Queued[];
  cursors: Map<ConversationId, Seq>;
  histories: Map<ConversationId, bigint>;
}

/** A delivered event, with its number in the order of delivery on this device. */
export interface Kept {
  readonly number: number;
  readonly conversation: ConversationId;
  readonly event: Event;
}

/** Which of the kept events to read. */
export interface EventQuery {
  readonly conversation?: ConversationId;
  /** Only texts that contain this word, without regard to case. */
  readonly word?: string;
  /** Only events behind this number. */
  readonly after?: number;
  /** At most this many: the first ones with `after`, and the newest ones without. */
  readonly limit: number;
}

/**
 * A store for another place is an implementation of this. Methods reject with StoreError, and then
 * the change does not count.
 */
export interface Store {
  load(): Promise<Saved>;
  /** Performs all changes in one transaction. Calls take effect in their order. */
  write(changes: readonly Change[]): Promise<void>;
  /** Oldest first. */
  events(query: EventQuery): Promise<Kept[]>;
  /** The number of the latest kept event. */
  last(): Promise<number>;
  close(): Promise<void>;
}

export function nothing(): Saved {
  return { cluster: undefined, session: undefined, outbox: [], cursors: new Map(), histories: new Map() };
}

/** Performs a change in memory. */
export function apply(saved: Saved, change: Change): void {
  switch (change.set) {
    case "cluster":
      saved.cluster = change.id;
      break;
    case "session":
      saved.session = change.session;
      break;
    case "sessionEnded":
      if (saved.session !== undefined) saved.session = { ...saved.session, token: new Uint8Array(0) };
      break;
    case "queued":
      saved.outbox.push(change.message);
      break;
    case "settled":
      saved.outbox = saved.outbox.filter(({ id }) => id !== change.id);
      break;
    case "event":
      saved.cursors.set(change.conversation, change.event.seq);
      break;
    case "cursor":
      saved.cursors.set(change.conversation, change.seq);
      break;
    case "history":
      saved.histories.set(change.conversation, change.history);
      if (change.kept !== undefined) saved.cursors.set(change.conversation, change.kept);
      break;
  }
}

export function matches({ event, conversation }: Omit<Kept, "number">, query: EventQuery): boolean {
  if (query.conversation !== undefined && query.conversation !== conversation) return false;
  return query.word === undefined || (textOf(event) ?? "").toLowerCase().includes(query.word.toLowerCase());
}

/** For tests, and for clients that leave nothing on disk. It may be opened again in one process. */
export class MemoryStore implements Store {
  private readonly saved = nothing();
  private kept: Kept[] = [];
  private number = 0;

  constructor(private readonly history = 256) {}

  load(): Promise<Saved> {
    const { cluster, session, outbox, cursors, histories } = this.saved;
    return Promise.resolve({ cluster, session, outbox: [...outbox], cursors: new Map(cursors), histories: new Map(histories) });
  }

  write(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      apply(this.saved, change);
      if (change.set === "event") {
        this.number += 1;
        this.kept.push({ number: this.number, conversation: change.conversation, event: change.event });
      } else if (change.set === "history" && change.kept !== undefined) {
        const { conversation, kept } = change;
        this.kept = this.kept.filter((one) => one.conversation !== conversation || one.event.seq <= kept);
      }
    }
    if (this.kept.length > 2 * this.history) this.kept = this.kept.slice(-this.history);
    return Promise.resolve();
  }

  events(query: EventQuery): Promise<Kept[]> {
    const found = this.kept.filter((one) => one.number > (query.after ?? 0) && matches(one, query));
    const limit = Math.max(query.limit, 0);
    return Promise.resolve(query.after === undefined ? found.slice(Math.max(found.length - limit, 0)) : found.slice(0, limit));
  }

  last(): Promise<number> {
    return Promise.resolve(this.number);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export function sameSession(one: Session | undefined, other: Session): boolean {
  return (
    one !== undefined &&
    one.user === other.user &&
    one.name === other.name &&
    one.device === other.device &&
    sameBytes(one.token, other.token)
  );
}
