/** A faulty server: every message has one place, in order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import "fake-indexeddb/auto";
import { hex } from "../src/ids.js";
import { Client, IndexedDbStore, MemoryStore, type Store } from "../src/index.js";
import { Faulty, NODES } from "./faulty.js";
import { seeded, watched } from "./story.js";
import { VirtualClock } from "./virtual.js";

const MESSAGES = 150;

function device(server: Faulty, name: string, store: Store): Client {
  return new Client({
    nodes: NODES,
    name,
    password: "a long password",
    device: "test",
    store: watched(store, server.clock),
    startAt: "beginning",
    dialer: (to, events) => server.dial(to, events),
    clock: server.clock,
    random: server.random,
  });
}

for (let seed = 0; seed < 8; seed++) {
  test(`each message has one place, in order: seed ${seed}`, async () => {
    const clock = new VirtualClock();
    const server = new Faulty(clock, seeded(seed));
    const reader = device(server, "bob", new MemoryStore());
    await reader.start();
    const seen: number[] = [];
    void (async () => {
      for await (const item of reader.events) if (item.type === "event") seen.push(item.event.seq);
    })();
    const sent: string[] = [];
    // The writer is killed now and then, and started again with its store.
    for (;;) {
      const store = new IndexedDbStore(`faults ${seed}`);
      const writer = device(server, "alice", store);
      await writer.start();
      const batch = Math.min(50, MESSAGES - sent.length);
      for (let at = 0; at < batch; at++) sent.push((await writer.send("everyone", `m${sent.length}`)).id);
      if (sent.length < MESSAGES) {
        await clock.sleep(server.random() * 1_500);
        writer.kill();
        await store.close();
        continue;
      }
      await clock.until(() => writer.outbox.get().length === 0 && seen.length >= MESSAGES, 600_000);
      writer.kill();
      break;
    }
    assert.deepEqual(server.log.map((event) => hex(event.clientMessageId)), sent, "one place each, in order");
    assert.deepEqual(seen, sent.map((_, at) => at + 1), "each event once, in order");
    reader.kill();
  });
}
