/** The lines of a conversation on the screen, out of its timeline. */

import { type Event, isErased } from "troupe-chat";
import type { Entry } from "./entry";
import type { Pending, Timeline } from "./timeline";

export type Row =
  | { readonly is: "day"; readonly key: string; readonly dayMs: number }
  | { readonly is: "unread"; readonly key: string }
  | { readonly is: "start"; readonly key: string }
  /** A change of the group, or an event that this version does not know. */
  | { readonly is: "note"; readonly key: string; readonly event: Event }
  | { readonly is: "message"; readonly key: string; readonly entry: Entry; readonly isOwn: boolean; readonly opens: boolean; readonly closes: boolean }
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

/** A message is the same line before and after it has its place. */
export function keyOf(sender: number, clientMessageId: string): string {
  return `m${sender}-${clientMessageId}`;
}

/** `before`: the lines of the last call. Unchanged ones are the same objects. */
export function rowsOf(timeline: Timeline, { me, unreadAfter, dayOf }: Shown, before: readonly Row[] = []): Row[] {
  const held = new Map(before.map((row) => [row.key, row]));
  const rows: Row[] = [];
  const put = (row: Row): void => {
    const old = held.get(row.key);
    rows.push(old !== undefined && isSame(old, row) ? old : row);
  };
  let day = Number.NaN;
  let last: Event | undefined;
  let isMarked = unreadAfter === undefined;
  const visible = timeline.entries.filter(({ event, isHidden }) => !isHidden && !SILENT.has(event.content.kind) && !isErased(event));
  if (timeline.isLoaded && timeline.atStart && visible.length + timeline.pending.length > 0) put({ is: "start", key: "start" });
  visible.forEach((entry, at) => {
    const { event } = entry;
    const today = dayOf(event.timeMs);
    const isNewDay = today !== day;
    if (isNewDay) put({ is: "day", key: `day${today}-${event.seq}`, dayMs: today });
    day = today;
    let isDivided = isNewDay;
    if (!isMarked && event.seq > (unreadAfter ?? 0) && event.sender !== me && event.content.kind === "message") {
      put({ is: "unread", key: "unread" });
      [isMarked, isDivided] = [true, true];
    }
    if (event.content.kind !== "message") {
      put({ is: "note", key: `n${event.seq}`, event });
      last = undefined;
      return;
    }
    const next = visible[at + 1]?.event;
    const opens = isDivided || last === undefined || !isOneBlock(last, event);
    const closes = next === undefined || next.content.kind !== "message" || !isOneBlock(event, next) || dayOf(next.timeMs) !== today;
    put({ is: "message", key: keyOf(event.sender, event.clientMessageId), entry, isOwn: event.sender === me, opens, closes });
    last = event;
  });
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
    return one.entry === other.entry && one.opens === other.opens && one.closes === other.closes;
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
