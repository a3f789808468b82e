/**
 * The state machine behind a client: it finds a node, logs in, and moves messages between outbox,
 * inbox, connection and application. No IO and no clock: a shell reports what happened and when,
 * and performs the outputs in their order.
 *
 * `Outbox` and `Inbox` decide about order and repetition. The driver owns time: when to try another
 * node, when to give up a silent one, and when to retry.
 */

import { followed } from "./address.js";
import { asTroupeError, Overloaded, Rejected, type TroupeError, Unavailable, words } from "./errors.js";
import { type ClientMessageId, type ConversationId, sameBytes, type Seq, userId } from "./ids.js";
import { Inbox } from "./inbox.js";
import type { Acked, Incoming, State } from "./items.js";
import { type Answer, Line, type Request } from "./line.js";
import { Link } from "./link.js";
import { Nodes } from "./nodes.js";
import { Outbox, type Queued, type Refused } from "./outbox.js";
import type { Output } from "./output.js";
import { ReadPositions } from "./positions.js";
import { ItemQueue } from "./queue.js";
import { agreedDevice, agreedToken, type Settings } from "./settings.js";
import { sameSession, type Saved, type Session } from "./store.js";
import type * as wire from "./wire.js";

/**
 * Milliseconds to open a transport, until the greeting, and for a login: the server may hash other
 * passwords first.
 */
const [DIAL, GREET, LOGIN] = [2_000, 1_000, 10_000];
const PROTOCOL_VERSION = 1;
/** Codes of `kicked` after which the client connects again and resumes its session. */
const SESSION_CONTINUES = new Set(["moved", "slow_consumer", "idle", "no_login", "shutting_down"]);
/** Ends of a client that leave its session valid. */
const SESSION_KEPT = new Set(["replaced", "other_user", "store"]);

interface Attempt {
  readonly line: Line;
  /** Of the phase. The login has the deadline of its request. */
  deadline: number;
  isOpen: boolean;
}

export class Driver {
  readonly inbox = new Inbox();
  readonly outbox: Outbox;
  readonly positions = new ReadPositions();
  readonly device: string;
  /** Cursors of conversations that this device does not follow now. */
  readonly cursors: Map<ConversationId, Seq>;
  /** The history that the held events belong to, if the cluster has more than one. */
  readonly histories: Map<ConversationId, bigint>;
  /** Delivered to the application, and not yet acknowledged to the server. */
  readonly taken = new Map<ConversationId, Seq>();
  session: Session | undefined;
  state: State = { is: "connecting" };
  ended = false;
  private readonly nodes: Nodes;
  private cluster: Uint8Array | undefined;
  private token: Uint8Array | undefined;
  private link: Link | undefined;
  private attempt: Attempt | undefined;
  private lines = 0;
  private retryAt: number;
  private closing = false;
  private outputs: Output[] = [];
  private readonly items: ItemQueue;

  /** Throws Rejected if the settings or the store are not usable. */
  constructor(
    readonly settings: Settings,
    saved: Saved,
    now: number,
  ) {
    this.session = saved.session;
    this.cluster = saved.cluster;
    this.cursors = saved.cursors;
    this.histories = saved.histories;
    this.token = agreedToken(settings, saved.session);
    this.device = agreedDevice(settings, saved.session);
    this.nodes = new Nodes(settings.nodes, settings.choice, settings.random);
    this.outbox = new Outbox((message, state) => this.put({ do: "moved", message, state }));
    for (const message of saved.outbox) this.outbox.push(message, now);
    this.items = new ItemQueue(settings.room);
    this.retryAt = now;
  }

  // ---- inputs

  /** The transport of a line is open. */
  opened(line: number, now: number): void {
    const { attempt } = this;
    if (attempt?.line.number !== line || attempt.isOpen) return;
    [attempt.isOpen, attempt.deadline] = [true, now + GREET];
    const hello = { minVersion: PROTOCOL_VERSION, maxVersion: PROTOCOL_VERSION, client: this.settings.client };
    attempt.line.ask({ case: "hello", value: hello }, (answer) => this.greeted(attempt, answer), now, GREET);
    this.act(now);
  }

  /** A frame of a line has arrived. */
  heard(line: number, frame: Uint8Array, now: number): void {
    const found = this.lineOf(line);
    if (found === undefined) return;
    this.time = now;
    try {
      const push = found.hear(frame, now);
      if (push !== undefined && this.link?.line === found) this.link.pushed(push, now);
    } catch (error) {
      return this.broken(line, asTroupeError(error), now);
    }
    this.act(now);
  }

  /** The transport of a line could not be opened, or has ended. */
  broken(line: number, error: TroupeError, now: number): void {
    this.time = now;
    if (this.attempt?.line.number === line) this.failed(this.attempt, error, now);
    else if (this.link?.line.number === line) this.lost(error.text, now);
    this.act(now);
  }

  /** Time has passed. */
  tick(now: number): void {
    this.act(now);
  }

  /**
   * A message enters the outbox. The store has it already. False: the outbox is full, or has this
   * id.
   */
  send(message: Queued, now: number): boolean {
    const isNew = this.outbox.push(message);
    this.act(now);
    return isNew;
  }

  /** Asks the node of the present connection. */
  request(request: Request, answered: (answer: Answer) => void, now: number): void {
    if (this.link === undefined) return answered(new Unavailable("there is no connection"));
    try {
      this.link.line.ask(request, answered, now);
    } catch (error) {
      answered(asTroupeError(error));
    }
    this.act(now);
  }

  /** The next item for the application. */
  take(now: number): Incoming | undefined {
    const item = this.items.take();
    this.act(now);
    return item;
  }

  /** The application has this item, and the store has `changeOf(item)`. */
  processed(item: Incoming, now: number): void {
    if (item.type === "event") this.taken.set(item.conversation, item.event.seq);
    else if (item.type === "restored") this.taken.delete(item.conversation);
    this.act(now);
  }

  /** Acknowledges delivered events and closes the connection. Bounded in time. */
  close(now: number): void {
    if (this.ended || this.closing) return;
    this.closing = true;
    this.dropAttempt();
    const { link } = this;
    if (link === undefined) return this.finish("it was closed");
    link.finish(now, () => {
      this.put({ do: "hangUp", line: link.line.number, orderly: true });
      link.line.drop();
      this.link = undefined;
      this.finish("it was closed");
    });
  }

  /** A session that cannot be stored would be lost: the client stops. */
  storeFailed(text: string): void {
    this.end("store", `cannot store the session: ${text}`);
  }

  /** An item of the shell's own. */
  offer(item: Incoming, now: number): void {
    this.items.tellSurely(item);
    this.act(now);
  }

  // ---- outputs

  /** What the shell has to do, in this order. */
  drain(): Output[] {
    const outputs = this.outputs;
    this.outputs = [];
    return outputs;
  }

  get hasItems(): boolean {
    return this.items.length > 0;
  }

  /** When `tick` is due. */
  wakeAt(now: number): number {
    if (this.ended) return Number.POSITIVE_INFINITY;
    let at = now + 60_000;
    if (this.attempt !== undefined) at = Math.min(at, this.attempt.deadline, this.attempt.line.wakeAt());
    else at = Math.min(at, this.retryAt);
    if (this.link !== undefined) {
      at = Math.min(at, this.link.wakeAt(now), this.outbox.wakeAt(now), this.inbox.wakeAt(now));
    }
    return Math.max(at, now);
  }

  // ---- for the link

  /** The time of the present input. */
  time = 0;

  put(output: Output): void {
    this.outputs.push(output);
  }

  log(text: string): void {
    this.put({ do: "log", text });
  }

  isCurrent(link: Link): boolean {
    return this.link === link;
  }

  /** An optional notice to the application, dropped at the limit. */
  tell(item: Incoming): void {
    this.items.tell(item);
  }

  tellSurely(item: Incoming): void {
    this.items.tellSurely(item);
  }

  /** The connection is lost. The driver tries another node at once. */
  lost(reason: string, now: number): void {
    const { link } = this;
    if (link === undefined) return;
    this.link = undefined;
    this.hangUp(link.line);
    this.inbox.disconnected();
    this.outbox.disconnected();
    const wait = this.nodes.lost(link.line.address, now);
    if (this.attempt === undefined) this.retryAt = now + wait;
    this.say({ is: "offline", reason });
    link.line.end();
    if (this.closing) this.finish("it was closed");
  }

  /** The node stops. The connection stays in use until a new one is ready. */
  goAway(nodes: readonly string[], now: number): void {
    if (this.link === undefined) return;
    this.nodes.sentTo(followed(this.link.line.address, nodes));
    this.retryAt = now;
  }

  kicked(code: string, text: string, now: number): void {
    if (SESSION_CONTINUES.has(code)) this.lost(words(text), now);
    else this.end(words(code), words(text));
  }

  refused(id: ClientMessageId, refused: Refused, now: number, after = 0): void {
    this.outbox.refused(id, refused, now, after);
  }

  /** A message leaves the outbox. Only the first outcome counts. */
  settle(conversation: ConversationId, id: ClientMessageId, outcome: Acked | TroupeError, now: number): void {
    const first = "seq" in outcome ? this.outbox.acked(id) : this.outbox.refused(id, "forGood", now);
    if (!first) return;
    // A failure is logged: the message is sent again after a restart, and acknowledged as a
    // duplicate.
    this.put({ do: "store", change: { set: "settled", id } });
    this.put({ do: "settled", message: { conversation, id, outcome } });
  }

  // ---- the life of a connection

  /** Performs all actions that are possible now. */
  private act(now: number): void {
    this.time = now;
    if (this.ended) return;
    if (this.attempt === undefined && this.retryAt <= now && !this.closing) this.dial(now);
    const { attempt } = this;
    if (attempt !== undefined) {
      attempt.line.tick(now);
      if (this.attempt === attempt && attempt.deadline <= now) {
        this.failed(attempt, new Unavailable(`connecting to ${attempt.line.address} takes too long`), now);
      }
    }
    if (this.link !== undefined) {
      const reason = this.link.watch(now);
      if (reason !== undefined) this.lost(reason, now);
    }
    this.items.fill(this.inbox);
    this.link?.act(now);
  }

  private dial(now: number): void {
    this.retryAt = Number.POSITIVE_INFINITY;
    const address = this.nodes.next(this.link?.line.address);
    if (this.link === undefined) this.say({ is: "connecting" });
    const number = ++this.lines;
    const line = new Line(number, address, (frame) => this.put({ do: "write", line: number, frame }), now);
    this.attempt = { line, deadline: now + DIAL, isOpen: false };
    this.put({ do: "dial", line: number, address });
  }

  private greeted(attempt: Attempt, answer: Answer): void {
    if (this.attempt !== attempt) return;
    const now = this.time;
    const { line } = attempt;
    if (answer instanceof Error) return this.failed(attempt, answer, now);
    if (answer.case !== "welcome") return this.failed(attempt, new Unavailable(`${line.address} does not greet`), now);
    const welcome = answer.value;
    // A node of another cluster may have taken the address of a stopped one. It gets neither token
    // nor password.
    const { cluster, token } = this;
    const continues = cluster === undefined || [welcome.clusterId, ...welcome.continues].some((id) => sameBytes(id, cluster));
    if (!continues) {
      return this.failed(attempt, new Unavailable(`${line.address} belongs to another cluster than this device`), now);
    }
    line.greeted(welcome);
    attempt.deadline = Number.POSITIVE_INFINITY;
    const { name, password } = this.settings;
    const login: Request =
      token !== undefined
        ? { case: "resume", value: { token } }
        : { case: "login", value: { name: name ?? "", password: password ?? "", device: this.device } };
    line.ask(login, (given) => this.loggedIn(attempt, given), now, LOGIN);
  }

  private loggedIn(attempt: Attempt, answer: Answer): void {
    if (this.attempt !== attempt) return;
    const now = this.time;
    if (answer instanceof Error) return this.failed(attempt, answer, now);
    if (answer.case !== "loggedIn") return this.failed(attempt, new Unavailable("the answer to the login is none"), now);
    this.attempt = undefined;
    this.connected(attempt.line, answer.value, now);
  }

  private connected(line: Line, loggedIn: wire.LoggedIn, now: number): void {
    const me = userId(loggedIn.userId);
    if (this.session !== undefined && this.session.user !== me) {
      this.hangUp(line);
      return this.end("other_user", `this store belongs to user ${this.session.user}, not ${me}`);
    }
    if (loggedIn.token.length > 0) this.token = loggedIn.token;
    const { welcome } = line;
    const { name, device } = loggedIn;
    const session: Session = { user: me, name, device, token: this.token ?? new Uint8Array(0) };
    if (this.cluster === undefined || !sameBytes(this.cluster, welcome.clusterId)) {
      this.put({ do: "store", change: { set: "cluster", id: welcome.clusterId } });
    }
    this.cluster = welcome.clusterId;
    if (!sameSession(this.session, session)) this.put({ do: "store", change: { set: "session", session } });
    this.session = session;
    this.nodes.learn(followed(line.address, welcome.nodes));
    this.nodes.reached(line.address, now);
    this.retryAt = Number.POSITIVE_INFINITY;
    this.outbox.connected(welcome.sendWindow, now);
    this.inbox.disconnected();
    const before = this.link;
    this.link = new Link(this, line, me, now);
    this.say({ is: "online", node: welcome.nodeId, address: line.address });
    if (before !== undefined) {
      this.hangUp(before.line);
      before.line.end();
    }
  }

  private failed(attempt: Attempt, error: TroupeError, now: number): void {
    if (this.attempt !== attempt) return;
    this.dropAttempt();
    const { name, password } = this.settings;
    if (error.code === "expired_token" && name !== undefined && password !== undefined && this.token !== undefined) {
      this.token = undefined;
      this.retryAt = now;
      return;
    }
    // A device with a session may be refused as online until the cluster forgets its lost
    // connection, so it retries. A device without one fails at once.
    const hasSession = this.session !== undefined && this.session.token.length > 0;
    if (error instanceof Rejected && (error.code !== "already_online" || !hasSession)) return this.end(error.code, error.text);
    const atLeast = error instanceof Overloaded ? error.retryAfterMs : 0;
    this.retryAt = now + Math.max(this.nodes.backoff(), atLeast);
    if (this.link === undefined) this.say({ is: "offline", reason: error.message });
  }

  private say(state: State): void {
    if (this.state.is === "kicked" || (state.is === "connecting" && this.state.is === "connecting")) return;
    this.state = state;
    this.put({ do: "state", state });
    this.tell({ type: "stateChanged", state });
  }

  /** The session has ended. */
  private end(code: string, text: string): void {
    if (this.ended) return;
    if (!SESSION_KEPT.has(code)) this.put({ do: "store", change: { set: "sessionEnded" } });
    const { link } = this;
    this.link = undefined;
    if (link !== undefined) this.hangUp(link.line);
    this.say({ is: "kicked", code, text });
    this.finish(code);
    link?.line.end();
  }

  private finish(why: string): void {
    if (this.ended) return;
    this.dropAttempt();
    this.nodes.left();
    this.say({ is: "offline", reason: "closed" });
    this.items.fill(this.inbox);
    this.ended = true;
    this.put({ do: "stopped", why });
  }

  private dropAttempt(): void {
    const { attempt } = this;
    this.attempt = undefined;
    if (attempt !== undefined) this.hangUp(attempt.line);
  }

  private hangUp(line: Line): void {
    this.put({ do: "hangUp", line: line.number, orderly: false });
  }

  private lineOf(number: number): Line | undefined {
    if (this.attempt?.line.number === number) return this.attempt.line;
    return this.link?.line.number === number ? this.link.line : undefined;
  }
}
