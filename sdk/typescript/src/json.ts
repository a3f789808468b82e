/**
 * Values of the HTTP API in JSON, as messages of client.proto. What is not of that form throws
 * ProtocolError.
 */

import type { Init } from "./codec.js";
import { ProtocolError } from "./errors.js";
import { COUNTS_AS_UNREAD, TEXT, type WireEvent } from "./event.js";
import { ofHex } from "./ids.js";
import * as wire from "./wire.js";

export type Json = Record<string, unknown>;

const ROLES = new Map([
  ["member", wire.Role.MEMBER],
  ["admin", wire.Role.ADMIN],
  ["owner", wire.Role.OWNER],
]) as ReadonlyMap<unknown, number>;
const OUTCOMES = new Map([
  ["talked", wire.CallOutcome.TALKED],
  ["refused", wire.CallOutcome.CALL_REFUSED],
  ["busy", wire.CallOutcome.CALL_BUSY],
  ["cancelled", wire.CallOutcome.CANCELLED],
  ["missed", wire.CallOutcome.MISSED],
]) as ReadonlyMap<unknown, number>;
const utf8 = new TextEncoder();

export function objectOf(value: unknown): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw new ProtocolError("the answer is not of the HTTP API");
}

export function listOf(value: unknown): Json[] {
  if (Array.isArray(value)) return value.map(objectOf);
  throw new ProtocolError("the answer has no list where the HTTP API has one");
}

export function textsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(textOf);
  throw new ProtocolError("the answer has no list where the HTTP API has one");
}

export function numbersOf(value: unknown): number[] {
  if (Array.isArray(value)) return value.map(numberOf);
  throw new ProtocolError("the answer has no list where the HTTP API has one");
}

export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw new ProtocolError("the answer has no text where the HTTP API has one");
}

/** A number, or an id, which is text. */
export function numberOf(value: unknown): number {
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw new ProtocolError("the answer has no number where the HTTP API has one");
}

export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  } catch {
    throw new ProtocolError("the answer has no base64 where the HTTP API has it");
  }
}

export function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** The form of tokens: base64url without padding. */
export function tokenText(token: Uint8Array): string {
  return base64Of(token).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function roleName(role: number): string {
  for (const [name, number] of ROLES) if (number === role) return textOf(name);
  return "member";
}

export function roleOf(value: unknown): number {
  return ROLES.get(value) ?? wire.Role.ROLE_UNSPECIFIED;
}

export function userOf(value: Json): wire.User {
  const { user_id, name, online, deleted, last_seen_ms } = value;
  const is = { online: online === true, deleted: deleted === true };
  const botOf = numberOf(value["owner"] ?? 0);
  return { userId: numberOf(user_id), name: textOf(name), ...is, profile: profileOf(value), botOf, lastSeenMs: numberOf(last_seen_ms ?? 0), presenceShownTo: 0 };
}

/** A text that the user has not set is empty. */
export function profileOf({ display_name, avatar, about, language }: Json): wire.Profile {
  const text = (value: unknown): string => textOf(value ?? "");
  return { displayName: text(display_name), avatar: text(avatar), about: text(about), language: text(language) };
}

export function sessionOf({ device, created_ms, used_ms, online, current }: Json): wire.Session {
  const times = { createdMs: numberOf(created_ms), usedMs: numberOf(used_ms) };
  return { device: textOf(device), ...times, online: online === true, current: current === true };
}

export function lineOf(value: Json): wire.Conversation {
  const { conversation, me } = value;
  return {
    conversation: textOf(value["conversation"]),
    name: textOf(value["name"]),
    head: numberOf(value["head"]),
    timeMs: numberOf(value["time_ms"]),
    delivered: numberOf(value["delivered"]),
    read: numberOf(value["read"]),
    unread: numberOf(value["unread"]),
    members: numberOf(value["members"]),
    role: roleOf(value["role"]),
    open: value["open"] === true,
    kept: numberOf(value["kept"] ?? 0),
    personal: me === undefined ? undefined : personalOf({ ...objectOf(me), conversation }),
    mentions: numberOf(value["mentions"] ?? 0),
  };
}

export function personalOf(state: Json): wire.Personal {
  const { conversation, version, pin, muted_until_ms, archived, hidden, draft, marked_unread, cleared, deleted } = state;
  const numbers = { version: numberOf(version), pin: numberOf(pin), mutedUntilMs: numberOf(muted_until_ms) };
  const flags = { archived: archived === true, hidden: hidden === true, markedUnread: marked_unread === true };
  return { conversation: textOf(conversation), ...numbers, ...flags, draft: textOf(draft), cleared: numberOf(cleared), deleted: numbersOf(deleted) };
}

/** An event, with its content in the bytes that the protocol has. */
export function eventOf(value: Json): Init<WireEvent> {
  const [kind, content] = contentOf(textOf(value["kind"]), objectOf(value["body"]), value);
  return {
    seq: numberOf(value["seq"]),
    timeMs: numberOf(value["time_ms"]),
    sender: numberOf(value["sender"]),
    clientMessageId: ofHex(textOf(value["client_message_id"])),
    kind,
    content,
    // The API has no flags: messages count.
    flags: kind === 5 ? COUNTS_AS_UNREAD : 0,
  };
}

const JOIN = ["", "open", "invite_only", "approval"];
const HISTORY = ["", "since_joining", "everything"];
const ACTS = ["", "rename", "add", "remove", "pin", "notice", "mute", "ban", "settings", "invite"];
ACTS[20] = "recall";

/** The settings that are present, as the API takes them. */
export function settingsBody(settings: wire.GroupSettings): Json {
  const { name, notice, avatar, join, history, slowSeconds, mutedUntilMs, permissions } = settings;
  const { noContact, retentionSeconds } = settings;
  const given = {
    name,
    notice,
    avatar,
    join: JOIN[join] || undefined,
    history: HISTORY[history] || undefined,
    slow_seconds: slowSeconds,
    muted_until_ms: mutedUntilMs,
    no_contact: noContact,
    retention_seconds: retentionSeconds,
  };
  const roles = permissions.map(({ act, role }) => [ACTS[act] ?? "", roleName(role)]);
  const body = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(body), ...(roles.length === 0 ? {} : { permissions: Object.fromEntries(roles) }) };
}

/** Settings that are absent stay absent. */
export function settingsOf(body: Json): Init<wire.GroupSettings> {
  const text = (name: string) => (body[name] === undefined ? undefined : textOf(body[name]));
  const number = (name: string) => (body[name] === undefined ? undefined : numberOf(body[name]));
  const noContact = body["no_contact"] === undefined ? undefined : body["no_contact"] === true;
  const permissions = Object.entries(objectOf(body["permissions"] ?? {}));
  return {
    name: text("name"),
    notice: text("notice"),
    avatar: text("avatar"),
    join: JOIN.indexOf(text("join") ?? ""),
    history: HISTORY.indexOf(text("history") ?? ""),
    slowSeconds: number("slow_seconds"),
    mutedUntilMs: number("muted_until_ms"),
    noContact,
    retentionSeconds: number("retention_seconds"),
    permissions: permissions.map(([act, role]) => ({ act: ACTS.indexOf(act), role: roleOf(role) })),
  };
}

/** The references of a message, and when it vanishes, as the API takes them. */
export function contextJson(context: wire.Context | undefined): Json {
  if (context === undefined) return {};
  const { replyTo, thread, mentions, mentionsEveryone, expiresInMs, stream } = context;
  return {
    ...(replyTo === 0 ? {} : { reply_to: replyTo }),
    ...(thread === 0 ? {} : { thread }),
    ...(mentions.length === 0 ? {} : { mentions: mentions.map(String) }),
    ...(mentionsEveryone ? { mentions_everyone: true } : {}),
    ...(expiresInMs === 0 ? {} : { expires_in_ms: expiresInMs }),
    ...(stream ? { stream } : {}),
  };
}

function contextOf({ reply_to, thread, mentions, mentions_everyone, expires_in_ms, stream }: Json): Init<wire.Context> | undefined {
  if ([reply_to, thread, mentions, mentions_everyone, expires_in_ms, stream].every((field) => field === undefined)) return undefined;
  return {
    replyTo: numberOf(reply_to ?? 0),
    thread: numberOf(thread ?? 0),
    mentions: textsOf(mentions ?? []).map(numberOf),
    mentionsEveryone: mentions_everyone === true,
    expiresInMs: numberOf(expires_in_ms ?? 0),
    stream: stream === true,
  };
}

/** The body of a message. `beside` has its references. */
export function bodyOfJson(body: Json, beside: Json): Init<wire.Body> {
  // A typed body has its bytes beside its fields.
  const bytes = body["content"];
  const content = bytes === undefined ? utf8.encode(textOf(body["text"])) : bytesOfBase64(textOf(bytes));
  const context = contextOf(beside);
  return { kind: numberOf(body["kind"] ?? TEXT), content, ...(context === undefined ? {} : { context }) };
}

function contentOf(kind: string, body: Json, beside: Json): [number, Uint8Array<ArrayBuffer>] {
  const { name, user, users, role } = body;
  switch (kind) {
    case "message":
      return [5, wire.Body.encode(bodyOfJson(body, beside))];
    case "created":
      return [6, wire.Created.encode({ name: textOf(name) })];
    case "renamed":
      return [7, wire.Renamed.encode({ name: textOf(name) })];
    case "added":
      return [8, wire.Added.encode({ users: textsOf(users).map(numberOf) })];
    case "removed":
      return [9, wire.Removed.encode({ user: numberOf(user) })];
    case "role_changed":
      return [10, wire.RoleChanged.encode({ user: numberOf(user), role: roleOf(role) })];
    case "reacted": {
      const { to, emoji, removed } = body;
      return [11, wire.Reacted.encode({ to: numberOf(to), emoji: textOf(emoji), removed: removed === true })];
    }
    case "edited":
      return [12, wire.Edited.encode({ to: numberOf(body["to"]), body: bodyOfJson(objectOf(body["body"]), {}) })];
    case "recalled":
      return [13, wire.Recalled.encode({ to: numberOf(body["to"]) })];
    case "vanished":
      return [40, wire.Vanished.encode({ to: numberOf(body["to"]) })];
    case "stream_ended": {
      const { to, aborted } = body;
      const last = bodyOfJson(objectOf(body["body"]), {});
      return [90, wire.StreamEnded.encode({ to: numberOf(to), body: last, aborted: aborted === true })];
    }
    case "voted": {
      const { to, options, removed } = body;
      return [14, wire.Voted.encode({ to: numberOf(to), options: numbersOf(options), removed: removed === true })];
    }
    case "poll_closed": {
      const { to, voters, counts } = body;
      return [15, wire.PollClosed.encode({ to: numberOf(to), voters: numberOf(voters), counts: numbersOf(counts) })];
    }
    case "settings_changed":
      return [20, wire.GroupSettings.encode(settingsOf(body))];
    case "call_started": {
      const { video, device } = body;
      return [50, wire.CallStarted.encode({ video: video === true, device: numberOf(device) })];
    }
    case "call_answered": {
      const { call, device } = body;
      return [51, wire.CallAnswered.encode({ call: numberOf(call), device: numberOf(device) })];
    }
    case "call_ended": {
      const { call, caller, video, outcome, lasted_ms } = body;
      const how = { video: video === true, outcome: OUTCOMES.get(outcome) ?? 0, lastedMs: numberOf(lasted_ms) };
      return [52, wire.CallEnded.encode({ call: numberOf(call), caller: numberOf(caller), ...how })];
    }
    case "muted":
      return [21, wire.Muted.encode({ user: numberOf(user), untilMs: numberOf(body["until_ms"]) })];
    case "banned":
      return [22, wire.Banned.encode({ user: numberOf(user), lifted: body["lifted"] === true })];
    case "transferred":
      return [23, wire.Transferred.encode({ to: numberOf(body["to"]) })];
    case "disbanded":
      return [24, new Uint8Array(0)];
    case "link_made": {
      const { hash, uses, expires_ms } = body;
      return [25, wire.LinkMade.encode({ hash: ofHex(textOf(hash)), uses: numberOf(uses), expiresMs: numberOf(expires_ms) })];
    }
    case "link_revoked":
      return [26, wire.LinkRevoked.encode({ link: numberOf(body["link"]) })];
    case "pinned":
      return [31, wire.Pinned.encode({ to: numberOf(body["to"]), removed: body["removed"] === true })];
    case "join_asked":
      return [28, new Uint8Array(0)];
    case "join_closed":
      return [29, wire.JoinClosed.encode({ user: numberOf(user) })];
    case "unknown":
      return [numberOf(body["number"]), bytesOfBase64(textOf(body["content"]))];
    default:
      // A kind of a later version, whose number this one does not know.
      return [0, new Uint8Array(0)];
  }
}
