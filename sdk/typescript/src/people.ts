/** Requests around the profile of this user, its contacts, and users that it blocks. */

import { type ClientMessageId, clientMessageId, conversationId, ofHex, randomId } from "./ids.js";
import * as limits from "./limits.js";
import type { Request, ServerMessage } from "./line.js";
import type * as wire from "./wire.js";

/** A change under an id of the caller's own is the same change, also after a restart. */
export interface Change {
  readonly request?: ClientMessageId | string | Uint8Array;
}

/** Values that are given are set; an empty text erases. */
export interface ProfileChange {
  readonly displayName?: string;
  readonly avatar?: string;
  readonly about?: string;
  readonly language?: string;
  readonly messagesFrom?: wire.Audience;
}

export type AnswerOf<Case extends ServerMessage["case"]> = Extract<ServerMessage, { case: Case }>["value"];

export abstract class PeopleRequests {
  /** Asks any node until one answers. Only for requests that may be repeated. */
  abstract call<Case extends ServerMessage["case"]>(request: Request, answer: Case): Promise<AnswerOf<Case>>;

  /** The texts that this user shows of itself, and the number of their changes. */
  profile(): Promise<wire.OwnProfile> {
    return this.call({ case: "showProfile", value: {} }, "ownProfile");
  }

  /** Sets who sees whether this user is online, and when it last was. */
  async changePresence(shownTo: wire.Viewers): Promise<void> {
    await this.call({ case: "changePresence", value: { shownTo } }, "done");
  }

  /**
   * Sets the users whose presence this device hears of; none ends it. Returns the present state of
   * those that exist. A new connection watches no one.
   */
  async watch(users: readonly number[]): Promise<wire.PresencePush[]> {
    return (await this.call({ case: "watch", value: { userIds: [...users] } }, "watched")).users;
  }

  async changeProfile(texts: ProfileChange, change: Change = {}): Promise<void> {
    await this.call({ case: "changeProfile", value: { request: requestId(change), ...texts } }, "done");
  }

  /**
   * All contacts and open requests in order of their users, and the version of the list. With a
   * version: the changes since then, also of relations that have ended.
   */
  async contacts(since = 0): Promise<{ contacts: wire.Contact[]; version: number }> {
    const contacts: wire.Contact[] = [];
    const place = { after: 0, since };
    const by = since > 0 ? "since" : "after";
    for (;;) {
      const page = await this.call({ case: "listContacts", value: { ...place, limit: limits.PAGE_CONTACTS } }, "contacts");
      contacts.push(...page.contacts);
      if (page.next <= place[by]) return { contacts, version: page.version };
      place[by] = page.next;
    }
  }

  /** Its state is CONTACT_STATE_UNSPECIFIED if there is no relation. */
  contact(user: number): Promise<wire.Contact> {
    return this.call({ case: "showContact", value: { userId: user } }, "contact");
  }

  /** If that user has asked already, both are contacts at once. */
  askContact(user: number, text = "", change: Change = {}): Promise<void> {
    return this.changeContact(user, { case: "ask", value: text }, change);
  }

  acceptContact(user: number, change: Change = {}): Promise<void> {
    return this.changeContact(user, { case: "accept", value: {} }, change);
  }

  /** Withdraws or refuses a request, or removes the contact for both users. */
  endContact(user: number, change: Change = {}): Promise<void> {
    return this.changeContact(user, { case: "end", value: {} }, change);
  }

  /** Sets this user's own name for a contact; empty: none. */
  remarkContact(user: number, remark: string, change: Change = {}): Promise<void> {
    return this.changeContact(user, { case: "remark", value: remark }, change);
  }

  /** The block is in force when this resolves. The other user is not told of it. */
  block(user: number, change: Change = {}): Promise<void> {
    return this.changeContact(user, { case: "block", value: true }, change);
  }

  liftBlock(user: number, change: Change = {}): Promise<void> {
    return this.changeContact(user, { case: "block", value: false }, change);
  }

  /** The users that this one blocks, in order of their ids. */
  async blocks(): Promise<wire.Block[]> {
    const blocks: wire.Block[] = [];
    for (let after = 0; ; ) {
      const page = await this.call({ case: "listBlocks", value: { after, limit: limits.PAGE_CONTACTS } }, "blocks");
      blocks.push(...page.blocks);
      const last = page.blocks.at(-1)?.userId ?? 0;
      if (!page.more || last <= after) return blocks;
      after = last;
    }
  }

  /** Reports a message that this user sees. A repeated report of the same is one. */
  async reportMessage(conversation: string, at: number, reason: string, change: Change = {}): Promise<void> {
    const value = { request: requestId(change), conversation: conversationId(conversation), seq: at, reason };
    await this.call({ case: "report", value }, "done");
  }

  async reportUser(user: number, reason: string, change: Change = {}): Promise<void> {
    await this.call({ case: "report", value: { request: requestId(change), userId: user, reason } }, "done");
  }

  private async changeContact(user: number, what: wire.ChangeContact["change"], change: Change): Promise<void> {
    const value = { request: requestId(change), userId: user, change: what };
    await this.call({ case: "changeContact", value } as Request, "done");
  }
}

export function requestId({ request }: Change): Uint8Array<ArrayBuffer> {
  return request === undefined ? randomId() : ofHex(clientMessageId(request));
}
