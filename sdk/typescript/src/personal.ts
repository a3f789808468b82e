/** Requests around this user's own state of a conversation, the same on its devices. */

import { conversationId } from "./ids.js";
import { type Change, PeopleRequests, requestId } from "./people.js";
import type * as wire from "./wire.js";

/** Properties that are given are set. */
export interface PersonalChange {
  /**
   * The version that this device has seen: if another one has changed one of these properties
   * since, the change is refused. Absent: the last change wins.
   */
  readonly seen?: number;
  /** The place among the pinned conversations; 0: not pinned. */
  readonly pin?: number;
  readonly mutedUntilMs?: number;
  readonly archived?: boolean;
  /** Until the next event. */
  readonly hidden?: boolean;
  readonly draft?: string;
  /** Until the read position moves. */
  readonly markedUnread?: boolean;
  /** The history up to this seq is not shown to this user any more. */
  readonly clearTo?: number;
}

export abstract class PersonalRequests extends PeopleRequests {
  personal(conversation: string): Promise<wire.Personal> {
    return this.call({ case: "showPersonal", value: { conversation: conversationId(conversation) } }, "personal");
  }

  /** This user sees these messages no more, at most 100 in one request. It cannot be undone. */
  deleteForMe(conversation: string, seqs: readonly number[]): Promise<wire.Personal> {
    const value = { conversation: conversationId(conversation), seqs: [...seqs] };
    return this.call({ case: "deleteForMe", value }, "personal");
  }

  /** Saves a message that this user sees. */
  saveFavourite(conversation: string, at: number, change: Change = {}): Promise<void> {
    return this.changeFavourite(conversation, at, false, change);
  }

  removeFavourite(conversation: string, at: number, change: Change = {}): Promise<void> {
    return this.changeFavourite(conversation, at, true, change);
  }

  /**
   * The saved messages as this user sees them now, the last one first. `before` is `next` of the
   * page before. An `event` is absent if this user does not see it any more.
   */
  favourites(before = 0, limit = 0): Promise<wire.Favourites> {
    return this.call({ case: "listFavourites", value: { before, limit } }, "favourites");
  }

  private async changeFavourite(conversation: string, at: number, removed: boolean, change: Change): Promise<void> {
    const value = { request: requestId(change), conversation: conversationId(conversation), seq: at, removed };
    await this.call({ case: "changeFavourite", value }, "done");
  }

  /** Resolves to the state behind the change. */
  changePersonal(conversation: string, what: PersonalChange, change: Change = {}): Promise<wire.Personal> {
    const value = { conversation: conversationId(conversation), request: requestId(change), ...what };
    return this.call({ case: "changePersonal", value }, "personal");
  }
}
