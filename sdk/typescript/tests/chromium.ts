/**
 * A headless Chromium, driven by its DevTools protocol. The environment names it: CHROMIUM=path.
 */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";

export const CHROMIUM = process.env["CHROMIUM"] ?? "";
const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0"],
];

interface Reply {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export class Browser {
  private lastId = 0;
  private readonly pending = new Map<number, { resolve: (result: Record<string, unknown>) => void; reject: (error: Error) => void }>();

  private constructor(
    private readonly process: ChildProcess,
    private readonly folder: string,
    private readonly socket: WebSocket,
  ) {
    socket.on("message", (data: Buffer) => {
      const { id, result, error } = JSON.parse(String(data)) as Reply;
      const waiting = this.pending.get(id ?? 0);
      this.pending.delete(id ?? 0);
      if (error !== undefined) waiting?.reject(new Error(error.message));
      else waiting?.resolve(result ?? {});
    });
  }

  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), "troupe-chromium-"));
    const child = spawn(CHROMIUM, [...FLAGS, `--user-data-dir=${folder}`, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stderr })) {
      said.push(line);
      const address = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
      if (address === undefined) continue;
      child.stderr.resume();
      const socket = new (WebSocket as unknown as new (url: string) => WebSocket)(address);
      await once(socket, "open");
      return new Browser(child, folder, socket);
    }
    throw new Error(`Chromium did not start: ${said.join("\n")}`);
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }

  /** Opens a tab with this page. */
  async open(url: string): Promise<Page> {
    const { targetId } = (await this.send("Target.createTarget", { url })) as { targetId: string };
    const { sessionId } = (await this.send("Target.attachToTarget", { targetId, flatten: true })) as { sessionId: string };
    return new Page(this, targetId, sessionId);
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null) {
      const ended = once(this.process, "exit");
      // Its other processes end with it, and they write into the folder until then.
      this.send("Browser.close").catch(() => {});
      const late = setTimeout(() => this.process.kill("SIGKILL"), 5_000);
      await ended;
      clearTimeout(late);
    }
    this.socket.terminate();
    try {
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    } catch (error) {
      console.error(`the folder of the browser stays: ${String(error)}`);
    }
  }
}

export class Page {
  constructor(
    private readonly browser: Browser,
    private readonly target: string,
    private readonly session: string,
  ) {}

  /** The value of a script, which may be a promise. */
  async run<T>(expression: string): Promise<T> {
    const params = { expression, awaitPromise: true, returnByValue: true };
    const found = await this.browser.send("Runtime.evaluate", params, this.session);
    const details = found["exceptionDetails"] as { exception?: { description?: string }; text: string } | undefined;
    assert.equal(details, undefined, details?.exception?.description ?? details?.text);
    return (found["result"] as { value: T }).value;
  }

  /** Waits until a script has a true value. */
  async until(expression: string): Promise<void> {
    const deadline = performance.now() + 20_000;
    // A page that is being loaded has no scripts.
    while (!(await this.run<boolean>(expression).catch(() => false))) {
      assert.ok(performance.now() < deadline, `${expression} is not true within 20 seconds`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async reload(): Promise<void> {
    await this.browser.send("Page.reload", {}, this.session);
  }

  /** Ends the tab without a word to its scripts. */
  async crash(): Promise<void> {
    // The tab does not answer.
    void this.browser.send("Page.crash", {}, this.session).catch(() => {});
    await this.browser.send("Target.closeTarget", { targetId: this.target });
  }
}
