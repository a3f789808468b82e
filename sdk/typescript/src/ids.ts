/**
 * Ids. Users, places and times are numbers below 2^53, which JavaScript holds exactly.
 * Conversations are text in exactly one form, and ids of messages are text of 32 hexadecimal
 * digits, so that both are keys of maps and survive JSON.
 */

import { Rejected } from "./errors.js";

declare const brand: unique symbol;
type Branded<T, Name> = T & { readonly [brand]: Name };

export type UserId = Branded<number, "UserId">;
export type Seq = Branded<number, "Seq">;
export type ConversationId = Branded<string, "ConversationId">;
export type ClientMessageId = Branded<string, "ClientMessageId">;

export const EVERYONE = "everyone" as ConversationId;
const ID_BYTES = 16;
/** 2^64 has 20 digits. */
const MOST = "18446744073709551615";

export function userId(value: number): UserId {
  return value as UserId;
}

export function seq(value: number): Seq {
  return value as Seq;
}

/** The conversation of two users. */
export function direct(one: number, other: number): ConversationId {
  return conversationId(`d${Math.min(one, other)}-${Math.max(one, other)}`);
}

export function group(number: number | bigint): ConversationId {
  return conversationId(`g${number}`);
}

/** Checks the form: `everyone`, `d<low>-<high>` or `g<id>`. */
export function conversationId(text: string): ConversationId {
  const found = readConversation(text);
  if (found === undefined) {
    throw new Rejected(`"${text.slice(0, 40)}" is no conversation: everyone, d<low>-<high> or g<id>`, "bad_request");
  }
  return found;
}

/** Undefined: a form of a later version. */
export function readConversation(text: string): ConversationId | undefined {
  return partsOf(text) === undefined ? undefined : (text as ConversationId);
}

/** The order of conversation lists: everyone, direct ones by their numbers, groups. */
export function compareConversations(one: string, other: string): number {
  const left = partsOf(one) ?? [3, one, ""];
  const right = partsOf(other) ?? [3, other, ""];
  return left[0] - right[0] || compareNumbers(left[1], right[1]) || compareNumbers(left[2], right[2]);
}

/** A client message id of 32 hexadecimal digits or 16 bytes. */
export function clientMessageId(value: string | Uint8Array): ClientMessageId {
  const text = typeof value === "string" ? value.toLowerCase() : hex(value);
  if (!/^[0-9a-f]{32}$/.test(text)) {
    throw new Rejected("a client message id has 16 bytes: 32 hexadecimal digits", "bad_request");
  }
  return text as ClientMessageId;
}

export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

export function ofHex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length >> 1);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** 16 bytes from the random numbers of the platform. */
export function randomId(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(ID_BYTES));
}

type Parts = readonly [number, string, string];

function partsOf(text: string): Parts | undefined {
  if (text === "everyone") return [0, "", ""];
  const found = /^(?:g([1-9]\d{0,19})|d([1-9]\d{0,19})-([1-9]\d{0,19}))$/.exec(text);
  if (found === null) return undefined;
  const [, number, low, high] = found;
  if (number !== undefined) return isNumber(number) ? [2, number, ""] : undefined;
  if (low === undefined || high === undefined || compareNumbers(low, high) >= 0 || !isNumber(high)) return undefined;
  return [1, low, high];
}

function isNumber(digits: string): boolean {
  return compareNumbers(digits, MOST) <= 0;
}

/** Digits without leading zeros, by the value of their number, which may exceed 2^53. */
function compareNumbers(one: string, other: string): number {
  if (one.length !== other.length) return one.length - other.length;
  return one < other ? -1 : Number(one > other);
}
