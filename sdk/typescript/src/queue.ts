/** Items on their way to the application. No IO. */

import type { Inbox } from "./inbox.js";
import type { Incoming } from "./items.js";

/** Items of the queue that are reserved for notices. */
const NOTICES = 64;

export class ItemQueue {
  private items: Incoming[] = [];
  /**
   * Outcomes that were not asked for, at most as many as the outbox held, and one notice per
   * conversation after a restore. They wait for room among the items.
   */
  private readonly sure: Incoming[] = [];

  /** `room`: events that are kept ready. */
  constructor(private readonly room: number) {}

  get length(): number {
    return this.items.length;
  }

  take(): Incoming | undefined {
    return this.items.shift();
  }

  /** An optional notice, dropped at the limit. */
  tell(item: Incoming): void {
    if (this.items.length < this.room + NOTICES) this.items.push(item);
  }

  tellSurely(item: Incoming): void {
    this.sure.push(item);
  }

  /** Fills the queue as far as there is room. */
  fill(inbox: Inbox): void {
    const most = this.room + NOTICES;
    if (this.sure.length > 0) this.items.push(...this.sure.splice(0, Math.max(most - this.items.length, 0)));
    while (this.items.length < this.room) {
      const found = inbox.take();
      if (found === undefined) return;
      this.items.push({ type: "event", conversation: found[0], event: found[1] });
    }
  }
}
