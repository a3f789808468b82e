/**
 * The public face of the SDK: a client for sends and requests, and the stream of incoming items.
 */

import { type Clock, realClock } from "./clock.js";
import { bytesOf, contextOf, type NewBody, type SendOptions } from "./content.js";
import { ConversationList } from "./conversations.js";
import { Overloaded, ProtocolError, Rejected, Stopped, TroupeError, Unavailable } from "./errors.js";
import { TEXT } from "./event.js";
import { fallbackDialer } from "./fallback.js";
import { type ClientMessageId, clientMessageId, type ConversationId, conversationId, randomId, type UserId, userId } from "./ids.js";
import type { Incoming, StartAt, State } from "./items.js";
import { MESSAGE_BYTES } from "./limits.js";
import type { Request, ServerMessage } from "./line.js";
import { LocalSession } from "./local.js";
import { type NodeChoice, Nodes, type Random, randomly } from "./nodes.js";
import { registerAt } from "./register.js";
import type { AnswerOf } from "./people.js";
import { Requests } from "./requests.js";
import { SentMessage } from "./sent.js";
import type { Notice, Session } from "./session.js";
import type { Settings } from "./settings.js";
import { type EventQuery, type Kept, MemoryStore, type Store } from "./store.js";
import type { Share } from "./tabs.js";
import type { Dialer } from "./transport.js";
import { Value, type Watched } from "./value.js";

/** Milliseconds between two attempts at the same node. */
const PAUSE = 50;
const VERSION = "0.2.0-dev";

export interface ClientOptions {
  /**
   * Addresses of nodes. They use TLS unless the host is this machine or `ws://`, `http://` or
   * `tcp://` says otherwise. The client learns the others.
   */
  readonly nodes: readonly string[];
  /** Used with the password if the store has no session, or its session has ended. */
  readonly name?: string;
  readonly password?: string;
  /** An invitation code, for `register`. */
  readonly invite?: string;
  /** A session from elsewhere, as `Client.token` returns it. */
  readonly token?: Uint8Array;
  /** The name of this device; a user has one session per device. */
  readonly device?: string;
  /** Session, outbox and cursors; memory by default. */
  readonly store?: Store;
  readonly startAt?: StartAt;
  /** The order in which nodes are tried: `randomly` by default. */
  readonly choice?: NodeChoice;
  /** Milliseconds for which `connect` and requests look for a node. Sends wait forever. */
  readonly patienceMs?: number;
  /** Events kept ready for the application. The client fetches more when it has taken some. */
  readonly room?: number;
  /** Receives remarks about what went wrong and was repaired. */
  readonly log?: (text: string) => void;
  /** WebSocket, and HTTP where a proxy breaks WebSockets, by default. */
  readonly dialer?: Dialer;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Who else uses the session: `sharedByTabs(name)` shares it among the tabs of a browser. */
  readonly share?: Share;
}

/**
 * A logged-in device.
 *
 * A message that `send` accepted is sent exactly once, whatever happens to nodes and connections,
 * and messages of one device to one conversation keep their order. Every event is delivered once,
 * in order and without gaps.
 */
export class Client extends Requests {
  /** The stream of incoming items, for one reader. */
  readonly events: Events;
  private readonly session: Session;
  private readonly clock: Clock;
  private readonly dialer: Dialer;
  private readonly settings: Settings;
  private readonly states = new Value<State>({ is: "connecting" });
  private readonly outboxes = new Value<readonly SentMessage[]>([]);
  private readonly sent = new Map<ClientMessageId, SentMessage>();
  private readonly patience: number;
  private isStopped = false;
  private list: ConversationList | undefined;

  constructor(private readonly options: ClientOptions) {
    super();
    const store = options.store ?? new MemoryStore();
    this.clock = options.clock ?? realClock;
    this.dialer = options.dialer ?? fallbackDialer();
    this.patience = options.patienceMs ?? 15_000;
    this.settings = {
      nodes: options.nodes,
      name: options.name,
      password: options.password,
      token: options.token,
      device: options.device,
      startAt: options.startAt ?? "delivered",
      room: Math.max(options.room ?? 1_024, 1),
      choice: options.choice ?? randomly,
      random: options.random ?? Math.random,
      client: `troupe-chat-typescript/${VERSION}`,
    };
    const platform = { store, dialer: this.dialer, clock: this.clock, log: options.log ?? (() => {}) };
    const local = (): LocalSession => new LocalSession(this.settings, platform);
    this.session = options.share?.(local, store) ?? local();
    this.events = new Events(this.session, (item) => this.list?.take(item));
  }

  /** Connects a client with these options. */
  static async connect(options: ClientOptions): Promise<Client> {
    const client = new Client(options);
    await client.connect();
    return client;
  }

  /** Registers name and password once, at any node that answers. Does not log in. */
  async register(): Promise<UserId> {
    const { name, password, invite = "" } = this.options;
    if (name === undefined || password === undefined) throw new Rejected("a registration wants name and password", "bad_request");
    const nodes = new Nodes(this.settings.nodes, this.settings.choice, this.settings.random);
    const value = { name, password, request: randomId(), invite };
    const deadline = this.clock.now() + this.patience;
    for (;;) {
      try {
        return userId(await registerAt(nodes.next(), value, this.settings.client, this.dialer, this.clock));
      } catch (error) {
        if (!(error instanceof TroupeError) || !error.transient) throw error;
        const pause = Math.max(nodes.backoff(), error instanceof Overloaded ? error.retryAfterMs : 0);
        if (this.clock.now() + pause >= deadline) throw error;
        await this.sleep(pause);
      }
    }
  }

  /** Starts without waiting for a node. Messages stay in the outbox until one is found. */
  async start(): Promise<void> {
    await this.session.start((notice) => this.heard(notice));
    for (const [message, state] of this.session.outbox) {
      if (!this.sent.has(message.id)) this.sent.set(message.id, new SentMessage(message, state));
    }
    this.outboxes.set([...this.sent.values()]);
    this.states.set(this.session.state);
  }

  /** Starts and waits for the login. */
  async connect(): Promise<void> {
    await this.start();
    try {
      await this.waitOnline();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async waitOnline(patienceMs = this.patience): Promise<void> {
    const state = await this.firstState((state) => state.is === "online" || state.is === "kicked", patienceMs);
    if (state.is === "kicked") throw new Rejected(state.text, state.code);
    if (state.is !== "online") throw new Unavailable(state.is === "offline" ? state.reason : "no node answers");
  }

  /** Acknowledges delivered events and closes the connection. Session and outbox remain. */
  async close(): Promise<void> {
    await this.session.close();
  }

  /** Ends like a killed process: nothing is acknowledged, and nothing is waited for. */
  kill(): void {
    this.session.kill();
  }

  /**
   * Puts a message into the store and the outbox. `acked()` of the result is its place in the log.
   *
   * Sending twice with one `id` never creates a second message: the first content stays. `kind` is
   * the kind of the body: 1 is text, 1000 and above are the application's own. A typed body brings
   * its own kind. `replyTo` and `thread` are seqs of messages.
   */
  async send(
    conversation: ConversationId | string,
    body: string | Uint8Array | NewBody,
    options: SendOptions = {},
  ): Promise<SentMessage> {
    const [kind, content] = bytesOf(body, options.kind ?? TEXT);
    const context = contextOf(options);
    if (content.length > MESSAGE_BYTES) throw new Rejected(`a message has at most ${MESSAGE_BYTES} bytes`, "too_large");
    if (kind === TEXT && content.length === 0 && !options.stream) throw new Rejected("a text is not empty", "bad_request");
    const message = { conversation: conversationId(conversation), id: clientMessageId(options.id ?? randomId()), kind, content, ...context };
    await this.session.send(message);
    return this.sent.get(message.id) ?? new SentMessage(message, "queued");
  }

  /** Messages of this device without an outcome, oldest first. */
  get outbox(): Watched<readonly SentMessage[]> {
    return this.outboxes;
  }

  get state(): Watched<State> {
    return this.states;
  }

  /** The user's conversations with unread counts, the one with the latest event first. */
  get conversationList(): ConversationList {
    this.list ??= new ConversationList(this, this.clock);
    return this.list;
  }

  /** The user id, or undefined before the first login. */
  get user(): UserId | undefined {
    return this.session.account?.user;
  }

  get name(): string | undefined {
    return this.session.account?.name;
  }

  get device(): string {
    return this.session.device;
  }

  /** The session secret, to continue the session elsewhere. */
  get token(): Uint8Array | undefined {
    return this.session.token;
  }

  /**
   * Events kept on this device: of one conversation, or whose text contains a word. Oldest first.
   */
  kept(query: EventQuery): Promise<Kept[]> {
    return this.session.events(query);
  }

  async call<C extends ServerMessage["case"]>(request: Request, answer: C): Promise<AnswerOf<C>> {
    const deadline = this.clock.now() + this.patience;
    for (;;) {
      await this.waitOnline(Math.max(deadline - this.clock.now(), 0));
      let pause = PAUSE;
      let last: TroupeError;
      try {
        const found = await this.session.ask(request);
        if (found.case === answer) return found.value as AnswerOf<C>;
        throw new ProtocolError(`the answer is ${found.case} and not ${answer}: this client may be too old`);
      } catch (error) {
        const lostSession = error instanceof Rejected && error.code === "not_logged_in";
        if (!(error instanceof TroupeError) || (!error.transient && !lostSession)) throw error;
        last = error;
        // Nothing was applied, and the server has named a delay.
        if (error instanceof Overloaded) pause = Math.max(error.retryAfterMs, PAUSE);
      }
      if (this.clock.now() + pause >= deadline) throw last;
      await this.sleep(pause);
    }
  }

  protected async once(request: Request): Promise<void> {
    await this.session.ask(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  protected get isKicked(): boolean {
    return this.states.get().is === "kicked";
  }

  private heard(notice: Notice): void {
    switch (notice.notice) {
      case "state":
        return this.states.set(notice.state);
      case "moved": {
        const { message, state } = notice;
        const held = this.sent.get(message.id);
        if (held !== undefined) return held.moveTo(state);
        this.sent.set(message.id, new SentMessage(message, state));
        return this.outboxes.set([...this.sent.values()]);
      }
      case "settled": {
        const { conversation, id, outcome, isOwn } = notice;
        const held = this.sent.get(id);
        this.sent.delete(id);
        held?.settle(outcome);
        this.outboxes.set([...this.sent.values()]);
        if (isOwn && !held?.isAwaited) this.session.offer({ type: "settled", conversation, id, outcome });
        return;
      }
      case "stopped": {
        this.isStopped = true;
        const reason = `the client has stopped: ${notice.why}; the message is still in the outbox`;
        for (const message of this.sent.values()) message.settle(new Stopped(reason));
        this.states.set(this.session.state);
      }
    }
  }

  /** The state when it is as wanted, when the client has ended, or when the patience ends. */
  private firstState(isWanted: (state: State) => boolean, patienceMs: number): Promise<State> {
    return new Promise((resolve, reject) => {
      let done = (): void => {};
      const cancel = this.clock.after(patienceMs, () => finish(this.states.get()));
      const finish = (state: State): void => {
        cancel();
        done();
        if (this.isStopped && state.is !== "kicked") reject(new Stopped("the client has stopped: it was closed"));
        else resolve(state);
      };
      // The first call comes before `done` is set.
      let unsubscribed = false;
      const stop = this.states.subscribe((state) => {
        if (unsubscribed || (!isWanted(state) && !this.isStopped)) return;
        unsubscribed = true;
        finish(state);
      });
      done = stop;
      if (unsubscribed) stop();
    });
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(ms, resolve));
  }
}

/** The stream of incoming items, for one reader. `for await` ends after the client has ended. */
export class Events implements AsyncIterable<Incoming> {
  constructor(
    private readonly session: Session,
    private readonly seen: (item: Incoming) => void,
  ) {}

  /**
   * The next item, or undefined after the client has ended.
   *
   * The event and its cursor are stored before this resolves, so the event counts as delivered.
   */
  async next(): Promise<Incoming | undefined> {
    const item = await this.receive();
    if (item !== undefined) await this.processed(item);
    return item;
  }

  /**
   * Like `next`, but an event counts as delivered only after `processed`. A process that ends in
   * between receives it again: at least once instead of at most once.
   */
  async receive(): Promise<Incoming | undefined> {
    const item = await this.session.receive();
    if (item !== undefined) this.seen(item);
    return item;
  }

  /** Marks an item from `receive` as processed. Call it in the same order. */
  processed(item: Incoming): Promise<void> {
    return this.session.processed([item]);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Incoming> {
    for (let item = await this.next(); item !== undefined; item = await this.next()) yield item;
  }
}
