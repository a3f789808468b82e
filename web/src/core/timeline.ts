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
  type Kept,
  type MessageContent,
  type SentMessage,
  TroupeError,
  type UserId,
} from "troupe-chat";
import { type Entry, entryOf, expiryOf, freshEntry, NO_BODY, pollOf, withPiece, withReaction } from "./entry";

/** Events that are kept while the reader is at one end: the other end is loaded again. */
const MOST = 2_000;
/** Events of one page. */
export const PAGE = 60;
/** Milliseconds between two questions about the votes of a poll, and of the longest timer. */
const [VOTES_MS, LONGEST_MS] = [700, 2_000_000_000];
/** Milliseconds until a load that failed for the moment is tried again, and how often that happens. */
const [RETRY_MS, RETRIES] = [2_000, 30];

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
  entries: Entry[] = [];
  pending: readonly Pending[] = [];
  /** There is nothing before the first entry that this user may see. */
  atStart = false;
  head = 0;
  isLoaded = false;
  /** Why the last load failed. */
  trouble: string | undefined;
  private loading: Promise<void> | undefined;
  /** Where the view was opened. */
  private around: number | undefined;
  /** Places that were asked for. */
  private asked = 0;
  private retries = 0;
  private retrying: ReturnType<typeof setTimeout> | undefined;
  /** The history up to here is cleared. */
  private cleared = 0;
  /** Polls with votes that are not counted yet, and whether a question is on its way. */
  private readonly voted = new Set<number>();
  private isCounting = false;
  /** Growing messages that are being read again. */
  private readonly rereading = new Set<number>();
  private expiring: ReturnType<typeof setTimeout> | undefined;

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

  /** Loads the latest page, or the events around a seq. Of several, the last one that was asked for is shown. */
  open(around?: number): Promise<void> {
    this.around = around;
    const asked = (this.asked += 1);
    // The page that is on its way belongs to another part.
    if (this.loading !== undefined) return this.loading.then(() => (asked === this.asked ? this.reopen(around) : undefined));
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

  private reopen(around: number | undefined): Promise<void> {
    this.forget();
    return this.open(around);
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
    this.entries = events.filter(({ seq }) => seq > this.cleared).map((event) => freshEntry(event, events));
    for (const event of events) this.apply(event);
    this.expire();
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
      this.expire();
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

  /** A message has grown by a piece. After a gap its text is read again. */
  grow(seq: number, index: number, piece: string): void {
    const target = this.find(seq);
    if (target === undefined) return;
    const grown = withPiece(target, index, piece);
    if (grown === undefined) return void this.reread(seq);
    if (grown === target) return;
    this.exchange(target, grown);
    this.changed();
  }

  private async reread(seq: number): Promise<void> {
    if (this.rereading.has(seq)) return;
    this.rereading.add(seq);
    try {
      const page = await this.source.historyAfter(this.id, seq - 1, 1);
      const [event, target] = [page.events.find((one) => one.seq === seq), this.find(seq)];
      if (event === undefined || target === undefined) return;
      this.exchange(target, entryOf(event, page));
      this.changed();
    } catch (error) {
      // The next piece asks again, and the end has all of the text.
      if (!(error instanceof TroupeError)) throw error;
    } finally {
      this.rereading.delete(seq);
    }
  }

  private exchange(target: Entry, next: Entry): void {
    this.entries = this.entries.map((entry) => (entry === target ? next : entry));
  }

  /** The cluster was restored, or events were missed: nothing in memory is certain. */
  forget(): void {
    [this.entries, this.isLoaded, this.atStart, this.head] = [[], false, false, 0];
    this.changed();
  }

  /** One message, which may be far from the others. Undefined: it is not seen. */
  async read(seq: number): Promise<Entry | undefined> {
    const held = this.find(seq);
    if (held !== undefined) return held;
    try {
      const page = await this.source.historyAfter(this.id, seq - 1, 1);
      const event = page.events.find((one) => one.seq === seq);
      return event === undefined ? undefined : entryOf(event, page);
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      return undefined;
    }
  }

  /** The user has cleared the history up to a seq, and deleted messages behind it for itself. */
  hide(cleared: number, deleted: readonly number[]): void {
    const gone = new Set(deleted);
    const isShown = ({ event, isHidden }: Entry): boolean => isHidden || !gone.has(event.seq);
    if (cleared <= this.cleared && this.entries.every(isShown)) return;
    this.cleared = Math.max(this.cleared, cleared);
    const kept = this.entries.filter(({ event }) => event.seq > this.cleared);
    if (kept.length < this.entries.length) this.atStart = true;
    // The next event follows, wherever it is.
    if (kept.length === 0) this.head = 0;
    this.entries = kept.map((entry) => (isShown(entry) ? entry : { ...entry, isHidden: true }));
    this.changed();
  }

  /** A load that failed may work now. */
  again(): void {
    if (this.trouble === undefined) return;
    this.trouble = undefined;
    if (this.isLoaded) this.changed();
    else void this.open(this.around);
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
    this.expire();
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
    // A flood comes one by one: the array is no other one for each event.
    this.entries.push(...behind);
    const over = this.entries.length - MOST;
    if (over > 0) {
      this.atStart = false;
      this.entries.splice(0, over);
    }
    if (behind.some(({ event }) => expiryOf(event) !== undefined)) this.expire();
  }

  /** What an event changes about entries before it. Edits and recalls belong here too. */
  private apply(event: Event): void {
    const { content } = event;
    if (content.kind === "edited" || content.kind === "streamEnded") return this.revise(content.to, event.seq, content);
    if (content.kind === "recalled" || content.kind === "vanished") return this.revise(content.to, event.seq, content.kind);
    if (content.kind === "voted" || content.kind === "pollClosed") {
      this.voted.add(content.to);
      return void this.count();
    }
    if (content.kind !== "reacted") return;
    const { to, emoji, removed } = content;
    const target = this.find(to);
    if (target === undefined || target.countedTo >= event.seq) return;
    const reactions = withReaction(target.reactions, emoji, removed ? -1 : 1, event.sender === this.source.user);
    const changed = { ...target, reactions, countedTo: event.seq };
    this.exchange(target, changed);
  }

  /** The body of an edit, or why the content is gone. */
  private revise(to: number, by: number, change: Pick<MessageContent, "bodyKind" | "content" | "text"> | "recalled" | "vanished"): void {
    const target = this.find(to);
    if (target === undefined || target.event.content.kind !== "message" || target.edits.includes(by)) return;
    const gone = typeof change === "string" ? change : undefined;
    // What is gone stays so; a page may not have said why.
    if (target.gone !== undefined && (gone === undefined || target.gone !== "erased")) return;
    const { bodyKind, content, text } = typeof change === "string" ? NO_BODY : change;
    const event = { ...target.event, content: { ...target.event.content, bodyKind, content, text } };
    const edits = gone === undefined ? [...target.edits, by] : target.edits;
    this.exchange(target, { ...target, event, edits, gone, pieces: undefined });
  }

  /** The votes of an event depend on earlier ones, so they are asked for, all of a moment at once. */
  private async count(): Promise<void> {
    if (this.isCounting) return;
    this.isCounting = true;
    while (this.voted.size > 0) {
      for (const to of [...this.voted]) {
        this.voted.delete(to);
        if (this.find(to)?.event.content.kind === "message") await this.countOne(to);
      }
      await new Promise((resolve) => setTimeout(resolve, VOTES_MS));
    }
    this.isCounting = false;
  }

  private async countOne(to: number): Promise<void> {
    try {
      const page = await this.source.historyAfter(this.id, to - 1, 1);
      const poll = pollOf(page, to);
      this.entries = this.entries.map((entry) => (entry.event.seq === to ? { ...entry, poll } : entry));
      this.changed();
    } catch (error) {
      // The next vote asks again.
      if (!(error instanceof TroupeError)) throw error;
    }
  }

  /** Drops contents whose time is over. The event that says so follows. */
  private expire(): void {
    clearTimeout(this.expiring);
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const { event, gone } of this.entries) {
      const at = expiryOf(event);
      if (gone !== undefined || at === undefined) continue;
      if (at <= now) this.revise(event.seq, 0, "vanished");
      else next = Math.min(next, at);
    }
    if (next === Number.POSITIVE_INFINITY) return;
    this.expiring = setTimeout(() => {
      this.expire();
      this.changed();
    }, Math.min(next - now, LONGEST_MS));
  }

  private load(work: () => Promise<void>): Promise<void> {
    this.loading ??= (async () => {
      try {
        await work();
        this.trouble = undefined;
        this.retries = 0;
      } catch (error) {
        if (!(error instanceof TroupeError)) throw error;
        this.trouble = error.text;
        // A shard without a leader gets one, and no other event says so.
        if (error.transient && this.retries < RETRIES) {
          this.retries += 1;
          clearTimeout(this.retrying);
          this.retrying = setTimeout(() => this.again(), RETRY_MS);
        }
      } finally {
        this.loading = undefined;
        this.changed();
      }
    })();
    return this.loading;
  }
}
