/** Requests around a user's own state of conversations as those of the HTTP API. */

import { type Call, stateOf } from "./calls.js";
import type { Init } from "./codec.js";
import { hex } from "./ids.js";
import { eventOf, type Json, listOf, numberOf, objectOf, personalOf, textOf } from "./json.js";
import type { ClientRequest, ServerMessage } from "./line.js";
import type * as wire from "./wire.js";

type Case = "changePersonal" | "showPersonal" | "deleteForMe" | "changeFavourite" | "listFavourites";
type PersonalRequest = Extract<ClientRequest, { case: Case }>;
type Told = [Call, (answer: Json) => Init<ServerMessage>];

export function personalCallOf(request: PersonalRequest): Told {
  switch (request.case) {
    case "changeFavourite": {
      const { request: key, conversation, seq, removed } = request.value;
      const call = { method: removed ? "DELETE" : "PUT", path: `/v1/favourites/${conversation}/${seq}`, key: hex(key) } as const;
      return [call, () => ({ case: "done", value: {} })];
    }
    case "listFavourites": {
      const { before, limit } = request.value;
      const given = Object.entries({ before, limit }).filter(([, value]) => value !== 0);
      const query = given.length === 0 ? "" : `?${given.map(([name, value]) => `${name}=${value}`).join("&")}`;
      return [{ method: "GET", path: `/v1/favourites${query}` }, ({ favourites, next, version }) => {
        const value = { favourites: listOf(favourites).map(favouriteOf), next: numberOf(next ?? 0), version: numberOf(version) };
        return { case: "favourites", value };
      }];
    }
    default: {
      const { conversation } = request.value;
      const path = `/v1/conversations/${conversation}/me`;
      const read = (state: Json): Init<ServerMessage> => ({ case: "personal", value: personalOf({ ...state, conversation }) });
      if (request.case === "showPersonal") return [{ method: "GET", path }, read];
      if (request.case === "deleteForMe") return [{ method: "POST", path: `${path}/deleted`, body: { seqs: request.value.seqs } }, read];
      const { request: key, seen, pin, mutedUntilMs, archived, hidden, draft, markedUnread, clearTo } = request.value;
      const names = { muted_until_ms: mutedUntilMs, marked_unread: markedUnread, clear_to: clearTo };
      return [{ method: "PATCH", path, key: hex(key), body: { seen, pin, archived, hidden, draft, ...names } }, read];
    }
  }
}

function favouriteOf({ number, conversation, seq, saved_ms, message, unavailable }: Json): Init<wire.Favourite> {
  const of = { number: numberOf(number), conversation: textOf(conversation), seq: numberOf(seq), savedMs: numberOf(saved_ms) };
  const shown = message === undefined ? undefined : objectOf(message);
  const isChanged = shown !== undefined && ("edited" in shown || shown["erased"] === true);
  const state = shown !== undefined && isChanged ? stateOf(shown) : undefined;
  return { ...of, event: shown === undefined ? undefined : eventOf(shown), state, unavailable: unavailable === true };
}
