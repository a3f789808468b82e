/** A session in this process: performs what the driver puts out. */

import { target } from "./address.js";
import type { Clock } from "./clock.js";
import { Driver } from "./driver.js";
import { asTroupeError, OutboxFull, Rejected, Stopped, type StoreError, type TroupeError, Unavailable } from "./errors.js";
import type { ClientMessageId, ConversationId } from "./ids.js";
import type { Incoming, MessageState, State } from "./items.js";
import type { Request, ServerMessage } from "./line.js";
import type { Queued } from "./outbox.js";
import { changeOf, type Output } from "./output.js";
import type { Account, Notice, Session } from "./session.js";
import type { Settings } from "./settings.js";
import type { Change, EventQuery, Kept, Store } from "./store.js";
import type { Dialer, Transport } from "./transport.js";

export interface Platform {
  readonly store: Store;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly log: (text: string) => void;
}

export class LocalSession implements Session {
  private running: Driver | undefined;
  private readonly transports = new Map<number, Transport>();
  private readonly waiting: (() => void)[] = [];
  /** Messages on their way into the store. */
  private readonly entering = new Map<ClientMessageId, ConversationId>();
  private listen: (notice: Notice) => void = () => {};
  private cancelTimer = (): void => {};
  private killed = false;

  constructor(
    private readonly settings: Settings,
    private readonly platform: Platform,
  ) {}

  private get driver(): Driver {
    if (this.running === undefined) throw new Stopped("the client was not started: use connect() or start()");
    return this.running;
  }

  get state(): State {
    return this.driver.state;
  }

  get account(): Account | undefined {
    const { session } = this.driver;
    return session === undefined ? undefined : { user: session.user, name: session.name, device: session.device };
  }

  get token(): Uint8Array | undefined {
    return this.driver.session?.token;
  }

  get device(): string {
    return this.driver.device;
  }

  get outbox(): Iterable<[Queued, MessageState]> {
    return this.driver.outbox.messages();
  }

  async start(listen: (notice: Notice) => void): Promise<void> {
    if (this.running !== undefined) throw new Stopped("a client starts once: make another one");
    const saved = await this.platform.store.load();
    if (this.killed) throw new Stopped("the client was closed");
    this.listen = listen;
    this.running = new Driver(this.settings, saved, this.now());
    this.step((driver, now) => driver.tick(now));
  }

  async send(message: Queued): Promise<void> {
    const { outbox } = this.driver;
    const { conversation, id } = message;
    this.checkRuns();
    const held = outbox.conversationOf(id) ?? this.entering.get(id);
    // An application that was restarted sends what it had sent before.
    if (held === conversation) return;
    if (held !== undefined) throw new Rejected("a message to another conversation has this id, and waits in the outbox", "bad_request");
    if (outbox.isFull) throw new OutboxFull();
    this.entering.set(id, conversation);
    try {
      await this.platform.store.write([{ set: "queued", message }]);
    } finally {
      this.entering.delete(id);
    }
    this.step((driver, now) => {
      // Others may have filled it meanwhile. The message leaves the store again.
      if (!driver.send(message, now)) driver.put({ do: "store", change: { set: "settled", id } });
    });
    if (outbox.conversationOf(id) === undefined && outbox.isFull) throw new OutboxFull();
  }

  ask(request: Request): Promise<ServerMessage> {
    return new Promise((resolve, reject) => {
      this.checkRuns();
      this.step((driver, now) =>
        driver.request(request, (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)), now),
      );
    });
  }

  async receive(): Promise<Incoming | undefined> {
    const { driver } = this;
    for (;;) {
      // What is not taken now is delivered to the next client of this store.
      if (this.killed) return undefined;
      const item = driver.take(this.now());
      this.perform();
      if (item !== undefined) return item;
      if (driver.ended) return undefined;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** All items that are ready, at most so many. */
  takeReady(most: number): Incoming[] {
    const items: Incoming[] = [];
    while (items.length < most) {
      const item = this.driver.take(this.now());
      if (item === undefined) break;
      items.push(item);
    }
    this.perform();
    return items;
  }

  async processed(items: readonly Incoming[]): Promise<void> {
    // The store may belong to the next client already.
    if (this.killed) return;
    const changes = items.map(changeOf).filter((change) => change !== undefined);
    if (changes.length > 0) await this.platform.store.write(changes);
    this.step((driver, now) => {
      for (const item of items) driver.processed(item, now);
    });
  }

  offer(item: Incoming): void {
    this.step((driver, now) => driver.offer(item, now));
  }

  events(query: EventQuery): Promise<Kept[]> {
    return this.platform.store.events(query);
  }

  async close(): Promise<void> {
    const { running } = this;
    if (running !== undefined && !running.ended) {
      const stopped = new Promise<void>((resolve) => {
        const { listen } = this;
        this.listen = (notice) => {
          listen(notice);
          if (notice.notice === "stopped") resolve();
        };
      });
      this.step((driver, now) => driver.close(now));
      await stopped;
    }
    this.killed = true;
    await this.platform.store.close();
  }

  kill(): void {
    this.killed = true;
    this.cancelTimer();
    for (const transport of this.transports.values()) transport.close(false);
    this.transports.clear();
    this.wakeReaders();
  }

  private checkRuns(): void {
    const { state, ended } = this.driver;
    if (state.is === "kicked") throw new Stopped(`the client has stopped: ${state.text}`);
    if (ended || this.killed) throw new Stopped("the client has stopped: it was closed");
  }

  private now(): number {
    return this.platform.clock.now();
  }

  /** Reports something to the driver, and performs what follows. */
  private step(report: (driver: Driver, now: number) => void): void {
    if (this.killed) return;
    report(this.driver, this.now());
    this.perform();
  }

  private perform(): void {
    const { driver } = this;
    if (this.killed) return;
    const changes: Change[] = [];
    for (let outputs = driver.drain(); outputs.length > 0; outputs = driver.drain()) {
      for (const output of outputs) {
        if (output.do === "store") changes.push(output.change);
        else this.performOne(output);
      }
    }
    if (changes.length > 0) void this.store(changes);
    if (driver.hasItems || driver.ended) this.wakeReaders();
    this.cancelTimer();
    if (driver.ended) return;
    const now = this.now();
    this.cancelTimer = this.platform.clock.after(driver.wakeAt(now) - now, () => this.step((_, at) => driver.tick(at)));
  }

  private performOne(output: Exclude<Output, { do: "store" }>): void {
    switch (output.do) {
      case "dial":
        return this.dial(output.line, output.address);
      case "write":
        return this.transports.get(output.line)?.send(output.frame);
      case "hangUp":
        this.transports.get(output.line)?.close(output.orderly);
        this.transports.delete(output.line);
        return;
      case "settled":
        return this.listen({ notice: "settled", isOwn: true, ...output.message });
      case "moved":
        return this.listen({ notice: "moved", message: output.message, state: output.state });
      case "state":
        return this.listen({ notice: "state", state: output.state });
      case "stopped":
        return this.listen({ notice: "stopped", why: output.why });
      case "log":
        return this.platform.log(output.text);
    }
  }

  private dial(line: number, address: string): void {
    // A line that the driver has dropped is not known any more, and a late report means nothing.
    const report = (then: (driver: Driver, now: number) => void): void => {
      if (this.transports.has(line)) this.step(then);
    };
    try {
      const transport = this.platform.dialer(target(address), {
        opened: () => report((driver, now) => driver.opened(line, now)),
        frame: (frame) => report((driver, now) => driver.heard(line, frame, now)),
        closed: (reason) => report((driver, now) => driver.broken(line, reason, now)),
      });
      this.transports.set(line, transport);
    } catch (error) {
      const reason: TroupeError = error instanceof Rejected ? new Unavailable(error.text) : asTroupeError(error);
      this.driver.broken(line, reason, this.now());
    }
  }

  private async store(changes: readonly Change[]): Promise<void> {
    try {
      await this.platform.store.write(changes);
    } catch (error) {
      const { text } = asTroupeError(error) as StoreError;
      // Cursors and outcomes that are not stored are found again after a restart.
      this.platform.log(`cannot write to the store: ${text}`);
      const isSession = changes.some(({ set }) => set === "cluster" || set === "session");
      if (isSession) this.step((driver) => driver.storeFailed(text));
    }
  }

  private wakeReaders(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }
}
