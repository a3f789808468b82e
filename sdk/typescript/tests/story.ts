/**
 * Plays a golden story: a scripted server, and the application of one client. docs/sdk.md has the
 * format.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Target } from "../src/address.js";
import { closed, TroupeError, Unavailable } from "../src/errors.js";
import { Client, type Incoming, type SentMessage, type StartAt, type Store, textOf } from "../src/index.js";
import type { Events, Transport } from "../src/transport.js";
import * as wire from "../src/wire.js";
import { armOf, bytesOf, camel, fieldOf, isSame, type Json, make } from "./values.js";
import { VirtualClock } from "./virtual.js";

export const STORIES = `${process.env["SDK_SOURCE"] ?? "../.."}/sdk/stories`;
const FORM = 1;
/** Frames that a client may send at any time, and items that a story may leave out. */
const FREE = new Set(["ping", "pong", "acknowledge", "listConversations"]);
const FREE_TOLD = new Set(["state", "conversation_added", "conversation_removed", "cursor"]);

export interface Story {
  readonly story: number;
  readonly name: string;
  readonly client: {
    readonly nodes: string[];
    readonly name: string;
    readonly password: string;
    readonly user_id: number;
    readonly device: string;
    readonly start_at?: string;
  };
  readonly steps: Json[];
}

export function readStory(name: string): Story {
  return JSON.parse(readFileSync(`${STORIES}/${name}.json`, "utf8")) as Story;
}

type Request = NonNullable<wire.ClientFrame["request"]>;
interface Heard {
  readonly id: number;
  readonly value: Json;
}

/** The server's end of one connection. */
export class Peer implements Transport {
  isClosed = false;
  isFrozen = false;
  /** Frames that no step has taken, by kind. */
  readonly heard = new Map<string, Heard[]>();

  constructor(
    readonly node: string,
    readonly events: Events,
    private readonly player: Player,
  ) {}

  send(frame: Uint8Array): void {
    if (this.isClosed) return;
    const { requestId, request } = wire.ClientFrame.decode(frame);
    assert.ok(request, "an empty frame");
    this.player.hear(this, requestId, request);
  }

  close(): void {
    this.isClosed = true;
  }

  say(requestId: number, kind: string, value: Json): void {
    const message = { case: camel(kind), value } as NonNullable<wire.ServerFrame["message"]>;
    const frame = wire.ServerFrame.encode({ requestId, message });
    queueMicrotask(() => {
      if (!this.isClosed) this.events.frame(frame);
    });
  }

  cut(): void {
    queueMicrotask(() => {
      if (this.isClosed) return;
      this.isClosed = true;
      this.events.closed(closed());
    });
  }
}

export class Player {
  readonly clock = new VirtualClock();
  private readonly down = new Set<string>();
  private readonly arrived: Peer[] = [];
  private readonly peers = new Map<string, Peer>();
  private list: unknown[] = [];
  private readonly requests = new Map<string, { peer: Peer; id: number }>();
  private readonly ids = new Map<string, string>();
  private readonly messages = new Map<string, SentMessage>();
  private readonly told = new Map<string, Json[]>();
  private current: Client | undefined;
  private isHeld = false;
  /** Taken by the reader that was stopped. */
  private stash: Incoming | undefined;
  private readonly bytes = (text: string): Uint8Array => bytesOf(text, this.ids);

  /** `open` opens the store of the device, which survives its client. */
  constructor(
    readonly story: Story,
    private readonly open: () => Store,
  ) {
    assert.equal(story.story, FORM, `this driver plays form ${FORM}`);
  }

  /** Plays the steps, and leaves the client running. */
  async playOnly(): Promise<void> {
    for (const [at, step] of this.story.steps.entries()) {
      const [verb, argument] = Object.entries(step)[0] as [string, never];
      try {
        await STEPS[verb]?.(this, argument);
        assert.ok(verb in STEPS, `there is no step ${verb}`);
      } catch (error) {
        throw new Error(`step ${at + 1} ${JSON.stringify(step)}: ${String(error)}; ${this.seen()}`, { cause: error });
      }
    }
  }

  async play(): Promise<void> {
    await this.playOnly();
    // Nothing may be left that no step has taken.
    await this.clock.sleep(1_000);
    const left: string[] = [];
    for (const peer of this.peers.values()) for (const [kind, heard] of peer.heard) if (heard.length > 0) left.push(kind);
    if (this.arrived.some((peer) => !peer.isClosed)) left.push("connection");
    for (const [kind, told] of this.told) if (told.length > 0 && !FREE_TOLD.has(kind)) left.push(kind);
    assert.deepEqual(left.filter((kind) => !FREE.has(kind)), [], `not in the story; ${this.seen()}`);
    this.current?.kill();
  }

  get client(): Client {
    assert.ok(this.current, "no client runs");
    return this.current;
  }

  peer(name: string): Peer {
    const peer = this.peers.get(name);
    assert.ok(peer, `there is no connection ${name}`);
    return peer;
  }

  // ---- steps of the application

  async start(): Promise<void> {
    const { nodes, name, password, device, start_at = "delivered" } = this.story.client;
    const store = watched(this.open(), this.clock);
    const dialer = (to: Target, events: Events): Transport => this.dial(to, events);
    const random = seeded(7);
    const options = { nodes, name, password, device, startAt: start_at as StartAt, store, dialer, random, clock: this.clock };
    this.current = new Client(options);
    [this.isHeld, this.stash] = [false, undefined];
    await this.current.start();
    void this.read(this.current);
  }

  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    if (!isHeld) void this.read(this.client);
  }

  async kill(): Promise<void> {
    this.client.kill();
    this.messages.clear();
    this.current = undefined;
    await this.clock.sleep(0);
  }

  async close(): Promise<void> {
    let done = false;
    void this.client.close().then(() => (done = true));
    await this.clock.until(() => done);
    this.messages.clear();
    this.current = undefined;
  }

  async send(step: { as: string; conversation: string; text: string; id?: string; code?: string }): Promise<void> {
    try {
      const options = step.id === undefined ? {} : { id: this.bytes(step.id) };
      const message = await this.client.send(step.conversation, step.text, options);
      assert.equal(step.code, undefined, "it was accepted");
      // Its outcome is asked for, so it is no item.
      message.acked().catch(() => {});
      this.messages.set(step.as, message);
      this.ids.set(step.as, message.id);
    } catch (error) {
      assert.ok(error instanceof TroupeError && step.code !== undefined, error as Error);
      assert.equal(error.code, step.code);
    }
  }

  async outcome(name: string): Promise<SentMessage["outcome"]> {
    const message = this.messages.get(name);
    assert.ok(message, `there is no message ${name}`);
    return this.clock.until(() => message.outcome);
  }

  async expectTold(step: Json): Promise<void> {
    const [kind, wanted] = Object.entries(step)[0] as [string, Json];
    if (kind === "state") {
      // Only the latest state matters.
      await this.clock.until(() => {
        const state = this.told.get("state")?.at(-1)?.["state"];
        return state !== undefined && this.fits(wanted, state);
      });
      this.told.set("state", []);
      return;
    }
    const found = await this.clock.until(() => this.told.get(kind)?.[0]);
    this.told.get(kind)?.shift();
    assert.ok(this.fits(wanted, found), show(found));
  }

  private async read(client: Client): Promise<void> {
    for (;;) {
      const item = this.stash ?? (await client.events.receive());
      this.stash = undefined;
      if (item === undefined || client !== this.current) return;
      if (this.isHeld) {
        this.stash = item;
        return;
      }
      await client.events.processed(item);
      const [kind, value] = shown(item);
      this.told.set(kind, [...(this.told.get(kind) ?? []), value]);
    }
  }

  // ---- steps of the server

  private dial(to: Target, events: Events): Transport {
    const peer = new Peer(to.address, events, this);
    if (this.down.has(to.address)) {
      queueMicrotask(() => {
        if (!peer.isClosed) events.closed(new Unavailable(`${to.address} refuses`));
      });
      return peer;
    }
    this.arrived.push(peer);
    queueMicrotask(() => {
      if (!peer.isClosed) events.opened();
    });
    return peer;
  }

  hear(peer: Peer, id: number, request: Request): void {
    if (!peer.isFrozen && request.case === "ping") peer.say(id, "pong", {});
    else if (!peer.isFrozen && request.case === "listConversations") {
      peer.say(id, "conversations", make(wire.Conversations, { conversations: this.list }, this.bytes));
    } else {
      const heard = peer.heard.get(request.case) ?? [];
      peer.heard.set(request.case, heard);
      heard.push({ id, value: request.value as unknown as Json });
    }
  }

  setList(lines: unknown[]): void {
    this.list = lines;
  }

  setDown(nodes: string[], isDown: boolean): void {
    for (const node of nodes) isDown ? this.down.add(node) : this.down.delete(node);
  }

  async accept(step: { as: string; node?: string; welcome?: Json }): Promise<void> {
    // A connection to a node that is up now is answered; the others stay without an answer.
    const peer = await this.clock.until(() => this.arrived.find((one) => !one.isClosed));
    this.arrived.splice(this.arrived.indexOf(peer), 1);
    if (step.node !== undefined) assert.equal(peer.node, step.node);
    this.peers.set(step.as, peer);
    const hello = await this.taken(peer, "hello");
    const welcome: Json = {
      version: 1,
      cluster_id: "text:cluster-of-story",
      node_id: 1,
      nodes: this.story.client.nodes,
      send_window: 16,
      ping_seconds: 30,
      ...step.welcome,
    };
    peer.say(hello.id, "welcome", make(wire.Welcome, welcome, this.bytes));
  }

  async login(step: { on: string; by: "password" | "token"; token?: string }): Promise<void> {
    const peer = this.peer(step.on);
    const { id, value } = await this.taken(peer, step.by === "password" ? "login" : "resume");
    const token = this.bytes(`text:${step.token ?? "token-1"}`);
    if (step.by === "token") assert.ok(isSame(value["token"], token), show(value));
    const { user_id, name, device } = this.story.client;
    const answer: Json = { userId: user_id, name, device };
    if (step.by === "password") answer["token"] = token;
    peer.say(id, "logged_in", answer);
  }

  async expect(step: { on: string; as?: string; frame: Json }): Promise<void> {
    const peer = this.peer(step.on);
    const [kind, wanted] = Object.entries(step.frame)[0] as [string, Json];
    const { id, value } = await this.taken(peer, camel(kind));
    const type = armOf(wire.ClientFrame, kind);
    for (const [name, part] of Object.entries(wanted)) {
      const found = value[camel(name)];
      assert.ok(isSame(found, fieldOf(type, name, part, this.bytes)), `${name} is ${show(found)}`);
    }
    if (step.as !== undefined) this.requests.set(step.as, { peer, id });
  }

  async none(step: { on?: string; kind: string; ms: number }): Promise<void> {
    await this.clock.sleep(step.ms);
    if (step.kind === "connection") assert.ok(this.arrived.every((peer) => peer.isClosed), "there is one");
    else assert.deepEqual(this.peer(step.on ?? "").heard.get(camel(step.kind)) ?? [], []);
  }

  say(peer: Peer, requestId: number, frame: Json): void {
    const [kind, value] = Object.entries(frame)[0] as [string, Json];
    peer.say(requestId, kind, make(armOf(wire.ServerFrame, kind), value, this.bytes));
  }

  answer(step: { to: string; frame: Json }): void {
    const request = this.requests.get(step.to);
    assert.ok(request, `there is no request ${step.to}`);
    this.say(request.peer, request.id, step.frame);
  }

  // ---- values

  private async taken(peer: Peer, kind: string): Promise<Heard> {
    await this.clock.until(() => peer.heard.get(kind)?.[0]);
    return peer.heard.get(kind)?.shift() as Heard;
  }

  /** Whether each wanted value is in what was found. */
  private fits(wanted: unknown, found: unknown): boolean {
    if (typeof wanted === "object" && wanted !== null) {
      const entries = Object.entries(wanted);
      return typeof found === "object" && found !== null && entries.every(([name, one]) => this.fits(one, (found as Json)[name]));
    }
    if (typeof wanted === "string" && wanted.startsWith("$")) return found === this.ids.get(wanted.slice(1));
    return found === wanted;
  }

  private seen(): string {
    return `untaken frames ${show([...this.peers].map(([name, peer]) => [name, [...peer.heard]]))}, untaken items ${show([...this.told])}`;
  }
}

// Each step has an argument of its own form.
const STEPS: Record<string, (player: Player, argument: any) => void | Promise<void>> = {
  start: (player) => player.start(),
  kill: (player) => player.kill(),
  close: (player) => player.close(),
  hold: (player) => player.hold(true),
  take: (player) => player.hold(false),
  send: (player, step) => player.send(step),
  async acked(player, step) {
    const outcome = await player.outcome(step.message);
    assert.ok(outcome !== undefined && !(outcome instanceof TroupeError), String(outcome));
    assert.equal(outcome.seq, step.seq);
  },
  async failed(player, step) {
    const outcome = await player.outcome(step.message);
    assert.ok(outcome instanceof TroupeError);
    assert.deepEqual([outcome.name.toLowerCase(), outcome.code], [step.error, step.code]);
  },
  outbox: (player, count) => assert.equal(player.client.outbox.get().length, count),
  told: (player, step) => player.expectTold(step),
  list: (player, lines) => player.setList(lines),
  down: (player, nodes) => player.setDown(nodes, true),
  up: (player, nodes) => player.setDown(nodes, false),
  accept: (player, step) => player.accept(step),
  login: (player, step) => player.login(step),
  expect: (player, step) => player.expect(step),
  answer: (player, step) => player.answer(step),
  push: (player, step) => player.say(player.peer(step.on), 0, step.frame),
  none: (player, step) => player.none(step),
  cut: (player, step) => player.peer(step.on).cut(),
  freeze: (player, step) => void (player.peer(step.on).isFrozen = true),
  closed: (player, step) => player.clock.until(() => player.peer(step.on).isClosed).then(() => {}),
  wait_ms: (player, ms) => player.clock.sleep(ms),
};

function shown(item: Incoming): [string, Json] {
  switch (item.type) {
    case "event": {
      const { seq, sender, content } = item.event;
      const value: Json = { conversation: item.conversation, seq, sender };
      if (content.kind === "unsupported") value["unsupported"] = content.number;
      else value["text"] = textOf(item.event);
      return ["event", value];
    }
    case "stateChanged": {
      const { state } = item;
      if (state.is === "online") return ["state", { state: { online: state.address } }];
      return ["state", { state: state.is === "kicked" ? { kicked: state.code } : { [state.is]: true } }];
    }
    case "profileChanged":
      return ["profile", { version: item.own.version }];
    case "favouriteChanged": {
      const { conversation, seq, removed, version } = item;
      return ["favourite", { conversation, seq, removed, version }];
    }
    case "personalChanged": {
      const { conversation, version, pin } = item.personal;
      return ["personal", { conversation, version, pin }];
    }
    case "contactChanged":
      return ["contact", { user: item.contact.userId, version: item.contact.version }];
    case "settled": {
      const { conversation, id: message, outcome } = item;
      return ["settled", { conversation, message, ...("seq" in outcome ? { seq: outcome.seq } : { code: outcome.code }) }];
    }
    case "conversationAdded":
      return ["conversation_added", { ...item }];
    case "conversationRemoved":
      return ["conversation_removed", { ...item }];
    case "presence":
      return ["presence", { user: item.user, online: item.online }];
    case "signal":
      return ["signal", { ...item, payload: new TextDecoder().decode(item.payload) }];
    case "cursorMoved":
      return ["cursor", { ...item }];
    default:
      return [item.type, { ...item }];
  }
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === "bigint" ? String(one) : one instanceof Uint8Array ? Buffer.from(one).toString("hex") : one,
  );
}

/** A store whose operations the clock waits for. */
export function watched(store: Store, clock: VirtualClock): Store {
  return {
    load: () => clock.during(store.load()),
    write: (changes) => clock.during(store.write(changes)),
    events: (query) => clock.during(store.events(query)),
    last: () => clock.during(store.last()),
    close: () => clock.during(store.close()),
  };
}

/** Random numbers that repeat: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
