/** Requests around the profile of this user. */

import { type ClientMessageId, clientMessageId, ofHex, randomId } from "./ids.js";
import type { Request, ServerMessage } from "./line.js";
import type * as wire from "./wire.js";

/** A change under an id of the caller's own is the same change, also after a restart. */
export interface Change {
  readonly request?: ClientMessageId | string | Uint8Array;
}

/** Texts that are given are set; an empty one erases. */
export interface ProfileChange {
  readonly displayName?: string;
  readonly avatar?: string;
  readonly about?: string;
  readonly language?: string;
}

export type AnswerOf<Case extends ServerMessage["case"]> = Extract<ServerMessage, { case: Case }>["value"];

export abstract class PeopleRequests {
  /** Asks any node until one answers. Only for requests that may be repeated. */
  abstract call<Case extends ServerMessage["case"]>(request: Request, answer: Case): Promise<AnswerOf<Case>>;

  /** The texts that this user shows of itself, and the number of their changes. */
  profile(): Promise<wire.OwnProfile> {
    return this.call({ case: "showProfile", value: {} }, "ownProfile");
  }

  async changeProfile(texts: ProfileChange, change: Change = {}): Promise<void> {
    await this.call({ case: "changeProfile", value: { request: requestId(change), ...texts } }, "done");
  }
}

export function requestId({ request }: Change): Uint8Array<ArrayBuffer> {
  return request === undefined ? randomId() : ofHex(clientMessageId(request));
}
