/** The list of conversations: unread counts, order, and read positions. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Unavailable } from "../src/errors.js";
import {
  type ConversationId,
  ConversationList,
  conversationId,
  type Event,
  EVERYONE,
  type Incoming,
  seq,
  userId,
  wire,
} from "../src/index.js";
import type { HistoryPage } from "../src/requests.js";
import { VirtualClock } from "./virtual.js";

const GROUP = conversationId("g7");
const [ME, BOB] = [userId(1), userId(2)];

function line(conversation: ConversationId, head: number, unread: number, more: Partial<wire.Conversation> = {}): wire.Conversation {
  const base = wire.Conversation.decode(new Uint8Array(0));
  return { ...base, conversation, name: conversation, head, unread, timeMs: head, read: head - unread, ...more };
}

function received(conversation: ConversationId, at: number, sender = BOB, content?: Event["content"], flags = 1): Incoming {
  const message = { kind: "message", bodyKind: 1, content: new Uint8Array(0), text: `m${at}` } as const;
  const event = { seq: seq(at), timeMs: 100 + at, sender, clientMessageId: "" as never, content: content ?? message, flags };
  return { type: "event", conversation, event };
}

/** The server's side. */
class Server {
  user = ME;
  lines = new Map<string, wire.Conversation>();
  unavailable = new Set<string>();
  readonly read: [string, number][] = [];
  readonly asked: string[] = [];
  fails = 0;

  constructor(...lines: wire.Conversation[]) {
    for (const one of lines) this.lines.set(one.conversation, one);
  }

  async conversations(): Promise<{ conversations: wire.Conversation[]; unavailable: ConversationId[] }> {
    this.asked.push("list");
    if (this.fails-- > 0) throw new Unavailable("not now");
    return this.answer([...this.lines.keys()]);
  }

  async getConversations(ids: readonly string[]): Promise<wire.Conversations> {
    this.asked.push(...ids);
    return { ...this.answer(ids), more: false };
  }

  async historyBefore(): Promise<HistoryPage> {
    const { event } = received(EVERYONE, 5) as { event: Event };
    return { events: [event], head: seq(5), more: false, reactions: new Map(), states: new Map(), polls: new Map() };
  }

  async markRead(conversation: string, upTo: number): Promise<void> {
    this.read.push([conversation, upTo]);
  }

  private answer(ids: readonly string[]): { conversations: wire.Conversation[]; unavailable: ConversationId[] } {
    const there = ids.filter((id) => this.lines.has(id));
    return {
      conversations: there.filter((id) => !this.unavailable.has(id)).map((id) => this.lines.get(id) as wire.Conversation),
      unavailable: there.filter((id) => this.unavailable.has(id)) as ConversationId[],
    };
  }
}

async function loaded(server: Server): Promise<[ConversationList, VirtualClock]> {
  const clock = new VirtualClock();
  const list = new ConversationList(server, clock);
  await clock.sleep(10);
  return [list, clock];
}

const shown = (list: ConversationList): string[] => list.get().map(({ id, unread, head }) => `${id} ${unread}/${head}`);

test("messages of others count, the latest conversation is first, and a read takes the count back", async () => {
  const server = new Server(line(EVERYONE, 5, 2), line(GROUP, 9, 0));
  const [list] = await loaded(server);
  assert.deepEqual(shown(list), ["g7 0/9", "everyone 2/5"]);
  assert.equal(list.unread, 2);
  list.take(received(EVERYONE, 6));
  list.take(received(EVERYONE, 7, ME));
  list.take(received(EVERYONE, 8, BOB, { kind: "reacted", to: seq(6), emoji: "👍", removed: false }, 0));
  assert.deepEqual(shown(list), ["everyone 3/8", "g7 0/9"]);
  assert.equal(list.find("everyone")?.last?.seq, 8);
  list.markRead(EVERYONE, 8);
  assert.deepEqual(shown(list), ["everyone 0/8", "g7 0/9"]);
  assert.deepEqual(server.read, [["everyone", 8]]);
});

test("a line from before a read does not bring its count back", async () => {
  const server = new Server(line(EVERYONE, 5, 2));
  const [list, clock] = await loaded(server);
  list.markRead(EVERYONE, 5);
  // The server answers without the read, and then with it.
  list.take(received(EVERYONE, 5, BOB, { kind: "renamed", name: "all" }, 0));
  await clock.sleep(100);
  assert.deepEqual(shown(list), ["everyone 0/5"]);
  server.lines.set("everyone", line(EVERYONE, 6, 1));
  list.take(received(EVERYONE, 6));
  await clock.sleep(2_000);
  assert.deepEqual(shown(list), ["everyone 1/6"]);
});

test("an event that comes before its line is the last one of that line", async () => {
  const server = new Server();
  const [list, clock] = await loaded(server);
  server.lines.set("g7", line(GROUP, 2, 1));
  list.take(received(GROUP, 1));
  list.take(received(GROUP, 2));
  await clock.sleep(200);
  assert.deepEqual([shown(list), list.find("g7")?.last?.seq], [["g7 1/2"], 2]);
});

test("an event that the line counts already is not counted twice", async () => {
  const [list] = await loaded(new Server(line(EVERYONE, 5, 2)));
  list.take(received(EVERYONE, 5));
  assert.deepEqual(shown(list), ["everyone 2/5"]);
  assert.equal(list.find("everyone")?.last?.seq, 5);
});

test("read positions of one conversation are sent once a second, and only forward", async () => {
  const server = new Server(line(EVERYONE, 50, 50));
  const [list, clock] = await loaded(server);
  for (let at = 1; at <= 20; at++) list.markRead(EVERYONE, at);
  list.markRead(EVERYONE, 3);
  await clock.sleep(5_000);
  assert.deepEqual(server.read, [["everyone", 1], ["everyone", 20]]);
});

test("a read on another device is counted by the server", async () => {
  const server = new Server(line(EVERYONE, 9, 9));
  const [list, clock] = await loaded(server);
  server.lines.set("everyone", line(EVERYONE, 9, 3, { read: 5 }));
  list.take({ type: "cursorMoved", conversation: EVERYONE, user: BOB, delivered: seq(9), read: seq(9) });
  assert.equal(list.unread, 9, "of another user");
  list.take({ type: "cursorMoved", conversation: EVERYONE, user: ME, delivered: seq(9), read: seq(5) });
  await clock.sleep(200);
  assert.deepEqual(shown(list), ["everyone 3/9"]);
  list.take({ type: "cursorMoved", conversation: EVERYONE, user: ME, delivered: seq(9), read: seq(9) });
  assert.equal(list.unread, 0);
});

test("new conversations are asked for together, and left ones go", async () => {
  const server = new Server(line(EVERYONE, 5, 0));
  const [list, clock] = await loaded(server);
  server.lines.set("g7", line(GROUP, 2, 1));
  server.lines.set("g8", line(conversationId("g8"), 1, 1));
  server.asked.length = 0;
  list.take({ type: "conversationAdded", conversation: GROUP, head: seq(2) });
  list.take(received(conversationId("g8"), 1));
  await clock.sleep(200);
  assert.deepEqual(server.asked, ["g7", "g8"]);
  assert.deepEqual(list.get().map(({ id }) => id).sort(), ["everyone", "g7", "g8"]);
  list.take({ type: "conversationRemoved", conversation: GROUP });
  assert.equal(list.find("g7"), undefined);
});

test("a change of a group asks for its line", async () => {
  const server = new Server(line(GROUP, 5, 0));
  const [list, clock] = await loaded(server);
  server.lines.set("g7", line(GROUP, 6, 0, { name: "crew", members: 3 }));
  list.take(received(GROUP, 6, BOB, { kind: "renamed", name: "crew" }, 0));
  await clock.sleep(200);
  assert.deepEqual([list.find("g7")?.name, list.find("g7")?.members], ["crew", 3]);
});

test("an unavailable conversation is asked for again, and a failed list too", async () => {
  const server = new Server(line(EVERYONE, 5, 1), line(GROUP, 1, 1));
  server.fails = 2;
  server.unavailable.add("g7");
  const [list, clock] = await loaded(server);
  assert.deepEqual(shown(list), []);
  await clock.sleep(2_500);
  assert.deepEqual(shown(list), ["everyone 1/5"]);
  server.unavailable.clear();
  await clock.sleep(2_000);
  assert.deepEqual(shown(list), ["everyone 1/5", "g7 1/1"]);
  server.asked.length = 0;
  list.take({ type: "stateChanged", state: { is: "online", node: 1n, address: "n" } });
  await clock.sleep(2_000);
  assert.deepEqual(server.asked, ["list"]);
});

test("a preview is loaded once, and never older than what was received", async () => {
  const [list] = await loaded(new Server(line(EVERYONE, 5, 0)));
  await list.loadLast(EVERYONE);
  assert.equal(list.find("everyone")?.last?.seq, 5);
  list.take(received(EVERYONE, 6));
  await list.loadLast(EVERYONE);
  assert.equal(list.find("everyone")?.last?.seq, 6);
});

test("the user's own state follows the newest version, and the next event ends what it ends", async () => {
  const state = (version: number, more: Partial<wire.Personal> = {}): wire.Personal => {
    return { ...wire.Personal.decode(new Uint8Array(0)), conversation: "g7", version, ...more };
  };
  const server = new Server(line(GROUP, 5, 0, { personal: state(3, { pin: 2 }) }));
  const [list, clock] = await loaded(server);
  list.take({ type: "personalChanged", personal: state(4, { pin: 1, hidden: true, markedUnread: true }) });
  list.changed(state(3, { pin: 9 }));
  // A line from before the push does not bring the earlier state back.
  list.reload();
  await clock.sleep(100);
  assert.deepEqual([list.find("g7")?.personal?.pin, list.find("g7")?.personal?.hidden], [1, true]);
  const context = { ...wire.Context.decode(new Uint8Array(0)), mentions: [ME] };
  list.take(received(GROUP, 6, BOB, { kind: "message", bodyKind: 1, content: new Uint8Array(0), text: "@me", context }));
  assert.deepEqual([list.find("g7")?.personal?.hidden, list.find("g7")?.mentions], [false, 1]);
  list.markRead(GROUP, 6);
  assert.deepEqual([list.find("g7")?.personal?.markedUnread, list.find("g7")?.mentions], [false, 0]);
});
