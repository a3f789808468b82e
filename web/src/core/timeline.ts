/**
 * The events of one conversation that are in memory: a part of its log without gaps, the reactions
 * to its messages, and the messages of this user that have no place in it yet.
 */

import {
  type Acked,
  type ConversationId,
  type Event,
  type EventQuery,
  type HistoryPage,
  isErased,
  type Kept,
  type MessageContent,
  type SentMessage,
  TEXT,
  TroupeError,
  type UserId,
} from "troupe-chat";

/** The kind of events that are messages. */
const MESSAGE = 5;
const NO_BODY = { bodyKind: 0, content: new Uint8Array(0), text: undefined };
/** Events that are kept while the reader is at one end: the other end is loaded again. */
const MOST = 2_000;
/** Events of one page. */
export const PAGE = 60;

export interface Reaction {
  readonly emoji: string;
  readonly users: number;
  readonly mine: boolean;
}

/** An event, and what later events have changed about it. */
export interface Entry {
  readonly event: Event;
  readonly reactions: readonly Reaction[];
  /** Reactions up to this seq are counted. */
  readonly countedTo: number;
  /** The seqs of its edits, oldest first. */
  readonly edits: readonly number[];
  /** Its content is gone. */
  readonly isRecalled: boolean;
}

/** A message of this user without an event yet. */
export interface Pending {
  readonly message: SentMessage;
  /** Its place, once it is durable; the event follows. */
  readonly acked?: Acked;
  /** It was refused. */
  readonly error?: TroupeError;
  readonly queuedMs: number;
}

/** The part of a client that a timeline reads from. */
export interface Source {
  readonly user: UserId | undefined;
  historyBefore(conversation: string, before?: number, limit?: number): Promise<HistoryPage>;
  historyAfter(conversation: string, after?: number, limit?: number): Promise<HistoryPage>;
  /** Events that this device holds, oldest first. */
  kept(query: EventQuery): Promise<Kept[]>;
}

export class Timeline {
  /** Oldest first, without gaps. */
  entries: readonly Entry[] = [];
  pending: readonly Pending[] = [];
  /** There is nothing before the first entry that this user may see. */
  atStart = false;
  head = 0;
  isLoaded = false;
  /** Why the last load failed. */
  trouble: string | undefined;
  private loading: Promise<void> | undefined;

  constructor(
    readonly id: string,
    private readonly source: Source,
    /** Called after each change; the caller gathers calls. */
    private readonly changed: () => void,
  ) {}

  get first(): number {
    return this.entries[0]?.event.seq ?? 0;
  }

  get last(): number {
    return this.entries.at(-1)?.event.seq ?? 0;
  }

  /** The latest event is among the entries. */
  get atEnd(): boolean {
    return this.isLoaded && this.last >= this.head;
  }

  get isLoading(): boolean {
    return this.loading !== undefined;
  }

  find(seq: number): Entry | undefined {
    const entry = this.entries[seq - this.first];
    return entry?.event.seq === seq ? entry : this.entries.find(({ event }) => event.seq === seq);
  }

  /** Loads the latest page, or the events around a seq. */
  open(around?: number): Promise<void> {
    return this.load(async () => {
      if (this.entries.length === 0) await this.show(around);
      if (around === undefined) {
        this.replace(await this.source.historyBefore(this.id, 0, PAGE));
        return;
      }
      const older = await this.source.historyBefore(this.id, around + 1, PAGE);
      this.replace(older);
      const at = older.events.at(-1)?.seq ?? around;
      this.append(await this.source.historyAfter(this.id, at, PAGE));
    });
  }

  /** What this device holds, until a node answers: the end of its part of the log. */
  private async show(around: number | undefined): Promise<void> {
    const kept = await this.source.kept({ conversation: this.id as ConversationId, limit: PAGE });
    const events: Event[] = [];
    for (const { event } of kept.reverse()) {
      // Rows before a gap belong to another part.
      if (events[0] !== undefined && event.seq !== events[0].seq - 1) break;
      events.unshift(event);
    }
    if (events.length === 0 || (around !== undefined && around < (events[0]?.seq ?? 0))) return;
    this.entries = events.map((event) => freshEntry(event));
    this.changed();
  }

  /** Loads a page before the first entry. */
  older(): Promise<void> {
    if (this.atStart || !this.isLoaded) return Promise.resolve();
    return this.load(async () => {
      const page = await this.source.historyBefore(this.id, this.first, PAGE);
      const before = page.events.filter(({ seq }) => seq < this.first).map((event) => entryOf(event, page));
      this.entries = [...before, ...this.entries].slice(0, MOST);
      this.atStart = !page.more;
    });
  }

  /** Loads a page behind the last entry. */
  newer(): Promise<void> {
    if (this.atEnd || !this.isLoaded) return Promise.resolve();
    return this.load(async () => this.append(await this.source.historyAfter(this.id, this.last, PAGE)));
  }

  /** An event of the stream. */
  live(event: Event): void {
    const wasAtEnd = this.atEnd;
    this.head = Math.max(this.head, event.seq);
    this.settle(event);
    if (this.isLoaded && wasAtEnd) {
      if (event.seq === this.last + 1 || this.entries.length === 0) this.put([freshEntry(event)]);
      // The stream began behind the page, or a tab has slept: read what lies between.
      else if (event.seq > this.last) void this.newer();
    }
    this.apply(event);
    this.changed();
  }

  /** The cluster was restored, or events were missed: nothing in memory is certain. */
  forget(): void {
    [this.entries, this.isLoaded, this.atStart, this.head] = [[], false, false, 0];
    this.changed();
  }

  /** A load that failed may work now. */
  again(): void {
    if (this.trouble === undefined) return;
    this.trouble = undefined;
    if (this.isLoaded) this.changed();
    else void this.open();
  }

  queued(message: SentMessage, queuedMs: number): void {
    if (this.pending.some((one) => one.message.id === message.id)) return;
    this.pending = [...this.pending, { message, queuedMs }];
    this.changed();
  }

  /** A message has another state, or its outcome. */
  moved(message: SentMessage): void {
    const { outcome } = message;
    const isPlaced = this.entries.some(({ event }) => this.isOf(message.id, event));
    this.pending = this.pending.flatMap((one) => {
      if (one.message.id !== message.id) return [one];
      if (isPlaced) return [];
      if (outcome instanceof TroupeError) return [{ ...one, error: outcome }];
      return [outcome === undefined ? { ...one } : { ...one, acked: outcome }];
    });
    this.changed();
  }

  /** The user has seen that a message was refused. */
  dismiss(id: string): void {
    this.pending = this.pending.filter(({ message }) => message.id !== id);
    this.changed();
  }

  private isOf(id: string, event: Event): boolean {
    return event.sender === this.source.user && event.clientMessageId === id;
  }

  private settle(event: Event): void {
    if (event.sender !== this.source.user || this.pending.length === 0) return;
    this.pending = this.pending.filter(({ message }) => message.id !== event.clientMessageId);
  }

  private replace(page: HistoryPage): void {
    this.entries = page.events.map((event) => entryOf(event, page));
    this.atStart = !page.more;
    this.isLoaded = true;
    this.head = Math.max(this.head, page.head);
    for (const { event } of this.entries) this.settle(event);
  }

  private append(page: HistoryPage): void {
    const behind = page.events.filter(({ seq }) => seq > this.last);
    this.head = Math.max(this.head, page.head);
    // The log may begin later for this user than asked for; then nothing is between.
    this.put(behind.map((event) => entryOf(event, page)));
    for (const event of behind) {
      this.settle(event);
      this.apply(event);
    }
    // A page that brought nothing, although there is more, would be asked for again at once.
    if (behind.length === 0) this.head = this.last;
  }

  private put(behind: readonly Entry[]): void {
    const all = [...this.entries, ...behind];
    if (all.length > MOST) this.atStart = false;
    this.entries = all.slice(-MOST);
  }

  /** What an event changes about entries before it. Edits and recalls belong here too. */
  private apply(event: Event): void {
    const { content } = event;
    if (content.kind === "edited" || content.kind === "streamEnded") return this.revise(content.to, event.seq, content);
    if (content.kind === "recalled" || content.kind === "vanished") return this.revise(content.to, event.seq, undefined);
    if (content.kind !== "reacted") return;
    const { to, emoji, removed } = content;
    const target = this.find(to);
    if (target === undefined || target.countedTo >= event.seq) return;
    const reactions = withReaction(target.reactions, emoji, removed ? -1 : 1, event.sender === this.source.user);
    const changed = { ...target, reactions, countedTo: event.seq };
    this.entries = this.entries.map((entry) => (entry === target ? changed : entry));
  }

  /** `body`: of an edit. Without one the message was recalled, or has vanished. */
  private revise(to: number, by: number, body: Pick<MessageContent, "bodyKind" | "content" | "text"> | undefined): void {
    const target = this.find(to);
    if (target === undefined || target.event.content.kind !== "message" || target.isRecalled || target.edits.includes(by)) return;
    const { bodyKind, content, text } = body ?? NO_BODY;
    const event = { ...target.event, content: { ...target.event.content, bodyKind, content, text } };
    const edits = body === undefined ? target.edits : [...target.edits, by];
    const changed = { ...target, event, edits, isRecalled: body === undefined };
    this.entries = this.entries.map((entry) => (entry === target ? changed : entry));
  }

  private load(work: () => Promise<void>): Promise<void> {
    this.loading ??= (async () => {
      try {
        await work();
        this.trouble = undefined;
      } catch (error) {
        if (!(error instanceof TroupeError)) throw error;
        this.trouble = error.text;
      } finally {
        this.loading = undefined;
        this.changed();
      }
    })();
    return this.loading;
  }
}

/** An event without what later ones have changed about it. */
function freshEntry(event: Event): Entry {
  // An erased edit is no message of its own: it stays what it is, and no line shows it.
  const isRecalled = isErased(event) && event.content.kind === "unsupported" && event.content.number === MESSAGE;
  const shown = isRecalled ? { ...event, content: { kind: "message" as const, ...NO_BODY } } : event;
  return { event: shown, reactions: [], countedTo: event.seq, edits: [], isRecalled };
}

/** A message as its edits and its recall have left it. */
function entryOf(event: Event, page: HistoryPage): Entry {
  const entry = freshEntry(event);
  const counted = page.reactions.get(event.seq) ?? [];
  const reactions = counted.map(({ emoji, users, mine }) => ({ emoji, users, mine }));
  const countedTo = Math.max(page.head, event.seq);
  const state = page.states.get(event.seq);
  const { content } = entry.event;
  if (state === undefined || content.kind !== "message") return { ...entry, reactions, countedTo };
  const edits = state.edits.map(Number);
  if (entry.isRecalled || state.erased) {
    return { event: { ...event, content: { ...content, ...NO_BODY } }, reactions, countedTo, edits, isRecalled: true };
  }
  if (state.body === undefined) return { ...entry, reactions, countedTo, edits };
  const { kind: bodyKind, content: bytes } = state.body;
  const text = bodyKind === TEXT ? new TextDecoder().decode(bytes) : undefined;
  return { event: { ...event, content: { ...content, bodyKind, content: bytes, text } }, reactions, countedTo, edits, isRecalled: false };
}

/** The counts after one user gave a reaction or took it back. */
export function withReaction(before: readonly Reaction[], emoji: string, change: 1 | -1, isMine: boolean): Reaction[] {
  const found = before.find((one) => one.emoji === emoji);
  if (found === undefined) return change === 1 ? [...before, { emoji, users: 1, mine: isMine }] : [...before];
  const users = found.users + change;
  const mine = isMine ? change === 1 : found.mine;
  return before.flatMap((one) => (one !== found ? [one] : users <= 0 ? [] : [{ emoji, users, mine }]));
}
