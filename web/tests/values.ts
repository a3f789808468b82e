/** Events and a log for the tests. */

import { clientMessageId, type Content, type ConversationId, type Event, type HistoryPage, type Kept, seq, userId, type wire } from "troupe-chat";
import type { Source } from "../src/core/timeline";

export const [ME, BOB] = [1, 2];
export const ROOM = "d1-2" as ConversationId;

export function idOf(number: number): string {
  return number.toString(16).padStart(32, "0");
}

export function event(at: number, content: Content, sender = BOB, timeMs = at * 1_000): Event {
  return { seq: seq(at), timeMs, sender: userId(sender), clientMessageId: clientMessageId(idOf(at)), content, flags: 1 };
}

export function text(at: number, words = `message ${at}`, sender = BOB, timeMs?: number): Event {
  return event(at, { kind: "message", bodyKind: 1, content: new TextEncoder().encode(words), text: words }, sender, timeMs);
}

export function reacted(at: number, to: number, emoji: string, sender = BOB, removed = false): Event {
  return event(at, { kind: "reacted", to: seq(to), emoji, removed }, sender);
}

/** A log in memory that answers as a server does. */
export class Log implements Source {
  readonly user = userId(ME);
  readonly events: Event[] = [];
  asked = 0;
  readonly polls = new Map<ReturnType<typeof seq>, wire.PollState>();
  readonly states = new Map<ReturnType<typeof seq>, wire.MessageState>();
  failing: Error | undefined;
  /** Places that this device holds. */
  held: number[] = [];

  constructor(many = 0, readonly visibleFrom = 1) {
    for (let at = 1; at <= many; at++) this.events.push(text(at));
  }

  async historyBefore(_: string, before = 0, limit = 500): Promise<HistoryPage> {
    const below = this.visible().filter((one) => before === 0 || one.seq < before);
    return this.page(below.slice(-limit), below.length > limit);
  }

  async historyAfter(_: string, after = 0, limit = 500): Promise<HistoryPage> {
    const behind = this.visible().filter((one) => one.seq > after);
    return this.page(behind.slice(0, limit), behind.length > limit);
  }

  async kept(): Promise<Kept[]> {
    return this.held.map((at) => ({ number: at, conversation: ROOM, event: this.events[at - 1] as Event }));
  }

  private visible(): Event[] {
    return this.events.filter((one) => one.seq >= this.visibleFrom);
  }

  private page(events: Event[], more: boolean): HistoryPage {
    this.asked += 1;
    if (this.failing !== undefined) throw this.failing;
    const reactions = new Map<ReturnType<typeof seq>, wire.Reaction[]>();
    for (const { content, sender } of this.events) {
      if (content.kind !== "reacted") continue;
      const counts = reactions.get(content.to) ?? [];
      const held = counts.find((one) => one.emoji === content.emoji) ?? { emoji: content.emoji, users: 0, mine: false };
      held.users += content.removed ? -1 : 1;
      if (sender === ME) held.mine = !content.removed;
      reactions.set(content.to, [...counts.filter((one) => one !== held), held].filter(({ users }) => users > 0));
    }
    return { events, head: seq(this.events.length), more, reactions, states: this.states, polls: this.polls };
  }
}
