/**
 * Events of a log: an envelope that every version reads, and a content that only some understand.
 */

import { Reader, type Init, type Type, Writer } from "./codec.js";
import { type TypedBody, typedBody } from "./content.js";
import { ProtocolError } from "./errors.js";
import { type ClientMessageId, clientMessageId, sameBytes, seq, type Seq, userId, type UserId } from "./ids.js";
import { sha256 } from "./sha256.js";
import * as wire from "./wire.js";

/** The kind of a body that is text. */
export const TEXT = 1;
/** A flag of events: it counts as unread. */
export const COUNTS_AS_UNREAD = 1;

const FLAGS = 1000;
const CONTENT_HASH = 1001;
const [FIRST_KIND, LAST_KIND] = [5, 999];
const [MESSAGE, EDITED, STREAM_ENDED] = [5, 12, 90];
const ID_BYTES = 16;
const ofUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `Event` of client.proto with its content as bytes, so that unknown kinds are kept. */
export interface WireEvent {
  seq: number;
  timeMs: number;
  sender: number;
  clientMessageId: Uint8Array;
  /** The number of the field that holds the content. 0: there is none. */
  kind: number;
  content: Uint8Array;
  /** Its lower 32 bits. */
  flags: number;
  contentHash: Uint8Array;
}

export const WireEvent: Type<WireEvent> = {
  name: "Event",

  encode(event: Init<WireEvent>): Uint8Array<ArrayBuffer> {
    const out = new Writer();
    if (event.seq) out.number(1, event.seq);
    if (event.timeMs) out.number(2, event.timeMs);
    if (event.sender) out.number(3, event.sender);
    if (event.clientMessageId?.length) out.block(4, event.clientMessageId);
    const kind = event.kind ?? 0;
    if (kind >= FIRST_KIND && kind <= LAST_KIND) out.block(kind, event.content ?? new Uint8Array(0));
    if (event.flags) out.number(FLAGS, event.flags);
    if (event.contentHash?.length) out.block(CONTENT_HASH, event.contentHash);
    return out.finish();
  },

  decode(data: Uint8Array): WireEvent {
    const none = new Uint8Array(0);
    const event = { seq: 0, timeMs: 0, sender: 0, clientMessageId: none, kind: 0, content: none, flags: 0, contentHash: none };
    const reader = new Reader(data);
    while (reader.next()) {
      const { number, block } = reader;
      if (reader.wireType === 2) {
        if (number === 4) event.clientMessageId = block;
        else if (number >= FIRST_KIND && number <= LAST_KIND) [event.kind, event.content] = [number, block];
        else if (number === CONTENT_HASH) event.contentHash = block;
      } else if (reader.wireType === 0) {
        if (number === 1) event.seq = reader.value();
        else if (number === 2) event.timeMs = reader.value();
        else if (number === 3) event.sender = reader.value();
        else if (number === FLAGS) event.flags = reader.bits();
      }
    }
    return event;
  },
};

/** A message. `bodyKind` 1 is text; 1000 and above are the application's own. */
export interface MessageContent {
  readonly kind: "message";
  readonly bodyKind: number;
  readonly content: Uint8Array;
  /** The text, if it is one. */
  readonly text: string | undefined;
  /** The messages that it refers to, and the users that it mentions. */
  readonly context?: wire.Context;
}

/** The content of a typed body, such as an image. */
export function bodyOf(event: Event): TypedBody | undefined {
  return event.content.kind === "message" ? typedBody(event.content.bodyKind, event.content.content) : undefined;
}

export type Content =
  | MessageContent
  | { readonly kind: "created"; readonly name: string }
  | { readonly kind: "renamed"; readonly name: string }
  | { readonly kind: "added"; readonly users: readonly UserId[] }
  | { readonly kind: "removed"; readonly user: UserId }
  | { readonly kind: "roleChanged"; readonly user: UserId; readonly role: wire.Role }
  /** The sender reacted to the message with the seq `to`, or took the reaction back. */
  | { readonly kind: "reacted"; readonly to: Seq; readonly emoji: string; readonly removed: boolean }
  /** The message with the seq `to` has this body now. */
  | { readonly kind: "edited"; readonly to: Seq; readonly bodyKind: number; readonly content: Uint8Array; readonly text: string | undefined }
  /** The contents of the message with the seq `to`, and of its edits, are erased. */
  | { readonly kind: "recalled"; readonly to: Seq }
  /** The time of the message with the seq `to` is over: its content and those of its edits are erased. */
  | { readonly kind: "vanished"; readonly to: Seq }
  /** The message with the seq `to` grows no more, and has this body now. */
  | { readonly kind: "streamEnded"; readonly to: Seq; readonly bodyKind: number; readonly content: Uint8Array; readonly text: string | undefined; readonly aborted: boolean }
  /** The vote of the sender in the poll with the seq `to`. In an anonymous poll it names no options. */
  | { readonly kind: "voted"; readonly to: Seq; readonly options: readonly number[]; readonly removed: boolean }
  /** The poll with the seq `to` takes no more votes. Options behind the last count have none. */
  | { readonly kind: "pollClosed"; readonly to: Seq; readonly voters: number; readonly counts: readonly number[] }
  /** The settings that the sender has changed; absent ones stayed as they were. */
  | { readonly kind: "settingsChanged"; readonly settings: wire.GroupSettings }
  /** `untilMs` 0: the mute was lifted. */
  | { readonly kind: "muted"; readonly user: UserId; readonly untilMs: number }
  | { readonly kind: "banned"; readonly user: UserId; readonly lifted: boolean }
  /** The sender made another member the owner. */
  | { readonly kind: "transferred"; readonly to: UserId }
  /** The last event of a group. */
  | { readonly kind: "disbanded" }
  /** `hash` is that of the secret code. */
  | { readonly kind: "linkMade"; readonly hash: Uint8Array; readonly uses: number; readonly expiresMs: number }
  | { readonly kind: "linkRevoked"; readonly link: number }
  /** The sender pinned the message with the seq `to`, or took the pin away. */
  | { readonly kind: "pinned"; readonly to: Seq; readonly removed: boolean }
  /** The sender, who is no member yet, asks to join. */
  | { readonly kind: "joinAsked" }
  /** The sender refused the request of this user to join, or is the user and withdrew it. */
  | { readonly kind: "joinClosed"; readonly user: UserId }
  /** The sender calls the other user with this device. The seq of the event names the call. */
  | { readonly kind: "callStarted"; readonly video: boolean; readonly device: number }
  /** This device of the sender took the call. */
  | { readonly kind: "callAnswered"; readonly call: Seq; readonly device: number }
  /** The record of a call. */
  | {
      readonly kind: "callEnded";
      readonly call: Seq;
      readonly caller: UserId;
      readonly video: boolean;
      readonly outcome: wire.CallOutcome;
      readonly lastedMs: number;
    }
  /** A kind, or a content, that this version does not know. Show it as such. */
  | { readonly kind: "unsupported"; readonly number: number; readonly content: Uint8Array };

/** An event of a conversation's log. Plain data, like all items. */
export interface Event {
  readonly seq: Seq;
  readonly timeMs: number;
  readonly sender: UserId;
  readonly clientMessageId: ClientMessageId;
  readonly content: Content;
  readonly flags: number;
}

/** The text of a text message. */
export function textOf(event: Event): string | undefined {
  return event.content.kind === "message" ? event.content.text : undefined;
}

/** Whether it is a message, or an edit of one, whose content was recalled or has vanished. */
export function isErased({ content }: Event): boolean {
  return content.kind === "unsupported" && [MESSAGE, EDITED, STREAM_ENDED].includes(content.number) && content.content.length === 0;
}

/** Throws ProtocolError without a client message id: then it is no event. */
export function ofWire(event: WireEvent): Event {
  if (event.clientMessageId.length !== ID_BYTES) throw new ProtocolError("an event has no client message id of 16 bytes");
  // A content with another hash is not authentic.
  const forged = event.contentHash.length > 0 && !sameBytes(sha256(event.content).subarray(0, 16), event.contentHash);
  return {
    seq: seq(event.seq),
    timeMs: event.timeMs,
    sender: userId(event.sender),
    clientMessageId: clientMessageId(event.clientMessageId),
    content: (forged ? undefined : understood(event.kind, event.content)) ?? unsupported(event.kind, event.content),
    flags: event.flags,
  };
}

/** An event that an earlier version kept, with what this version knows. */
export function readAgain(event: Event): Event {
  const { content } = event;
  if (content.kind !== "unsupported" || content.content.length === 0) return event;
  const known = understood(content.number, content.content);
  return known === undefined ? event : { ...event, content: known };
}

function unsupported(number: number, content: Uint8Array): Content {
  return { kind: "unsupported", number, content };
}

/** Undefined: the kind, or its content, is of a later version. */
function understood(kind: number, content: Uint8Array): Content | undefined {
  const read = KNOWN.get(kind);
  try {
    return read?.(content);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

const KNOWN: ReadonlyMap<number, (content: Uint8Array) => Content | undefined> = new Map([
  [MESSAGE, message],
  [6, (content: Uint8Array): Content => ({ kind: "created", name: wire.Created.decode(content).name })],
  [7, (content: Uint8Array): Content => ({ kind: "renamed", name: wire.Renamed.decode(content).name })],
  [8, (content: Uint8Array): Content => ({ kind: "added", users: wire.Added.decode(content).users.map(userId) })],
  [9, (content: Uint8Array): Content => ({ kind: "removed", user: userId(wire.Removed.decode(content).user) })],
  [10, roleChanged],
  [11, reacted],
  [EDITED, edited],
  [13, (content: Uint8Array): Content => ({ kind: "recalled", to: seq(wire.Recalled.decode(content).to) })],
  [14, voted],
  [15, pollClosed],
  [20, (content: Uint8Array): Content => ({ kind: "settingsChanged", settings: wire.GroupSettings.decode(content) })],
  [21, muted],
  [22, banned],
  [23, (content: Uint8Array): Content => ({ kind: "transferred", to: userId(wire.Transferred.decode(content).to) })],
  [24, (): Content => ({ kind: "disbanded" })],
  [25, (content: Uint8Array): Content => ({ kind: "linkMade", ...wire.LinkMade.decode(content) })],
  [26, (content: Uint8Array): Content => ({ kind: "linkRevoked", link: wire.LinkRevoked.decode(content).link })],
  [31, pinned],
  [28, (): Content => ({ kind: "joinAsked" })],
  [29, (content: Uint8Array): Content => ({ kind: "joinClosed", user: userId(wire.JoinClosed.decode(content).user) })],
  [40, (content: Uint8Array): Content => ({ kind: "vanished", to: seq(wire.Vanished.decode(content).to) })],
  [50, (content: Uint8Array): Content => ({ kind: "callStarted", ...wire.CallStarted.decode(content) })],
  [51, callAnswered],
  [52, callEnded],
  [STREAM_ENDED, streamEnded],
]);

/** Undefined: without a body it is no end. */
function streamEnded(content: Uint8Array): Content | undefined {
  const { to, body, aborted } = wire.StreamEnded.decode(content);
  if (body === undefined) return undefined;
  return { kind: "streamEnded", to: seq(to), bodyKind: body.kind, content: body.content, text: bodyText(body.kind, body.content), aborted };
}

function pinned(content: Uint8Array): Content {
  const { to, removed } = wire.Pinned.decode(content);
  return { kind: "pinned", to: seq(to), removed };
}

function voted(content: Uint8Array): Content {
  const { to, options, removed } = wire.Voted.decode(content);
  return { kind: "voted", to: seq(to), options, removed };
}

function pollClosed(content: Uint8Array): Content {
  const { to, voters, counts } = wire.PollClosed.decode(content);
  return { kind: "pollClosed", to: seq(to), voters, counts };
}

function callAnswered(content: Uint8Array): Content {
  const { call, device } = wire.CallAnswered.decode(content);
  return { kind: "callAnswered", call: seq(call), device };
}

/** Undefined: an outcome of a later version. */
function callEnded(content: Uint8Array): Content | undefined {
  const { call, caller, video, outcome, lastedMs } = wire.CallEnded.decode(content);
  const known = outcome >= wire.CallOutcome.TALKED && outcome <= wire.CallOutcome.MISSED;
  return known ? { kind: "callEnded", call: seq(call), caller: userId(caller), video, outcome, lastedMs } : undefined;
}

function message(content: Uint8Array): Content | undefined {
  // No message is without a kind of its body: this one was erased.
  if (content.length === 0) return undefined;
  const { kind, content: bytes, context } = wire.Body.decode(content);
  const message: Content = { kind: "message", bodyKind: kind, content: bytes, text: bodyText(kind, bytes) };
  return context === undefined ? message : { ...message, context };
}

/** The text of a body, if this version can show it. */
export function bodyText(kind: number, content: Uint8Array): string | undefined {
  if (kind !== TEXT) return undefined;
  try {
    return ofUtf8.decode(content);
  } catch {
    return undefined;
  }
}

function roleChanged(content: Uint8Array): Content | undefined {
  const { user, role } = wire.RoleChanged.decode(content);
  const known = role === wire.Role.MEMBER || role === wire.Role.ADMIN || role === wire.Role.OWNER;
  return known ? { kind: "roleChanged", user: userId(user), role } : undefined;
}

function muted(content: Uint8Array): Content {
  const { user, untilMs } = wire.Muted.decode(content);
  return { kind: "muted", user: userId(user), untilMs };
}

function banned(content: Uint8Array): Content {
  const { user, lifted } = wire.Banned.decode(content);
  return { kind: "banned", user: userId(user), lifted };
}

function reacted(content: Uint8Array): Content {
  const { to, emoji, removed } = wire.Reacted.decode(content);
  return { kind: "reacted", to: seq(to), emoji, removed };
}

function edited(content: Uint8Array): Content | undefined {
  const { to, body } = wire.Edited.decode(content);
  if (body === undefined) return undefined;
  return { kind: "edited", to: seq(to), bodyKind: body.kind, content: body.content, text: bodyText(body.kind, body.content) };
}
