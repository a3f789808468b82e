/** A search as a request of the HTTP API, and its answer. */

import type { Call } from "./calls.js";
import type { Init } from "./codec.js";
import { ProtocolError } from "./errors.js";
import { type Json, listOf, numberOf, textOf, textsOf } from "./json.js";
import type { ServerMessage } from "./line.js";
import type * as wire from "./wire.js";

/** Undefined: the API searches one conversation, or all. */
export function searchCallOf(search: wire.Search): [Call, (answer: Json) => Init<ServerMessage>] | undefined {
  if (search.conversations.length > 1) return undefined;
  const conditions = {
    q: search.query,
    from: search.sender,
    in: search.conversations[0],
    kind: search.kind,
    after_ms: search.afterMs,
    before_ms: search.beforeMs,
    limit: search.limit,
    page: search.page,
  };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(conditions)) if (value) query.set(name, String(value));
  return [{ method: "GET", path: `/v1/search?${query.toString()}` }, foundOf];
}

function foundOf({ messages, page, incomplete }: Json): Init<ServerMessage> {
  const value = {
    messages: listOf(messages).map(messageOf),
    page: textOf(page ?? ""),
    incomplete: textsOf(incomplete ?? []),
    rows: 0,
  };
  return { case: "found", value };
}

function messageOf({ conversation, seq, time_ms, sender, kind, snippet, places }: Json): Init<wire.FoundMessage> {
  if (!Array.isArray(places)) throw new ProtocolError("the answer has no list where the HTTP API has one");
  return {
    conversation: textOf(conversation),
    seq: numberOf(seq),
    timeMs: numberOf(time_ms),
    sender: numberOf(sender),
    kind: numberOf(kind),
    snippet: textOf(snippet),
    places: places.flat().map(numberOf),
  };
}
