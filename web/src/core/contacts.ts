/** Relations of this user to others, kept up to date by the stream. */

import { TroupeError, type wire } from "troupe-chat";
import { Value } from "./value";

interface Source {
  contacts(since?: number): Promise<{ contacts: wire.Contact[]; version: number }>;
  blocks(): Promise<wire.Block[]>;
}

/** The values of ContactState; the SDK's are of a module that is loaded later. */
const [NONE, RECEIVED] = [0, 2];

export class Contacts {
  /** By user. Users without a relation are not here. */
  readonly all = new Value<ReadonlyMap<number, wire.Contact>>(new Map());
  private version = 0;

  constructor(private readonly source: Source) {}

  /** After a login, and after the stream had a gap. */
  async load(): Promise<void> {
    try {
      const isFirst = this.version === 0;
      const { contacts, version } = await this.source.contacts(this.version);
      const blocks = isFirst ? await this.source.blocks() : [];
      this.version = Math.max(this.version, version);
      this.put(contacts);
      const held = this.all.get();
      // Blocked users without a relation are in their own list.
      const only = blocks.filter(({ userId }) => !held.has(userId));
      this.put(only.map(({ userId, sinceMs }) => ({ userId, sinceMs, state: NONE, text: "", remark: "", version: 0, blocked: true })));
    } catch (error) {
      // A cluster of an earlier version has no contacts.
      if (!(error instanceof TroupeError)) throw error;
    }
  }

  take(contact: wire.Contact): void {
    this.put([contact]);
  }

  remark(user: number): string | undefined {
    const remark = this.all.get().get(user)?.remark;
    return remark === "" ? undefined : remark;
  }

  /** Users that wait for an answer. */
  get waiting(): number {
    return [...this.all.get().values()].filter(({ state, blocked }) => state === RECEIVED && !blocked).length;
  }

  private put(contacts: readonly wire.Contact[]): void {
    if (contacts.length === 0) return;
    const next = new Map(this.all.get());
    for (const contact of contacts) {
      const held = next.get(contact.userId);
      if (held !== undefined && held.version > contact.version) continue;
      if (contact.state === NONE && !contact.blocked) next.delete(contact.userId);
      else next.set(contact.userId, contact);
    }
    this.all.set(next);
  }
}
