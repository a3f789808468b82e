/** Requests around people as those of the HTTP API, and their answers. */

import type { Call } from "./calls.js";
import type { Init } from "./codec.js";
import { hex } from "./ids.js";
import { type Json, numberOf, profileOf } from "./json.js";
import type { ClientRequest, ServerMessage } from "./line.js";
import type * as wire from "./wire.js";

type PeopleRequest = Extract<ClientRequest, { case: "changeProfile" | "showProfile" }>;

const DONE = { case: "done", value: {} } as const;

export function peopleCallOf(request: PeopleRequest): [Call, (answer: Json) => Init<ServerMessage>] {
  switch (request.case) {
    case "changeProfile": {
      const { request: key, displayName, avatar, about, language } = request.value;
      const body = { display_name: displayName, avatar, about, language };
      return [{ method: "PATCH", path: "/v1/me", key: hex(key), body }, () => DONE];
    }
    case "showProfile":
      return [{ method: "GET", path: "/v1/me" }, (me) => ({ case: "ownProfile", value: ownProfileOf(me) })];
  }
}

export function ownProfileOf(own: Json): wire.OwnProfile {
  return { profile: profileOf(own), version: numberOf(own["version"]) };
}
