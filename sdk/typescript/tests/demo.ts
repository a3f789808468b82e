/**
 * A demo cluster of real nodes, for tests. The environment names the program:
 * TROUPE=path/to/troupe.
 */

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

export const PROGRAM = process.env["TROUPE"] ?? "";
/** Milliseconds for an order, and for an orderly end. */
const [ORDER, END] = [60_000, 30_000];

interface Ready {
  readonly nodes: { readonly client: string; readonly http: string }[];
  readonly accounts: { readonly name: string; readonly password: string }[];
}

export class Demo {
  readonly nodes: string[];
  readonly http: string[];
  readonly accounts: Ready["accounts"];

  private constructor(
    private readonly process: ChildProcess,
    readonly folder: string,
    ready: Ready,
  ) {
    this.nodes = ready.nodes.map((node) => node.client);
    this.http = ready.nodes.map((node) => node.http);
    this.accounts = ready.accounts;
  }

  /** `environment`: settings of the nodes. */
  static async start(environment: Record<string, string> = {}): Promise<Demo> {
    const folder = mkdtempSync(join(tmpdir(), "troupe-typescript-"));
    const data = join(folder, "data");
    const child = spawn(PROGRAM, ["demo", "--json", "--data-dir", data], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...environment },
    });
    for await (const line of createInterface({ input: child.stdout })) return new Demo(child, data, JSON.parse(line) as Ready);
    throw new Error("the demo ended before it was ready");
  }

  account(at: number): { name: string; password: string } {
    const account = this.accounts[at];
    assert.ok(account, `there is no account ${at}`);
    return account;
  }

  /** `troupe chaos` for this cluster. */
  async order(...words: string[]): Promise<string> {
    const args = ["chaos", ...words, "--data-dir", this.folder];
    return (await promisify(execFile)(PROGRAM, args, { timeout: ORDER })).stdout.trim();
  }

  /** Waits until all nodes are ready again. */
  async ready(patience = ORDER): Promise<void> {
    const deadline = performance.now() + patience;
    for (const node of this.http) {
      while (!(await isReady(node))) {
        assert.ok(performance.now() < deadline, `${node} is not ready`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null) {
      const ended = once(this.process, "exit");
      this.process.kill("SIGTERM");
      const late = setTimeout(() => this.process.kill("SIGKILL"), END);
      await ended;
      clearTimeout(late);
    }
    rmSync(join(this.folder, ".."), { recursive: true, force: true });
  }
}

async function isReady(node: string): Promise<boolean> {
  try {
    return (await fetch(`http://${node}/readyz`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}
