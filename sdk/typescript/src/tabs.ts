/**
 * One session for all tabs of a browser: the tab that holds a lock has the connection and leads,
 * the others ask it over a channel. When it is closed or crashes, the browser gives the lock to
 * another tab, which goes on with the same store.
 *
 * The store has the truth about events: the leader writes events and cursors, and reports the
 * numbers of the rows. A report is a hint. A tab that misses one, or is slow, reads the rows that
 * it lacks. Requests and messages may be repeated under their ids, so a tab repeats to the next
 * leader what the last one did not answer.
 */

import { asTroupeError, ofRecord, recordOf, Stopped, type TroupeError } from "./errors.js";
import { type ClientMessageId, hex, randomId } from "./ids.js";
import type { Incoming, MessageState, State } from "./items.js";
import type { Request, ServerMessage } from "./line.js";
import type { LocalSession } from "./local.js";
import type { Queued } from "./outbox.js";
import type { Account, Notice, Session } from "./session.js";
import type { EventQuery, Kept, Store } from "./store.js";
import { type Call, type Message, received, type Standing, sent, UNKNOWN } from "./tab-messages.js";

/** Items that a tab keeps ready. Above it events wait in the store. */
const ROOM = 1_024;
/** Items of that number that are reserved for notices. */
const NOTICES = 64;
/** Items that the leader stores in one transaction, and rows that a tab reads at once. */
const BATCH = 256;

/** The part of `navigator.locks` that is used here. */
export interface Locks {
  request(name: string, options: { signal: AbortSignal }, hold: () => Promise<void>): Promise<unknown>;
}

/** The part of `BroadcastChannel` that is used here. */
export interface Channel {
  onmessage: ((event: never) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

export interface TabsPlatform {
  readonly locks: Locks;
  readonly channel: (name: string) => Channel;
}

/** What a client gives to make its session of. */
export type Share = (local: () => LocalSession, store: Store) => Session;

/**
 * Shares one session among the tabs of a browser that use this name, which is that of the store.
 * Where there are no other tabs (Node), or no way to find them, the session is that of the client
 * alone.
 */
export function sharedByTabs(name: string, platform: TabsPlatform | undefined = ofBrowser()): Share {
  return (local, store) => (platform === undefined ? local() : new TabSession(`troupe ${name}`, platform, local, store));
}

function ofBrowser(): TabsPlatform | undefined {
  const { locks } = (globalThis as { navigator?: { locks?: Locks } }).navigator ?? {};
  if (locks === undefined || typeof document === "undefined") return undefined;
  return { locks, channel: (name) => new BroadcastChannel(name) };
}

interface Pending {
  readonly call: Call;
  readonly resolve: (answer: ServerMessage | undefined) => void;
  readonly reject: (error: TroupeError) => void;
}

export class TabSession implements Session {
  private readonly tab = hex(randomId());
  private readonly channel: Channel;
  private readonly giveUp = new AbortController();
  /** The session of a tab that leads. */
  private led: LocalSession | undefined;
  private pumping: Promise<void> | undefined;
  private release = (): void => {};
  private standing: Standing = UNKNOWN;
  private leader: string | undefined;
  private listen: (notice: Notice) => void = () => {};
  private begun: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  private readonly pending = new Map<number, Pending>();
  private calls = 0;
  /** Messages of all tabs without an outcome, as far as this tab knows. */
  private readonly open = new Map<ClientMessageId, Queued>();
  /** Messages whose outcome this tab reports: its own, and at the leader those of earlier tabs. */
  private readonly own = new Set<ClientMessageId>();
  private readonly items: Incoming[] = [];
  private readonly waiting: (() => void)[] = [];
  /**
   * Number of the latest event among the items, and the latest number that the leader has reported.
   */
  private position = 0;
  private reported = 0;
  private catchingUp: Promise<void> | undefined;
  private isClosing = false;
  private isEnded = false;

  constructor(
    private readonly name: string,
    private readonly platform: TabsPlatform,
    private readonly local: () => LocalSession,
    private readonly store: Store,
  ) {
    this.channel = platform.channel(name);
  }

  get state(): State {
    return this.standing.state;
  }

  get account(): Account | undefined {
    return this.standing.account;
  }

  get token(): Uint8Array | undefined {
    return this.standing.token;
  }

  get device(): string {
    return this.standing.device;
  }

  get outbox(): Iterable<[Queued, MessageState]> {
    return this.standing.outbox;
  }

  /** Whether this tab has the connection. */
  get leads(): boolean {
    return this.led !== undefined;
  }

  start(listen: (notice: Notice) => void): Promise<void> {
    this.listen = listen;
    this.channel.onmessage = ({ data }: { data: Message }) => this.hear(data);
    const begun = new Promise<void>((resolve, reject) => (this.begun = { resolve, reject }));
    // A browser does not freeze a tab that holds a lock, so the leader goes on in the background.
    this.platform.locks.request(this.name, { signal: this.giveUp.signal }, () => this.lead()).catch(() => {
      // This tab was closed before it led.
    });
    this.post({ kind: "join" });
    return begun;
  }

  async send(message: Queued): Promise<void> {
    this.own.add(message.id);
    await this.call({ method: "send", message });
    if (this.own.has(message.id)) this.open.set(message.id, message);
  }

  async ask(request: Request): Promise<ServerMessage> {
    return (await this.call({ method: "ask", request })) as ServerMessage;
  }

  async receive(): Promise<Incoming | undefined> {
    for (;;) {
      const item = this.items.shift();
      if (this.items.length < ROOM / 2 && this.position < this.reported) this.catchUp();
      if (item !== undefined) return item;
      if (this.isEnded && this.catchingUp === undefined) return undefined;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** The leader stores events before tabs receive them. */
  processed(): Promise<void> {
    return Promise.resolve();
  }

  offer(item: Incoming): void {
    this.items.push(item);
    this.wake();
  }

  events(query: EventQuery): Promise<Kept[]> {
    return this.store.events(query);
  }

  async close(): Promise<void> {
    this.isClosing = true;
    this.giveUp.abort();
    const { led } = this;
    if (led !== undefined) await led.close();
    else await this.store.close();
    // The next leader must not meet a write of this one.
    await this.pumping;
    if (!this.isEnded) this.notice({ notice: "stopped", why: "it was closed" });
    this.channel.close();
    this.release();
  }

  kill(): void {
    this.giveUp.abort();
    this.channel.onmessage = null;
    this.channel.close();
    this.led?.kill();
    this.isEnded = true;
    this.release();
    this.wake();
  }

  // ---- the tab that leads

  /** Holds the lock. Returns when another tab may lead. */
  private async lead(): Promise<void> {
    // An ended session begins again with a new client only.
    if (this.isEnded) return;
    const led = this.local();
    const released = new Promise<void>((resolve) => (this.release = resolve));
    try {
      await led.start((notice) => this.tellAll(led, notice));
      this.reported = await this.store.last();
      if (this.leader === undefined) this.position = this.reported;
    } catch (error) {
      this.begun?.reject(error);
      return this.notice({ notice: "stopped", why: asTroupeError(error).text });
    }
    if (this.isEnded) return led.kill();
    this.led = led;
    this.followed(this.tab, this.standingOf(led));
    this.post({ kind: "lead", leader: this.tab, standing: this.standing });
    for (const [{ id }] of this.standing.outbox) this.own.add(id);
    this.pumping = this.pump(led);
    await released;
  }

  /** Stores all items, and hands them to all tabs. */
  private async pump(led: LocalSession): Promise<void> {
    for (let item = await led.receive(); item !== undefined; item = await led.receive()) {
      const items = [item, ...led.takeReady(BATCH - 1)];
      const before = this.reported;
      let last = before + items.filter(({ type }) => type === "event").length;
      try {
        await led.processed(items);
      } catch {
        // The events are received again after a restart. All tabs see them now, without a number.
        last = before;
      }
      if (this.isEnded) break;
      const message: Message = { kind: "items", items, before, last };
      this.hear(message);
      // What a tab stores at its end, the next leader reports.
      if (!this.isClosing) this.post(message);
    }
    // Another client may log in.
    this.release();
  }

  private tellAll(led: LocalSession, notice: Notice): void {
    const { state, account, token, device } = led;
    const message: Message = { kind: "notice", notice: sent(notice), standing: { state, account, token, device, last: this.reported } };
    this.hear(message);
    // The end of one tab is not that of the others.
    if (!this.isClosing) this.post(message);
  }

  private standingOf(led: LocalSession): Standing {
    const { state, account, token, device, outbox } = led;
    return { state, account, token, device, outbox: [...outbox], last: this.reported };
  }

  private async perform(led: LocalSession, call: Call): Promise<ServerMessage | undefined> {
    if (call.method === "ask") return led.ask(call.request);
    await led.send(call.message);
    return undefined;
  }

  // ---- all tabs

  private hear(message: Message): void {
    switch (message.kind) {
      case "join":
        if (this.led !== undefined && !this.isEnded) this.post({ kind: "lead", leader: this.tab, standing: this.standingOf(this.led) });
        return;
      case "lead":
        if (this.led === undefined) this.followed(message.leader, message.standing);
        return;
      case "notice":
        // A tab that has not begun learns all of it then.
        if (this.leader === undefined) return;
        this.standing = { ...message.standing, outbox: this.standing.outbox };
        return this.notice(received(message.notice));
      case "items":
        return this.leader === undefined ? undefined : this.take(message);
      case "call":
        return void this.answer(message.from, message.id, message.call);
      case "answer": {
        const pending = message.to === this.tab ? this.pending.get(message.id) : undefined;
        if (pending === undefined) return;
        this.pending.delete(message.id);
        if (message.error !== undefined) pending.reject(ofRecord(message.error));
        else pending.resolve(message.answer);
      }
    }
  }

  /** There is a leader, possibly another one than before. */
  private followed(leader: string, standing: Standing): void {
    const isNew = this.leader !== leader;
    const before = this.standing.state;
    this.standing = standing;
    if (!isNew) return;
    // A new tab begins with the next event.
    if (this.leader === undefined) this.position = standing.last;
    this.leader = leader;
    this.reported = Math.max(this.reported, standing.last);
    if (this.begun !== undefined) {
      this.begun.resolve();
      this.begun = undefined;
    } else if (before !== standing.state) {
      this.notice({ notice: "state", state: standing.state });
      this.offer({ type: "stateChanged", state: standing.state });
    }
    if (this.position < this.reported) this.catchUp();
    for (const [id, { call }] of [...this.pending]) this.dispatch(id, call);
    for (const [message, state] of standing.outbox) this.notice({ notice: "moved", message, state });
    // The last leader may have sent these, without a word about it. A repeat has the same place.
    const held = new Set(standing.outbox.map(([{ id }]) => id));
    for (const message of this.open.values()) {
      if (!held.has(message.id)) this.call({ method: "send", message }).catch(() => {});
    }
  }

  private notice(notice: Notice): void {
    if (notice.notice === "moved") this.open.set(notice.message.id, notice.message);
    if (notice.notice === "settled") {
      this.open.delete(notice.id);
      notice = { ...notice, isOwn: this.own.delete(notice.id) };
    }
    this.listen(notice);
    if (notice.notice === "stopped") this.end(notice.why);
  }

  private end(why: string): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const stopped = new Stopped(`the client has stopped: ${why}`);
    this.begun?.reject(stopped);
    for (const { reject } of this.pending.values()) reject(stopped);
    this.pending.clear();
    this.wake();
  }

  private call(call: Call): Promise<ServerMessage | undefined> {
    if (this.isEnded) return Promise.reject(new Stopped("the client has stopped: it was closed"));
    return new Promise((resolve, reject) => {
      const id = ++this.calls;
      this.pending.set(id, { call, resolve, reject });
      this.dispatch(id, call);
    });
  }

  private dispatch(id: number, call: Call): void {
    if (this.led !== undefined) void this.answer(this.tab, id, call);
    else this.post({ kind: "call", from: this.tab, id, call });
  }

  private async answer(from: string, id: number, call: Call): Promise<void> {
    const { led } = this;
    if (led === undefined) return;
    let message: Message;
    try {
      message = { kind: "answer", to: from, id, answer: await this.perform(led, call) };
    } catch (error) {
      message = { kind: "answer", to: from, id, error: recordOf(asTroupeError(error)) };
    }
    if (from === this.tab) this.hear(message);
    else this.post(message);
  }

  // ---- items

  private take({ items, before, last }: Extract<Message, { kind: "items" }>): void {
    this.reported = Math.max(this.reported, last);
    // The next events, and room for them: they need not be read.
    const direct = before === this.position && this.catchingUp === undefined && this.items.length < ROOM;
    for (const item of items) {
      if (item.type === "event" ? direct : this.items.length < ROOM + NOTICES) this.items.push(item);
    }
    if (direct) this.position = last;
    else if (this.items.length < ROOM / 2) this.catchUp();
    this.wake();
  }

  /** Reads the events that this tab lacks. */
  private catchUp(): void {
    this.catchingUp ??= this.readRows()
      .catch(() => {
        this.miss();
      })
      .finally(() => {
        this.catchingUp = undefined;
        this.wake();
      });
  }

  private async readRows(): Promise<void> {
    while (this.position < this.reported && this.items.length < ROOM) {
      const rows = await this.store.events({ after: this.position, limit: BATCH });
      const [first] = rows;
      // Rows that were dropped meanwhile, or a store that tabs do not share.
      if (first === undefined || first.number !== this.position + 1) this.miss(first?.number);
      for (const { number, conversation, event } of rows) {
        this.items.push({ type: "event", conversation, event });
        this.position = number;
      }
      this.wake();
    }
  }

  private miss(next = this.reported + 1): void {
    this.position = next - 1;
    this.items.push({ type: "missed" });
  }

  private post(message: Message): void {
    if (!this.giveUp.signal.aborted) this.channel.postMessage(message);
  }

  private wake(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }
}
