/**
 * Received and missing events. No IO: the driver reports what it received and asks what to deliver
 * and to fetch.
 *
 * Each conversation has a cursor, the highest seq below which nothing is missing. A push is a hint.
 * The next event is delivered, a known one is dropped, and a later one reveals a gap that is
 * fetched. Every event is therefore delivered exactly once and in order, however pushes are lost or
 * reordered. A slow application costs no memory: events that do not fit are fetched later.
 */

import type { Event } from "./event.js";
import type { ConversationId, Seq } from "./ids.js";

/**
 * Events ready for the application. Above it pushes count only as heads, and no page is fetched.
 */
export const READY_EVENTS = 1_024;
/** Events of one conversation held although earlier ones are missing. */
const AHEAD_EVENTS = 64;
/** Concurrent page requests. */
const FETCHES = 4;
/** Milliseconds before a page is requested again. */
const RETRY = 200;

interface Progress {
  /** No event up to here is missing. */
  cursor: number;
  /** The highest known seq. */
  head: number;
  readonly ahead: Map<number, Event>;
  fetching: boolean;
  notBefore: number;
  /** Head of the last page, if that page was unexpectedly empty. */
  emptyAt: number | undefined;
}

/** A range of history to fetch: events after `after`. */
export interface Wanted {
  readonly conversation: ConversationId;
  readonly after: number;
}

/** An answer to `Wanted`. */
export interface Fetched {
  readonly events: readonly Event[];
  readonly head: number;
  readonly more: boolean;
}

function progress(cursor: number, fetching = false): Progress {
  return { cursor, head: cursor, ahead: new Map(), fetching, notBefore: 0, emptyAt: undefined };
}

export class Inbox {
  private readonly conversations = new Map<ConversationId, Progress>();
  private readonly behind = new Set<ConversationId>();
  private ready: [ConversationId, Event][] = [];
  /** Events of `ready` that were taken. */
  private taken = 0;
  private fetching = 0;

  knows(conversation: ConversationId): boolean {
    return this.conversations.has(conversation);
  }

  cursor(conversation: ConversationId): Seq | undefined {
    return this.conversations.get(conversation)?.cursor as Seq | undefined;
  }

  followed(): Iterable<ConversationId> {
    return this.conversations.keys();
  }

  get readyEvents(): number {
    return this.ready.length - this.taken;
  }

  /** Follows a conversation from after `cursor`. A followed conversation keeps its cursor. */
  follow(conversation: ConversationId, cursor: number): void {
    if (!this.conversations.has(conversation)) this.conversations.set(conversation, progress(cursor));
  }

  /** The user is no longer a member. Ready events are still delivered. */
  leave(conversation: ConversationId): void {
    if (this.conversations.get(conversation)?.fetching) this.fetching -= 1;
    this.conversations.delete(conversation);
    this.behind.delete(conversation);
  }

  /** The log continues differently after `kept`: later ready events are dropped. */
  goBack(conversation: ConversationId, kept: number): void {
    const held = this.conversations.get(conversation);
    if (held === undefined) return;
    // A page in flight is recognised by its start.
    this.conversations.set(conversation, progress(kept, held.fetching));
    this.ready = this.ready.slice(this.taken).filter(([of, event]) => of !== conversation || event.seq <= kept);
    this.taken = 0;
    this.note(conversation);
  }

  /** Events up to `head` exist. */
  head(conversation: ConversationId, head: number): void {
    const held = this.conversations.get(conversation);
    if (held === undefined) return;
    held.head = Math.max(held.head, head);
    this.note(conversation);
  }

  push(conversation: ConversationId, event: Event): void {
    const held = this.conversations.get(conversation);
    if (held === undefined) return;
    held.head = Math.max(held.head, event.seq);
    if (event.seq === held.cursor + 1 && this.readyEvents < READY_EVENTS) this.accept(conversation, held, event);
    else if (event.seq > held.cursor && held.ahead.size < AHEAD_EVENTS) held.ahead.set(event.seq, event);
    this.note(conversation);
  }

  /** The next page to request. */
  nextFetch(now: number): Wanted | undefined {
    if (this.fetching >= FETCHES || this.readyEvents >= READY_EVENTS / 2) return undefined;
    for (const conversation of this.behind) {
      const held = this.conversations.get(conversation) as Progress;
      if (held.fetching || held.notBefore > now) continue;
      held.fetching = true;
      this.fetching += 1;
      return { conversation, after: held.cursor };
    }
    return undefined;
  }

  /** When, after `now`, a fetch that is delayed now may start. */
  wakeAt(now: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const conversation of this.behind) {
      const { notBefore } = this.conversations.get(conversation) as Progress;
      if (notBefore > now) at = Math.min(at, notBefore);
    }
    return at;
  }

  /** The answer to `wanted`. An event that a page omits is not visible to this device. */
  page(wanted: Wanted, page: Fetched, now: number): void {
    const { conversation } = wanted;
    const held = this.fetched(conversation);
    if (held === undefined) return;
    // Requested before this device went back.
    if (wanted.after > held.cursor) return this.note(conversation);
    held.head = Math.max(held.head, page.head);
    held.notBefore = 0;
    if (page.events.length === 0 && !page.more) {
      // One such page may come from a lagging replica, or from a head that was read later than the
      // events. A second one up to the same head means that the events between are not visible to
      // this device.
      if (held.emptyAt !== undefined && held.emptyAt > held.cursor) [held.cursor, held.emptyAt] = [held.emptyAt, undefined];
      else held.emptyAt = page.head;
      held.notBefore = now + RETRY;
    } else {
      held.emptyAt = undefined;
    }
    for (const event of page.events) if (event.seq > held.cursor) this.accept(conversation, held, event);
    this.note(conversation);
  }

  /** The page request failed. It is repeated later. */
  fetchFailed(wanted: Wanted, after: number, now: number): void {
    const held = this.fetched(wanted.conversation);
    if (held !== undefined) held.notBefore = now + Math.max(after, RETRY);
  }

  /** Pending answers are lost. */
  disconnected(): void {
    this.fetching = 0;
    for (const held of this.conversations.values()) [held.fetching, held.notBefore] = [false, 0];
  }

  /** The next event for the application. The caller delivers it. */
  take(): [ConversationId, Event] | undefined {
    const found = this.ready[this.taken];
    if (found === undefined) return undefined;
    this.taken += 1;
    if (this.taken >= READY_EVENTS / 2 || this.taken === this.ready.length) {
      this.ready = this.ready.slice(this.taken);
      this.taken = 0;
    }
    return found;
  }

  /** Ends a fetch. Undefined: it was abandoned. */
  private fetched(conversation: ConversationId): Progress | undefined {
    const held = this.conversations.get(conversation);
    if (held === undefined || !held.fetching) return undefined;
    held.fetching = false;
    this.fetching -= 1;
    return held;
  }

  /** Accepts the next event, and held events that directly follow it. */
  private accept(conversation: ConversationId, held: Progress, event: Event): void {
    for (let next: Event | undefined = event; next !== undefined; next = held.ahead.get(held.cursor + 1)) {
      held.cursor = next.seq;
      this.ready.push([conversation, next]);
    }
    for (const seq of held.ahead.keys()) if (seq <= held.cursor) held.ahead.delete(seq);
  }

  private note(conversation: ConversationId): void {
    const held = this.conversations.get(conversation);
    if (held !== undefined && held.head > held.cursor) this.behind.add(conversation);
    else this.behind.delete(conversation);
  }
}
