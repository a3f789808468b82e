/** Settings of the conversations that were opened: of groups, and the retention of direct ones. */

import { type Client, type Event, EVERYONE, TroupeError, wire } from "troupe-chat";
import { Value } from "./value";

export class Settings {
  readonly all = new Value<ReadonlyMap<string, wire.GroupSettings>>(new Map());

  constructor(private readonly client: Pick<Client, "group">) {}

  async load(conversation: string): Promise<void> {
    if (conversation === EVERYONE) return;
    try {
      const { settings } = await this.client.group(conversation);
      if (settings !== undefined) this.put(conversation, settings);
    } catch (error) {
      // A direct conversation without a message, or a cluster of an earlier version.
      if (!(error instanceof TroupeError)) throw error;
    }
  }

  /** The event has what was changed. */
  event(conversation: string, { content }: Event): void {
    const held = this.all.get().get(conversation);
    if (held === undefined || content.kind !== "settingsChanged") return;
    const { join, history, permissions, ...others } = content.settings;
    const given = Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined));
    const acts = new Map([...held.permissions, ...permissions].map((one) => [one.act, one]));
    const next = { ...held, ...given, permissions: [...acts.values()] };
    this.put(conversation, { ...next, join: join || held.join, history: history || held.history });
  }

  /** Whether a role permits an act there. Without an owner's word it is an admin's. */
  may(conversation: string, act: number, role: number): boolean {
    const least = this.all.get().get(conversation)?.permissions.find((one) => one.act === act)?.role ?? wire.Role.ADMIN;
    return rankOf(role) >= rankOf(least);
  }

  private put(conversation: string, settings: wire.GroupSettings): void {
    this.all.set(new Map(this.all.get()).set(conversation, settings));
  }
}

export function rankOf(role: number): number {
  return role === wire.Role.OWNER ? 2 : role === wire.Role.ADMIN ? 1 : 0;
}
