/** Tabs that share a session: one connection, one order, and a next leader when one is gone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import "fake-indexeddb/auto";
import { hex } from "../src/ids.js";
import {
  type Channel,
  Client,
  type ClientOptions,
  IndexedDbStore,
  type Incoming,
  type Locks,
  MemoryStore,
  Rejected,
  sharedByTabs,
  Stopped,
  type Store,
  type TabsPlatform,
} from "../src/index.js";
import { Faulty, NODES } from "./faulty.js";
import { seeded, watched } from "./story.js";
import { VirtualClock } from "./virtual.js";

/** Locks and channels of one browser. */
class Browser implements TabsPlatform {
  private readonly queue: { take: () => void; signal: AbortSignal }[] = [];
  private isHeld = false;
  private readonly channels = new Set<TestChannel>();

  readonly locks: Locks = {
    request: async (_, { signal }, hold) => {
      await new Promise<void>((take, reject) => {
        signal.addEventListener("abort", () => reject(new Error("aborted")));
        this.queue.push({ take, signal });
        this.grant();
      });
      try {
        await hold();
      } finally {
        this.isHeld = false;
        this.grant();
      }
    },
  };

  readonly channel = (): Channel => {
    const channel = new TestChannel(this.channels);
    this.channels.add(channel);
    return channel;
  };

  private grant(): void {
    while (!this.isHeld) {
      const next = this.queue.shift();
      if (next === undefined) return;
      if (next.signal.aborted) continue;
      this.isHeld = true;
      next.take();
    }
  }
}

class TestChannel implements Channel {
  onmessage: ((event: never) => void) | null = null;

  constructor(private readonly all: Set<TestChannel>) {}

  postMessage(message: unknown): void {
    assert.ok(this.all.has(this), "a closed channel");
    for (const other of this.all) {
      if (other === this) continue;
      const data = structuredClone(message);
      setImmediate(() => {
        if (this.all.has(other)) other.onmessage?.({ data } as never);
      });
    }
  }

  close(): void {
    this.all.delete(this);
  }
}

interface Tab {
  readonly client: Client;
  readonly items: Incoming[];
  /** The seqs of its events. */
  readonly seqs: number[];
}

class World {
  readonly clock = new VirtualClock();
  readonly browser = new Browser();
  readonly server: Faulty;

  constructor(
    readonly name: string,
    faults = 0,
    seed = 1,
  ) {
    this.server = new Faulty(this.clock, seeded(seed), faults);
  }

  client(options: Partial<ClientOptions> = {}, store: Store = new IndexedDbStore(this.name)): Client {
    return new Client({
      nodes: NODES,
      name: "alice",
      password: "a long password",
      device: "browser",
      startAt: "beginning",
      store: watched(store, this.clock),
      dialer: (to, events) => this.server.dial(to, events),
      clock: this.clock,
      random: this.server.random,
      share: sharedByTabs("alice", this.browser),
      ...options,
    });
  }

  async open(options: Partial<ClientOptions> = {}, store?: Store): Promise<Tab> {
    const client = this.client(options, store);
    const tab: Tab = { client, items: [], seqs: [] };
    await this.run(client.start());
    void (async () => {
      for await (const item of client.events) {
        tab.items.push(item);
        if (item.type === "event") tab.seqs.push(item.event.seq);
      }
    })();
    return tab;
  }

  /** Waits for something that needs time to pass. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let outcome: { value: T } | { error: unknown } | undefined;
    promise.then(
      (value) => (outcome = { value }),
      (error: unknown) => (outcome = { error }),
    );
    const found = await this.clock.until(() => outcome);
    if ("error" in found) throw found.error;
    return found.value;
  }
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1);

test("two tabs have one connection, and both send and receive", async () => {
  const world = new World("two tabs");
  const [one, two] = [await world.open(), await world.open()];
  await world.run(Promise.all([one.client.waitOnline(), two.client.waitOnline()]));
  assert.equal(world.server.lines.size, 1);
  const sent = [];
  for (let at = 0; at < 10; at++) sent.push(await world.run((at % 2 === 0 ? one : two).client.send("everyone", `m${at}`)));
  assert.deepEqual(two.client.outbox.get().length, one.client.outbox.get().length, "each tab shows all messages");
  const acked = await world.run(Promise.all(sent.map((message) => message.acked())));
  assert.deepEqual(acked.map(({ seq }) => seq), upTo(10), "one order");
  await world.clock.until(() => one.seqs.length === 10 && two.seqs.length === 10);
  assert.deepEqual([one.seqs, two.seqs], [upTo(10), upTo(10)]);
  assert.equal(two.client.user, one.client.user);
  assert.equal(two.client.device, "browser");
  const users = world.run(two.client.historyAfter("everyone"));
  assert.equal((await users).events.length, 7, "a request of the other tab");
  assert.deepEqual([...two.client.outbox.get()], []);
});

test("the leader crashes: another tab goes on with the same messages and events", async () => {
  const world = new World("crash");
  const [one, two] = [await world.open(), await world.open()];
  await world.run(two.client.waitOnline());
  const sent = [];
  for (let at = 0; at < 20; at++) sent.push(await world.run(two.client.send("everyone", `m${at}`)));
  const outcomes = Promise.all(sent.map((message) => message.acked()));
  one.client.kill();
  const acked = await world.run(outcomes);
  assert.deepEqual(acked.map(({ seq }) => seq), upTo(20));
  await world.clock.until(() => two.seqs.length >= 20);
  assert.deepEqual(two.seqs, upTo(20));
  assert.equal(world.server.lines.size, 1);
  assert.ok(!two.items.some(({ type }) => type === "missed"));
});

test("a leader that is closed leaves the others running", async () => {
  const world = new World("close");
  const [one, two] = [await world.open(), await world.open()];
  await world.run(two.client.waitOnline());
  await world.run(one.client.close());
  await assert.rejects(one.client.send("everyone", "m"), Stopped);
  const message = await world.run(two.client.send("everyone", "goes on"));
  assert.equal((await world.run(message.acked())).seq, 1);
  assert.equal(two.client.state.get().is, "online");
  await world.run(two.client.close());
  assert.equal(await two.client.events.next(), undefined);
  assert.equal(world.server.lines.size, 0);
});

test("a tab that is slow gets everything from the store", async () => {
  const world = new World("slow");
  const one = await world.open();
  const slow = world.client();
  await world.run(slow.start());
  await world.run(slow.waitOnline());
  const most = 1_500;
  for (let at = 0; at < most; at += 50) {
    await Promise.all(Array.from({ length: 50 }, () => world.run(one.client.send("everyone", "m"))));
  }
  await world.clock.until(() => one.seqs.length === most, 600_000);
  const { items } = slow["session"] as unknown as { items: unknown[] };
  assert.ok(items.length <= 1_024 + 256 + 64, String(items.length));
  const seqs: number[] = [];
  while (seqs.length < most) {
    const item = await world.run(slow.events.next());
    assert.ok(item !== undefined && item.type !== "missed");
    if (item.type === "event") seqs.push(item.event.seq);
  }
  assert.deepEqual(seqs, upTo(most));
});

test("without a store that tabs share, a slow tab learns that it missed events", async () => {
  const world = new World("memory");
  const one = await world.open({}, new MemoryStore());
  const two = await world.open({}, new MemoryStore());
  await world.run(two.client.waitOnline());
  await world.run((await world.run(one.client.send("everyone", "m1"))).acked());
  await world.clock.until(() => two.seqs.length === 1);
  one.client.kill();
  const message = await world.run(two.client.send("everyone", "m2"));
  assert.equal((await world.run(message.acked())).seq, 2);
});

test("a session that ends stops all tabs, and a new client begins another one", async () => {
  const world = new World("kicked");
  const [one, two] = [await world.open(), await world.open()];
  await world.run(two.client.waitOnline());
  world.server.kick("revoked");
  await world.clock.until(() => one.client.state.get().is === "kicked" && two.client.state.get().is === "kicked");
  await assert.rejects(two.client.send("everyone", "m"), Stopped);
  assert.deepEqual(two.client.state.get(), { is: "kicked", code: "revoked", text: "as the test says" });
  await world.clock.sleep(10_000);
  assert.equal(world.server.lines.size, 0, "no tab logs in by itself");
  const three = await world.open();
  await world.run(three.client.waitOnline());
  const message = await world.run(three.client.send("everyone", "again"));
  assert.equal((await world.run(message.acked())).seq, 1);
});

test("a client that cannot start says why, and takes the lead from no one", async () => {
  const world = new World("wrong");
  await assert.rejects(world.run(world.client({ nodes: ["no port"] }).start()), Rejected);
  const good = await world.open();
  await world.run(good.client.waitOnline());
  // It would not get the lead before the other is gone.
  const wrong = world.client({ nodes: ["no port"] });
  await world.run(wrong.start());
  await world.run(good.client.close());
  await world.clock.until(() => wrong.outbox.get() !== undefined);
  await assert.rejects(world.run(wrong.send("everyone", "m")), Stopped);
});

test("a refusal keeps its class on the way to another tab", async () => {
  const world = new World("refusal");
  await world.open();
  const two = await world.open();
  await world.run(two.client.waitOnline());
  await assert.rejects(world.run(two.client.send("everyone", "x".repeat(65_537))), Rejected);
  const id = "ab".repeat(16);
  await world.run(two.client.send("everyone", "m", { id }));
  await assert.rejects(world.run(two.client.send("g7", "m", { id })), (error) => error instanceof Rejected && error.code === "bad_request");
});

for (let seed = 0; seed < 6; seed++) {
  test(`tabs come and go, and every message has one place: seed ${seed}`, async () => {
    const world = new World(`storm ${seed}`, 1, seed);
    const { random } = world.server;
    const below = (most: number): number => Math.floor(random() * most);
    const tabs = [await world.open(), await world.open(), await world.open()];
    const sent = new Set<string>();
    for (let round = 0; round < 12; round++) {
      for (let at = 0; at < 8; at++) {
        const tab = tabs[below(tabs.length)] as Tab;
        sent.add((await world.run(tab.client.send("everyone", `m${sent.size}`))).id);
      }
      await world.clock.sleep(below(800));
      const at = below(tabs.length);
      if (below(2) === 0) tabs[at]?.client.kill();
      else await world.run((tabs[at] as Tab).client.close());
      tabs.splice(at, 1);
      if (below(3) === 0) world.server.cut();
      tabs.push(await world.open());
    }
    const { log } = world.server;
    await world.clock.until(() => log.length >= sent.size && tabs.every(({ client }) => client.outbox.get().length === 0), 600_000);
    const placed = log.map((event) => hex(event.clientMessageId));
    assert.deepEqual(new Set(placed), sent);
    assert.equal(placed.length, sent.size, "one place each");
    await world.clock.until(() => tabs.every(({ seqs }) => (seqs.at(-1) ?? log.length) === log.length), 600_000);
    for (const { seqs, items } of tabs) {
      // A tab that was opened at the end has none.
      const first = seqs[0] ?? log.length + 1;
      assert.deepEqual(seqs, upTo(log.length).slice(first - 1), "without a gap from its first one");
      assert.ok(!items.some(({ type }) => type === "missed"));
    }
    for (const { client } of tabs) client.kill();
  });
}
