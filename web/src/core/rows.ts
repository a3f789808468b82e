/** The lines of a conversation on the screen, out of its timeline. */

import { type Event, isErased } from "troupe-chat";
import { type Entry, keyOf } from "./entry";
import type { Pending, Timeline } from "./timeline";

export type Row =
  | { readonly is: "day"; readonly key: string; readonly dayMs: number }
  | { readonly is: "unread"; readonly key: string }
  | { readonly is: "start"; readonly key: string }
  /** A change of the group, or an event that this version does not know. */
  | { readonly is: "note"; readonly key: string; readonly event: Event }
  | { readonly is: "message"; readonly key: string; readonly entry: Entry; readonly isOwn: boolean; readonly opens: boolean }
  | { readonly is: "pending"; readonly key: string; readonly pending: Pending; readonly opens: boolean };

/** Events that change earlier messages, and the steps of a call, are no lines. */
const SILENT: ReadonlySet<string> = new Set([
  "reacted",
  "edited",
  "recalled",
  "vanished",
  "streamEnded",
  "voted",
  "pollClosed",
  "callAnswered",
]);
/** Messages of one sender within this time form one block. */
const BLOCK_MS = 5 * 60_000;

export interface Shown {
  readonly me: number;
  /** The unread line stands before the first message of another user behind this seq. */
  readonly unreadAfter: number | undefined;
  /** The first moment of the day of a time, in the user's zone. */
  readonly dayOf: (timeMs: number) => number;
}

/** Rows that may have gone between two others, before all rows are looked through. */
const NEAR = 64;

/** The rows of the last call, which come in the same order again. */
class Earlier {
  private at = 0;
  private places: Map<string, number> | undefined;

  constructor(private readonly rows: readonly Row[]) {}

  /** The last row of this key. */
  take(key: string): Row | undefined {
    for (let at = this.at; at < this.at + NEAR; at++) {
      const row = this.rows[at];
      if (row === undefined) break;
      if (row.key === key) return this.found(at);
    }
    // Behind the last one there are new rows only.
    if (this.at >= this.rows.length) return undefined;
    this.places ??= new Map(this.rows.map((row, at) => [row.key, at]));
    const at = this.places.get(key);
    return at === undefined ? undefined : this.found(at);
  }

  private found(at: number): Row | undefined {
    this.at = at + 1;
    return this.rows[at];
  }
}

/** `before`: the lines of the last call. Unchanged ones are the same objects. */
export function rowsOf(timeline: Timeline, { me, unreadAfter, dayOf }: Shown, before: readonly Row[] = []): Row[] {
  const earlier = new Earlier(before);
  const rows: Row[] = [];
  const put = (row: Row): void => {
    const old = earlier.take(row.key);
    rows.push(old !== undefined && isSame(old, row) ? old : row);
  };
  let day = Number.NaN;
  let last: Event | undefined;
  let isMarked = unreadAfter === undefined;
  const visible = timeline.entries.filter(({ event, isHidden }) => !isHidden && !SILENT.has(event.content.kind) && !isErased(event));
  if (timeline.isLoaded && timeline.atStart && visible.length + timeline.pending.length > 0) put({ is: "start", key: "start" });
  /** Clocks of nodes may differ: a day may come twice. */
  const days = new Map<number, number>();
  for (const entry of visible) {
    const { event } = entry;
    const today = dayOf(event.timeMs);
    const isNewDay = today !== day;
    if (isNewDay) {
      const time = days.get(today) ?? 0;
      days.set(today, time + 1);
      put({ is: "day", key: time === 0 ? `day${today}` : `day${today}-${time}`, dayMs: today });
    }
    day = today;
    let isDivided = isNewDay;
    if (!isMarked && event.seq > (unreadAfter ?? 0) && event.sender !== me && event.content.kind === "message") {
      put({ is: "unread", key: "unread" });
      [isMarked, isDivided] = [true, true];
    }
    if (event.content.kind !== "message") {
      put({ is: "note", key: `n${event.seq}`, event });
      last = undefined;
      continue;
    }
    const opens = isDivided || last === undefined || !isOneBlock(last, event);
    put({ is: "message", key: entry.key, entry, isOwn: event.sender === me, opens });
    last = event;
  }
  // Messages without a place stand behind the head.
  if (timeline.atEnd || !timeline.isLoaded) {
    let isFirst = last === undefined || last.sender !== me;
    for (const pending of timeline.pending) {
      put({ is: "pending", key: keyOf(me, pending.message.id), pending, opens: isFirst });
      isFirst = false;
    }
  }
  return rows;
}

function isOneBlock(one: Event, next: Event): boolean {
  return one.sender === next.sender && next.timeMs - one.timeMs < BLOCK_MS;
}

function isSame(one: Row, other: Row): boolean {
  if (one.is === "message" && other.is === "message") {
    return one.entry === other.entry && one.opens === other.opens;
  }
  if (one.is === "pending" && other.is === "pending") return one.pending === other.pending && one.opens === other.opens;
  return one.is === other.is && one.key === other.key;
}

/** The row that shows a seq, or the next one that is shown. */
export function rowAt(rows: readonly Row[], seq: number): number {
  return rows.findIndex((row) => (row.is === "message" ? row.entry.event.seq : row.is === "note" ? row.event.seq : -1) >= seq);
}

/** The highest seq that the rows up to `end` show. */
export function seqUpTo(rows: readonly Row[], end: number): number {
  for (let at = Math.min(end, rows.length) - 1; at >= 0; at--) {
    const row = rows[at];
    if (row?.is === "message") return row.entry.event.seq;
    if (row?.is === "note") return row.event.seq;
  }
  return 0;
}
