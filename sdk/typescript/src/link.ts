/** One logged-in connection: requests of the driver, incoming messages, and liveness. No IO. */

import type { Driver } from "./driver.js";
import { OutOfOrder, Overloaded, ProtocolError, Rejected } from "./errors.js";
import { ofWire } from "./event.js";
import {
  clientMessageId,
  compareConversations,
  type ConversationId,
  hex,
  ofHex,
  readConversation,
  seq,
  type UserId,
  userId,
} from "./ids.js";
import type { Wanted } from "./inbox.js";
import { PAGE_CONVERSATIONS, PAGE_EVENTS } from "./limits.js";
import type { Answer, Line, Request, ServerMessage } from "./line.js";
import type { Outgoing } from "./outbox.js";
import * as wire from "./wire.js";

/** Milliseconds. A node with pending requests is pinged after this silence ... */
const PING_AFTER = 1_000;
/** ... and given up after this. It is looked at this often. */
const GIVE_UP = 2_500;
const WATCH = 250;
/** A node without pending requests is pinged at this interval. */
const PING_IDLE = 5_000;
/** Acknowledgements are collected for this long. */
const ACKNOWLEDGE = 200;
/** Delay before the conversation list is requested again, if a part of it was missing. */
const RELIST = 500;
/** Delay before a page that cannot be used is requested again. */
const REFUSED_PAGE = 5_000;
/**
 * Announcements kept while the list is in flight. Above it one is dropped: the next event repeats
 * it.
 */
const UNLISTED = 20_000;
const NEVER = Number.POSITIVE_INFINITY;

export class Link {
  private pinging = false;
  private acknowledgeAt = NEVER;
  private listAt: number;
  private listing = true;
  /** Listed conversations whose line was unavailable. */
  private lineless = new Set<ConversationId>();
  /** Lines received since the list was requested. */
  private readonly listed = new Set<ConversationId>();
  /** Conversations announced while the list was in flight, with their heads. */
  private unlisted = new Map<ConversationId, number>();

  constructor(
    private readonly driver: Driver,
    readonly line: Line,
    private readonly me: UserId,
    now: number,
  ) {
    this.listAt = now;
  }

  wakeAt(now: number): number {
    const watch = this.line.waits ? WATCH : PING_IDLE;
    return Math.min(now + watch, this.acknowledgeAt, this.listAt, this.line.wakeAt());
  }

  /** Checks liveness. Returns the reason if the connection is given up. */
  watch(now: number): string | undefined {
    const { line } = this;
    line.tick(now);
    const silence = line.silence(now);
    if (silence >= GIVE_UP) return `${line.address} is silent`;
    if (!this.pinging && (silence >= PING_AFTER || line.unheard(now) >= PING_IDLE)) {
      this.pinging = this.ask({ case: "ping", value: { nonce: 1n } }, () => (this.pinging = false));
    }
    return undefined;
  }

  /** Sends what may be sent now. */
  act(now: number): void {
    if (this.listAt <= now) {
      this.listAt = NEVER;
      this.listing = true;
      this.lineless.clear();
      this.listed.clear();
      this.list("");
    }
    this.send(now);
    this.fetch(now);
    this.acknowledge(now);
  }

  /** Sends the last acknowledgements, and a ping to confirm that they arrived. */
  finish(now: number, done: () => void): void {
    if (this.driver.taken.size > 0) this.acknowledgeAt = now;
    this.acknowledge(now);
    try {
      this.line.ask({ case: "ping", value: { nonce: 2n } }, done, now, PING_AFTER);
    } catch {
      // The line is closed, or so busy that the last acknowledgements may be lost.
      done();
    }
  }

  pushed(push: ServerMessage, now: number): void {
    const { driver } = this;
    switch (push.case) {
      case "kicked":
        return driver.kicked(push.value.code, push.value.text, now);
      case "goAway":
        return driver.goAway(push.value.nodes, now);
      case "profile":
        return driver.tell({ type: "profileChanged", own: push.value.profile ?? wire.OwnProfile.decode(new Uint8Array(0)) });
      case "favouriteChanged": {
        const { removed, version } = push.value;
        const [conversation, at] = [readConversation(push.value.conversation), seq(push.value.seq)];
        if (conversation === undefined) return undefined;
        return driver.tell({ type: "favouriteChanged", conversation, seq: at, removed, version });
      }
      case "presence": {
        const { userId: user, online, lastSeenMs } = push.value;
        return driver.tell({ type: "presence", user: userId(user), online, lastSeenMs });
      }
      case "personalChanged": {
        const { personal } = push.value;
        return personal === undefined ? undefined : driver.tell({ type: "personalChanged", personal });
      }
      case "contactChanged": {
        const { contact } = push.value;
        return contact === undefined ? undefined : driver.tell({ type: "contactChanged", contact });
      }
      case "event":
      case "conversation":
      case "cursor":
      case "signal":
      case "invitation": {
        const conversation = readConversation(push.value.conversation);
        if (conversation !== undefined) this.news(conversation, push, now);
      }
    }
  }

  // ---- requests

  private send(now: number): void {
    const { outbox } = this.driver;
    for (let message = outbox.next(now); message !== undefined; message = outbox.next(now)) {
      const { conversation, id, after, kind, content, context } = message;
      const value = { conversation, clientMessageId: ofHex(id), after: ofHex(after ?? ""), body: { kind, content, context } };
      const sent = message;
      if (this.ask({ case: "send", value }, (answer) => this.sent(sent, answer))) continue;
      this.driver.refused(id, "later", now);
      return;
    }
  }

  private fetch(now: number): void {
    const { inbox } = this.driver;
    for (let wanted = inbox.nextFetch(now); wanted !== undefined; wanted = inbox.nextFetch(now)) {
      const asked = wanted;
      const value = { conversation: asked.conversation, seq: asked.after, limit: PAGE_EVENTS };
      if (this.ask({ case: "fetch", value }, (answer) => this.page(asked, answer))) continue;
      inbox.fetchFailed(asked, 0, now);
      return;
    }
  }

  private acknowledge(now: number): void {
    const { taken } = this.driver;
    if (taken.size === 0) return;
    if (this.acknowledgeAt === NEVER) {
      this.acknowledgeAt = now + ACKNOWLEDGE;
    } else if (this.acknowledgeAt <= now) {
      this.acknowledgeAt = NEVER;
      for (const [conversation, seq] of taken) this.line.tell({ case: "acknowledge", value: { conversation, seq } }, now);
      taken.clear();
    }
  }

  /** False: the line has too many requests. An answer counts only while this link is in use. */
  private ask(request: Request, answered: (answer: Answer) => void): boolean {
    const ifCurrent = (answer: Answer): void => {
      if (this.driver.isCurrent(this)) answered(answer);
    };
    try {
      this.line.ask(request, ifCurrent, this.driver.time);
      return true;
    } catch (error) {
      if (error instanceof Overloaded) return false;
      throw error;
    }
  }

  private list(after: string): void {
    const request: Request = { case: "listConversations", value: { after, limit: PAGE_CONVERSATIONS } };
    if (!this.ask(request, (answer) => this.listedPage(answer))) this.listAt = this.driver.time + RELIST;
  }

  // ---- answers

  private sent({ conversation, id }: Outgoing, answer: Answer): void {
    const { driver } = this;
    const now = driver.time;
    if (!(answer instanceof Error)) {
      if (answer.case !== "sendAck") return driver.refused(id, "unknown", now);
      const { seq: place, timeMs } = answer.value;
      driver.settle(conversation, id, { id, seq: seq(place), timeMs }, now);
    } else if (answer instanceof Overloaded) {
      driver.refused(id, "later", now, answer.retryAfterMs);
    } else if (answer instanceof OutOfOrder) {
      driver.refused(id, "outOfOrder", now);
    } else if (answer instanceof Rejected && answer.code === "not_logged_in") {
      // The connection lost its session. The next one resumes it.
      driver.lost("the node does not know this session", now);
    } else if (answer instanceof Rejected) {
      driver.settle(conversation, id, answer, now);
    } else {
      driver.refused(id, "unknown", now);
    }
  }

  private page(wanted: Wanted, answer: Answer): void {
    const { inbox, time: now } = this.driver;
    const { conversation } = wanted;
    if (answer instanceof Overloaded) return inbox.fetchFailed(wanted, answer.retryAfterMs, now);
    if (answer instanceof Rejected) {
      if (answer.code === "not_member" || answer.code === "no_such_conversation") return this.leave(conversation);
      this.driver.log(`the server refused a page of ${conversation}: ${answer.message}`);
      return inbox.fetchFailed(wanted, REFUSED_PAGE, now);
    }
    if (answer instanceof Error || answer.case !== "page") return inbox.fetchFailed(wanted, 0, now);
    try {
      const { events, head, more } = answer.value;
      inbox.page(wanted, { events: events.map(ofWire), head, more }, now);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.driver.log(`cannot read a page; this client may be too old: ${error.message}`);
      inbox.fetchFailed(wanted, REFUSED_PAGE, now);
    }
  }

  private listedPage(answer: Answer): void {
    const { driver } = this;
    if (answer instanceof Error || answer.case !== "conversations") {
      this.listAt = driver.time + RELIST;
      return;
    }
    const { conversations, more, unavailable } = answer.value;
    for (const line of conversations) {
      const conversation = readConversation(line.conversation);
      if (conversation === undefined) continue;
      this.compare(conversation, line.kept);
      if (!driver.inbox.knows(conversation)) this.follow(conversation, this.first(conversation, line.head, line.delivered));
      driver.inbox.head(conversation, line.head);
    }
    // Unavailable conversations wait for their line, which holds the start position.
    for (const one of unavailable) {
      const conversation = readConversation(one);
      if (conversation !== undefined) this.lineless.add(conversation);
    }
    // A page may hold only unavailable conversations. The next page begins after the last of both.
    const last = [...conversations.map((line) => line.conversation), ...unavailable].sort(compareConversations).at(-1);
    if (more && last !== undefined) return this.list(last);
    this.listing = false;
    if (this.lineless.size > 0) this.listAt = driver.time + RELIST;
    else this.compareUnlisted();
    const met = this.unlisted;
    this.unlisted = new Map([...met].filter(([conversation]) => this.lineless.has(conversation)));
    for (const [conversation, head] of met) if (!this.unlisted.has(conversation)) this.meet(conversation, head);
  }

  // ---- pushes

  private news(
    conversation: ConversationId,
    push: Extract<ServerMessage, { case: "event" | "conversation" | "cursor" | "invitation" | "signal" }>,
    now: number,
  ): void {
    const { driver } = this;
    switch (push.case) {
      case "event":
        return this.event(conversation, push.value.event, now);
      case "conversation":
        return push.value.present ? this.meet(conversation, push.value.head) : this.leave(conversation);
      case "signal": {
        const { userId: user, device, kind, payload, seq: at } = push.value;
        return driver.tell({ type: "signal", conversation, user: userId(user), device, kind, payload, seq: seq(at) });
      }
      case "invitation":
        return driver.tell({ type: "invited", conversation, by: userId(push.value.invitedBy) });
      case "cursor": {
        const user = userId(push.value.userId);
        const merged = driver.positions.advance(conversation, user, push.value.delivered, push.value.read);
        if (merged === undefined) return;
        driver.tell({ type: "cursorMoved", conversation, user, delivered: seq(merged.delivered), read: seq(merged.read) });
      }
    }
  }

  private event(conversation: ConversationId, pushed: wire.EventPush["event"], now: number): void {
    if (pushed === undefined) return;
    const id = hex(pushed.clientMessageId);
    if (id.length !== 32) return this.driver.log("an event has no client message id; this client may be too old");
    const event = ofWire(pushed);
    if (event.sender === this.me) {
      // An own message in the log is as good as its ack.
      const acked = { id: clientMessageId(id), seq: event.seq, timeMs: event.timeMs };
      this.driver.settle(conversation, acked.id, acked, now);
    }
    this.meet(conversation, event.seq);
    this.driver.inbox.push(conversation, event);
  }

  /** A conversation with events up to `head`, possibly a new one. */
  private meet(conversation: ConversationId, head: number): void {
    const { driver } = this;
    if (driver.inbox.knows(conversation)) return driver.inbox.head(conversation, head);
    const unsure = this.listing || this.lineless.has(conversation);
    if (unsure && !driver.cursors.has(conversation)) {
      const held = this.unlisted.get(conversation);
      if (held !== undefined || this.unlisted.size < UNLISTED) this.unlisted.set(conversation, Math.max(head, held ?? 0));
      return;
    }
    this.follow(conversation, this.first(conversation, head, undefined));
    driver.inbox.head(conversation, head);
    driver.tell({ type: "conversationAdded", conversation, head: seq(head) });
  }

  private follow(conversation: ConversationId, first: number): void {
    const { driver } = this;
    const cursor = driver.cursors.get(conversation);
    driver.cursors.delete(conversation);
    driver.inbox.follow(conversation, cursor ?? first);
    if (cursor === undefined) driver.put({ do: "store", change: { set: "cursor", conversation, seq: seq(first) } });
  }

  private leave(conversation: ConversationId): void {
    const { driver } = this;
    const cursor = driver.inbox.cursor(conversation);
    if (cursor === undefined) return;
    driver.cursors.set(conversation, cursor);
    driver.inbox.leave(conversation);
    driver.positions.forget(conversation);
    driver.tell({ type: "conversationRemoved", conversation });
  }

  /**
   * The start position in a conversation that the device has never followed. `delivered` is known
   * if the conversation was listed.
   */
  private first(conversation: ConversationId, head: number, delivered: number | undefined): number {
    const { startAt } = this.driver.settings;
    if (startAt === "beginning") return 0;
    if (startAt === "head" && delivered !== undefined) return head;
    if (startAt === "delivered" && delivered) return Math.min(delivered, head);
    if (conversation === "everyone") return delivered !== undefined ? head : Math.max(head - 1, 0);
    // Pages of a group begin with the event that made the user a member.
    return 0;
  }

  // ---- devices that are ahead of a restored cluster

  /** A line of the list: events up to `kept` are the same in all histories. */
  private compare(conversation: ConversationId, kept: number): void {
    const { driver } = this;
    this.listed.add(conversation);
    const { history } = this.line.welcome;
    if (history === 0n || driver.histories.get(conversation) === history) return;
    driver.histories.set(conversation, history);
    const cursor = driver.inbox.cursor(conversation) ?? driver.cursors.get(conversation);
    if (cursor === undefined || cursor <= kept) {
      driver.put({ do: "store", change: { set: "history", conversation, history, kept: undefined } });
      return;
    }
    driver.log(`${conversation}: the cluster was restored and lacks ${cursor - kept} events of this device`);
    driver.inbox.goBack(conversation, kept);
    if (driver.cursors.has(conversation)) driver.cursors.set(conversation, seq(kept));
    driver.positions.forget(conversation);
    driver.taken.delete(conversation);
    driver.tellSurely({ type: "restored", conversation, kept: seq(kept), lost: cursor - kept, history });
  }

  /** The list is complete: held conversations that it lacks were lost entirely. */
  private compareUnlisted(): void {
    if (this.line.welcome.history === 0n) return;
    const held = new Set([...this.driver.inbox.followed(), ...this.driver.cursors.keys()]);
    for (const conversation of held) if (!this.listed.has(conversation)) this.compare(conversation, 0);
  }
}
