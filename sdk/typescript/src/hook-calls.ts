/** Requests around bots and hooks as those of the HTTP API, and their answers. */

import type { Call } from "./calls.js";
import type { Init } from "./codec.js";
import { hex } from "./ids.js";
import { bytesOfBase64, type Json, listOf, numberOf, textOf, textsOf } from "./json.js";
import * as limits from "./limits.js";
import type { ClientRequest, ServerMessage } from "./line.js";
import * as wire from "./wire.js";

export type HookCase = "changeBot" | "listBots" | "changeHook" | "listHooks" | "listDead";
type HookRequest = Extract<ClientRequest, { case: HookCase }>;
type Told = [Call, (answer: Json) => Init<ServerMessage>];

const SCOPES = ["read", "send", "manage"] as const;

/** Undefined: the API does not have this change. */
export function hookCallOf(request: HookRequest): Told | undefined {
  switch (request.case) {
    case "changeBot": {
      const { request: key, change } = request.value;
      const call = change === undefined ? undefined : changeOf(change);
      return call === undefined ? undefined : [{ ...call, key: hex(key) }, (bot) => ({ case: "bot", value: botOf(bot) })];
    }
    case "listBots": {
      const read = ({ bots }: Json): Init<ServerMessage> => ({ case: "bots", value: { bots: listOf(bots).map(botOf) } });
      return [{ method: "GET", path: "/v1/bots" }, read];
    }
    case "changeHook": {
      const { request: key, conversation, change } = request.value;
      const call = change === undefined ? undefined : hookChangeOf(conversation, change);
      return call === undefined ? undefined : [{ ...call, key: hex(key) }, (hook) => ({ case: "hook", value: hookOf(hook) })];
    }
    case "listHooks": {
      const read = ({ hooks }: Json): Init<ServerMessage> => ({ case: "hooks", value: { hooks: listOf(hooks).map(hookOf) } });
      return [{ method: "GET", path: `/v1/conversations/${encodeURIComponent(request.value.conversation)}/hooks` }, read];
    }
    case "listDead": {
      const { conversation, hook, after, limit } = request.value;
      const path = `/v1/hooks/${encodeURIComponent(conversation)}.${hook}/dead?after=${after}&limit=${limit || limits.PAGE_DEAD}`;
      return [{ method: "GET", path }, ({ events, more }) => {
        return { case: "deadEvents", value: { events: listOf(events).map(deadOf), more: more === true } };
      }];
    }
  }
}

function changeOf(change: NonNullable<wire.ChangeBot["change"]>): Call {
  switch (change.case) {
    case "create": {
      const { name, scopes } = change.value;
      const given = SCOPES.filter((scope) => scopes?.[scope] === true);
      return { method: "POST", path: "/v1/bots", body: { name, scopes: given } };
    }
    case "rotate":
      return { method: "POST", path: `/v1/bots/${change.value}/token` };
    case "end":
      return { method: "DELETE", path: `/v1/bots/${change.value}` };
  }
}

/** An ended bot has no answer, so nothing is left of it. */
function botOf({ user_id, name, scopes, created_ms, token_set_ms, token }: Json): wire.Bot {
  const given = textsOf(scopes ?? []);
  const [read, send, manage] = SCOPES.map((scope) => given.includes(scope));
  return {
    userId: numberOf(user_id ?? 0),
    name: textOf(name ?? ""),
    scopes: { read: read === true, send: send === true, manage: manage === true },
    createdMs: numberOf(created_ms ?? 0),
    tokenSetMs: numberOf(token_set_ms ?? 0),
    token: token === undefined ? new Uint8Array(0) : bytesOfBase64(textOf(token)),
  };
}

function hookChangeOf(conversation: string, change: NonNullable<wire.ChangeHook["change"]>): Call {
  const of = encodeURIComponent(conversation);
  switch (change.case) {
    case "make": {
      const { kind, name, secret, url, closed } = change.value;
      const policy = closed ? "closed" : "open";
      const before = kind === wire.HookKind.BEFORE ? { kind: "before", url, policy } : { kind: "incoming" };
      const word = kind === wire.HookKind.OUTGOING ? { kind: "outgoing", url } : before;
      return { method: "POST", path: `/v1/conversations/${of}/hooks`, body: { ...word, name, secret } };
    }
    case "end":
      return { method: "DELETE", path: `/v1/hooks/${of}.${change.value}` };
    case "retry": {
      const { hook, seq } = change.value;
      return { method: "POST", path: `/v1/hooks/${of}.${hook}/retry`, body: seq === 0 ? {} : { seq } };
    }
  }
}

/** An ended hook has no answer, so nothing is left of it. */
function hookOf({ hook, kind, name, by, created_ms, url, delivered, dead, policy }: Json): wire.Hook {
  const before = kind === "before" ? wire.HookKind.BEFORE : wire.HookKind.INCOMING;
  return {
    hook: numberOf(textOf(hook ?? "g0.0").split(".").at(-1)),
    kind: kind === "outgoing" ? wire.HookKind.OUTGOING : before,
    name: textOf(name ?? ""),
    by: numberOf(by ?? 0),
    createdMs: numberOf(created_ms ?? 0),
    url: textOf(url ?? ""),
    delivered: numberOf(delivered ?? 0),
    dead: numberOf(dead ?? 0),
    closed: policy === "closed",
  };
}

function deadOf({ seq, attempts, status, why, at_ms, again }: Json): wire.DeadEvent {
  const numbers = { seq: numberOf(seq), attempts: numberOf(attempts), status: numberOf(status ?? 0), atMs: numberOf(at_ms) };
  return { ...numbers, why: textOf(why), again: again === true };
}
