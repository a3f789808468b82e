/** The pinned messages of the conversations that were opened, the last one at the end. */

import { type Client, type Event, EVERYONE, TroupeError, type wire } from "troupe-chat";
import { Value } from "./value";

export class Pins {
  readonly all = new Value<ReadonlyMap<string, readonly wire.Pin[]>>(new Map());

  constructor(private readonly client: Pick<Client, "pins">) {}

  async load(conversation: string): Promise<void> {
    // The channel of all has none.
    if (conversation === EVERYONE) return;
    try {
      this.put(conversation, await this.client.pins(conversation));
    } catch (error) {
      // A direct conversation without a message, or a cluster of an earlier version.
      if (!(error instanceof TroupeError)) throw error;
    }
  }

  event(conversation: string, { seq, sender, timeMs, content }: Event): void {
    const held = this.all.get().get(conversation);
    if (held === undefined || seq === 0) return;
    if (content.kind !== "pinned" && content.kind !== "recalled" && content.kind !== "vanished") return;
    const others = held.filter((pin) => pin.seq !== content.to);
    const isAdded = content.kind === "pinned" && !content.removed;
    if (isAdded) this.put(conversation, [...others, { seq: content.to, by: sender, timeMs }]);
    else if (others.length < held.length) this.put(conversation, others);
  }

  private put(conversation: string, pins: readonly wire.Pin[]): void {
    this.all.set(new Map(this.all.get()).set(conversation, pins));
  }
}
