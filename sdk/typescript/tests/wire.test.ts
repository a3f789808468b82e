/**
 * The wire form: the example frames and limits of docs/protocol.md, and input that is no message.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { contextOf, encodeBody, typedBody } from "../src/content.js";
import { ProtocolError } from "../src/errors.js";
import { bodyOf, ofWire, readAgain, WireEvent } from "../src/event.js";
import { ofHex } from "../src/ids.js";
import * as limits from "../src/limits.js";
import { sha256 } from "../src/sha256.js";
import * as wire from "../src/wire.js";
import { seeded, STORIES } from "./story.js";

const ROOT = `${STORIES}/../..`;
const PAGE = readFileSync(`${ROOT}/docs/protocol.md`, "utf8");
const ID = Uint8Array.from({ length: 16 }, (_, at) => at);
const MOST = Number.MAX_SAFE_INTEGER;
const utf8 = new TextEncoder();

/** The bytes of an example, without its length. */
function example(name: string): Uint8Array {
  const found = new RegExp(`<!-- frame: ${name} -->\\n\`\`\`text\\n(.*?)\`\`\``, "s").exec(PAGE)?.[1];
  assert.ok(found);
  const digits = found.split("\n").map((line) => line.split("|")[0]).join("").replace(/\s/g, "");
  const frame = ofHex(digits);
  assert.equal(new DataView(frame.buffer).getUint32(0), frame.length - 4);
  return frame.slice(4);
}

const bytes = (value: Uint8Array): number[] => [...value];

test("the examples of the page", () => {
  const hello = { minVersion: 1, maxVersion: 1, client: "example/1.0" };
  assert.deepEqual(bytes(wire.ClientFrame.encode({ requestId: 1, request: { case: "hello", value: hello } })), bytes(example("hello")));
  const send = { conversation: "d1029-2050", clientMessageId: ID, body: { kind: 1, content: utf8.encode("hé") } };
  assert.deepEqual(bytes(wire.ClientFrame.encode({ requestId: 7, request: { case: "send", value: send } })), bytes(example("send")));
  const { requestId, message } = wire.ServerFrame.decode(example("send_ack"));
  assert.equal(requestId, 7);
  const ack = { clientMessageId: ID, seq: 300, timeMs: 1_700_000_000_123, duplicate: false, conversation: "d1029-2050" };
  assert.deepEqual(message, { case: "sendAck", value: ack });
});

test("the limits of the page", () => {
  const rows: [string, number][] = [
    ["one message's body", limits.MESSAGE_BYTES],
    ["one frame from a client", limits.FRAME_BYTES],
    ["one frame from a server", limits.SERVER_FRAME_BYTES],
    ["chunk of a file, and one write", limits.CHUNK_BYTES],
    ["one file", limits.FILE_BYTES],
    ["device", limits.DEVICE_BYTES],
    ["page of history", limits.PAGE_EVENTS],
    ["page of users", limits.PAGE_USERS],
    ["page of members", limits.PAGE_MEMBERS],
    ["page of contacts", limits.PAGE_CONTACTS],
    ["page of dead events", limits.PAGE_DEAD],
    ["page of conversations", limits.PAGE_CONVERSATIONS],
  ];
  for (const [name, value] of rows) assert.match(PAGE, new RegExp(`^\\| ${name} \\| ${value} `, "m"), name);
});

test("the generated code is what client.proto says", () => {
  const done = spawnSync(process.execPath, [`${ROOT}/sdk/typescript/generate.mjs`, "--check"], { encoding: "utf8" });
  assert.equal(done.status, 0, done.stderr);
});

test("numbers of 64 bits keep their value, or are refused", () => {
  const conversation = { ...wire.Conversation.decode(new Uint8Array(0)), head: MOST, timeMs: 2 ** 32, unread: 127 };
  assert.deepEqual(wire.Conversation.decode(wire.Conversation.encode(conversation)), conversation);
  for (const history of [1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    assert.equal(wire.Welcome.decode(wire.Welcome.encode({ history })).history, history);
  }
  // The seq of a page: field 3 with 2^53.
  assert.throws(() => wire.Page.decode(ofHex("1880808080808080" + "10")), ProtocolError);
  assert.throws(() => wire.Fetch.encode({ seq: 2 ** 53 }), RangeError);
  assert.throws(() => wire.Fetch.encode({ seq: -1 }), RangeError);
});

test("a oneof holds the last field, and zero is a value", () => {
  const change = wire.ChangeGroup.encode({ request: ID, conversation: "g1024", change: { case: "remove", value: 0 } });
  assert.deepEqual(wire.ChangeGroup.decode(change).change, { case: "remove", value: 0 });
  const both = Uint8Array.from([...change, ...wire.ChangeGroup.encode({ change: { case: "rename", value: "new" } })]);
  assert.deepEqual(wire.ChangeGroup.decode(both).change, { case: "rename", value: "new" });
});

test("an optional field is absent or zero", () => {
  for (const seconds of [undefined, 0, 7]) {
    const settings = { registration: undefined, sessionIdleSeconds: seconds, strangers: undefined };
    assert.equal(wire.ChangeSettings.decode(wire.ChangeSettings.encode(settings)).sessionIdleSeconds, seconds);
  }
});

test("lists are read packed and not packed", () => {
  const users = [1, 300, MOST];
  assert.deepEqual(wire.AddMembers.decode(wire.AddMembers.encode({ users })).users, users);
  assert.deepEqual(wire.AddMembers.decode(ofHex("080108ac02")).users, [1, 300]);
});

test("fields of later versions are skipped", () => {
  const later = ofHex("0807" + "fa7f03616263" + "f97f" + "00".repeat(8) + "fd7f" + "00".repeat(4) + "f87f05");
  assert.deepEqual(wire.Ping.decode(later), { nonce: 7n });
});

test("texts keep a mark of byte order, and replace half of a character", () => {
  const name = "\u{feff}é😀";
  assert.equal(wire.Created.decode(wire.Created.encode({ name })).name, name);
  assert.equal(wire.Created.decode(wire.Created.encode({ name: "\ud800" })).name, "\u{fffd}");
});

test("what is no message is refused", () => {
  for (const data of ["08", "08" + "ff".repeat(10), "12056162", "0b", "00", "12020880", "22030a01ff", "0900"]) {
    assert.throws(() => wire.ServerFrame.decode(ofHex(data)), ProtocolError, data);
  }
});

test("any bytes are a message or refused", () => {
  const random = seeded(1);
  const below = (most: number): number => Math.floor(random() * most);
  const event = { seq: 1, sender: 3, clientMessageId: ID, kind: 5, content: wire.Body.encode({ kind: 1, content: ID }) };
  const page = wire.ServerFrame.encode({ message: { case: "page", value: { events: [event] } } });
  let readable = 0;
  for (let round = 0; round < 5_000; round++) {
    const data = Uint8Array.from(below(2) === 0 ? example("send_ack") : page);
    for (let change = 0; change <= below(3); change++) data[below(data.length)] = below(256);
    try {
      const { message } = wire.ServerFrame.decode(data);
      if (message?.case === "page") message.value.events.forEach(ofWire);
      readable += 1;
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }
  assert.ok(readable > 100);
});

test("an event of a kind of later versions keeps its bytes, and is understood by them", () => {
  const later = { seq: 1, timeMs: 2, sender: 3, clientMessageId: ID, kind: 77, content: ID, flags: 3, contentHash: new Uint8Array(0) };
  assert.deepEqual(WireEvent.decode(WireEvent.encode(later)), later);
  assert.deepEqual(ofWire(later).content, { kind: "unsupported", number: 77, content: ID });
  // As an earlier version would have kept a reaction.
  const content = wire.Reacted.encode({ to: 3, emoji: "👍", removed: true });
  const kept = { ...ofWire(later), content: { kind: "unsupported", number: 11, content } as const };
  assert.deepEqual(readAgain(kept).content, { kind: "reacted", to: 3, emoji: "👍", removed: true });
});

test("a content with another hash is not shown", () => {
  const content = wire.Body.encode({ kind: 1, content: utf8.encode("hi") });
  const event = WireEvent.decode(WireEvent.encode({ seq: 1, sender: 3, clientMessageId: ID, kind: 5, content }));
  assert.equal(ofWire({ ...event, contentHash: sha256(content).slice(0, 16) }).content.kind, "message");
  assert.equal(ofWire({ ...event, contentHash: ID }).content.kind, "unsupported");
  assert.throws(() => ofWire({ ...event, clientMessageId: ID.slice(1) }), ProtocolError);
});

test("SHA-256 is that of the platform", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000, 65_536]) {
    const data = Uint8Array.from({ length }, (_, at) => at * 7);
    assert.equal(Buffer.from(sha256(data)).toString("hex"), createHash("sha256").update(data).digest("hex"), String(length));
  }
});

test("typed bodies are read by their kind, and a message says what it refers to", () => {
  const [kind, content] = encodeBody({ type: "location", value: { latitudeE7: -900_000_000, longitudeE7: 1_800_000_000, name: "pole" } });
  const context = { replyTo: 3, thread: 2, mentions: [5], mentionsEveryone: true, expiresInMs: 0, stream: false };
  const body = wire.Body.encode({ kind, content, context });
  const event = ofWire({ seq: 4, timeMs: 1, sender: 9, clientMessageId: ID, kind: 5, content: body, flags: 1, contentHash: new Uint8Array(0) });
  assert.deepEqual(bodyOf(event), { type: "location", value: { latitudeE7: -900_000_000, longitudeE7: 1_800_000_000, name: "pole" } });
  assert.ok(event.content.kind === "message");
  assert.deepEqual(event.content.context, context);
  assert.deepEqual(contextOf({ replyTo: 3, thread: 2, mentions: [5], mentionsEveryone: true }), { context });
  assert.deepEqual(contextOf({ mentions: [] }), {});
  assert.equal(typedBody(wire.BodyKind.BODY_IMAGE, Uint8Array.of(255)), undefined, "not of its kind");
  assert.equal(typedBody(1000, new Uint8Array(0)), undefined);
});
