/** Many messages, and what a page takes for them. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { User } from "./demo.mjs";

/** Users that fill conversations: one alone is held to its rate. */
export async function crowd(demo, many) {
  const names = Array.from({ length: many }, () => `crowd${randomBytes(4).toString("hex")}`);
  const users = [];
  for (const name of names) {
    const headers = { "content-type": "application/json", "idempotency-key": randomBytes(16).toString("hex") };
    await fetch(`${demo.url()}/v1/register`, { method: "POST", headers, body: JSON.stringify({ name, password: "correct horse" }) });
    users.push(Object.assign(await User.login(demo, name, "correct horse"), { name }));
  }
  return users;
}

/** A process that sends the lines of its input, as fast as they come. */
export class Sender {
  constructor(demo, name, to) {
    this.folder = mkdtempSync(join(tmpdir(), "troupe-journey-"));
    const options = ["--as", name, "--server", demo.nodes.map(({ client }) => client).join(","), "--to", to, "--state-dir", this.folder, "--device", "sender"];
    this.process = spawn(process.env.TROUPE, ["msg", "send", ...options], { env: { ...process.env, TROUPE_PASSWORD: "correct horse" }, stdio: ["pipe", "ignore", "inherit"] });
    this.ended = once(this.process, "exit");
    process.once("exit", () => this.process.kill());
  }

  async line(text) {
    if (!this.process.stdin.write(`${text}\n`)) await once(this.process.stdin, "drain");
  }

  /** All of it is on the disks of a majority. */
  async end() {
    this.process.stdin.end();
    const [status] = await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
    assert.equal(status, 0, "all lines were sent");
  }
}

/** Fills a conversation: the texts of each sender are its name and a number, which begins at 1. */
export async function fill(demo, to, users, many) {
  const each = Math.ceil(many / users.length);
  await Promise.all(
    users.map(async ({ name }) => {
      const sender = new Sender(demo, name, to);
      for (let number = 1; number <= each; number++) await sender.line(`${name} ${number}`);
      await sender.end();
    }),
  );
}

/** Lines at a rate, until `stop` is called. */
export function drip(demo, to, user, perSecond) {
  const sender = new Sender(demo, user.name, to);
  const begun = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - begun) / 1_000) * perSecond;
    while (sent < due) void sender.line(`drip ${++sent}`);
  }, 20);
  return async () => {
    clearInterval(timer);
    await sender.end();
    return { sent, seconds: (performance.now() - begun) / 1_000 };
  };
}

/** Bytes of the heap of a page, after its garbage is gone. */
export async function heap(page) {
  const session = await page.context().newCDPSession(page);
  for (let round = 0; round < 3; round++) await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize;
}

export const share = (values, part) => [...values].sort((one, other) => one - other)[Math.min(Math.floor(values.length * part), values.length - 1)];

/** No text of a sender is missing, doubled or out of its order among those on the screen. */
export function consecutive(texts) {
  const last = new Map();
  for (const text of texts) {
    const [, name, number] = /^(\S+) (\d+)$/.exec(text) ?? [];
    if (name === undefined) continue;
    const before = last.get(name);
    assert.ok(before === undefined || Number(number) === before + 1, `${text} follows ${name} ${before}`);
    last.set(name, Number(number));
  }
}
