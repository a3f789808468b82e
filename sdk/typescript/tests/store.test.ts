/** Stores: what survives, in which order, and what a failure says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import "fake-indexeddb/auto";
import { StoreError } from "../src/errors.js";
import {
  type Change,
  clientMessageId,
  conversationId,
  type Event,
  EVERYONE,
  IndexedDbStore,
  MemoryStore,
  seq,
  type Session,
  type Store,
  storeOfPlatform,
  userId,
} from "../src/index.js";

const GROUP = conversationId("g7");
const SESSION: Session = { user: userId(2049), name: "alice", device: "laptop", token: Uint8Array.of(1, 2, 3) };
let names = 0;

function id(number: number): ReturnType<typeof clientMessageId> {
  return clientMessageId(number.toString(16).padStart(32, "0"));
}

function text(at: number, words: string): Event {
  const content = { kind: "message", bodyKind: 1, content: new TextEncoder().encode(words), text: words } as const;
  return { seq: seq(at), timeMs: at, sender: userId(3073), clientMessageId: id(at), content, flags: 1 };
}

function queued(number: number): Change {
  return { set: "queued", message: { conversation: EVERYONE, id: id(number), kind: 1, content: Uint8Array.of(number) } };
}

/** Each kind of store, with a way to open it again. */
const kinds: [string, () => { open: () => Store }][] = [
  ["memory", () => {
    const store = new MemoryStore();
    return { open: () => store };
  }],
  ["IndexedDB", () => {
    const name = `store ${names++}`;
    return { open: () => new IndexedDbStore(name) };
  }],
];

for (const [kind, make] of kinds) {
  test(`${kind}: everything is there after it is opened again`, async () => {
    const { open } = make();
    const store = open();
    assert.deepEqual(await store.load(), { cluster: undefined, session: undefined, outbox: [], cursors: new Map(), histories: new Map() });
    await store.write([
      { set: "cluster", id: Uint8Array.of(9) },
      { set: "session", session: SESSION },
      ...[1, 2, 3].map(queued),
      { set: "settled", id: id(2) },
      { set: "cursor", conversation: GROUP, seq: seq(4) },
      { set: "history", conversation: GROUP, history: 2n ** 64n - 1n, kept: undefined },
      { set: "event", conversation: EVERYONE, event: text(5, "five") },
    ]);
    await store.close();
    const again = open();
    const saved = await again.load();
    assert.deepEqual([saved.cluster, saved.session], [Uint8Array.of(9), SESSION]);
    assert.deepEqual(saved.outbox.map((message) => message.id), [id(1), id(3)]);
    assert.deepEqual(saved.cursors, new Map([[GROUP, 4], [EVERYONE, 5]]));
    assert.deepEqual(saved.histories, new Map([[GROUP, 2n ** 64n - 1n]]));
    await again.write([{ set: "sessionEnded" }]);
    assert.deepEqual((await again.load()).session, { ...SESSION, token: new Uint8Array(0) });
    await again.close();
  });

  test(`${kind}: kept events are found by conversation, by word and by number`, async () => {
    const store = make().open();
    const events = ["one", "Two", "three"].map((words, at) => text(at + 1, words));
    await store.write(events.map((event): Change => ({ set: "event", conversation: EVERYONE, event })));
    await store.write([{ set: "event", conversation: GROUP, event: text(1, "two of the group") }]);
    const seqs = async (query: Parameters<Store["events"]>[0]): Promise<string[]> =>
      (await store.events(query)).map(({ conversation, event }) => `${conversation} ${event.seq}`);
    assert.deepEqual(await seqs({ conversation: EVERYONE, limit: 2 }), ["everyone 2", "everyone 3"]);
    assert.deepEqual(await seqs({ word: "TWO", limit: 10 }), ["everyone 2", "g7 1"]);
    assert.deepEqual(await seqs({ word: "two", limit: 1 }), ["g7 1"]);
    assert.deepEqual(await seqs({ after: 2, limit: 1 }), ["everyone 3"]);
    assert.deepEqual(await seqs({ limit: 0 }), []);
    assert.equal(await store.last(), 4);
    await store.close();
  });

  test(`${kind}: a restored cluster takes events back`, async () => {
    const store = make().open();
    const events = ["one", "two", "three"].map((words, at) => text(at + 1, words));
    await store.write(events.map((event): Change => ({ set: "event", conversation: EVERYONE, event })));
    await store.write([{ set: "event", conversation: GROUP, event: text(3, "stays") }]);
    await store.write([{ set: "history", conversation: EVERYONE, history: 77n, kept: seq(1) }]);
    const kept = await store.events({ limit: 10 });
    assert.deepEqual(kept.map(({ conversation, event }) => [conversation, event.seq]), [[EVERYONE, 1], [GROUP, 3]]);
    assert.equal((await store.load()).cursors.get(EVERYONE), 1);
    await store.close();
  });
}

test("IndexedDB: cursor and event are written together, or neither", async () => {
  const store = new IndexedDbStore("together");
  // A function cannot be stored.
  const broken = { ...text(1, "one"), timeMs: (() => {}) as unknown as number };
  const changes: Change[] = [{ set: "event", conversation: GROUP, event: text(1, "good") }, { set: "event", conversation: EVERYONE, event: broken }];
  await assert.rejects(store.write(changes), StoreError);
  assert.deepEqual((await store.load()).cursors, new Map());
  assert.deepEqual(await store.events({ limit: 9 }), []);
  await store.close();
});

test("IndexedDB: an id enters the outbox once", async () => {
  const store = new IndexedDbStore("once");
  await store.write([queued(1)]);
  await assert.rejects(store.write([queued(1)]), StoreError);
  assert.equal((await store.load()).outbox.length, 1);
  await store.close();
});

test("IndexedDB: the oldest events are dropped first", async () => {
  const store = new IndexedDbStore("bounded", { history: 100 });
  for (let at = 0; at < 600; at += 50) {
    await store.write(Array.from({ length: 50 }, (_, next): Change => ({ set: "event", conversation: EVERYONE, event: text(at + next + 1, "x") })));
  }
  const kept = await store.events({ after: 0, limit: 1_000 });
  assert.ok(kept.length >= 100 && kept.length <= 100 + 256, String(kept.length));
  assert.equal(kept.at(-1)?.event.seq, 600);
  await store.close();
});

test("IndexedDB: a store that was removed begins again, and one without a database says so", async () => {
  const store = new IndexedDbStore("removed");
  await store.write([queued(1)]);
  await IndexedDbStore.remove("removed");
  assert.deepEqual((await store.load()).outbox, []);
  await store.close();
  const broken = { open: () => { throw new DOMException("not in private windows", "SecurityError"); } } as unknown as IDBFactory;
  await assert.rejects(new IndexedDbStore("broken", { factory: broken }).load(), /"broken".*SecurityError/);
});

test("the store of the platform is memory without IndexedDB", async () => {
  assert.ok((await storeOfPlatform("here")) instanceof IndexedDbStore);
  const held = globalThis.indexedDB;
  Object.assign(globalThis, { indexedDB: undefined });
  try {
    assert.ok((await storeOfPlatform("here")) instanceof MemoryStore);
  } finally {
    Object.assign(globalThis, { indexedDB: held });
  }
});
