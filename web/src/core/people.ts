/** Names of users by their ids, asked for in bulk. A user may show another name than its account's. */

import { TroupeError, type wire } from "troupe-chat";
import { Value } from "./value";

/** Ids of one request, and milliseconds for which they are gathered. */
const [MOST, GATHER, AGAIN] = [200, 20, 2_000];

interface Source {
  getUsers(of: { readonly ids?: readonly number[] }): Promise<wire.User[]>;
}

export class People {
  /** Changes when names arrive. */
  readonly known = new Value<ReadonlyMap<number, string>>(new Map());
  private readonly accounts = new Map<number, string>();
  private readonly avatars = new Map<number, string>();
  private readonly wanted = new Set<number>();
  private isScheduled = false;

  constructor(private readonly source: Source) {}

  /** Undefined: it is being asked for. */
  name(id: number): string | undefined {
    const name = this.known.get().get(id);
    if (name === undefined && id !== 0) this.want(id);
    return name;
  }

  /** The name of the account, where the user shows another one. */
  account(id: number): string | undefined {
    const account = this.accounts.get(id);
    return account === this.known.get().get(id) ? undefined : account;
  }

  /** The reference to the picture of a user; empty: none, or it is not known yet. */
  avatar(id: number): string {
    return this.avatars.get(id) ?? "";
  }

  learn(users: Iterable<Pick<wire.User, "userId" | "name" | "profile">>): void {
    const known = new Map(this.known.get());
    for (const { userId, name, profile } of users) {
      const display = profile?.displayName ?? "";
      known.set(userId, display === "" ? name : display);
      this.accounts.set(userId, name);
      this.avatars.set(userId, profile?.avatar ?? "");
    }
    this.known.set(known);
  }

  private want(id: number): void {
    if (this.wanted.has(id)) return;
    this.wanted.add(id);
    this.schedule(GATHER);
  }

  private schedule(ms: number): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setTimeout(() => void this.ask(), ms);
  }

  private async ask(): Promise<void> {
    const ids = [...this.wanted].slice(0, MOST);
    let isLater = false;
    try {
      const users = await this.source.getUsers({ ids });
      const found = new Map(users.map((user) => [user.userId, user]));
      // An id without a user belongs to a deleted account: it is not asked for again.
      this.learn(ids.map((userId) => found.get(userId) ?? { userId, name: "" }));
      for (const id of ids) this.wanted.delete(id);
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      isLater = error.transient;
      if (!isLater) for (const id of ids) this.wanted.delete(id);
    } finally {
      this.isScheduled = false;
      if (this.wanted.size > 0) this.schedule(isLater ? AGAIN : GATHER);
    }
  }
}
