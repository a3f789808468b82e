/** An event in memory, with what later events have changed about it. */

import { type Event, type HistoryPage, isErased, TEXT, type wire } from "troupe-chat";

/** The kind of events that are messages. */
const MESSAGE = 5;
export const NO_BODY = { bodyKind: 0, content: new Uint8Array(0), text: undefined };

export interface Reaction {
  readonly emoji: string;
  readonly users: number;
  readonly mine: boolean;
}

/** A message is the same line before and after it has its place. */
export function keyOf(sender: number, clientMessageId: string): string {
  return `m${sender}-${clientMessageId}`;
}

/** An event, and what later events have changed about it. */
export interface Entry {
  readonly event: Event;
  /** Of its line. */
  readonly key: string;
  readonly reactions: readonly Reaction[];
  /** Reactions up to this seq are counted. */
  readonly countedTo: number;
  /** The seqs of its edits, oldest first. The end of a message that has grown is the first one. */
  readonly edits: readonly number[];
  /** Its content is gone: why, as far as the events in memory say it. Undefined: it is there. */
  readonly gone: "recalled" | "vanished" | "erased" | undefined;
  /** Its user has deleted it for itself: no line shows it. */
  readonly isHidden: boolean;
  /** Pieces of a message that grows still. Undefined: it does not. */
  readonly pieces: number | undefined;
  /** Of a poll that has votes, or that is closed. */
  readonly poll: Poll | undefined;
}

export type Poll = Omit<wire.PollState, "seq">;

/** When the content of a message vanishes. */
export function expiryOf({ timeMs, content }: Event): number | undefined {
  const after = content.kind === "message" ? (content.context?.expiresInMs ?? 0) : 0;
  return after === 0 ? undefined : timeMs + after;
}

/** Why the content of a message is gone, as later events say. */
function reasonOf(seq: number, events: readonly Event[]): "recalled" | "vanished" | "erased" {
  for (const { content } of events) {
    if ((content.kind === "recalled" || content.kind === "vanished") && content.to === seq) return content.kind;
  }
  return "erased";
}

/** An event without what later ones have changed about it, which are among `events`. */
export function freshEntry(event: Event, events: readonly Event[] = []): Entry {
  const rest = { key: keyOf(event.sender, event.clientMessageId), reactions: [], countedTo: event.seq, edits: [], isHidden: false, pieces: growing(event), poll: undefined };
  // An erased edit is no message of its own: it stays what it is, and no line shows it.
  const isErasedMessage = isErased(event) && event.content.kind === "unsupported" && event.content.number === MESSAGE;
  if (!isErasedMessage) return { event, gone: undefined, ...rest };
  return { event: { ...event, content: { kind: "message", ...NO_BODY } }, gone: reasonOf(event.seq, events), ...rest };
}

/** How often its sender has given it another text. */
export function wordings({ event, edits }: Entry): number {
  return growing(event) === undefined ? edits.length : Math.max(edits.length - 1, 0);
}

/** A message that was begun as a stream has no pieces yet. */
function growing({ content }: Event): number | undefined {
  return content.kind === "message" && content.context?.stream === true ? 0 : undefined;
}

/** A message with the next piece of its text. Undefined: pieces before it are missing. */
export function withPiece(entry: Entry, index: number, piece: string): Entry | undefined {
  const { event, pieces } = entry;
  const { content } = event;
  if (pieces === undefined || content.kind !== "message" || entry.gone !== undefined || index < pieces) return entry;
  if (index > pieces) return undefined;
  const text = (content.text ?? "") + piece;
  return { ...entry, pieces: pieces + 1, event: { ...event, content: { ...content, text, content: new TextEncoder().encode(text) } } };
}

export function pollOf(page: HistoryPage, at: number): Poll | undefined {
  for (const [seq, { counts, voters, mine, closed }] of page.polls) if (seq === at) return { counts, voters, mine, closed };
  return undefined;
}

/** A message as its edits, its votes and its recall have left it. */
export function entryOf(event: Event, page: HistoryPage): Entry {
  const fresh = freshEntry(event, page.events);
  const counted = page.reactions.get(event.seq) ?? [];
  const reactions = counted.map(({ emoji, users, mine }) => ({ emoji, users, mine }));
  const countedTo = Math.max(page.head, event.seq);
  const state = page.states.get(event.seq);
  // Without a state it has ended, or has not grown: the state of one that grows says so.
  const pieces = fresh.pieces === undefined || state?.streaming !== true ? undefined : state.pieces;
  const entry = { ...fresh, reactions, countedTo, pieces, poll: pollOf(page, event.seq), isHidden: state?.deleted === true };
  const { content } = fresh.event;
  if (state === undefined || content.kind !== "message") return entry;
  const edits = state.edits.map(Number);
  if (fresh.gone !== undefined || state.erased) {
    const gone = fresh.gone ?? reasonOf(event.seq, page.events);
    return { ...entry, event: { ...event, content: { ...content, ...NO_BODY } }, edits, gone };
  }
  if (state.body === undefined) return { ...entry, edits };
  const { kind: bodyKind, content: bytes } = state.body;
  const text = bodyKind === TEXT ? new TextDecoder().decode(bytes) : undefined;
  return { ...entry, event: { ...event, content: { ...content, bodyKind, content: bytes, text } }, edits };
}

/** The counts after one user gave a reaction or took it back. */
export function withReaction(before: readonly Reaction[], emoji: string, change: 1 | -1, isMine: boolean): Reaction[] {
  const found = before.find((one) => one.emoji === emoji);
  if (found === undefined) return change === 1 ? [...before, { emoji, users: 1, mine: isMine }] : [...before];
  const users = found.users + change;
  const mine = isMine ? change === 1 : found.mine;
  return before.flatMap((one) => (one !== found ? [one] : users <= 0 ? [] : [{ emoji, users, mine }]));
}
