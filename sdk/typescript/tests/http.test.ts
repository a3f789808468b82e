/**
 * The fallback: requests over HTTP and pushes by events, behind proxies that break WebSockets in
 * several ways.
 */

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, test } from "node:test";
import { bodyText, ofWire, WireEvent } from "../src/event.js";
import { Client, type ClientOptions, Overloaded, Rejected, Unavailable } from "../src/index.js";
import { eventOf, numberOf, tokenText } from "../src/json.js";
import { pushOf } from "../src/pushes.js";
import { ProtocolError } from "../src/errors.js";
import * as wire from "../src/wire.js";

const TOKEN = Uint8Array.from({ length: 20 }, (_, at) => 255 - at);
type Way = "refused" | "swallowed" | "cut";

// A test that fails leaves its nodes and clients open, and the process would wait for them.
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A node behind a proxy: one log for `everyone`. */
class Node {
  readonly log: { id: string; text: string; event: object }[] = [];
  readonly streams = new Set<ServerResponse>();
  readonly asked: string[] = [];
  readonly polls: (() => void)[] = [];
  cluster = "0a".repeat(16);
  /** Problems for the next requests of that path. */
  readonly problems: [string, object][] = [];
  holdsBack = false;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  address = "";

  constructor(private readonly way: Way) {
    this.server = createServer((asked, answer) => void this.serve(asked, answer));
    this.server.on("connection", (socket: Socket) => this.sockets.add(socket));
    this.server.on("upgrade", (_: IncomingMessage, socket: Socket) => {
      this.asked.push("upgrade");
      if (this.way === "refused") socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
      else if (this.way === "cut") socket.destroy();
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.address = `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    open.push(() => this.close());
    return this;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  place(text: string, id: string, sender = "1029"): { seq: number; duplicate: boolean } {
    const held = this.log.findIndex((one) => one.id === id);
    if (held >= 0) return { seq: held + 1, duplicate: true };
    const seq = this.log.length + 1;
    const event = { seq, time_ms: seq, sender, client_message_id: id, kind: "message", body: { kind: 1, text } };
    this.log.push({ id, text, event });
    for (const stream of this.streams) this.tell(stream, "message", { conversation: "everyone", ...event });
    for (const poll of this.polls.splice(0)) poll();
    return { seq, duplicate: false };
  }

  tell(stream: ServerResponse, event: string, data: object): void {
    if (!this.holdsBack) stream.write(`event: ${event}\nid: x\ndata: ${JSON.stringify(data)}\n\n`);
  }

  private async serve(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of asked) body += chunk;
    const url = new URL(asked.url ?? "/", "http://node");
    const path = `${asked.method} ${url.pathname}`;
    this.asked.push(path);
    const say = (value: object, status = 200): void => {
      answer.writeHead(status, { "content-type": status === 200 ? "application/json" : "application/problem+json" });
      answer.end(status === 204 ? undefined : JSON.stringify(value));
    };
    const problem = this.problems.findIndex(([of]) => of === path);
    if (problem >= 0) {
      const [[, what] = ["", {}]] = this.problems.splice(problem, 1);
      return say(what, 503);
    }
    const isPublic = ["GET /v1/nodes", "POST /v1/login", "POST /v1/register"].includes(path);
    if (!isPublic && asked.headers.authorization !== `Bearer ${tokenText(TOKEN)}`) {
      return say({ code: "expired_token", kind: "rejected", detail: "log in" }, 401);
    }
    const json = (body === "" ? {} : JSON.parse(body)) as Record<string, unknown>;
    switch (path) {
      case "GET /v1/nodes":
        return say({ cluster_id: this.cluster, continues: [], history: "0", node_id: 1, nodes: [{ client: this.address, draining: false }] });
      case "POST /v1/login":
        return json["password"] === "wrong"
          ? say({ code: "wrong_credentials", kind: "rejected", detail: "no" }, 401)
          : say({ token: tokenText(TOKEN), user_id: "1029", name: json["name"] });
      case "GET /v1/me":
        return say({ user_id: "1029", name: "alice", device: "test", admin: false });
      case "GET /v1/events":
        return this.events(url, answer, say);
      case "GET /v1/conversations":
        return say({ conversations: [this.line()], more: false, unavailable: [] });
      case "GET /v1/conversations/everyone/messages": {
        const after = Number(url.searchParams.get("after") ?? 0);
        const messages = this.log.slice(after, after + 3).map(({ event }) => event);
        return say({ messages, head: this.log.length, more: after + 3 < this.log.length });
      }
      case "POST /v1/conversations/everyone/messages": {
        const key = String(asked.headers["idempotency-key"]);
        const after = json["after"];
        if (after !== undefined && !this.log.some(({ id }) => id === after)) {
          return say({ code: "out_of_order", kind: "failed_precondition", detail: "its predecessor" }, 409);
        }
        const { seq, duplicate } = this.place(String((json["body"] as { text: string }).text), key);
        return say({ seq, time_ms: seq, client_message_id: key, duplicate });
      }
      case "POST /v1/conversations/everyone/delivered":
        return say({}, 204);
      case "GET /v1/users/bob":
        return say({ user_id: "1030", name: "bob", online: false, deleted: false });
      default:
        return say({ code: "no_such_user", kind: "rejected", detail: "not here" }, 404);
    }
  }

  private line(): object {
    const head = this.log.length;
    const counts = { delivered: 0, read: 0, unread: 0, members: 0, kept: 0, mentions: 0 };
    return { conversation: "everyone", name: "everyone", head, time_ms: 1, role: "member", open: false, ...counts };
  }

  private events(url: URL, answer: ServerResponse, say: (value: object) => void): void {
    if (url.searchParams.has("wait")) {
      const after = url.searchParams.get("after") ?? "";
      const cursor = `c${this.log.length}`;
      const first = { event: "conversation", data: { conversation: "everyone", present: true, after: this.log.length } };
      if (after === "") return say({ events: [first], cursor });
      const since = Number(after.slice(1));
      const reply = (): void => {
        const events = this.log.slice(since).map(({ event }) => ({ event: "message", data: { conversation: "everyone", ...event } }));
        say({ events, cursor: `c${this.log.length}` });
      };
      if (since < this.log.length) return reply();
      this.polls.push(reply);
      return;
    }
    answer.writeHead(200, { "content-type": "text/event-stream" });
    answer.flushHeaders();
    if (!this.holdsBack) answer.write("retry: 700\n\n: a comment\n\n");
    this.tell(answer, "ready", { user_id: "1029" });
    this.tell(answer, "conversation", { conversation: "everyone", present: true, after: this.log.length });
    this.tell(answer, "of_a_later_version", {});
    this.streams.add(answer);
    answer.on("close", () => this.streams.delete(answer));
  }
}

function options(node: Node, more: Partial<ClientOptions> = {}): ClientOptions {
  return { nodes: [node.address], name: "alice", password: "a long password", device: "test", startAt: "beginning", patienceMs: 8_000, ...more };
}

async function connect(node: Node, more: Partial<ClientOptions> = {}): Promise<Client> {
  const client = await Client.connect(options(node, more));
  open.push(() => client.kill());
  return client;
}

async function nextTexts(client: Client, count: number): Promise<(string | undefined)[]> {
  const texts: (string | undefined)[] = [];
  while (texts.length < count) {
    const item = await client.events.next();
    assert.ok(item, "the client ended");
    if (item.type === "event") texts.push(item.event.content.kind === "message" ? item.event.content.text : undefined);
  }
  return texts;
}

for (const way of ["refused", "swallowed", "cut"] as const) {
  test(`a WebSocket that is ${way} is replaced by requests and a stream`, { timeout: 30_000 }, async () => {
    const node = await new Node(way).listen();
    node.place("before", "01".repeat(16), "1030");
    const client = await connect(node);
    assert.deepEqual(await nextTexts(client, 1), ["before"]);
    const sent = [];
    for (let at = 0; at < 5; at++) sent.push(await client.send("everyone", `m${at}`));
    const acked = await Promise.all(sent.map((message) => message.acked()));
    assert.deepEqual(acked.map(({ seq }) => seq), [2, 3, 4, 5, 6]);
    assert.deepEqual(await nextTexts(client, 5), ["m0", "m1", "m2", "m3", "m4"]);
    node.place("pushed", "02".repeat(16), "1030");
    assert.deepEqual(await nextTexts(client, 1), ["pushed"]);
    assert.deepEqual((await client.getUsers({ names: ["bob", "no one"] })).map(({ userId }) => userId), [1030]);
    assert.ok(!node.asked.some((path) => path.includes("wait=")));
    const sockets = node.asked.filter((path) => path === "upgrade").length;
    assert.ok(sockets >= 1 && sockets <= 2, `${sockets} attempts`);
    // The next connection does not try a WebSocket again.
    for (const stream of node.streams) stream.destroy();
    node.place("missed", "03".repeat(16), "1030");
    assert.deepEqual(await nextTexts(client, 1), ["missed"]);
    assert.equal(node.asked.filter((path) => path === "upgrade").length, sockets);
    await client.close();
    assert.ok(node.asked.includes("POST /v1/conversations/everyone/delivered"));
    node.close();
  });
}

test("a stream that a proxy holds back is replaced by polls", { timeout: 30_000 }, async () => {
  const node = await new Node("refused").listen();
  node.holdsBack = true;
  node.place("before", "01".repeat(16), "1030");
  const client = await connect(node);
  assert.deepEqual(await nextTexts(client, 1), ["before"]);
  while (node.polls.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  node.place("polled", "02".repeat(16), "1030");
  assert.deepEqual(await nextTexts(client, 1), ["polled"]);
  client.kill();
  node.close();
});

test("problems are the errors of the protocol", { timeout: 30_000 }, async () => {
  const node = await new Node("refused").listen();
  await assert.rejects(connect(node, { password: "wrong" }), (error) => error instanceof Rejected && error.code === "wrong_credentials");
  const client = await connect(node);
  const path = "POST /v1/conversations/everyone/messages";
  node.problems.push([path, { code: "rate_limited", kind: "overloaded", detail: "later", retry_after_ms: 50 }]);
  node.problems.push([path, { code: "unavailable", kind: "unavailable", detail: "no answer" }]);
  // Of a proxy: it is not known whether the node has the message.
  node.problems.push([path, {}]);
  assert.equal((await (await client.send("everyone", "m")).acked()).seq, 1);
  assert.equal(node.asked.filter((one) => one === path).length, 4);
  for (let at = 0; at < 400; at++) node.problems.push(["GET /v1/conversations", { code: "no_leader", kind: "overloaded", retry_after_ms: 900 }]);
  await assert.rejects(client.conversations(), (error) => error instanceof Overloaded && error.code === "no_leader");
  client.kill();
  node.close();
});

test("a node of another cluster gets no token, over HTTP either", { timeout: 30_000 }, async () => {
  const node = await new Node("refused").listen();
  const client = await connect(node);
  while (node.streams.size === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  node.cluster = "0b".repeat(16);
  node.asked.length = 0;
  for (const stream of node.streams) stream.destroy();
  await assert.rejects(async () => {
    while (client.state.get().is === "online") await new Promise((resolve) => setTimeout(resolve, 10));
    await client.waitOnline(1_000);
  }, Unavailable);
  assert.deepEqual([...new Set(node.asked)].filter((path) => path !== "upgrade"), ["GET /v1/nodes"]);
  client.kill();
  node.close();
});

test("each kind of event is the same over HTTP", () => {
  const base = { seq: 7, time_ms: 9, sender: "1029", client_message_id: "0a".repeat(16) };
  const content = (kind: string, body: object): unknown =>
    ofWire(WireEvent.decode(WireEvent.encode(eventOf({ ...base, kind, body })))).content;
  assert.deepEqual(content("message", { kind: 1, text: "hé" }), { kind: "message", bodyKind: 1, content: new TextEncoder().encode("hé"), text: "hé" });
  assert.deepEqual(content("message", { kind: 1000, content: "/w==" }), { kind: "message", bodyKind: 1000, content: Uint8Array.of(255), text: undefined });
  assert.deepEqual(content("created", { name: "team" }), { kind: "created", name: "team" });
  assert.deepEqual(content("renamed", { name: "crew" }), { kind: "renamed", name: "crew" });
  assert.deepEqual(content("added", { users: ["5", "9007199254740991"] }), { kind: "added", users: [5, Number.MAX_SAFE_INTEGER] });
  assert.deepEqual(content("removed", { user: "5" }), { kind: "removed", user: 5 });
  assert.deepEqual(content("role_changed", { user: "5", role: "admin" }), { kind: "roleChanged", user: 5, role: wire.Role.ADMIN });
  assert.deepEqual(content("call_started", { video: true, device: 5 }), { kind: "callStarted", video: true, device: 5 });
  const ended = { call: 3, video: false, lasted_ms: 900 };
  assert.deepEqual(content("call_ended", { ...ended, caller: "1029", outcome: "talked" }), {
    ...{ kind: "callEnded", call: 3, caller: 1029, video: false, outcome: wire.CallOutcome.TALKED, lastedMs: 900 },
  });
  assert.deepEqual(content("recalled", { to: 3 }), { kind: "recalled", to: 3 });
  assert.deepEqual(content("vanished", { to: 3 }), { kind: "vanished", to: 3 });
  const whole = content("stream_ended", { to: 3, body: { kind: 1, text: "whole" }, aborted: true }) as object;
  assert.deepEqual({ ...whole, content: undefined }, { kind: "streamEnded", to: 3, bodyKind: 1, content: undefined, text: "whole", aborted: true });
  assert.deepEqual(content("voted", { to: 3, options: [0, 2], removed: false }), { kind: "voted", to: 3, options: [0, 2], removed: false });
  assert.deepEqual(content("poll_closed", { to: 3, voters: 2, counts: [0, 2] }), { kind: "pollClosed", to: 3, voters: 2, counts: [0, 2] });
  assert.equal((content("edited", { to: 3, body: { kind: 1, text: "new" } }) as { text?: string }).text, "new");
  assert.deepEqual(content("reacted", { to: 3, emoji: "👍", removed: true }), { kind: "reacted", to: 3, emoji: "👍", removed: true });
  assert.deepEqual(content("unknown", { number: 77, content: "AQI=" }), { kind: "unsupported", number: 77, content: Uint8Array.of(1, 2) });
  assert.deepEqual(content("of a later version", {}), { kind: "unsupported", number: 0, content: new Uint8Array(0) });
  assert.equal(bodyText(1, new TextEncoder().encode("x")), "x");
});

test("what is not of the API is refused", () => {
  for (const bad of [-1, 1.5, 2 ** 53, "9007199254740992", "x", "", null, undefined, {}]) assert.throws(() => numberOf(bad), ProtocolError, String(bad));
  assert.throws(() => eventOf({ kind: "message", body: [] }), ProtocolError);
  assert.throws(() => eventOf({ kind: "unknown", body: { number: 7, content: "!" } }), ProtocolError);
  assert.throws(() => pushOf("go_away", { nodes: "n1" }), ProtocolError);
  assert.equal(pushOf("of_a_later_version", {}), undefined);
  const ended = (code: string): unknown => pushOf("end", { code, text: "t", session_continues: true, nodes: [] });
  assert.deepEqual(ended("moved"), { case: "kicked", value: { code: "moved", text: "t" } });
  assert.deepEqual(ended("cursor_ahead"), { case: "kicked", value: { code: "idle", text: "t" } }, "the session goes on");
});
