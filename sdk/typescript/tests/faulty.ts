/**
 * A server that loses, repeats, refuses and cuts at random: one log for `everyone`, behind three
 * nodes.
 */

import assert from "node:assert/strict";
import type { Target } from "../src/address.js";
import { closed, Unavailable } from "../src/errors.js";
import { WireEvent } from "../src/event.js";
import { hex } from "../src/ids.js";
import type { Events, Transport } from "../src/transport.js";
import * as wire from "../src/wire.js";
import type { VirtualClock } from "./virtual.js";

export const NODES = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"];
type Answer = NonNullable<wire.ServerFrame["message"]>;

export class Faulty {
  readonly log: WireEvent[] = [];
  readonly users = ["alice", "bob"];
  readonly lines = new Set<Wire>();

  /** `faults`: 1 for all faults, 0 for none. */
  constructor(
    readonly clock: VirtualClock,
    readonly random: () => number,
    private readonly faults = 1,
  ) {}

  chance(percent: number): boolean {
    return this.random() * 100 < percent * this.faults;
  }

  /** All connections break. */
  cut(): void {
    for (const line of [...this.lines]) line.end(closed());
  }

  /** All sessions end. */
  kick(code: string): void {
    for (const line of [...this.lines]) line.say(0, { case: "kicked", value: { code, text: "as the test says" } });
  }

  dial(_: Target, events: Events): Transport {
    const line = new Wire(this, events);
    const refuses = this.chance(10);
    this.clock.after(1, () => (refuses ? line.end(new Unavailable("no route")) : line.isClosed || events.opened()));
    return line;
  }

  place(user: number, send: wire.Send): Answer {
    const id = hex(send.clientMessageId);
    const mine = new Map(this.log.filter((event) => event.sender === user).map((event) => [hex(event.clientMessageId), event.seq]));
    const held = mine.get(id);
    const ack = (seq: number, duplicate: boolean): Answer => ({
      case: "sendAck",
      value: { clientMessageId: send.clientMessageId, seq, timeMs: 1, duplicate, conversation: "everyone" },
    });
    if (held !== undefined) return ack(held, true);
    if (send.after.length > 0 && !mine.has(hex(send.after))) {
      return { case: "failure", value: { kind: 4, code: "out_of_order", text: "its predecessor is missing", retryAfterMs: 0 } };
    }
    assert.ok(send.body);
    const event = WireEvent.decode(
      WireEvent.encode({
        seq: this.log.length + 1,
        timeMs: 1,
        sender: user,
        clientMessageId: send.clientMessageId,
        kind: 5,
        content: wire.Body.encode(send.body),
      }),
    );
    this.log.push(event);
    for (const line of [...this.lines]) line.push(event);
    return ack(event.seq, false);
  }
}

export class Wire implements Transport {
  isClosed = false;
  private user = 0;
  private at = 0;

  constructor(
    private readonly server: Faulty,
    private readonly events: Events,
  ) {}

  send(frame: Uint8Array): void {
    // Frames take their time, so that much is in flight when a connection breaks.
    this.at = Math.max(this.at, this.server.clock.now()) + this.server.random() * 20;
    this.server.clock.after(this.at - this.server.clock.now(), () => {
      if (!this.isClosed) this.hear(wire.ClientFrame.decode(frame));
    });
  }

  close(): void {
    this.isClosed = true;
    this.server.lines.delete(this);
  }

  end(reason: Unavailable): void {
    if (this.isClosed) return;
    this.close();
    this.events.closed(reason);
  }

  push(event: WireEvent): void {
    // The exchange of heads repairs a lost push.
    if (this.server.chance(15)) {
      return this.say(0, { case: "conversation", value: { conversation: "everyone", present: true, head: event.seq } });
    }
    const times = this.server.chance(15) ? 2 : 1;
    for (let time = 0; time < times; time++) this.say(0, { case: "event", value: { conversation: "everyone", event } });
  }

  say(requestId: number, message: Answer): void {
    const frame = wire.ServerFrame.encode({ requestId, message } as never);
    queueMicrotask(() => {
      if (!this.isClosed) this.events.frame(frame);
    });
  }

  private hear({ requestId, request }: wire.ClientFrame): void {
    const answer = this.answer(request);
    if (answer !== undefined) this.say(requestId, answer);
  }

  private answer(request: wire.ClientFrame["request"]): Answer | undefined {
    const { server } = this;
    switch (request?.case) {
      case "hello":
        return { case: "welcome", value: { ...wire.Welcome.decode(new Uint8Array(0)), version: 1, clusterId: new Uint8Array(16), nodes: NODES, sendWindow: 16, pingSeconds: 30 } };
      case "login":
      case "resume": {
        const name = request.case === "login" ? request.value.name : new TextDecoder().decode(request.value.token);
        this.user = server.users.indexOf(name) + 1;
        server.lines.add(this);
        const token = new TextEncoder().encode(request.case === "login" ? name : "");
        return { case: "loggedIn", value: { userId: this.user, name, device: "test", token } };
      }
      case "send": {
        const failure = (kind: number, code: string): Answer => ({ case: "failure", value: { kind, code, text: "", retryAfterMs: 5 } });
        if (server.chance(8)) return failure(2, "overloaded");
        if (server.chance(8)) {
          // In half of the cases it was accepted.
          if (server.chance(50)) server.place(this.user, request.value);
          return failure(3, "unavailable");
        }
        const placed = server.place(this.user, request.value);
        if (!server.chance(4)) return placed;
        this.end(closed());
        return undefined;
      }
      case "fetch": {
        const { seq } = request.value;
        const events = server.log.slice(seq, seq + 7);
        const more = events.length > 0 && (events.at(-1)?.seq ?? 0) < server.log.length;
        return { case: "page", value: { conversation: "everyone", events, head: server.log.length, more, reactions: [], states: [], polls: [] } };
      }
      case "listConversations": {
        const line = { ...wire.Conversation.decode(new Uint8Array(0)), conversation: "everyone", head: server.log.length };
        return { case: "conversations", value: { conversations: line.head > 0 ? [line] : [], more: false, unavailable: [] } };
      }
      case "ping":
        return { case: "pong", value: request.value };
      default:
        return undefined;
    }
  }
}
