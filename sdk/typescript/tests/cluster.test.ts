/** The SDK and the bot on real nodes, one of which is killed. */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, afterEach, before, describe, test } from "node:test";
import "fake-indexeddb/auto";
import { fileURLToPath } from "node:url";
import {
  Client,
  clientMessageId,
  direct,
  EVERYONE,
  httpDialer,
  IndexedDbStore,
  randomId,
  Rejected,
  textOf,
  type UserId,
  websocketDialer,
  wire,
} from "../src/index.js";
import { Demo, PROGRAM } from "./demo.js";
import { run } from "./workload.js";

const BOT = fileURLToPath(new URL("../../../examples/bot-typescript/bot.js", import.meta.url));

async function textFrom(client: Client, sender: UserId): Promise<string> {
  for await (const item of client.events) {
    if (item.type !== "event" || item.event.sender !== sender) continue;
    const text = textOf(item.event);
    if (text !== undefined) return text;
  }
  throw new Error("the client ended");
}

describe("real nodes", { skip: PROGRAM === "" ? "TROUPE does not name the program of the nodes" : false }, () => {
  let demo: Demo;
  before(async () => {
    demo = await Demo.start();
  });
  after(() => demo?.stop());

  // A test that fails leaves its clients open, and the process would wait for them.
  const open: Client[] = [];
  afterEach(() => {
    for (const client of open.splice(0)) client.kill();
  });
  const connect = async (at: number, options: Partial<ConstructorParameters<typeof Client>[0]> = {}): Promise<Client> => {
    const client = await Client.connect({ nodes: demo.nodes, ...demo.account(at), ...options });
    open.push(client);
    return client;
  };

  test("the bot answers each question once, over a restart", { timeout: 60_000 }, async () => {
    const { name, password } = demo.account(1);
    const bot = async (): Promise<() => Promise<unknown>> => {
      const child = spawn(process.execPath, [BOT, name, ...demo.nodes], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, TROUPE_PASSWORD: password },
      });
      for await (const line of createInterface({ input: child.stdout })) {
        assert.equal(line, "bob answers");
        return () => {
          child.kill("SIGKILL");
          return once(child, "exit");
        };
      }
      throw new Error("the bot ended");
    };
    let kill = await bot();
    const client = await connect(0);
    const [bob] = await client.getUsers({ names: ["bob"] });
    assert.ok(bob && client.user);
    const [them, here] = [bob.userId as UserId, direct(client.user, bob.userId)];
    await client.send(here, "hello");
    assert.equal(await textFrom(client, them), "echo: hello");
    await kill();
    await client.send(here, "are you there?");
    kill = await bot();
    assert.equal(await textFrom(client, them), "echo: are you there?");
    const { events } = await client.historyAfter(here);
    assert.deepEqual(events.map(textOf), ["hello", "echo: hello", "are you there?", "echo: are you there?"]);
    await client.close();
    await kill();
  });

  test("groups, history, reactions, people and the list", { timeout: 60_000 }, async () => {
    const client = await connect(0, { device: "groups" });
    const [bob] = await client.getUsers({ names: ["bob"] });
    assert.ok(bob);
    const team = await client.createGroup("team", { members: [bob.userId] });
    const { seq } = await (await client.send(team, "welcome")).acked();
    await client.renameGroup(team, "crew");
    const { conversations, unavailable } = await client.conversations();
    assert.deepEqual(unavailable, []);
    assert.ok(conversations.some((line) => line.name === "crew"));
    assert.deepEqual(new Set((await client.members(team)).map((member) => member.userId)), new Set([client.user, bob.userId]));
    await client.markRead(team, seq);
    const placed = await client.react(team, seq, "👍");
    const page = await client.historyBefore(team, 0, 3);
    assert.deepEqual(page.events.map(({ content }) => content.kind), ["message", "renamed", "reacted"]);
    assert.ok(page.more && page.head === placed.seq);
    assert.deepEqual(page.reactions.get(seq), [{ emoji: "👍", users: 1, mine: true }]);
    const bytes = Uint8Array.from({ length: 150_000 }, (_, at) => at % 251);
    const file = await client.upload(team, "numbers.bin", bytes);
    assert.deepEqual(await client.download(team, file), bytes);
    assert.ok((await client.sessions()).some((session) => session.device === "groups"));
    await assert.rejects(client.leaveGroup("g999424"), (error) => error instanceof Rejected && error.code === "not_member");

    const other = await connect(1, { device: "groups", startAt: "beginning" });
    const list = other.conversationList;
    void (async () => {
      for await (const _ of other.events);
    })();
    await until(() => list.find(team)?.unread === 1 && list.find(team)?.last !== undefined);
    assert.equal(list.find(team)?.name, "crew");
    list.markRead(team, placed.seq);
    await until(async () => (await other.getConversations([team])).conversations[0]?.unread === 0);
    await (await client.send(team, "one more")).acked();
    await until(() => list.find(team)?.unread === 1);
    const body = { kind: 1, content: new TextEncoder().encode("at its time") };
    const soon = Date.now() + 1_500;
    const [now, later] = [await client.schedule(team, body, soon), await client.schedule(team, body, soon + 3_600_000)];
    await client.cancelScheduled(team, later.clientMessageId);
    await until(async () => (await client.historyBefore(team, 0, 1)).events[0]?.clientMessageId === clientMessageId(now.clientMessageId));
    assert.deepEqual(await client.scheduled(team), []);
    await other.close();
    await client.logout();
    assert.equal(client.state.get().is, "kicked");
  });

  test("groups, events and people over HTTP, as behind a proxy that breaks WebSockets", { timeout: 60_000 }, async () => {
    const client = await connect(0, { device: "http", dialer: httpDialer() });
    const other = await connect(1, { device: "http", dialer: httpDialer(), startAt: "beginning" });
    assert.ok(client.user && other.user);
    const team = await client.createGroup("over http", { members: [other.user] });
    const { seq } = await (await client.send(team, "welcome")).acked();
    await (await client.send(team, Uint8Array.of(0, 255), { kind: 1_000 })).acked();
    await client.renameGroup(team, "by http");
    await client.setRole(team, other.user, wire.Role.ADMIN);
    const kinds: string[] = [];
    for await (const item of other.events) {
      if (item.type !== "event" || item.conversation !== team) continue;
      const { content } = item.event;
      kinds.push(content.kind);
      if (content.kind === "message" && content.bodyKind === 1_000) assert.deepEqual(content.content, Uint8Array.of(0, 255));
      if (content.kind === "roleChanged") break;
    }
    assert.deepEqual(kinds, ["added", "message", "message", "renamed", "roleChanged"]);
    const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at % 241);
    const file = await client.upload(team, "numbers.bin", bytes);
    assert.equal((await other.file(team, file)).name, "numbers.bin");
    assert.deepEqual(await other.download(team, file), bytes);
    const missing = other.download(team, new Uint8Array(32));
    await assert.rejects(missing, (error) => error instanceof Rejected && error.code === "no_such_file");
    await (await other.send(team, "thank you")).acked();
    assert.equal(await textFrom(client, other.user), "thank you");
    await other.markRead(team, seq);
    const members = await client.members(team);
    assert.deepEqual(members.map(({ userId, role }) => [userId, role]).sort(), [[client.user, 3], [other.user, 2]].sort());
    assert.ok((members.find(({ userId }) => userId === other.user)?.read ?? 0) >= seq);
    const { conversations } = await other.conversations();
    assert.equal(conversations.find((line) => line.conversation === team)?.name, "by http");
    assert.deepEqual((await client.historyBefore(team, 0, 2)).events.map(({ content }) => content.kind), ["roleChanged", "message"]);
    assert.ok((await client.findUsers("bo")).users.some(({ name }) => name === "bob"));
    assert.ok((await client.onlineUsers()).users.length >= 2, "a stream makes its user online");
    await assert.rejects(other.leaveGroup("g999424"), (error) => error instanceof Rejected && error.code === "not_member");
    await other.leaveGroup(team);
    await other.close();
    await client.logout();
  });

  test("reactions and administration are the same over HTTP and over WebSocket", { timeout: 60_000 }, async () => {
    const ways = [await connect(0, { device: "by-http", dialer: httpDialer() }), await connect(0, { device: "by-websocket", dialer: websocketDialer() })];
    const [http, websocket] = ways as [Client, Client];
    const team = await http.createGroup("reactions", {});
    const { seq } = await (await http.send(team, "react to this")).acked();
    const placed = await http.react(team, seq, "👍");
    assert.equal((await websocket.historyBefore(team, 0, 1)).events[0]?.seq, placed.seq);
    for (const client of ways) {
      await assert.rejects(client.react(team, seq, "👍"), (error) => error instanceof Rejected && error.code === "already_reacted");
      await assert.rejects(client.unreact(team, seq, "🎉"), (error) => error instanceof Rejected && error.code === "no_such_reaction");
      assert.deepEqual((await client.historyAfter(team, seq - 1)).reactions.get(seq), [{ emoji: "👍", users: 1, mine: true }]);
    }
    await http.unreact(team, seq, "👍");
    assert.equal((await http.historyAfter(team, seq - 1)).reactions.get(seq), undefined);

    type Operation = NonNullable<wire.Admin["operation"]>;
    const act = async (client: Client, operation: Operation): Promise<unknown> => {
      const { answer } = await client.call({ case: "admin", value: { request: randomId(), operation } }, "admin");
      return answer;
    };
    const account = "made-by-http";
    const made = await act(http, { case: "createAccount", value: { name: account, password: "only for one login", admin: false } });
    const shown = { case: "showAccount", value: account } as const;
    assert.deepEqual(await act(websocket, shown), made);
    const changes: Operation[] = [
      { case: "disableAccount", value: account },
      { case: "enableAccount", value: account },
      { case: "setAdmin", value: { account, admin: true } },
      { case: "resetPassword", value: { account, password: "for another login" } },
      { case: "endSessions", value: { account, device: "" } },
      { case: "endSessions", value: { account, device: "phone" } },
      { case: "createInvite", value: { code: "come-in-please", uses: 2, expiresMs: 4_000_000_000_000, note: "by http" } },
      { case: "changeSettings", value: { sessionIdleSeconds: 86_400 } },
    ];
    for (const change of changes) await act(http, change);
    await until(async () => ((await act(http, { case: "showSettings", value: {} })) as { value: wire.Settings }).value.sessionIdleSeconds === 86_400);
    const reads: Operation[] = [
      shown,
      { case: "accountSessions", value: account },
      { case: "listInvites", value: { after: "", limit: 0 } },
      { case: "showSettings", value: {} },
      { case: "readAudit", value: { sinceMs: 0, limit: 3 } },
    ];
    for (const read of reads) assert.deepEqual(await act(http, read), await act(websocket, read), read.case);
    const { value } = (await act(http, { case: "listInvites", value: { after: "", limit: 0 } })) as { value: wire.Invites };
    await act(http, { case: "revokeInvite", value: value.invites[0]?.id ?? "" });
    await act(http, { case: "deleteAccount", value: account });
    for (const client of ways) await assert.rejects(act(client, { case: "enableAccount", value: account }), (error) => error instanceof Rejected && error.code === "no_such_user");
  });

  for (const [way, dialer] of [["WebSocket", websocketDialer()], ["HTTP", httpDialer()]] as const) {
    test(`a killed leader loses, duplicates and reorders nothing over ${way}`, { timeout: 90_000 }, async () => {
      await demo.ready();
      const client = await connect(2, { store: new IndexedDbStore(`carol ${way}`), device: way, dialer });
      const { head } = await client.historyBefore(EVERYONE, 0, 1);
      const texts = Array.from({ length: 200 }, (_, at) => `m${at}`);
      const sent = [];
      for (const text of texts.slice(0, 100)) sent.push(await client.send(EVERYONE, text));
      await sent[0]?.acked();
      await demo.order("kill", "leader");
      for (const text of texts.slice(100)) sent.push(await client.send(EVERYONE, text));
      const seqs = (await Promise.all(sent.map((message) => message.acked()))).map(({ seq }) => seq);
      assert.deepEqual(seqs, [...seqs].sort((one, other) => one - other));
      const { events } = await client.historyAfter(EVERYONE, head);
      assert.deepEqual(events.filter(({ sender }) => sender === client.user).map(textOf), texts);
      assert.deepEqual(client.outbox.get(), []);
      await client.close();
    });
  }

  test("killed leaders break no promise, say the checkers of the chaos harness", { timeout: 180_000 }, async () => {
    const history = join(mkdtempSync(join(tmpdir(), "troupe-history-")), "history.jsonl");
    await run(demo, history);
    const report = await new Promise<{ verdict: string; faults: number; unknown: number }>((resolve, reject) => {
      const args = ["chaos", "check", history, "--scenario", "kill-leader", "--json"];
      execFile(PROGRAM, args, { timeout: 60_000, maxBuffer: 2 ** 26 }, (_, stdout, stderr) =>
        stdout === "" ? reject(new Error(stderr)) : resolve(JSON.parse(stdout)),
      );
    });
    assert.equal(report.verdict, "held", JSON.stringify(report).slice(0, 2_000));
    assert.ok(report.faults >= 2 && report.unknown === 0, JSON.stringify(report).slice(0, 2_000));
  });
});

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, "it did not happen within 20 seconds");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
