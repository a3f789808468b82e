/** Requests over HTTP: each that a WebSocket carries has its form there, and its answer too. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { callOf } from "../src/calls.js";
import type { Type } from "../src/codec.js";
import type { Json } from "../src/json.js";
import type { ClientRequest } from "../src/line.js";
import { pushOf } from "../src/pushes.js";
import * as wire from "../src/wire.js";
import { armsOf } from "./values.js";

/** The transport answers these by itself, or by other requests. */
const BY_TRANSPORT = ["hello", "resume", "ping", "pong"];
/** An operator's: they want the key of the cluster, and a session does not do on any edge. */
const OF_OPERATOR = ["export", "importEvents", "importAccount", "importFile", "importProfile", "importContact"];
const ID = Uint8Array.from({ length: 16 }, (_, at) => at);

/** The default value of an arm: a message without its fields, or an empty text. */
function emptyOf(kind: unknown): unknown {
  return typeof kind === "function" ? (kind() as Type<unknown>).decode(new Uint8Array(0)) : "";
}

test("each request over a WebSocket has its form over HTTP", () => {
  const missing: string[] = [];
  const look = (name: string, request: unknown): void => {
    if (callOf(request as ClientRequest, 7) === undefined) missing.push(name);
  };
  for (const [name, kind] of armsOf(wire.ClientFrame, "request")) {
    const { ChangeGroup: changeGroup, ChangeContact: changeContact, ChangeBot: changeBot, ChangeHook: changeHook } = wire;
    const changes = { changeGroup, changeContact, changeBot, changeHook } as const;
    const changed = name in changes ? armsOf(changes[name as keyof typeof changes], "change") : [];
    const stepped = name === "call" ? armsOf(wire.Call, "step") : changed;
    const inner = name === "admin" ? armsOf(wire.Admin, "operation") : stepped;
    if (inner.length === 0) look(name, { case: name, value: emptyOf(kind) });
    const field = name === "admin" ? "operation" : name === "call" ? "step" : "change";
    for (const [arm, of] of inner) {
      const value = { ...(emptyOf(kind) as object), [field]: { case: arm, value: emptyOf(of) } };
      look(`${name}.${arm}`, { case: name, value });
    }
  }
  assert.deepEqual(missing, [...BY_TRANSPORT, ...OF_OPERATOR.map((name) => `admin.${name}`)].filter((name) => missing.includes(name)));
  // A name that is no request any more excepts nothing.
  assert.equal(missing.length, BY_TRANSPORT.length + OF_OPERATOR.length);
});

function answered(request: ClientRequest, ...answers: Json[]): unknown {
  return callOf(request, 7)?.read(answers);
}

test("each step of a call has its path", () => {
  const step = (of: wire.Call["step"]): unknown => callOf({ case: "call", value: { request: ID, conversation: "d3-5", step: of } }, 7)?.calls[0]?.path;
  const path = "/v1/conversations/d3-5/calls";
  assert.equal(step({ case: "start", value: { video: true } }), path);
  const answers = [wire.CallAnswer.ACCEPT, wire.CallAnswer.REFUSE, wire.CallAnswer.BUSY];
  const paths = answers.map((answer) => step({ case: "answer", value: { call: 9, answer } }));
  assert.deepEqual(paths, [`${path}/9/accept`, `${path}/9/refuse`, `${path}/9/busy`]);
  assert.equal(step({ case: "end", value: 9 }), `${path}/9/end`);
});

test("a reaction has a place, or there was nothing to do", () => {
  const react = (remove: boolean): ClientRequest => ({ case: "react", value: { request: ID, conversation: "g5", seq: 3, emoji: "👍", remove } });
  const path = "/v1/conversations/g5/messages/3/reactions/%F0%9F%91%8D";
  const key = "000102030405060708090a0b0c0d0e0f";
  assert.deepEqual(callOf(react(false), 7)?.calls, [{ method: "PUT", path, key }]);
  assert.deepEqual(callOf(react(true), 7)?.calls, [{ method: "DELETE", path, key }]);
  const value = { clientMessageId: ID, seq: 4, timeMs: 9, duplicate: true, conversation: "g5" };
  assert.deepEqual(answered(react(false), { seq: 4, time_ms: 9, duplicate: true }), { case: "sendAck", value });
  const code = (remove: boolean): unknown => (answered(react(remove), {}) as { value: { code: string } }).value.code;
  assert.deepEqual([code(false), code(true)], ["already_reacted", "no_such_reaction"]);
});

test("a message waits for its time, and is listed until then", () => {
  const body = { kind: 1, content: new TextEncoder().encode("later") };
  const schedule: ClientRequest = { case: "schedule", value: { conversation: "g5", clientMessageId: ID, body, deliverAtMs: 5000 } };
  const key = "000102030405060708090a0b0c0d0e0f";
  const sent = { body: { kind: 1, text: "later" }, deliver_at_ms: 5000 };
  assert.deepEqual(callOf(schedule, 7)?.calls, [{ method: "POST", path: "/v1/conversations/g5/messages", body: sent, key }]);
  const kept = { conversation: "g5", clientMessageId: ID, deliverAtMs: 5000, duplicate: true, seq: 0, timeMs: 0 };
  assert.deepEqual(answered(schedule, { client_message_id: key, deliver_at_ms: 5000, duplicate: true }), { case: "scheduled", value: kept });
  const list: ClientRequest = { case: "listScheduled", value: { conversation: "g5", after: ID, limit: 0 } };
  assert.equal(callOf(list, 7)?.calls[0]?.path, `/v1/conversations/g5/scheduled?after=${key}`);
  const message = { client_message_id: key, deliver_at_ms: 5000, body: { kind: 1, text: "later" }, refused: "muted" };
  const listed = { clientMessageId: ID, body, deliverAtMs: 5000, refused: "muted" };
  assert.deepEqual(answered(list, { messages: [message], more: false }), { case: "scheduledList", value: { messages: [listed], more: false } });
  const cancel: ClientRequest = { case: "cancelScheduled", value: { conversation: "g5", clientMessageId: ID } };
  assert.deepEqual(callOf(cancel, 7)?.calls, [{ method: "DELETE", path: `/v1/conversations/g5/scheduled/${key}` }]);
});

test("a search names its conditions, and has the places of the words", () => {
  const value = { query: "café 北", sender: 7, kind: 0, afterMs: 0, beforeMs: 9, limit: 0, page: "5.6.g5", conversations: ["g5"], rows: 0 };
  const path = "/v1/search?q=caf%C3%A9+%E5%8C%97&from=7&in=g5&before_ms=9&page=5.6.g5";
  assert.deepEqual(callOf({ case: "search", value }, 7)?.calls, [{ method: "GET", path }]);
  const message = { conversation: "g5", seq: 6, time_ms: 5, sender: "7", kind: 1, snippet: "Café", places: [[0, 4]] };
  const found = { conversation: "g5", seq: 6, timeMs: 5, sender: 7, kind: 1, snippet: "Café", places: [0, 4] };
  const answer = { case: "found", value: { messages: [found], page: "", incomplete: ["g9"], rows: 0 } };
  assert.deepEqual(answered({ case: "search", value }, { messages: [message], incomplete: ["g9"] }), answer);
  assert.equal(callOf({ case: "search", value: { ...value, conversations: ["g5", "g6"] } }, 7), undefined);
});

test("a file is written by tus, and read by ranges", () => {
  const content = Uint8Array.of(1, 2, 3);
  const of = { conversation: "g5", upload: ID };
  const path = "/v1/uploads/g5.000102030405060708090a0b0c0d0e0f";
  const [call] = callOf({ case: "writeChunk", value: { ...of, offset: 65_536, content } }, 7)?.calls ?? [];
  const headers = { "tus-resumable": "1.0.0", "upload-offset": "65536", "content-type": "application/offset+octet-stream" };
  assert.deepEqual(call, { method: "PATCH", path, headers, bytes: content, raw: true });
  const said = { "upload-offset": "65539", "upload-length": "65539", "troupe-file": "0a".repeat(32), "upload-expires": "Thu, 01 Jan 1970 00:00:01 GMT" };
  const value = { received: 65_539, size: 65_539, hash: new Uint8Array(32).fill(10), expiresMs: 1_000 };
  assert.deepEqual(answered({ case: "writeChunk", value: { ...of, offset: 65_536, content } }, said), { case: "upload", value });
  const hash = new Uint8Array(32).fill(10);
  const [read] = callOf({ case: "readFile", value: { conversation: "g5", hash, offset: 65_536 } }, 7)?.calls ?? [];
  assert.deepEqual([read?.path, read?.headers], [`/v1/files/${"0a".repeat(32)}?conversation=g5`, { range: "bytes=65536-327679" }]);
  assert.deepEqual(answered({ case: "readFile", value: { conversation: "g5", hash, offset: 65_536 } }, { content }), {
    case: "filePart",
    value: { offset: 65_536, content },
  });
});

test("an edit has a place, and a recall one unless the message is gone already", () => {
  const body = { kind: 1, content: new TextEncoder().encode("new") };
  const edit: ClientRequest = { case: "editMessage", value: { request: ID, conversation: "g5", seq: 3, body } };
  const recall: ClientRequest = { case: "recallMessage", value: { request: ID, conversation: "g5", seq: 3 } };
  const path = "/v1/conversations/g5/messages/3";
  const key = "000102030405060708090a0b0c0d0e0f";
  assert.deepEqual(callOf(edit, 7)?.calls, [{ method: "PATCH", path, body: { body: { kind: 1, text: "new" } }, key }]);
  assert.deepEqual(callOf(recall, 7)?.calls, [{ method: "DELETE", path, key }]);
  const value = { clientMessageId: ID, seq: 4, timeMs: 9, duplicate: false, conversation: "g5" };
  for (const request of [edit, recall]) {
    assert.deepEqual(answered(request, { seq: 4, time_ms: 9, duplicate: false }), { case: "sendAck", value });
  }
  assert.equal((answered(recall, {}) as { value: { code: string } }).value.code, "erased");
});

test("a vote and the end of a poll have a place unless they are so already", () => {
  const of = { request: ID, conversation: "g5", seq: 3 };
  const path = "/v1/conversations/g5/messages/3";
  const key = "000102030405060708090a0b0c0d0e0f";
  const vote: ClientRequest = { case: "vote", value: { ...of, options: [0, 2], remove: false } };
  const back: ClientRequest = { case: "vote", value: { ...of, options: [], remove: true } };
  const close: ClientRequest = { case: "closePoll", value: of };
  assert.deepEqual(callOf(vote, 7)?.calls, [{ method: "PUT", path: `${path}/vote`, body: { options: [0, 2] }, key }]);
  assert.deepEqual(callOf(back, 7)?.calls, [{ method: "DELETE", path: `${path}/vote`, key }]);
  assert.deepEqual(callOf(close, 7)?.calls, [{ method: "POST", path: `${path}/close`, key }]);
  const codes = [vote, back, close].map((request) => (answered(request, {}) as { value: { code: string } }).value.code);
  assert.deepEqual(codes, ["already_voted", "no_such_vote", "poll_closed"]);
  const list: ClientRequest = { case: "listVotes", value: { conversation: "g5", seq: 3, after: 7, limit: 0 } };
  assert.equal(callOf(list, 7)?.calls[0]?.path, `${path}/votes?after=7`);
  const votes = [{ userId: 8, options: [0, 2] }];
  assert.deepEqual(answered(list, { votes: [{ user: "8", options: [0, 2] }], more: true }), { case: "votes", value: { votes, more: true } });
});

test("a forward and a broadcast have an outcome for each conversation", () => {
  const key = "000102030405060708090a0b0c0d0e0f";
  const forward: ClientRequest = { case: "forward", value: { request: ID, from: "g5", seqs: [3], to: ["g6", "g7"], bundle: true, text: "" } };
  assert.deepEqual(callOf(forward, 7)?.calls, [
    { method: "POST", path: "/v1/forward", body: { from: "g5", seqs: [3], to: ["g6", "g7"], bundle: true }, key },
  ]);
  const body = { kind: 1, content: new TextEncoder().encode("hi") };
  const broadcast: ClientRequest = { case: "broadcast", value: { request: ID, body, after: 9, limit: 0 } };
  assert.deepEqual(callOf(broadcast, 7)?.calls[0]?.body, { body: { kind: 1, text: "hi" }, after: "9" });
  const problem = { kind: "rejected", code: "not_member", detail: "you are not in it" };
  const placed = [{ seq: 4, time_ms: 9, client_message_id: key, duplicate: false }];
  const outcomes = [{ conversation: "g6", placed }, { conversation: "g7", placed: [], problem }];
  assert.deepEqual(answered(broadcast, { outcomes, next: "12" }), {
    case: "forwarded",
    value: {
      outcomes: [
        { conversation: "g6", acks: [{ clientMessageId: ID, seq: 4, timeMs: 9, duplicate: false, conversation: "g6" }] },
        { conversation: "g7", acks: [], failure: { kind: wire.FailureKind.REJECTED, code: "not_member", text: "you are not in it", retryAfterMs: 0 } },
      ],
      next: 12,
    },
  });
});

test("a piece is written, and a stream has an end and a state", () => {
  const piece: ClientRequest = { case: "writePiece", value: { conversation: "g5", seq: 3, index: 2, text: "word " } };
  const [write] = callOf(piece, 7)?.calls ?? [];
  assert.deepEqual([write?.method, write?.path, write?.body], ["POST", "/v1/conversations/g5/messages/3/pieces", { index: 2, text: "word " }]);
  assert.deepEqual(answered(piece, {}), { case: "done", value: {} });
  const end: ClientRequest = { case: "endStream", value: { request: ID, conversation: "g5", seq: 3, text: "", aborted: true } };
  const key = "000102030405060708090a0b0c0d0e0f";
  assert.deepEqual(callOf(end, 7)?.calls, [{ method: "POST", path: "/v1/conversations/g5/messages/3/end", body: { text: "", aborted: true }, key }]);
  const base = { time_ms: 9, sender: "7", client_message_id: "0a".repeat(16), kind: "message", body: { kind: 1, text: "" } };
  const messages = [{ ...base, seq: 3, stream: true, streaming: { text: "word ", pieces: 3 } }];
  const fetch: ClientRequest = { case: "fetch", value: { conversation: "g5", seq: 0, backward: false, limit: 0 } };
  const { value } = answered(fetch, { messages, head: 3, more: false }) as { value: { states: unknown } };
  const body = { kind: 1, content: new TextEncoder().encode("word ") };
  assert.deepEqual(value.states, [{ seq: 3, erased: false, deleted: false, edits: [], body, streaming: true, pieces: 3 }]);
});

test("a page has the votes of polls", () => {
  const base = { time_ms: 9, sender: "7", client_message_id: "0a".repeat(16), kind: "message", body: { kind: 12, content: "" } };
  const messages = [{ ...base, seq: 1, poll: { counts: [1, 0], voters: 1, mine: [0], closed: false } }];
  const fetch: ClientRequest = { case: "fetch", value: { conversation: "g5", seq: 0, backward: false, limit: 0 } };
  const { value } = answered(fetch, { messages, head: 1, more: false }) as { value: { polls: unknown } };
  assert.deepEqual(value.polls, [{ seq: 1, counts: [1, 0], voters: 1, mine: [0], closed: false }]);
});

test("a page has the present states of messages", () => {
  const base = { time_ms: 9, sender: "7", client_message_id: "00".repeat(16) };
  const sent = { ...base, seq: 1, kind: "message", body: { kind: 1, text: "old" } };
  const messages = [
    { ...sent, edited: { edits: [2, 3], body: { kind: 1, text: "new" } } },
    { ...base, seq: 4, kind: "unknown", body: { number: 5, content: "" }, erased: true },
  ];
  const fetch: ClientRequest = { case: "fetch", value: { conversation: "g5", seq: 0, backward: false, limit: 0 } };
  const { value } = answered(fetch, { messages, head: 4, more: false }) as { value: { states: unknown } };
  assert.deepEqual(value.states, [
    { seq: 1, erased: false, deleted: false, edits: [2, 3], body: { kind: 1, content: new TextEncoder().encode("new") } },
    { seq: 4, erased: true, deleted: false, edits: [], body: undefined },
  ]);
});

test("a page has the counts of reactions", () => {
  const base = { time_ms: 9, sender: "7", client_message_id: "0a".repeat(16), kind: "message", body: { kind: 1, text: "x" } };
  const messages = [{ ...base, seq: 1, reactions: [{ emoji: "👍", users: 2, mine: true }] }, { ...base, seq: 2 }];
  const fetch: ClientRequest = { case: "fetch", value: { conversation: "g5", seq: 0, backward: false, limit: 0 } };
  const { value } = answered(fetch, { messages, head: 2, more: false }) as { value: { reactions: unknown } };
  assert.deepEqual(value.reactions, [{ seq: 1, counts: [{ emoji: "👍", users: 2, mine: true }] }]);
});

test("a place in the audit log comes back as it was", () => {
  const read = (after?: wire.AuditPlace): ClientRequest => ({
    case: "admin",
    value: { request: new Uint8Array(0), operation: { case: "readAudit", value: { sinceMs: 0, after, limit: 1 } } },
  });
  const act = { time_ms: 5, by_name: "operator", address: "", action: "user.create", target: "bob", detail: "", place: "5-7-9" };
  const { value } = answered(read(), { acts: [act], more: true }) as { value: { answer: { value: wire.AuditPage } } };
  const [row] = value.answer.value.rows;
  assert.deepEqual([row?.place, row?.by], [{ timeMs: 5, slot: 7, number: 9n }, 0]);
  assert.equal(callOf(read(row?.place), 7)?.calls[0]?.path, "/v1/admin/audit?after=5-7-9&limit=1");
  assert.throws(() => answered(read(), { acts: [{ ...act, place: "5-7" }], more: false }));
});

test("a profile has the texts that are given, and its push those of the stream", () => {
  const request: ClientRequest = { case: "changeProfile", value: { request: ID, displayName: "Ann", about: "" } };
  const [call] = callOf(request, 7)?.calls ?? [];
  assert.deepEqual([call?.method, call?.path, JSON.stringify(call?.body)], ["PATCH", "/v1/me", '{"display_name":"Ann","about":""}']);
  const texts = { display_name: "Ann", avatar: "", about: "", language: "de" };
  const own = { profile: { displayName: "Ann", avatar: "", about: "", language: "de" }, version: 3, messagesFrom: wire.Audience.CONTACTS };
  const me = { user_id: "7", name: "ann", device: "d", admin: false, ...texts, version: 3, messages_from: "contacts" };
  assert.deepEqual(answered({ case: "showProfile", value: {} }, me), { case: "ownProfile", value: own });
  assert.deepEqual(pushOf("profile", { ...texts, version: 3, messages_from: "contacts" }), { case: "profile", value: { profile: own } });
});

test("a state of a conversation has the properties that are given, and its push those of the stream", () => {
  const of = { conversation: "g2038", request: ID };
  const request = { case: "changePersonal", value: { ...of, seen: 2, pin: 0, clearTo: 5 } } as ClientRequest;
  const [call] = callOf(request, 7)?.calls ?? [];
  const put = [call?.method, call?.path, JSON.stringify(call?.body)];
  assert.deepEqual(put, ["PATCH", "/v1/conversations/g2038/me", '{"seen":2,"pin":0,"clear_to":5}']);
  const row = { version: 3, pin: 0, muted_until_ms: 9, archived: true, hidden: false, draft: "so", marked_unread: true, cleared: 5, deleted: [7] };
  const rest = { pin: 0, mutedUntilMs: 9, archived: true, hidden: false, draft: "so", markedUnread: true, cleared: 5, deleted: [7] };
  const personal = { conversation: "g2038", version: 3, ...rest };
  assert.deepEqual(answered(request, row), { case: "personal", value: personal });
  const [deletion] = callOf({ case: "deleteForMe", value: { conversation: "g2038", seqs: [7] } }, 7)?.calls ?? [];
  assert.deepEqual([deletion?.path, deletion?.body], ["/v1/conversations/g2038/me/deleted", { seqs: [7] }]);
  const pushed = { case: "personalChanged", value: { personal } };
  assert.deepEqual(pushOf("state", { conversation: "g2038", ...row }), pushed);
});

test("saved messages are resources", () => {
  const of = (removed: boolean): unknown[] => {
    const value = { request: ID, conversation: "g2038", seq: 7, removed };
    const [call] = callOf({ case: "changeFavourite", value }, 7)?.calls ?? [];
    return [call?.method, call?.path];
  };
  assert.deepEqual([of(false), of(true)], [["PUT", "/v1/favourites/g2038/7"], ["DELETE", "/v1/favourites/g2038/7"]]);
  const list: ClientRequest = { case: "listFavourites", value: { before: 9, limit: 0 } };
  assert.equal(callOf(list, 7)?.calls[0]?.path, "/v1/favourites?before=9");
  const row = { number: 8, conversation: "g2038", seq: 7, saved_ms: 5 };
  const favourite = { number: 8, conversation: "g2038", seq: 7, savedMs: 5, event: undefined, state: undefined, unavailable: false };
  const value = { favourites: [favourite], next: 0, version: 3 };
  assert.deepEqual(answered(list, { favourites: [row], version: 3 }), { case: "favourites", value });
});

test("files are a resource", () => {
  const list: ClientRequest = { case: "listFiles", value: { conversation: "g2038", before: 9, kind: 2, limit: 0 } };
  assert.equal(callOf(list, 7)?.calls[0]?.path, "/v1/conversations/g2038/files?before=9&kind=2");
  assert.deepEqual(answered(list, { messages: [] }), { case: "fileMessages", value: { events: [], states: [], next: 0 } });
  const usage: ClientRequest = { case: "getUsage", value: {} };
  const value = { bytes: 5, reservedBytes: 0, mostBytes: 9 };
  assert.deepEqual(answered(usage, { bytes: 5, reserved_bytes: 0, most_bytes: 9 }), { case: "usage", value });
});

test("contacts and blocks are resources", () => {
  const of = (change: wire.ChangeContact["change"]): unknown[] => {
    const [call] = callOf({ case: "changeContact", value: { request: ID, userId: 9, change } } as ClientRequest, 7)?.calls ?? [];
    return [call?.method, call?.path, call?.body];
  };
  assert.deepEqual(of({ case: "ask", value: "hi" }), ["PUT", "/v1/contacts/9", { text: "hi" }]);
  assert.deepEqual(of({ case: "end", value: {} }), ["DELETE", "/v1/contacts/9", undefined]);
  assert.deepEqual([of({ case: "block", value: true })[0], of({ case: "block", value: false })[0]], ["PUT", "DELETE"]);
  const row = { user_id: "9", state: "received", text: "hi", remark: "", since_ms: 5, version: 3, blocked: false };
  const contact = { userId: 9, state: wire.ContactState.RECEIVED, text: "hi", remark: "", sinceMs: 5, version: 3, blocked: false };
  const list: ClientRequest = { case: "listContacts", value: { after: 0, limit: 0, since: 2 } };
  assert.equal(callOf(list, 7)?.calls[0]?.path, "/v1/contacts?since=2");
  const value = { contacts: [contact], next: 0, version: 3 };
  assert.deepEqual(answered(list, { contacts: [row], version: 3 }), { case: "contacts", value });
  assert.deepEqual(pushOf("contact", row), { case: "contactChanged", value: { contact } });
});

test("a bot has its scopes as words, and a hook its number behind its group", () => {
  const scopes = { read: true, send: false, manage: true };
  const create: ClientRequest = { case: "changeBot", value: { request: ID, change: { case: "create", value: { name: "weather", scopes } } } };
  const key = "000102030405060708090a0b0c0d0e0f";
  const body = { name: "weather", scopes: ["read", "manage"] };
  assert.deepEqual(callOf(create, 7)?.calls, [{ method: "POST", path: "/v1/bots", body, key }]);
  const made = { user_id: "9", name: "weather", scopes: ["read", "manage"], created_ms: 1, token_set_ms: 2, token: "AQI" };
  const bot = { userId: 9, name: "weather", scopes, createdMs: 1, tokenSetMs: 2, token: Uint8Array.from([1, 2]) };
  assert.deepEqual(answered(create, made), { case: "bot", value: bot });
  const retry: ClientRequest = { case: "changeHook", value: { request: ID, conversation: "g5", change: { case: "retry", value: { hook: 8, seq: 3 } } } };
  assert.deepEqual(callOf(retry, 7)?.calls, [{ method: "POST", path: "/v1/hooks/g5.8/retry", body: { seq: 3 }, key }]);
  const shown = { hook: "g5.8", kind: "outgoing", name: "Events", by: "7", created_ms: 1, url: "https://a.example/", delivered: 4, dead: 1 };
  const hook = { hook: 8, kind: wire.HookKind.OUTGOING, name: "Events", by: 7, createdMs: 1, url: "https://a.example/", delivered: 4, dead: 1, closed: false };
  assert.deepEqual(answered(retry, shown), { case: "hook", value: hook });
  const list: ClientRequest = { case: "listDead", value: { conversation: "g5", hook: 8, after: 0, limit: 0 } };
  const dead = { seq: 3, attempts: 8, status: 503, why: "busy", at_ms: 9, again: true };
  const event = { seq: 3, attempts: 8, status: 503, why: "busy", atMs: 9, again: true };
  assert.deepEqual(answered(list, { events: [dead], more: false }), { case: "deadEvents", value: { events: [event], more: false } });
});
