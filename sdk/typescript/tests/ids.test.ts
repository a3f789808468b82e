/** Ids, addresses, and the choice of nodes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { followed, target } from "../src/address.js";
import { Rejected } from "../src/errors.js";
import {
  clientMessageId,
  compareConversations,
  consistentHash,
  conversationId,
  direct,
  leastConnections,
  randomly,
  roundRobin,
} from "../src/index.js";
import { Nodes } from "../src/nodes.js";
import { seeded } from "./story.js";

test("a conversation has one form", () => {
  for (const good of ["everyone", "d1-2", "d1029-2050", "g1", "g18446744073709551615", "d9-10"]) assert.equal(conversationId(good), good);
  for (const bad of ["", "Everyone", "d2-1", "d1-1", "d0-1", "d1", "g0", "g01", "g-1", "g1 ", "g18446744073709551616", "x7", "g1e3"]) {
    assert.throws(() => conversationId(bad), Rejected, bad);
  }
  assert.equal(direct(2050, 1029), "d1029-2050");
});

test("conversations have the order of the list", () => {
  const sorted = ["everyone", "d1-2", "d1-10", "d9-10", "d10-11", "g2", "g10", "g9007199254740993", "g9007199254740994"];
  assert.deepEqual([...sorted].reverse().sort(compareConversations), sorted);
});

test("a client message id is 16 bytes in one form", () => {
  assert.equal(clientMessageId(new Uint8Array(16).fill(171)), "ab".repeat(16));
  assert.equal(clientMessageId("AB".repeat(16)), "ab".repeat(16));
  for (const bad of ["", "ab", "xy".repeat(16), new Uint8Array(15)]) assert.throws(() => clientMessageId(bad), Rejected);
});

test("an address is plain on this machine, and with TLS elsewhere", () => {
  const read = (address: string): [string, boolean] => {
    const { authority, secure } = target(address);
    return [authority, secure];
  };
  assert.deepEqual(read("127.0.0.1:7700"), ["127.0.0.1:7700", false]);
  assert.deepEqual(read("[::1]:7700"), ["[::1]:7700", false]);
  assert.deepEqual(read("localhost:1"), ["localhost:1", false]);
  assert.deepEqual(read("a.example:7700"), ["a.example:7700", true]);
  assert.deepEqual(read("tcp://a.example:7700"), ["a.example:7700", false]);
  assert.deepEqual(read("https://a.example"), ["a.example", true]);
  assert.deepEqual(read("http://[2001:db8::1]:80/"), ["[2001:db8::1]:80", false]);
  assert.equal(target("wss://a.example/chat/ws").path, "/chat/ws");
  for (const bad of ["", "a", "a:0", "a:65536", "a:b", "a b:1", "ftp://a:1", "tls://a", "a@b:1", "::1:7"]) {
    assert.throws(() => target(bad), Rejected, bad);
  }
});

test("TLS leads to TLS only, and unreadable addresses are skipped", () => {
  const reported = ["10.0.0.2:7700", "127.0.0.1:1", "tcp://a:1", "wss://b:1", "later://c"];
  assert.deepEqual(followed("a.example:7700", reported), ["10.0.0.2:7700", "tls://127.0.0.1:1", "wss://b:1"]);
  assert.deepEqual(followed("127.0.0.1:7700", reported), reported.slice(0, 4));
});

const ALL = ["n1:1", "n2:1", "n3:1"];

test("each node is tried once before any is tried again, and a lost one last", () => {
  for (let seed = 0; seed < 20; seed++) {
    const nodes = new Nodes(ALL, randomly, seeded(seed));
    assert.deepEqual(new Set([nodes.next(), nodes.next(), nodes.next()]), new Set(ALL));
    nodes.reached("n2:1", 0);
    assert.equal(nodes.lost("n2:1", 5_000), 0, "another node at once");
    const next = [nodes.next(), nodes.next(), nodes.next()];
    assert.equal(next[2], "n2:1");
  }
});

test("a node that sends its clients away names the next one", () => {
  const nodes = new Nodes(["n1:1"], randomly, seeded(1));
  nodes.sentTo(["n4:1"]);
  assert.equal(nodes.next("n1:1"), "n4:1");
});

test("the pause doubles up to five seconds, and starts over after a good connection", () => {
  const nodes = new Nodes(ALL, randomly, () => 1);
  const pauses = Array.from({ length: 10 }, () => nodes.backoff());
  assert.deepEqual(pauses, [0, 50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  nodes.reached("n1:1", 0);
  assert.equal(nodes.lost("n1:1", 1_999), 5_000, "it was short");
  nodes.reached("n1:1", 0);
  assert.equal(nodes.lost("n1:1", 2_000), 0);
});

test("round robin goes around over all clients that share it", () => {
  const choice = roundRobin();
  const first = Array.from({ length: 6 }, () => new Nodes(ALL, choice, seeded(1)).next());
  assert.deepEqual(first, [...ALL, ...ALL]);
});

test("a consistent hash moves only the keys of a lost node", () => {
  const first = (key: string, all: string[]): string => new Nodes(all, consistentHash(key), seeded(1)).next();
  const keys = Array.from({ length: 3_000 }, (_, at) => `user${at}`);
  const shares = new Map<string, number>();
  for (const key of keys) {
    const node = first(key, ALL);
    shares.set(node, (shares.get(node) ?? 0) + 1);
    assert.equal(first(key, [...ALL].reverse()), node, "the order of the list does not matter");
    if (node !== "n3:1") assert.equal(first(key, ALL.slice(0, 2)), node);
  }
  for (const node of ALL) assert.ok((shares.get(node) ?? 0) > 850, `${node} has ${shares.get(node)}`);
});

test("least connections counts those of the clients that share it", () => {
  const choice = leastConnections();
  const clients = Array.from({ length: 9 }, () => new Nodes(ALL, choice, seeded(7)));
  const count = new Map<string, number>();
  for (const nodes of clients) {
    const address = nodes.next();
    nodes.reached(address, 0);
    count.set(address, (count.get(address) ?? 0) + 1);
  }
  assert.deepEqual([...count.values()], [3, 3, 3]);
  clients.slice(0, 3).forEach((nodes) => nodes.left());
  const freed = new Nodes(ALL, choice, seeded(9)).next();
  assert.ok(ALL.includes(freed));
  clients[0]?.left();
});

test("no node, or none that is an address, is refused at once", () => {
  for (const bad of [[], [""], ["no port"]]) assert.throws(() => new Nodes(bad, randomly, seeded(1)), Rejected);
});
