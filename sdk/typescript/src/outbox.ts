/**
 * Messages to send: their order and their links. No IO: the driver reports outcomes and asks what
 * to send.
 *
 * A message leaves the outbox only by its ack or by a definite refusal. Each message names its
 * predecessor in the outbox of that conversation as `after`. The log therefore keeps the order,
 * however frames are lost, repeated or reordered. A predecessor that has left the outbox is either
 * in the log or refused forever, so there is nothing to wait for.
 */

import type { ClientMessageId, ConversationId } from "./ids.js";
import { compareConversations } from "./ids.js";
import type { MessageState } from "./items.js";
import { DOUBT_MS } from "./limits.js";
import type * as wire from "./wire.js";

/** Messages waiting on one device. Above it: OutboxFull. */
export const OUTBOX_MESSAGES = 10_000;
/** Milliseconds before a retry after an unknown outcome, if the server names none. */
const RETRY = 100;

/**
 * The outcome of a send, other than its ack.
 *
 * - `forGood`: definite; the message leaves the outbox, unless an earlier send may still commit.
 * - `outOfOrder`: its predecessor is not in the log.
 * - `later`: not accepted; send again after a time.
 * - `unknown`: send again.
 */
export type Refused = "forGood" | "outOfOrder" | "later" | "unknown";

/** A message as the application gave it. */
export interface Queued {
  readonly conversation: ConversationId;
  readonly id: ClientMessageId;
  readonly kind: number;
  readonly content: Uint8Array;
  /** What it refers to. Undefined: nothing. */
  readonly context?: wire.Context;
}

export interface Outgoing extends Queued {
  readonly after: ClientMessageId | undefined;
}

interface Entry {
  readonly message: Queued;
  /**
   * `blocked` was refused because its predecessor is missing. It waits until the predecessor was
   * sent again or has left the outbox. `lost` was in flight when its connection ended.
   */
  place: "waiting" | "blocked" | "inFlight" | "lost";
  /**
   * When a send of it last ended without an answer. That send may still commit, whatever a later
   * one returned.
   */
  unresolvedSince: number | undefined;
  /** Number of its last send. Zero before the first. */
  sent: number;
}

interface Queue {
  /** In the order of the log. */
  readonly entries: Map<ClientMessageId, Entry>;
  /** Entries that are not in flight. */
  unsent: number;
  notBefore: number;
}

export class Outbox {
  private readonly queues = new Map<ConversationId, Queue>();
  /**
   * Queues with a message that is not in flight. A queue that was served goes to the end, so that
   * conversations take turns.
   */
  private readonly unsent = new Set<ConversationId>();
  private readonly byId = new Map<ClientMessageId, ConversationId>();
  private inFlight = 0;
  private window = 1;
  private sends = 0;

  constructor(
    /** Called with each change of a message that stays in the outbox. */
    private readonly changed: (message: Queued, state: MessageState) => void = () => {},
    private readonly capacity = OUTBOX_MESSAGES,
  ) {}

  get size(): number {
    return this.byId.size;
  }

  get isFull(): boolean {
    return this.byId.size >= this.capacity;
  }

  /** The conversation of a message in the outbox. */
  conversationOf(id: ClientMessageId): ConversationId | undefined {
    return this.byId.get(id);
  }

  /** All messages, in the order of each conversation. */
  *messages(): IterableIterator<[Queued, MessageState]> {
    for (const { entries } of this.queues.values()) for (const entry of entries.values()) yield [entry.message, stateOf(entry)];
  }

  /** A new connection. Messages in flight are sent again with the same ids, in order. */
  connected(window: number, now: number): void {
    this.window = Math.max(window, 1);
    this.disconnected();
    for (const conversation of [...this.queues.keys()].sort(compareConversations)) {
      const queue = this.queues.get(conversation) as Queue;
      queue.notBefore = 0;
      queue.unsent = queue.entries.size;
      for (const entry of queue.entries.values()) {
        if (entry.place === "lost") entry.unresolvedSince = now;
        entry.place = "waiting";
      }
      this.unsent.add(conversation);
    }
  }

  /** Messages in flight get no answer any more. */
  disconnected(): void {
    this.inFlight = 0;
    for (const { entries } of this.queues.values()) {
      for (const entry of entries.values()) {
        if (entry.place !== "inFlight") continue;
        entry.place = "lost";
        this.changed(entry.message, "unknown");
      }
    }
  }

  /**
   * Appends a message. False: the outbox is full, or has this id. `earlierSince` is the time now
   * for a message of an earlier process, which may have sent it.
   */
  push(message: Queued, earlierSince?: number): boolean {
    const { conversation, id } = message;
    if (this.isFull || this.byId.has(id)) return false;
    this.byId.set(id, conversation);
    let queue = this.queues.get(conversation);
    if (queue === undefined) this.queues.set(conversation, (queue = { entries: new Map(), unsent: 0, notBefore: 0 }));
    const entry: Entry = { message, place: "waiting", unresolvedSince: earlierSince, sent: 0 };
    queue.entries.set(id, entry);
    queue.unsent += 1;
    this.unsent.add(conversation);
    this.changed(message, stateOf(entry));
    return true;
  }

  /** The next message to send. It counts as in flight from here on. */
  next(now: number): Outgoing | undefined {
    if (this.inFlight >= this.window) return undefined;
    for (const conversation of this.unsent) {
      const queue = this.queues.get(conversation) as Queue;
      const found = sendable(queue, now);
      if (found === undefined) continue;
      const [entry, after] = found;
      this.sends += 1;
      this.inFlight += 1;
      queue.unsent -= 1;
      [entry.place, entry.sent] = ["inFlight", this.sends];
      this.unsent.delete(conversation);
      if (queue.unsent > 0) this.unsent.add(conversation);
      this.changed(entry.message, "sent");
      return { ...entry.message, after };
    }
    return undefined;
  }

  /** When, after `now`, `next` may return a message that is delayed now. */
  wakeAt(now: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const conversation of this.unsent) {
      const { notBefore } = this.queues.get(conversation) as Queue;
      if (notBefore > now) at = Math.min(at, notBefore);
    }
    return at;
  }

  /** The message is in the log. False: it was settled before. */
  acked(id: ClientMessageId): boolean {
    return this.remove(id);
  }

  /** The message was refused. True: definitely, and for the first time. */
  refused(id: ClientMessageId, refused: Refused, now: number, after = 0): boolean {
    const conversation = this.byId.get(id);
    const queue = conversation === undefined ? undefined : this.queues.get(conversation);
    const entry = queue?.entries.get(id);
    if (conversation === undefined || queue === undefined || entry === undefined) return false;
    if (refused === "forGood") {
      // An earlier send may still commit after this refusal.
      const until = entry.unresolvedSince === undefined ? now : entry.unresolvedSince + DOUBT_MS;
      if (until <= now) return this.remove(id);
      [refused, after] = ["later", until - now];
    }
    // A late answer to an earlier send says nothing about the one in flight. The driver drops
    // answers of old connections, and a repeated answer finds the entry waiting.
    if (entry.place === "inFlight") {
      entry.place = refused === "outOfOrder" ? "blocked" : "waiting";
      this.inFlight -= 1;
      queue.unsent += 1;
      this.unsent.add(conversation);
    }
    if (refused === "unknown") entry.unresolvedSince = now;
    this.changed(entry.message, stateOf(entry));
    if (refused !== "outOfOrder") queue.notBefore = Math.max(queue.notBefore, now + (after > 0 ? after : RETRY));
    return false;
  }

  private remove(id: ClientMessageId): boolean {
    const conversation = this.byId.get(id);
    const queue = conversation === undefined ? undefined : this.queues.get(conversation);
    const entry = queue?.entries.get(id);
    if (conversation === undefined || queue === undefined || entry === undefined) return false;
    this.byId.delete(id);
    queue.entries.delete(id);
    if (entry.place === "inFlight") this.inFlight -= 1;
    else if (entry.place !== "lost") queue.unsent -= 1;
    if (queue.unsent === 0) this.unsent.delete(conversation);
    if (queue.entries.size === 0) this.queues.delete(conversation);
    return true;
  }
}

function stateOf(entry: Entry): MessageState {
  if (entry.place === "inFlight") return "sent";
  if (entry.place === "lost") return "unknown";
  return entry.unresolvedSince === undefined ? "queued" : "unknown";
}

/**
 * The first message that is not in flight, if it may be sent now, and the id of the one before it.
 */
function sendable(queue: Queue, now: number): [Entry, ClientMessageId | undefined] | undefined {
  if (queue.notBefore > now) return undefined;
  let before: Entry | undefined;
  for (const entry of queue.entries.values()) {
    if (entry.place === "inFlight") {
      before = entry;
      continue;
    }
    // Later ones would only be refused as out of order.
    const ready = entry.place === "waiting" || before === undefined || before.sent > entry.sent;
    return ready ? [entry, before?.message.id] : undefined;
  }
  return undefined;
}
