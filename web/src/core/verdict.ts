/**
 * The judgement over one's own messages: each acknowledged message has one place in the log, and
 * the places have the order in which the messages were sent. It believes the log, not the client.
 */

export interface Verdict {
  readonly sent: number;
  readonly acknowledged: number;
  /** Acknowledged, and the log has something else at that place. */
  readonly lost: number;
  /** Seen at two places of one log. */
  readonly duplicated: number;
  readonly inOrder: boolean;
  /** The longest time from a send to its acknowledgement, in milliseconds. */
  readonly longestMs: number;
  /** Refused by the server, definitely: the user was informed. */
  readonly refused: number;
}

interface Own {
  readonly conversation: string;
  readonly number: number;
  readonly sentMs: number;
  ackedSeq?: number;
  placedSeq?: number;
}

/** At the limit the oldest messages are not watched any more. */
const MOST = 5_000;

export class Judge {
  private readonly messages = new Map<string, Own>();
  private sent = 0;
  private acknowledged = 0;
  private refused = 0;
  private longest = 0;
  private readonly lost = new Set<string>();
  private readonly duplicated = new Set<string>();
  private inOrder = true;
  /** Acknowledged messages whose places the log has not shown yet, by these places. */
  private readonly awaited = new Map<string, string>();

  sends(id: string, conversation: string, nowMs: number): void {
    if (this.messages.has(id)) return;
    this.messages.set(id, { conversation, number: this.sent, sentMs: nowMs });
    this.sent += 1;
    for (const oldest of this.messages.keys()) {
      if (this.messages.size <= MOST) break;
      this.messages.delete(oldest);
    }
  }

  acknowledges(id: string, seq: number, nowMs: number): void {
    const own = this.messages.get(id);
    if (own === undefined || own.ackedSeq !== undefined) return;
    own.ackedSeq = seq;
    this.acknowledged += 1;
    this.longest = Math.max(this.longest, nowMs - own.sentMs);
    if (own.placedSeq !== undefined && own.placedSeq !== seq) this.lost.add(id);
    if (own.placedSeq === undefined) this.await(placeOf(own.conversation, seq), id);
    this.ordered(own);
  }

  refuses(id: string): void {
    if (this.messages.has(id)) this.refused += 1;
  }

  /** The log of a conversation has this own message at this place. */
  places(id: string, conversation: string, seq: number): void {
    const own = this.messages.get(id);
    if (own === undefined) return;
    this.awaited.delete(placeOf(conversation, seq));
    if (own.placedSeq !== undefined && own.placedSeq !== seq) this.duplicated.add(id);
    if (own.ackedSeq !== undefined && own.ackedSeq !== seq) this.lost.add(id);
    own.placedSeq ??= seq;
    this.ordered(own);
  }

  /** The log has another user's event at this place. */
  otherAt(conversation: string, seq: number): void {
    const id = this.awaited.get(placeOf(conversation, seq));
    if (id !== undefined) this.lost.add(id);
  }

  /** How long the oldest message without an answer waits. */
  waitingMs(nowMs: number): number {
    let longest = 0;
    for (const { ackedSeq, placedSeq, sentMs } of this.messages.values()) {
      if (ackedSeq === undefined && placedSeq === undefined) longest = Math.max(longest, nowMs - sentMs);
    }
    return longest;
  }

  verdict(): Verdict {
    return {
      sent: this.sent,
      acknowledged: this.acknowledged,
      lost: this.lost.size,
      duplicated: this.duplicated.size,
      inOrder: this.inOrder,
      longestMs: Math.round(this.longest),
      refused: this.refused,
    };
  }

  private await(place: string, id: string): void {
    this.awaited.set(place, id);
    for (const oldest of this.awaited.keys()) {
      if (this.awaited.size <= MOST) break;
      this.awaited.delete(oldest);
    }
  }

  private ordered(own: Own): void {
    const at = own.ackedSeq ?? own.placedSeq;
    if (at === undefined) return;
    for (const other of this.messages.values()) {
      const place = other.ackedSeq ?? other.placedSeq;
      if (other === own || place === undefined || other.conversation !== own.conversation) continue;
      if (other.number < own.number !== place < at) this.inOrder = false;
    }
  }
}

function placeOf(conversation: string, seq: number): string {
  return `${conversation} ${seq}`;
}
