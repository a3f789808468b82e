/** Whether users are online, of those that are on the screen: the cluster pushes each change. */

import { type Client, TroupeError, type wire } from "troupe-chat";
import { Value } from "./value";

export type Seen = Pick<wire.PresencePush, "online" | "lastSeenMs">;

/** Users of one watch, and milliseconds for which changes of it are gathered. */
const [MOST, GATHER_MS] = [200, 100];
/** Milliseconds between two questions where the cluster pushes nothing. */
const ASK_MS = 30_000;

export class Presence {
  readonly seen = new Value<ReadonlyMap<number, Seen>>(new Map());
  /** Users by the part of the page that shows them. */
  private readonly wanted = new Map<string, readonly number[]>();
  private watched = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly client: Pick<Client, "watch" | "getUsers">) {}

  /** A part of the page shows these users; none: it has gone. Parts that come first have precedence. */
  want(part: string, users: readonly number[]): void {
    if (users.length === 0) this.wanted.delete(part);
    else this.wanted.set(part, users);
    this.soon(GATHER_MS);
  }

  /** A new connection watches no one. */
  online(): void {
    this.watched = "";
    this.soon(GATHER_MS);
  }

  take({ user, online, lastSeenMs }: Seen & { readonly user: number }): void {
    this.seen.set(new Map(this.seen.get()).set(user, { online, lastSeenMs }));
  }

  private soon(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.watch(), ms);
  }

  private async watch(): Promise<void> {
    const users = [...new Set([...this.wanted.values()].flat())].slice(0, MOST);
    const key = [...users].sort((one, other) => one - other).join();
    if (key === this.watched) return;
    this.watched = key;
    try {
      this.put(await this.client.watch(users));
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      if (error.definite) await this.ask(users);
      this.watched = "";
      if (users.length > 0) this.soon(ASK_MS);
    }
  }

  /** A cluster of an earlier version says it when it is asked. */
  private async ask(users: readonly number[]): Promise<void> {
    try {
      this.put(await this.client.getUsers({ ids: users }));
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
    }
  }

  private put(users: readonly (Seen & { readonly userId: number })[]): void {
    const seen = new Map(this.seen.get());
    for (const { userId, online, lastSeenMs } of users) seen.set(userId, { online, lastSeenMs });
    this.seen.set(seen);
  }
}
