/**
 * Devices that send in bursts while leaders are killed, and record what they see. The record is the
 * history format of `troupe chaos check`, so the checkers of the chaos harness judge it.
 */

import { writeFileSync } from "node:fs";
import { target } from "../src/address.js";
import { realClock } from "../src/clock.js";
import { TroupeError } from "../src/errors.js";
import { hex } from "../src/ids.js";
import { Client, type ClientOptions, randomId } from "../src/index.js";
import { type Answer, Line, type Request } from "../src/line.js";
import { websocketDialer } from "../src/websocket.js";
import type { Demo } from "./demo.js";
import { seeded } from "./story.js";

/**
 * Milliseconds: of the workload, until the first kill, between kills, and for everything to settle.
 */
const [WORK, FIRST, BETWEEN, SETTLE] = [16_000, 1_000, 7_000, 60_000];
/** Messages per second of each device, and its longest burst without waiting for acks. */
const [RATE, BURST] = [30, 4];
/** A node that ended comes back after five seconds. */
const AWAY = 6_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

class Recorder {
  readonly lines: Record<string, unknown>[] = [];
  private readonly begin = performance.now();

  now(): number {
    return Math.round((performance.now() - this.begin) * 1_000);
  }

  record(what: string, values: object): void {
    this.lines.push({ what, at: this.now(), ...values });
  }
}

class Device {
  readonly positions = new Map<string, number>();
  readonly pending = new Set<Promise<void>>();

  constructor(
    readonly number: number,
    readonly client: Client,
    private readonly recorder: Recorder,
    private readonly random: () => number,
  ) {}

  async listen(judged: ReadonlySet<string>): Promise<void> {
    const device = this.number;
    for await (const item of this.client.events) {
      if (item.type === "event" && judged.has(item.conversation)) {
        const { conversation, event } = item;
        const id = `${event.sender}/${event.clientMessageId}`;
        const message = event.content.kind === "message";
        this.recorder.record("deliver", { device, conversation, seq: event.seq, sender: event.sender, id, message });
        this.positions.set(conversation, event.seq);
      } else if (item.type === "cursorMoved" && judged.has(item.conversation)) {
        const { conversation, user, delivered, read } = item;
        this.recorder.record("cursor", { device, conversation, user, delivered, read });
      }
    }
  }

  async send(conversations: readonly string[], until: number): Promise<void> {
    while (performance.now() < until) {
      const conversation = conversations[Math.floor(this.random() * conversations.length)] as string;
      const burst = 1 + Math.floor(this.random() * BURST);
      for (let at = 0; at < burst; at++) await this.sendOne(conversation);
      await sleep(((0.5 + this.random()) * burst * 1_000) / RATE);
    }
  }

  private async sendOne(conversation: string): Promise<void> {
    const id = hex(randomId());
    const message = { device: this.number, conversation, id: `${this.client.user}/${id}` };
    this.recorder.record("invoke", { user: this.client.user, ...message });
    const sent = await this.client.send(conversation, `from device ${this.number}`, { id });
    const outcome = sent.acked().then(
      ({ seq }) => this.recorder.record("ack", { seq, ...message }),
      (error: unknown) => {
        // Without a definite outcome both are possible.
        if (error instanceof TroupeError && error.definite) this.recorder.record("reject", { code: error.code, ...message });
      },
    );
    this.pending.add(outcome);
    void outcome.finally(() => this.pending.delete(outcome));
  }
}

/** Runs the workload with clients of these options, and writes their history. */
export async function run(demo: Demo, history: string, options: Partial<ClientOptions> = {}): Promise<void> {
  const random = seeded(1);
  const recorder = new Recorder();
  const accounts = [...demo.accounts, demo.account(0)];
  const connecting = accounts.map(({ name, password }, number) =>
    Client.connect({ nodes: demo.nodes, name, password, device: `chaos-${number}`, startAt: "beginning", ...options }),
  );
  try {
    await work(demo, await Promise.all(connecting), recorder, random);
  } finally {
    // After a failure the process would wait for them.
    for (const one of await Promise.allSettled(connecting)) if (one.status === "fulfilled") one.value.kill();
  }
  writeFileSync(history, recorder.lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

async function work(demo: Demo, clients: readonly Client[], recorder: Recorder, random: () => number): Promise<void> {
  const devices = clients.map((client, number) => new Device(number, client, recorder, random));
  const members = clients.slice(1, 3).map((client) => client.user ?? 0);
  const groups = await Promise.all(["busy", "quiet"].map((name) => (clients[0] as Client).createGroup(name, { members })));
  const readers = devices.map((device) => device.listen(new Set<string>(groups)));
  const until = performance.now() + WORK;
  await Promise.all([...devices.map((device) => device.send(groups, until)), killLeaders(demo, recorder, until)]);
  const late = performance.now() + SETTLE;
  while (devices.some(({ pending }) => pending.size > 0) && performance.now() < late) await sleep(20);
  await demo.ready();
  const heads = await readBack(demo, recorder, groups);
  const deadline = performance.now() + SETTLE;
  for (const device of devices) {
    const isThere = (group: string): boolean => (device.positions.get(group) ?? 0) >= (heads.get(group) ?? 0);
    while (!groups.every(isThere) && performance.now() < deadline) await sleep(50);
    for (const group of groups) {
      recorder.lines.push({ what: "end", device: device.number, conversation: group, seq: device.positions.get(group) ?? 0 });
    }
  }
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all(readers);
}

async function killLeaders(demo: Demo, recorder: Recorder, until: number): Promise<void> {
  await sleep(FIRST);
  while (performance.now() + AWAY < until) {
    const from = recorder.now();
    recorder.record("fault", { text: await demo.order("kill", "leader") });
    await sleep(AWAY);
    recorder.lines.push({ what: "window", text: "kill leader", from, to: recorder.now() });
    await sleep(BETWEEN - AWAY);
  }
}

interface Log {
  head: number;
  readonly chain: "";
  readonly entries: { readonly seq: number }[];
}

/** Each group as each node serves it. Returns the heads. */
async function readBack(demo: Demo, recorder: Recorder, groups: readonly string[]): Promise<Map<string, number>> {
  const heads = new Map<string, number>();
  const deadline = performance.now() + SETTLE;
  for (const [at, node] of demo.nodes.entries()) {
    for (;;) {
      try {
        const logs = await served(node, demo.account(0), groups);
        for (const [conversation, log] of logs) {
          recorder.lines.push({ what: "final", node: at + 1, conversation, log });
          heads.set(conversation, log.head);
        }
        break;
      } catch (error) {
        // A machine with other work may take its time.
        if (!(error instanceof TroupeError && error.transient) || performance.now() > deadline) throw error;
        await sleep(500);
      }
    }
  }
  return heads;
}

/** Asks one node, over a line: unlike a client, it asks no other one. */
async function served(node: string, account: { name: string; password: string }, groups: readonly string[]): Promise<Map<string, Log>> {
  const line = new Line(1, node, (frame) => transport.send(frame), 0);
  let opened = (): void => {};
  const open = new Promise<void>((resolve) => (opened = resolve));
  const transport = websocketDialer()(target(node), {
    opened: () => opened(),
    frame: (frame) => void line.hear(frame, 0),
    closed: () => line.end(),
  });
  const timer = realClock.after(SETTLE, () => line.end());
  const ask = (request: Request): Promise<Exclude<Answer, TroupeError>> =>
    new Promise((resolve, reject) =>
      line.ask(request, (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)), 0),
    );
  try {
    await open;
    await ask({ case: "hello", value: { minVersion: 1, maxVersion: 1, client: "reader" } });
    await ask({ case: "login", value: { ...account, device: "chaos-reader" } });
    const logs = new Map<string, Log>();
    for (const conversation of groups) {
      const log: Log = { head: 0, chain: "", entries: [] };
      for (let more = true; more; ) {
        const answer = await ask({ case: "fetch", value: { conversation, seq: log.entries.at(-1)?.seq ?? 0, limit: 500 } });
        if (answer.case !== "page") throw new Error(`the answer is ${answer.case}`);
        for (const { seq, timeMs, sender, clientMessageId, kind } of answer.value.events) {
          const entry = { seq, time_ms: timeMs, sender, id: `${sender}/${hex(clientMessageId)}`, message: kind === 5 };
          log.entries.push(entry);
        }
        log.head = answer.value.head;
        more = answer.value.more && answer.value.events.length > 0;
      }
      logs.set(conversation, log);
    }
    return logs;
  } finally {
    timer();
    line.drop();
    transport.close(false);
  }
}
