/** Bounds, errors and views of a client, against a server in memory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Unavailable } from "../src/errors.js";
import {
  Client,
  type ClientOptions,
  type Incoming,
  MemoryStore,
  OutboxFull,
  Overloaded,
  Rejected,
  Stopped,
  StoreError,
  userId,
} from "../src/index.js";
import { OUTBOX_MESSAGES } from "../src/outbox.js";
import type { Dialer } from "../src/transport.js";
import * as wire from "../src/wire.js";
import { type Peer, Player, seeded, type Story } from "./story.js";
import { VirtualClock } from "./virtual.js";

const ID = "ab".repeat(16);
const STORY: Story = {
  story: 1,
  name: "online",
  client: { nodes: ["127.0.0.1:7701"], name: "alice", password: "a long password", user_id: 2049, device: "test", start_at: "beginning" },
  steps: [
    { start: {} },
    { accept: { as: "c1" } },
    { login: { on: "c1", by: "password" } },
    { told: { state: { online: "127.0.0.1:7701" } } },
  ],
};

async function online(store = new MemoryStore()): Promise<[Player, Client, Peer]> {
  const player = new Player(STORY, () => store);
  await player.playOnly();
  return [player, player.client, player.peer("c1")];
}

const refuses: Dialer = (to, events) => {
  queueMicrotask(() => events.closed(new Unavailable(`${to.address} refuses`)));
  return { send: () => {}, close: () => {} };
};

function lonely(options: Partial<ClientOptions> = {}): [Client, VirtualClock] {
  const clock = new VirtualClock();
  const base = { nodes: ["127.0.0.1:1"], name: "alice", password: "a long password", dialer: refuses, clock, random: seeded(1) };
  return [new Client({ ...base, ...options }), clock];
}

/** The waiting requests of a kind, taken. */
function taken(peer: Peer, kind: string): { id: number; value: never }[] {
  const heard = peer.heard.get(kind) ?? [];
  peer.heard.set(kind, []);
  return heard as { id: number; value: never }[];
}

function event(seq: number, sender = 3073, flags = 1): wire.EventPush["event"] {
  const content = wire.Body.encode({ kind: 1, content: new TextEncoder().encode(`m${seq}`) });
  const clientMessageId = new Uint8Array(16).fill(seq % 256);
  clientMessageId[0] = seq >> 8;
  return { seq, timeMs: seq, sender, clientMessageId, kind: 5, content, flags, contentHash: new Uint8Array(0) };
}

test("a full outbox refuses, and what it holds survives the client", async () => {
  const store = new MemoryStore();
  const [client, clock] = lonely({ store });
  await client.start();
  for (let at = 0; at < OUTBOX_MESSAGES; at++) await client.send("everyone", "m");
  await assert.rejects(client.send("everyone", "m"), OutboxFull);
  await clock.sleep(1_000);
  const first = client.outbox.get()[0];
  assert.equal(first?.state.get(), "queued");
  const acked = assert.rejects(first?.acked() ?? Promise.resolve(), Stopped);
  await client.close();
  await acked;
  await assert.rejects(client.send("everyone", "m"), Stopped);
  assert.equal((await store.load()).outbox.length, OUTBOX_MESSAGES);
});

test("a refused send leaves nothing, and a store that fails refuses it", async () => {
  const store = new MemoryStore();
  const [client] = lonely({ store });
  await client.start();
  for (const [where, text] of [["nowhere", "m"], ["everyone", ""], ["everyone", "x".repeat(65_537)]] as const) {
    await assert.rejects(client.send(where, text), Rejected);
  }
  const write = store.write.bind(store);
  store.write = () => Promise.reject(new StoreError("the disk is full"));
  await assert.rejects(client.send("everyone", "m"), StoreError);
  store.write = write;
  const one = await client.send("everyone", "m", { id: ID });
  assert.equal(await client.send("everyone", "again", { id: ID }), one, "the same message");
  await assert.rejects(client.send("g7", "m", { id: ID }), Rejected);
  assert.deepEqual(client.outbox.get().map((message) => message.text), ["m"]);
  client.kill();
});

test("without a node, waiting ends with the reason", async () => {
  const [client, clock] = lonely();
  await client.start();
  let error: unknown;
  client.waitOnline(2_000).catch((reason: unknown) => (error = reason));
  await clock.until(() => error !== undefined);
  assert.ok(error instanceof Unavailable && /refuses/.test(error.text));
  client.kill();
});

test("wrong options are refused at the start", async () => {
  const wrong: Partial<ClientOptions>[] = [{ nodes: [] }, { nodes: ["no port"] }, { device: "two words" }, { device: "x".repeat(65) }];
  for (const options of wrong) await assert.rejects(lonely(options)[0].start(), Rejected);
  const { name: _, password: __, ...anonymous } = { name: "", password: "" };
  await assert.rejects(new Client({ nodes: ["127.0.0.1:1"], ...anonymous }).start(), Rejected);
});

test("a store of another user is refused, however the name is written", async () => {
  const store = new MemoryStore();
  const session = { user: userId(1029), name: "Bob", device: "laptop", token: Uint8Array.of(1) };
  await store.write([{ set: "session", session }]);
  await assert.rejects(lonely({ store })[0].start(), /belongs to Bob/);
  for (const name of ["bob", "ＢＯＢ", "1029"]) {
    const [client] = lonely({ store, name });
    await client.start();
    assert.equal(client.device, "laptop");
    client.kill();
  }
});

test("a slow application costs no memory and gets everything", async () => {
  const [player, client, peer] = await online();
  player.hold(true);
  const most = 3_000;
  for (let seq = 1; seq <= most; seq++) {
    peer.say(0, "event", { conversation: "everyone", event: event(seq) });
    if (seq % 100 === 0) await player.clock.sleep(1);
  }
  const { driver } = client["session"] as unknown as { driver: { items: unknown[]; inbox: { readyEvents: number } } };
  assert.ok(driver.items.length <= 1_024 + 64, String(driver.items.length));
  assert.ok(driver.inbox.readyEvents <= 1_024);
  const seqs = new Set<number>();
  void (async () => {
    for await (const item of client.events) if (item.type === "event") seqs.add(item.event.seq);
  })();
  // One event is with the reader that was stopped.
  await player.clock.until(() => {
    for (const { id, value } of taken(peer, "fetch")) {
      const { seq } = value as wire.Fetch;
      const last = Math.min(seq + 500, most);
      const events = Array.from({ length: last - seq }, (_, at) => event(seq + at + 1));
      peer.say(id, "page", { conversation: "everyone", events, head: most, more: last < most, reactions: [], states: [] });
    }
    return seqs.size >= most - 1;
  });
  assert.ok(seqs.has(most));
  client.kill();
});

test("a request names the reason when its patience ends", async () => {
  const [player, client, peer] = await online();
  let error: unknown;
  client.getUsers({ names: ["bob"] }).catch((reason: unknown) => (error = reason));
  let refused = 0;
  await player.clock.until(() => {
    for (const { id } of taken(peer, "getUsers")) {
      refused += 1;
      peer.say(id, "failure", { kind: 2, code: "no_leader", text: "no majority", retryAfterMs: 900 });
    }
    return error !== undefined;
  });
  assert.ok(error instanceof Overloaded && error.code === "no_leader" && error.retryAfterMs === 900);
  assert.ok(refused > 10 && refused < 20, String(refused));
  client.kill();
});

test("a request goes on at the next connection", async () => {
  const [player, client, peer] = await online();
  let users: wire.User[] | undefined;
  void client.getUsers({ ids: [1029] }).then((found) => (users = found));
  await player.clock.until(() => peer.heard.get("getUsers")?.[0]);
  peer.cut();
  await player.accept({ as: "c2" });
  await player.login({ on: "c2", by: "token" });
  const next = player.peer("c2");
  const [asked] = await player.clock.until(() => (next.heard.get("getUsers")?.[0] ? taken(next, "getUsers") : undefined));
  next.say(asked?.id ?? 0, "users", { users: [{ userId: 1029, name: "bob", online: true, deleted: false }], more: false });
  assert.equal((await player.clock.until(() => users))[0]?.name, "bob");
  client.kill();
});

test("a message shows where it is", async () => {
  const [player, client, peer] = await online();
  const seen: string[] = [];
  const message = await client.send("everyone", "hello");
  message.state.subscribe((state) => seen.push(state));
  const outboxes: number[] = [];
  client.outbox.subscribe((messages) => outboxes.push(messages.length));
  await player.clock.until(() => peer.heard.get("send")?.[0]);
  peer.cut();
  await player.accept({ as: "c2" });
  await player.login({ on: "c2", by: "token" });
  const next = player.peer("c2");
  await player.clock.until(() => next.heard.get("send")?.[0]);
  const [{ id } = { id: 0 }] = taken(next, "send");
  const clientMessageId = Uint8Array.from(Buffer.from(message.id, "hex"));
  next.say(id, "send_ack", { clientMessageId, seq: 4, timeMs: 9, conversation: "everyone", duplicate: false });
  await player.clock.until(() => message.outcome);
  assert.deepEqual(seen, ["sent", "unknown", "sent", "durable"]);
  assert.deepEqual(await message.acked(), { id: message.id, seq: 4, timeMs: 9 });
  assert.deepEqual(outboxes, [1, 0]);
  client.kill();
});

test("an outcome that was not asked for is an item, also of a refusal", async () => {
  const [player, client, peer] = await online();
  player.hold(true);
  const items: Incoming[] = [];
  void (async () => {
    for await (const item of client.events) items.push(item);
  })();
  const message = await client.send("everyone", "hello");
  await player.clock.until(() => peer.heard.get("send")?.[0]);
  peer.say(taken(peer, "send")[0]?.id ?? 0, "failure", { kind: 1, code: "not_member", text: "no", retryAfterMs: 0 });
  // The reader that was stopped may have it.
  await player.clock.until(() => message.outcome);
  assert.equal(message.state.get(), "refused");
  await assert.rejects(message.acked(), Rejected);
  client.kill();
});

test("a node that never answers a ping is left, and an idle one is asked for a sign of life", async () => {
  const [player, client, peer] = await online();
  await player.clock.sleep(30_000);
  assert.equal(client.state.get().is, "online");
  peer.isFrozen = true;
  await player.clock.until(() => peer.isClosed, 8_000);
  client.kill();
});

test("a close acknowledges what was taken, and then hangs up", async () => {
  const [player, client, peer] = await online();
  peer.say(0, "event", { conversation: "everyone", event: event(1) });
  await player.clock.sleep(10);
  let done = false;
  void client.close().then(() => (done = true));
  await player.clock.until(() => done);
  assert.deepEqual(taken(peer, "acknowledge").map(({ value }) => value), [{ conversation: "everyone", seq: 1 }]);
  assert.ok(peer.isClosed);
  assert.equal(await client.events.next(), undefined);
});

test("an end of the session in an orderly close of a dead connection does not hang", async () => {
  const [player, client, peer] = await online();
  peer.isFrozen = true;
  let done = false;
  void client.close().then(() => (done = true));
  const before = player.clock.now();
  await player.clock.until(() => done);
  assert.ok(player.clock.now() - before <= 1_500);
});
