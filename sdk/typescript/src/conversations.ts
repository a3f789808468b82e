/**
 * The list of a user's conversations with unread counts, kept up to date by the items of its
 * client.
 */

import type { Clock } from "./clock.js";
import { TroupeError } from "./errors.js";
import { COUNTS_AS_UNREAD, type Event } from "./event.js";
import { type ConversationId, readConversation, type Seq, seq, type UserId } from "./ids.js";
import type { Incoming } from "./items.js";
import { PAGE_CONVERSATIONS } from "./limits.js";
import type { HistoryPage } from "./requests.js";
import { Value, type Watched } from "./value.js";
import type * as wire from "./wire.js";

/** Milliseconds for which conversations to ask for are collected, and between two attempts. */
const [COLLECT, AGAIN] = [50, 1_000];
/** Read positions of one conversation are sent this often at most: only the latest counts. */
const READ_EVERY = 1_000;
/** Events that change no line of the list but its last event. */
const OF_MESSAGES: ReadonlySet<string> = new Set([
  "message",
  "reacted",
  "edited",
  "recalled",
  "vanished",
  "streamEnded",
  "voted",
  "pollClosed",
]);

export interface ConversationView {
  readonly id: ConversationId;
  /** A group's name, or the other user's. */
  readonly name: string;
  readonly head: Seq;
  /** Of its latest event. */
  readonly timeMs: number;
  readonly delivered: Seq;
  readonly read: Seq;
  readonly unread: number;
  readonly members: number;
  readonly role: wire.Role;
  /** Any user may join. */
  readonly isOpen: boolean;
  /** The latest event that this client has taken or loaded. */
  readonly last: Event | undefined;
  /** The user's own state of the conversation, if it has set one. */
  readonly personal: wire.Personal | undefined;
  /** Unread messages that mention the user. */
  readonly mentions: number;
}

/** The part of a client that the list asks. */
export interface Asker {
  readonly user: UserId | undefined;
  conversations(): Promise<{ conversations: wire.Conversation[]; unavailable: ConversationId[] }>;
  getConversations(conversations: readonly string[]): Promise<wire.Conversations>;
  historyBefore(conversation: string, before?: number, limit?: number): Promise<HistoryPage>;
  markRead(conversation: string, upTo: number): Promise<void>;
}

export class ConversationList implements Watched<readonly ConversationView[]> {
  private readonly views = new Map<ConversationId, ConversationView>();
  private readonly shown = new Value<readonly ConversationView[]>([]);
  /**
   * The latest events of conversations whose lines have not arrived yet. At the limit the oldest is
   * dropped, and its line has no last event until the next one.
   */
  private readonly early = new Map<ConversationId, Event>();
  /** Conversations to ask for. */
  private readonly stale = new Set<ConversationId>();
  private isWholeStale = false;
  private isAsking = false;
  private isScheduled = false;
  /**
   * Read positions that are not sent yet. An entry stays for as long as no other one may be sent.
   */
  private readonly reading = new Map<ConversationId, number | undefined>();
  /** Read positions that the server has confirmed. */
  private readonly confirmed = new Map<ConversationId, number>();
  /** Conversations to ask for when the server confirms a read position. */
  private readonly behind = new Set<ConversationId>();

  constructor(
    private readonly client: Asker,
    private readonly clock: Clock,
  ) {
    this.reload();
  }

  get(): readonly ConversationView[] {
    return this.shown.get();
  }

  subscribe(run: (value: readonly ConversationView[]) => void): () => void {
    return this.shown.subscribe(run);
  }

  find(conversation: string): ConversationView | undefined {
    return this.views.get(conversation as ConversationId);
  }

  /** For a badge. */
  get unread(): number {
    let sum = 0;
    for (const { unread } of this.views.values()) sum += unread;
    return sum;
  }

  /** Asks the server for the whole list. */
  reload(): void {
    this.isWholeStale = true;
    this.schedule(0);
  }

  /** The user has read this conversation up to `upTo`. Shown at once, and sent soon. */
  markRead(conversation: ConversationId, upTo: number): void {
    const view = this.views.get(conversation);
    if (view === undefined || upTo <= view.read) return;
    this.readUpTo(view, upTo);
    if (this.reading.has(conversation)) return void this.reading.set(conversation, upTo);
    this.sendRead(conversation, upTo);
  }

  /** The user's own state, of an answer or of a push. An older one changes nothing. */
  changed(personal: wire.Personal): void {
    const id = readConversation(personal.conversation);
    const view = id === undefined ? undefined : this.views.get(id);
    if (view === undefined || (view.personal?.version ?? 0) > personal.version) return;
    // Without the cleared history there are fewer unread messages.
    if (personal.cleared > (view.personal?.cleared ?? 0)) this.refresh(view.id);
    this.put({ ...view, personal });
  }

  /** Fetches the latest event of a conversation that has none yet, for a preview. */
  async loadLast(conversation: ConversationId): Promise<void> {
    const view = this.views.get(conversation);
    if (view === undefined || view.last !== undefined || view.head === 0) return;
    const { events } = await this.client.historyBefore(conversation, 0, 1);
    const [now, last] = [this.views.get(conversation), events.at(-1)];
    if (now !== undefined && last !== undefined && (now.last?.seq ?? 0) < last.seq) this.put({ ...now, last });
  }

  /** For the client: an item that the application receives. */
  take(item: Incoming): void {
    switch (item.type) {
      case "event":
        return this.event(item.conversation, item.event);
      case "cursorMoved": {
        const view = this.views.get(item.conversation);
        if (item.user === this.client.user && view !== undefined) this.readUpTo(view, item.read);
        return;
      }
      case "personalChanged":
        return this.changed(item.personal);
      case "conversationAdded":
        return this.refresh(item.conversation);
      case "conversationRemoved":
        this.early.delete(item.conversation);
        this.confirmed.delete(item.conversation);
        this.behind.delete(item.conversation);
        if (this.views.delete(item.conversation)) this.show();
        return;
      case "stateChanged":
        if (item.state.is === "online") this.reload();
        return;
      case "restored":
      case "missed":
        return this.reload();
    }
  }

  private event(conversation: ConversationId, event: Event): void {
    const view = this.views.get(conversation);
    if (view === undefined) {
      this.early.delete(conversation);
      this.early.set(conversation, event);
      for (const oldest of this.early.keys()) {
        if (this.early.size <= PAGE_CONVERSATIONS) break;
        this.early.delete(oldest);
      }
      return this.refresh(conversation);
    }
    // Names, members and roles are those of the server.
    if (!OF_MESSAGES.has(event.content.kind)) this.refresh(conversation);
    // An event that the line counts already.
    if (event.seq <= view.head) {
      if ((view.last?.seq ?? 0) < event.seq) this.put({ ...view, last: event });
      return;
    }
    const counts = event.sender !== this.client.user && (event.flags & COUNTS_AS_UNREAD) !== 0 && event.seq > view.read;
    // A hidden conversation is back with its next event.
    const personal = view.personal?.hidden === true ? { ...view.personal, hidden: false } : view.personal;
    const unread = view.unread + Number(counts);
    const mentions = view.mentions + Number(counts && this.mentionsMe(event));
    this.put({ ...view, head: event.seq, timeMs: event.timeMs, last: event, unread, mentions, personal });
  }

  private mentionsMe({ content }: Event): boolean {
    const context = content.kind === "message" ? content.context : undefined;
    const { user } = this.client;
    return context !== undefined && (context.mentionsEveryone || (user !== undefined && context.mentions.includes(user)));
  }

  private readUpTo(before: ConversationView, upTo: number): void {
    if (upTo <= before.read) return;
    const read = seq(upTo);
    const personal = before.personal?.markedUnread === true ? { ...before.personal, markedUnread: false } : before.personal;
    const view = { ...before, personal };
    if (upTo >= view.head) return this.put({ ...view, read, unread: 0, mentions: 0 });
    // The server counts the messages behind it.
    this.put({ ...view, read });
    this.refresh(view.id);
  }

  private sendRead(conversation: ConversationId, upTo: number): void {
    this.reading.set(conversation, undefined);
    // A position that was not sent is sent with the next one.
    this.client.markRead(conversation, upTo).then(() => this.readConfirmed(conversation, upTo), ignored);
    this.clock.after(READ_EVERY, () => {
      const later = this.reading.get(conversation);
      this.reading.delete(conversation);
      if (later !== undefined) this.sendRead(conversation, later);
    });
  }

  private readConfirmed(conversation: ConversationId, upTo: number): void {
    this.confirmed.set(conversation, Math.max(this.confirmed.get(conversation) ?? 0, upTo));
    if (this.behind.delete(conversation)) this.refresh(conversation);
  }

  private refresh(conversation: ConversationId): void {
    this.stale.add(conversation);
    this.schedule(COLLECT);
  }

  private schedule(ms: number): void {
    if (this.isScheduled || this.isAsking) return;
    this.isScheduled = true;
    this.clock.after(ms, () => {
      this.isScheduled = false;
      this.isAsking = true;
      void this.ask()
        .catch(ignored)
        .finally(() => {
          this.isAsking = false;
          if (this.stale.size > 0 || this.isWholeStale) this.schedule(AGAIN);
        });
    });
  }

  private async ask(): Promise<void> {
    if (this.isWholeStale) {
      this.isWholeStale = false;
      const { conversations, unavailable } = await this.again(this.client.conversations(), () => (this.isWholeStale = true));
      const there = new Set<string>([...conversations.map((line) => line.conversation), ...unavailable]);
      for (const id of this.views.keys()) if (!there.has(id)) this.views.delete(id);
      for (const line of conversations) this.line(line);
      for (const id of unavailable) this.stale.add(id);
      return this.show();
    }
    const asked = [...this.stale].slice(0, PAGE_CONVERSATIONS);
    for (const id of asked) this.stale.delete(id);
    const { conversations, unavailable } = await this.again(this.client.getConversations(asked), () =>
      asked.forEach((id) => this.stale.add(id)),
    );
    for (const line of conversations) this.line(line);
    for (const one of unavailable) {
      const id = readConversation(one);
      if (id !== undefined) this.stale.add(id);
    }
    this.show();
  }

  /** A request that failed for the moment leaves its conversations stale. */
  private async again<T>(request: Promise<T>, failed: () => void): Promise<T> {
    try {
      return await request;
    } catch (error) {
      if (error instanceof TroupeError && error.transient) failed();
      throw error;
    }
  }

  private line(line: wire.Conversation): void {
    const id = readConversation(line.conversation);
    if (id === undefined) return;
    const held = this.views.get(id);
    const last = held?.last ?? this.early.get(id);
    this.early.delete(id);
    // Read before an event that has arrived meanwhile: ask again.
    if ((held?.head ?? last?.seq ?? 0) > line.head) this.stale.add(id);
    // The line is older than this device's read position, and its count with it.
    let { unread, mentions } = line;
    if (held !== undefined && held.read > line.read) {
      [unread, mentions] = [held.unread, held.mentions];
      ((this.confirmed.get(id) ?? 0) > line.read ? this.stale : this.behind).add(id);
    }
    const { name, members, role, open } = line;
    // A push may be newer than the line.
    const isOlder = (held?.personal?.version ?? 0) > (line.personal?.version ?? 0);
    const personal = isOlder ? held?.personal : line.personal;
    this.views.set(id, {
      ...{ id, name, members, role, isOpen: open, last, unread, mentions, personal },
      head: seq(Math.max(line.head, held?.head ?? 0)),
      timeMs: Math.max(line.timeMs, held?.timeMs ?? 0),
      delivered: seq(line.delivered),
      read: seq(Math.max(line.read, held?.read ?? 0)),
    });
  }

  private put(view: ConversationView): void {
    this.views.set(view.id, view);
    this.show();
  }

  private show(): void {
    this.shown.set([...this.views.values()].sort((one, other) => other.timeMs - one.timeMs));
  }
}

/** A request of the list failed: it is asked again, unless the client has stopped. */
function ignored(error: unknown): void {
  if (!(error instanceof TroupeError)) throw error;
}
