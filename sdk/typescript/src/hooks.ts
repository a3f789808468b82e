/** Requests around the bots of this user, and the hooks of groups. */

import { conversationId } from "./ids.js";
import * as limits from "./limits.js";
import { type Change, requestId } from "./people.js";
import { PersonalRequests } from "./personal.js";
import * as wire from "./wire.js";

export abstract class HookRequests extends PersonalRequests {
  /**
   * Makes a bot: an account without a password. Only the answer has its token, which serves like
   * that of a session. A repeat is the same bot with another token.
   */
  createBot(name: string, scopes: Partial<wire.BotScopes>, change: Change = {}): Promise<wire.Bot> {
    const all = { read: false, send: false, manage: false, ...scopes };
    return this.changeBot({ case: "create", value: { name, scopes: all } }, change);
  }

  /** Gives a bot another token. The one before ends at once. */
  rotateBot(bot: number, change: Change = {}): Promise<wire.Bot> {
    return this.changeBot({ case: "rotate", value: bot }, change);
  }

  /** Ends a bot. Its messages stay. */
  async endBot(bot: number, change: Change = {}): Promise<void> {
    await this.changeBot({ case: "end", value: bot }, change);
  }

  /** All bots of this user, without their tokens. */
  async bots(): Promise<readonly wire.Bot[]> {
    return (await this.call({ case: "listBots", value: {} }, "bots")).bots;
  }

  private changeBot(what: NonNullable<wire.ChangeBot["change"]>, change: Change): Promise<wire.Bot> {
    return this.call({ case: "changeBot", value: { request: requestId(change), change: what } }, "bot");
  }

  /**
   * Makes a hook of a group: without a `url` one that posts, with one that gets the events there.
   * The secret has 16 to 64 letters, digits, `-` and `_`.
   */
  makeHook(conversation: string, name: string, secret: string, url = "", change: Change = {}): Promise<wire.Hook> {
    const kind = url === "" ? wire.HookKind.INCOMING : wire.HookKind.OUTGOING;
    return this.changeHook(conversation, { case: "make", value: { kind, name, secret, url, closed: false } }, change);
  }

  /**
   * Makes a hook that is asked before each message of a group. `closed`: messages are refused while
   * it does not answer; else they pass.
   */
  makeBeforeHook(conversation: string, name: string, secret: string, url: string, closed: boolean, change: Change = {}): Promise<wire.Hook> {
    const value = { kind: wire.HookKind.BEFORE, name, secret, url, closed };
    return this.changeHook(conversation, { case: "make", value }, change);
  }

  /** Ends a hook, with its dead events. */
  async endHook(conversation: string, hook: number, change: Change = {}): Promise<void> {
    await this.changeHook(conversation, { case: "end", value: hook }, change);
  }

  /** Tries a dead event of a hook again, or with 0 all of them. */
  async retryDead(conversation: string, hook: number, seq = 0, change: Change = {}): Promise<void> {
    await this.changeHook(conversation, { case: "retry", value: { hook, seq } }, change);
  }

  /** The hooks of a group, without their secrets. */
  async hooks(conversation: string): Promise<readonly wire.Hook[]> {
    const value = { conversation: conversationId(conversation) };
    return (await this.call({ case: "listHooks", value }, "hooks")).hooks;
  }

  /** The events that the receiver of a hook did not take, in order. */
  async deadEvents(conversation: string, hook: number): Promise<wire.DeadEvent[]> {
    const events: wire.DeadEvent[] = [];
    for (;;) {
      const after = events.at(-1)?.seq ?? 0;
      const value = { conversation: conversationId(conversation), hook, after, limit: limits.PAGE_DEAD };
      const page = await this.call({ case: "listDead", value }, "deadEvents");
      events.push(...page.events);
      if (!page.more || page.events.length === 0) return events;
    }
  }

  private changeHook(conversation: string, what: NonNullable<wire.ChangeHook["change"]>, change: Change): Promise<wire.Hook> {
    const value = { request: requestId(change), conversation: conversationId(conversation), change: what };
    return this.call({ case: "changeHook", value }, "hook");
  }
}
