/**
 * The SDK in Chromium: WebSocket, IndexedDB, two tabs with one connection, the origin that a node
 * checks, and the fallback to HTTP.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Browser, CHROMIUM, type Page } from "./chromium.js";
import { Demo, PROGRAM } from "./demo.js";

const BUILD = fileURLToPath(new URL("../src/", import.meta.url));
const PAGE = `<!doctype html><title>test</title><script type="module">
  import * as troupe from "/sdk/index.js";
  Object.assign(globalThis, {
    troupe,
    texts: [],
    async begin(options) {
      const user = options.name ?? "alice";
      const store = await troupe.storeOfPlatform(user);
      globalThis.kind = store.constructor.name;
      const share = troupe.sharedByTabs(user);
      globalThis.client = await troupe.Client.connect({ store, share, device: "browser", startAt: "beginning", ...options });
      (async () => {
        for await (const item of client.events) if (item.type === "event") texts.push(troupe.textOf(item.event));
      })();
      client.conversationList;
    },
    async say(text) {
      return (await (await client.send("everyone", text)).acked()).seq;
    },
  });
</script>`;

/**
 * A server of pages that passes WebSockets and requests on to the nodes, as a proxy in front of
 * them does.
 */
class Site {
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  /** WebSockets that are open. */
  open = 0;
  /** It refuses WebSockets. */
  breaksSockets = false;

  constructor(private readonly nodes: readonly string[]) {
    this.server = createServer((asked, answer) => {
      if (asked.url?.startsWith("/v1/")) return this.passRequest(asked, answer);
      const script = /^\/sdk\/([a-z0-9-]+\.js)$/.exec(asked.url ?? "")?.[1];
      answer.setHeader("content-type", script === undefined ? "text/html" : "text/javascript");
      answer.end(script === undefined ? PAGE : readFileSync(BUILD + script));
    });
    this.server.on("connection", (socket: Socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket)).on("error", () => {});
    });
    this.server.on("upgrade", (asked: IncomingMessage, socket: Socket) => {
      if (this.breaksSockets) socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
      else this.pass(asked, socket, 0);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private passRequest(asked: IncomingMessage, answer: ServerResponse): void {
    const [host = "", port = ""] = (this.nodes[0] ?? "").split(":");
    const { method = "GET", url = "/", headers } = asked;
    const passed = request({ host, port, method, path: url, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    asked.pipe(passed);
  }

  private pass(asked: IncomingMessage, socket: Socket, at: number): void {
    const [host = "", port = ""] = (this.nodes[at % this.nodes.length] ?? "").split(":");
    const passed = request({ host, port, path: asked.url ?? "/", headers: asked.headers });
    passed.on("error", () => (at < 2 * this.nodes.length ? this.pass(asked, socket, at + 1) : socket.destroy()));
    passed.on("upgrade", (answer, upstream: Socket, first: Buffer) => {
      const headers = answer.rawHeaders.reduce((text, part, place) => text + part + (place % 2 === 0 ? ": " : "\r\n"), "");
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n`);
      socket.write(first);
      this.open += 1;
      upstream.on("error", () => socket.destroy()).on("close", () => socket.destroy());
      socket.on("error", () => {}).on("close", () => {
        this.open -= 1;
        upstream.destroy();
      });
      upstream.pipe(socket).pipe(upstream);
    });
    passed.on("response", (answer) => socket.end(`HTTP/1.1 ${answer.statusCode} Refused\r\nContent-Length: 0\r\n\r\n`));
    passed.end();
  }
}

const why = PROGRAM === "" ? "TROUPE does not name the program of the nodes" : CHROMIUM === "" ? "CHROMIUM names no browser" : false;

describe("in Chromium", { skip: why, timeout: 120_000 }, () => {
  let demo: Demo;
  let browser: Browser;
  let site: Site;
  let address: string;

  before(async () => {
    [demo, browser] = await Promise.all([Demo.start(), Browser.start()]);
    site = new Site(demo.nodes);
    address = await site.listen();
  });
  after(async () => {
    site?.close();
    await Promise.allSettled([browser?.stop(), demo?.stop()]);
  });

  const open = async (): Promise<Page> => {
    const page = await browser.open(`http://${address}/`);
    await page.until("typeof begin === 'function'");
    return page;
  };

  test("two tabs have one connection, a crashed one hands over, and a reload goes on", async () => {
    const options = JSON.stringify({ ...demo.account(0), nodes: [address] });
    const [one, two] = [await open(), await open()];
    await one.run(`begin(${options})`);
    await two.run(`begin(${options})`);
    assert.equal(await two.run("kind"), "IndexedDbStore");
    assert.equal(site.open, 1, "one connection");
    assert.deepEqual([await one.run("client.session.leads"), await two.run("client.session.leads")], [true, false]);

    assert.equal(await one.run("say('of the first')"), 1);
    assert.equal(await two.run("say('of the second')"), 2);
    for (const page of [one, two]) {
      await page.until("texts.length === 2");
      assert.deepEqual(await page.run("texts"), ["of the first", "of the second"]);
      await page.until("client.conversationList.find('everyone')?.head === 2");
    }

    await one.crash();
    await two.until("client.session.leads");
    assert.equal(await two.run("say('alone')"), 3);
    await two.until("texts.length === 3");
    assert.deepEqual(await two.run("texts"), ["of the first", "of the second", "alone"]);
    assert.equal(site.open, 1);

    // Without the password: the session is in the store.
    await two.reload();
    await two.until("typeof begin === 'function' && texts.length === 0");
    await two.run(`begin(${JSON.stringify({ nodes: [address] })})`);
    assert.equal(await two.run("client.name"), demo.account(0).name);
    assert.equal(await two.run("say('after the reload')"), 4);
    await two.until("texts.length === 1");
    const kept = await two.run<string[]>("client.kept({ limit: 9 }).then((all) => all.map(({ event }) => troupe.textOf(event)))");
    assert.deepEqual(kept, ["of the first", "of the second", "alone", "after the reload"]);
    await two.run("client.close()");
  });

  test("where a proxy refuses WebSockets, a page goes on over HTTP", async () => {
    site.breaksSockets = true;
    const page = await open();
    await page.run(`begin(${JSON.stringify({ ...demo.account(2), nodes: [address], device: "http" })})`);
    const text = "by requests and events";
    const at = await page.run<number>(`say("${text}")`);
    await page.until(`texts.at(-1) === "${text}"`);
    const shown = await page.run<string>(`client.historyBefore("everyone", 0, 1).then(({ events: [event] }) => \`\${event.seq} \${troupe.textOf(event)}\`)`);
    assert.equal(shown, `${at} ${text}`);
    assert.equal(site.open, 0, "no WebSocket");
    await page.run("client.close()");
    site.breaksSockets = false;
  });

  test("a page of another site is refused, without a harm to its session", async () => {
    const page = await open();
    // The page is of the site, and the node is not behind it here.
    const options = JSON.stringify({ ...demo.account(1), nodes: [demo.nodes[0]], patienceMs: 2_000 });
    const refused = await page.run<string>(`troupe.Client.connect(${options}).then(() => "connected", (error) => error.name)`);
    assert.equal(refused, "Unavailable");
    const good = JSON.stringify({ ...demo.account(1), nodes: [address] });
    assert.equal(await page.run(`troupe.Client.connect(${good}).then(async (client) => (await client.close(), "connected"))`), "connected");
  });
});
