/** The messages that this user has saved, by their places. */

import { type Client, type Incoming, TroupeError } from "troupe-chat";
import { Value } from "./value";

/** Saved messages whose places are known; of older ones the list has more. */
const [MOST, PAGE] = [500, 100];

export function placeKey(conversation: string, seq: number): string {
  return `${conversation} ${seq}`;
}

export class Saved {
  readonly all = new Value<ReadonlySet<string>>(new Set());
  private version = 0;
  private isLoaded = false;

  constructor(private readonly client: Pick<Client, "favourites" | "saveFavourite" | "removeFavourite">) {}

  /** Once, when somebody wants to know. */
  async load(): Promise<void> {
    if (this.isLoaded) return;
    this.isLoaded = true;
    try {
      const found = new Set<string>();
      for (let before = 0; found.size < MOST; ) {
        const { favourites, next, version } = await this.client.favourites(before, PAGE);
        for (const { conversation, seq } of favourites) found.add(placeKey(conversation, seq));
        this.version = Math.max(this.version, version);
        if (next === 0) break;
        before = next;
      }
      this.all.set(found);
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      this.isLoaded = false;
    }
  }

  /** Pushes were missed. */
  stale(): void {
    this.isLoaded = false;
  }

  take({ conversation, seq, removed, version }: Extract<Incoming, { type: "favouriteChanged" }>): void {
    if (version < this.version) return;
    this.version = version;
    this.put(conversation, seq, !removed);
  }

  async set(conversation: string, seq: number, isSaved: boolean): Promise<void> {
    await (isSaved ? this.client.saveFavourite(conversation, seq) : this.client.removeFavourite(conversation, seq));
    this.put(conversation, seq, isSaved);
  }

  private put(conversation: string, seq: number, isSaved: boolean): void {
    const next = new Set(this.all.get());
    if (isSaved) next.add(placeKey(conversation, seq));
    else next.delete(placeKey(conversation, seq));
    this.all.set(next);
  }
}
