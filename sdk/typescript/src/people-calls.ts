/** Requests around people as those of the HTTP API, and their answers. */

import type { Call } from "./calls.js";
import type { Init } from "./codec.js";
import { ProtocolError } from "./errors.js";
import { hex } from "./ids.js";
import { type Json, listOf, numberOf, profileOf, textOf } from "./json.js";
import type { ClientRequest, ServerMessage } from "./line.js";
import type * as wire from "./wire.js";

type Case = "changePresence" | "watch" | "changeProfile" | "showProfile" | "changeContact" | "showContact" | "listContacts" | "listBlocks" | "report";
type PeopleRequest = Extract<ClientRequest, { case: Case }>;
type Told = [Call, (answer: Json) => Init<ServerMessage>];

const DONE = { case: "done", value: {} } as const;
const AUDIENCES = ["everyone", "contacts"];
const STATES = ["none", "requested", "received", "mutual"];

/** Undefined: the API does not have this change. */
export function peopleCallOf(request: PeopleRequest): Told | undefined {
  switch (request.case) {
    case "changePresence": {
      const words = ["everyone", "contacts", "no_one"];
      return [{ method: "PUT", path: "/v1/me/presence", body: { shown_to: words[request.value.shownTo] } }, () => DONE];
    }
    case "watch": {
      const body = { users: request.value.userIds.map(String) };
      const read = ({ users }: Json): Init<ServerMessage> => ({ case: "watched", value: { users: listOf(users).map(presenceOf) } });
      return [{ method: "PUT", path: "/v1/me/watch", body }, read];
    }
    case "changeProfile": {
      const { request: key, displayName, avatar, about, language, messagesFrom } = request.value;
      const from = messagesFrom === undefined ? undefined : AUDIENCES[messagesFrom - 1];
      const body = { display_name: displayName, avatar, about, language, messages_from: from };
      return [{ method: "PATCH", path: "/v1/me", key: hex(key), body }, () => DONE];
    }
    case "showProfile":
      return [{ method: "GET", path: "/v1/me" }, (me) => ({ case: "ownProfile", value: ownProfileOf(me) })];
    case "changeContact": {
      const { request: key, userId, change } = request.value;
      const call = change === undefined ? undefined : changeOf(userId, change);
      return call === undefined ? undefined : [{ ...call, key: hex(key) }, () => DONE];
    }
    case "showContact": {
      const read = (contact: Json): Init<ServerMessage> => ({ case: "contact", value: contactOf(contact) });
      return [{ method: "GET", path: `/v1/contacts/${request.value.userId}` }, read];
    }
    case "listContacts": {
      const { after, limit, since } = request.value;
      const query = words({ after, limit, since });
      return [{ method: "GET", path: `/v1/contacts${query}` }, ({ contacts, next, version }) => {
        const value = { contacts: listOf(contacts).map(contactOf), next: numberOf(next ?? 0), version: numberOf(version) };
        return { case: "contacts", value };
      }];
    }
    case "report": {
      const { request: key, conversation, seq, userId, reason } = request.value;
      const what = conversation === "" ? { user: String(userId) } : { conversation, seq };
      return [{ method: "POST", path: "/v1/reports", key: hex(key), body: { ...what, reason } }, () => DONE];
    }
    case "listBlocks": {
      const { after, limit } = request.value;
      const block = ({ user_id, since_ms }: Json): wire.Block => ({ userId: numberOf(user_id), sinceMs: numberOf(since_ms) });
      return [{ method: "GET", path: `/v1/blocks${words({ after, limit })}` }, ({ blocks, more }) => {
        return { case: "blocks", value: { blocks: listOf(blocks).map(block), more: more === true } };
      }];
    }
  }
}

function changeOf(user: number, change: NonNullable<wire.ChangeContact["change"]>): Call {
  const path = `/v1/contacts/${user}`;
  switch (change.case) {
    case "ask":
      return { method: "PUT", path, body: { text: change.value } };
    case "accept":
      return { method: "POST", path: `${path}/accept` };
    case "end":
      return { method: "DELETE", path };
    case "remark":
      return { method: "PATCH", path, body: { remark: change.value } };
    case "block":
      return { method: change.value ? "PUT" : "DELETE", path: `/v1/blocks/${user}` };
  }
}

function words(query: Record<string, number>): string {
  const given = Object.entries(query).filter(([, value]) => value !== 0);
  return given.length === 0 ? "" : `?${given.map(([name, value]) => `${name}=${value}`).join("&")}`;
}

export function ownProfileOf(own: Json): wire.OwnProfile {
  const messagesFrom = AUDIENCES.indexOf(textOf(own["messages_from"] ?? "everyone")) + 1;
  return { profile: profileOf(own), version: numberOf(own["version"]), messagesFrom };
}

export function contactOf({ user_id, state, text, remark, since_ms, version, blocked }: Json): wire.Contact {
  const at = STATES.indexOf(textOf(state));
  if (at < 0) throw new ProtocolError("the answer has no state of a contact where the HTTP API has one");
  const texts = { text: textOf(text), remark: textOf(remark) };
  const numbers = { sinceMs: numberOf(since_ms), version: numberOf(version) };
  return { userId: numberOf(user_id), state: at, ...texts, ...numbers, blocked: blocked === true };
}

export function presenceOf({ user_id, online, last_seen_ms }: Json): wire.PresencePush {
  return { userId: numberOf(user_id), online: online === true, lastSeenMs: numberOf(last_seen_ms ?? 0) };
}
