/** A signed-in user: the client, the conversations in memory, and what the tab has seen. */

import {
  Client,
  type ClientOptions,
  type ConversationId,
  type ConversationView,
  direct,
  type Event,
  EVERYONE,
  type Incoming,
  type SendOptions,
  type SentMessage,
  type SignalReceived,
  signals,
  type State,
  TroupeError,
  wire,
} from "troupe-chat";
import { Calls } from "./calls";
import { Contacts } from "./contacts";
import { Files } from "./files";
import { isMuted, Own } from "./own";
import { Pace } from "./pace";
import { People } from "./people";
import { Pins } from "./pins";
import { Presence } from "./presence";
import { Saved } from "./saved";
import { Settings } from "./settings";
import { Timeline } from "./timeline";
import { Value } from "./value";
import { Judge, type Verdict } from "./verdict";

/** Timelines in memory; the one that was not opened for the longest time is dropped. */
const MOST_TIMELINES = 24;
/** Ways of messages that the tab remembers for their details. */
const MOST_WAYS = 2_000;

/** Milliseconds for which a user counts as typing, and between two reports that this one does. */
const [TYPES_MS, TELL_MS] = [6_000, 4_000];

/** The way of a message of this tab into the log. */
export interface Way {
  readonly queuedMs: number;
  sentMs?: number;
  durableMs?: number;
  /** Attempts that ended without an answer. */
  unknown: number;
  /** The node that this browser was connected to when the answer arrived. */
  node?: bigint;
}

export type Doing = "typing" | "recording";

export interface Positions {
  readonly delivered: number;
  readonly read: number;
}

export class Session {
  readonly client: Client;
  readonly people: People;
  readonly contacts: Contacts;
  readonly files: Files;
  readonly calls: Calls;
  readonly own: Own;
  readonly pins: Pins;
  readonly saved: Saved;
  readonly settings: Settings;
  readonly presence: Presence;
  /** Changes with every change of a timeline, at most once per drawing. */
  readonly drawn = new Value(0);
  /** The list of the client as it is drawn: a flood changes it once per drawing. */
  readonly list = new Value<readonly ConversationView[]>([]);
  /** Positions of members, by conversation and user. */
  readonly positions = new Value<ReadonlyMap<string, ReadonlyMap<number, Positions>>>(new Map());
  readonly invitations = new Value(0);
  /** Users that type or record at present, by conversation. */
  readonly typing = new Value<ReadonlyMap<string, ReadonlyMap<number, Doing>>>(new Map());
  readonly verdict = new Value<Verdict>(new Judge().verdict());
  readonly ways = new Map<string, Way>();
  /** Runs for each new message of another user. */
  onMessage: (conversation: ConversationId, event: Event) => void = () => {};
  private readonly judge = new Judge();
  private readonly timelines = new Map<string, Timeline>();
  private readonly followed = new Set<string>();
  /** When this user was reported as typing. At infinity: the conversation takes no such reports. */
  private readonly told = new Map<string, number>();
  private readonly stopsTyping = new Map<string, ReturnType<typeof setTimeout>>();
  /** What else the next drawing shows. */
  private isListNew = false;
  private isJudged = false;
  private readonly pace = new Pace(() => this.draw());

  constructor(
    options: ClientOptions,
    /** The browser keeps nothing: the outbox ends with the page. */
    readonly isMemoryOnly = false,
  ) {
    this.client = new Client(options);
    this.people = new People(this.client);
    this.contacts = new Contacts(this.client);
    this.files = new Files(this.client);
    this.pins = new Pins(this.client);
    this.saved = new Saved(this.client);
    this.settings = new Settings(this.client);
    this.presence = new Presence(this.client);
    this.own = new Own(this.client, (state) => this.personal(state));
    this.calls = new Calls(this.client, (conversation) => this.peerOf(conversation));
    this.client.conversationList.subscribe(() => {
      this.isListNew = true;
      this.pace.ask();
    });
    // Own names for contacts are names as well.
    this.contacts.all.subscribe(() => this.people.known.set(new Map(this.people.known.get())));
  }

  /** Resolves when the stream has ended. */
  async run(): Promise<void> {
    this.client.outbox.subscribe((messages) => messages.forEach((message) => this.follow(message)));
    for await (const item of this.client.events) this.take(item);
  }

  /** Its timeline, loaded or not. */
  timeline(id: string): Timeline {
    const held = this.timelines.get(id) ?? new Timeline(id, this.client, () => this.pace.ask());
    // The latest is the last one.
    this.timelines.delete(id);
    this.timelines.set(id, held);
    for (const oldest of this.timelines.keys()) {
      if (this.timelines.size <= MOST_TIMELINES) break;
      this.timelines.delete(oldest);
    }
    const cleared = this.client.conversationList.find(id)?.personal?.cleared ?? 0;
    if (cleared > 0) held.hide(cleared, []);
    for (const message of this.client.outbox.get()) if (message.conversation === id) held.queued(message, this.queuedMs(message.id));
    return held;
  }

  async send(conversation: string, text: string, options: SendOptions = {}): Promise<void> {
    await this.client.send(conversation, text, options);
  }

  /** This user types, or records. Others hear of it now and then. */
  types(conversation: string, doing: Doing = "typing"): void {
    const now = Date.now();
    if (conversation === EVERYONE || now - (this.told.get(conversation) ?? 0) < TELL_MS) return;
    this.told.set(conversation, now);
    this.client.signal(conversation, doing === "typing" ? signals.TYPING : signals.RECORDING).catch((error: unknown) => {
      if (!(error instanceof TroupeError)) throw error;
      // A large group, or a cluster of an earlier version.
      if (error.definite && !error.transient) this.told.set(conversation, Number.POSITIVE_INFINITY);
    });
  }

  /** It was given up: nothing comes of it. */
  stops(conversation: string): void {
    const told = this.told.get(conversation) ?? 0;
    if (conversation === EVERYONE || Date.now() - told > TYPES_MS) return;
    this.told.delete(conversation);
    this.client.signal(conversation, signals.STOPPED).catch((error: unknown) => {
      if (!(error instanceof TroupeError)) throw error;
    });
  }

  /** The other user of a direct conversation. */
  peerOf(conversation: string): number | undefined {
    const [, low, high] = /^d(\d+)-(\d+)$/.exec(conversation) ?? [];
    if (low === undefined || high === undefined) return undefined;
    return Number(low) === this.client.user ? Number(high) : Number(low);
  }

  directWith(user: number): ConversationId {
    return direct(this.client.user ?? 0, user);
  }

  /** Members with their positions, which then follow the stream. */
  async loadPositions(conversation: string): Promise<void> {
    if (conversation === EVERYONE) return;
    try {
      for (const { userId, delivered, read } of await this.client.members(conversation)) {
        this.move(conversation, userId, { delivered, read });
      }
    } catch (error) {
      // A direct conversation without a message has no members yet.
      if (!(error instanceof TroupeError)) throw error;
    }
  }

  async countInvitations(): Promise<void> {
    try {
      this.invitations.set((await this.client.invitations()).length);
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
    }
  }

  waitingMs(): number {
    return this.judge.waitingMs(Date.now());
  }

  private take(item: Incoming): void {
    switch (item.type) {
      case "event":
        return this.event(item.conversation, item.event);
      case "cursorMoved":
        return this.move(item.conversation, item.user, item);
      case "signal":
        return this.signal(item);
      case "profileChanged": {
        const { user: userId, name } = this.client;
        if (userId !== undefined && name !== undefined) this.people.learn([{ userId, name, profile: item.own.profile }]);
        return;
      }
      case "presence":
        return this.presence.take(item);
      case "contactChanged":
        return this.contacts.take(item.contact);
      case "personalChanged":
        return this.personal(item.personal);
      case "favouriteChanged":
        return this.saved.take(item);
      case "invited":
        return void this.countInvitations();
      case "stateChanged":
        if (item.state.is === "online") void this.cameOnline();
        return;
      case "missed":
        for (const timeline of this.timelines.values()) timeline.forget();
        return;
      case "restored":
        return this.timelines.get(item.conversation)?.forget();
      case "settled":
        return;
    }
  }

  private event(conversation: ConversationId, event: Event): void {
    this.typed(conversation, event.sender, undefined);
    if (event.sender === this.client.user) {
      if (event.content.kind === "message") this.judge.places(event.clientMessageId, conversation, event.seq);
    } else {
      this.judge.otherAt(conversation, event.seq);
      if (event.content.kind === "message" && this.isHeard(conversation, event)) this.onMessage(conversation, event);
    }
    this.calls.event(conversation, event);
    this.pins.event(conversation, event);
    this.settings.event(conversation, event);
    this.judged();
    this.timelines.get(conversation)?.live(event);
  }

  /** In a muted conversation only messages that mention this user are. */
  private isHeard(conversation: string, { content }: Event): boolean {
    const view = this.client.conversationList.find(conversation);
    const context = content.kind === "message" ? content.context : undefined;
    const isMentioned = context?.mentions.includes(this.client.user ?? 0) === true;
    return view === undefined || isMentioned || !isMuted(view, Date.now());
  }

  private personal(state: wire.Personal): void {
    this.client.conversationList.changed(state);
    this.timelines.get(state.conversation)?.hide(state.cleared, state.deleted);
  }

  private signal(signal: SignalReceived): void {
    const { conversation, user, kind } = signal;
    this.calls.signal(signal);
    if (kind === signals.PIECE) {
      const { message, index, text } = wire.StreamPiece.decode(signal.payload);
      return this.timelines.get(conversation)?.grow(message, index, text);
    }
    if (kind === signals.TYPING) this.typed(conversation, user, "typing");
    else if (kind === signals.RECORDING) this.typed(conversation, user, "recording");
    else if (kind === signals.STOPPED) this.typed(conversation, user, undefined);
  }

  private typed(conversation: string, user: number, doing: Doing | undefined): void {
    const key = `${conversation} ${user}`;
    // Each message ends what its sender did, and most did nothing.
    if (doing === undefined && !this.stopsTyping.has(key)) return;
    clearTimeout(this.stopsTyping.get(key));
    this.stopsTyping.delete(key);
    if (doing !== undefined) this.stopsTyping.set(key, setTimeout(() => this.typed(conversation, user, undefined), TYPES_MS));
    const all = this.typing.get();
    const held = all.get(conversation);
    if (held?.get(user) === doing) return;
    const next = new Map(held);
    if (doing === undefined) next.delete(user);
    else next.set(user, doing);
    this.typing.set(new Map(all).set(conversation, next));
  }

  private async cameOnline(): Promise<void> {
    void this.contacts.load();
    this.presence.online();
    this.saved.stale();
    for (const conversation of this.pins.all.get().keys()) void this.pins.load(conversation);
    await this.countInvitations();
    for (const timeline of this.timelines.values()) timeline.again();
  }

  private move(conversation: string, user: number, { delivered, read }: Positions): void {
    const all = this.positions.get();
    const held = all.get(conversation)?.get(user) ?? { delivered: 0, read: 0 };
    // A late push: positions only move forward.
    const next = { delivered: Math.max(delivered, held.delivered), read: Math.max(read, held.read) };
    if (next.delivered === held.delivered && next.read === held.read && all.get(conversation)?.has(user)) return;
    this.positions.set(new Map(all).set(conversation, new Map(all.get(conversation)).set(user, next)));
  }

  /** Follows a message of the outbox to its outcome. */
  private follow(message: SentMessage): void {
    const { id, conversation } = message;
    if (this.followed.has(id)) return;
    this.followed.add(id);
    const way: Way = { queuedMs: Date.now(), unknown: 0 };
    this.ways.set(id, way);
    for (const oldest of this.ways.keys()) {
      if (this.ways.size <= MOST_WAYS) break;
      this.ways.delete(oldest);
    }
    this.judge.sends(id, conversation, way.queuedMs);
    this.timelines.get(conversation)?.queued(message, way.queuedMs);
    const stop = message.state.subscribe((state) => {
      if (state === "sent") way.sentMs ??= Date.now();
      if (state === "unknown") way.unknown += 1;
      const { outcome } = message;
      if (outcome instanceof TroupeError) this.judge.refuses(id);
      else if (outcome !== undefined) {
        way.durableMs = Date.now();
        const now: State = this.client.state.get();
        if (now.is === "online") way.node = now.node;
        this.judge.acknowledges(id, outcome.seq, way.durableMs);
      }
      if (outcome !== undefined) {
        // The first call comes before `stop` is set.
        queueMicrotask(() => stop());
        this.followed.delete(id);
      }
      this.judged();
      this.timelines.get(conversation)?.moved(message);
    });
  }

  private queuedMs(id: string): number {
    return this.ways.get(id)?.queuedMs ?? Date.now();
  }

  /** A key was pressed: it is shown before anything else. */
  key(): void {
    this.pace.key();
  }

  private judged(): void {
    this.isJudged = true;
    this.pace.ask();
  }

  /** Reading a message changes the list, so the list is drawn last. */
  private draw(): void {
    this.drawn.set(this.drawn.get() + 1);
    if (this.isListNew) this.list.set(this.client.conversationList.get());
    if (this.isJudged) this.verdict.set(this.judge.verdict());
    [this.isListNew, this.isJudged] = [false, false];
  }
}
