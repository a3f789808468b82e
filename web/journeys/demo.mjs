/** A demo cluster of real nodes, and requests of its HTTP API. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export class Demo {
  static async start(...options) {
    const demo = new Demo();
    // It ends with the pipe of its standard input closed, and by SIGTERM.
    process.once("exit", () => demo.process?.kill("SIGTERM"));
    for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(1));
    demo.process = spawn(process.env.TROUPE, ["demo", "--json", "--ephemeral", ...options], { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface({ input: demo.process.stdout })) {
      if (!line.startsWith("{")) continue;
      Object.assign(demo, JSON.parse(line));
      demo.process.stdout.resume();
      return demo;
    }
    throw new Error("the demo did not start");
  }

  /** The address of a page, and of the API. */
  url(node = 0) {
    return `http://${this.nodes[node].http}`;
  }

  account(name) {
    return this.accounts.find((account) => account.name === name);
  }

  /** A link that signs in. */
  link(name, node = 0) {
    return `${this.url(node)}/#in/${name}/${encodeURIComponent(this.account(name).password)}/${this.control}`;
  }

  /** The demo does not say under which process a node runs again: the system does. */
  refresh() {
    const found = new Map();
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const listens = words[words.indexOf("--client-listen") + 1];
        const node = this.nodes.find(({ client }) => words.includes("--client-listen") && client === listens);
        if (node !== undefined) found.set(node.id, Number(pid));
      } catch {
        // It has ended meanwhile.
      }
    }
    this.nodes = this.nodes.map((node) => ({ ...node, pid: found.get(node.id) ?? node.pid }));
  }

  async stop() {
    if (this.process.exitCode !== null) return;
    const ended = once(this.process, "exit");
    this.process.kill("SIGTERM");
    await ended;
  }
}

/** A user by the HTTP API, on a device of its own. */
export class User {
  static async login(demo, name, password) {
    const user = new User();
    user.base = demo.url(demo.nodes.length - 1);
    const device = `journey-${randomBytes(4).toString("hex")}`;
    const { token, user_id } = await user.ask("POST", "/v1/login", { name, password: password ?? demo.account(name).password, device });
    return Object.assign(user, { token, id: user_id });
  }

  async ask(method, path, body, key) {
    for (let attempt = 0; ; attempt++) {
      const headers = { ...(this.token ? { authorization: `Bearer ${this.token}` } : {}), ...(body ? { "content-type": "application/json" } : {}) };
      if (key) headers["idempotency-key"] = key;
      const answer = await fetch(this.base + path, { method, headers, body: body && JSON.stringify(body) });
      if (answer.ok) return answer.status === 204 ? {} : answer.json();
      const problem = await answer.json();
      if (problem.kind === "rejected" || attempt > 50) throw new Error(`${method} ${path}: ${problem.code}: ${problem.detail}`);
      await new Promise((resolve) => setTimeout(resolve, problem.retry_after_ms ?? 200));
    }
  }

  say(conversation, text) {
    return this.ask("POST", `/v1/conversations/${conversation}/messages`, { text }, randomBytes(16).toString("hex"));
  }

  async group(name, members) {
    const { conversation } = await this.ask("POST", "/v1/groups", { name, members }, randomBytes(16).toString("hex"));
    return conversation;
  }

  async texts(conversation) {
    const texts = [];
    for (let after = 0; ; ) {
      const page = await this.ask("GET", `/v1/conversations/${conversation}/messages?after=${after}`);
      for (const { kind, body, seq } of page.messages) {
        after = seq;
        if (kind === "message") texts.push(body.text);
      }
      if (!page.more || page.messages.length === 0) return texts;
    }
  }
}
