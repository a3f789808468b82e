/** Events of `GET /v1/events` as the pushes of the protocol. */

import type { Init } from "./codec.js";
import { bytesOfBase64, eventOf, type Json, numberOf, personalOf, textOf, textsOf } from "./json.js";
import type { ServerMessage } from "./line.js";
import { contactOf, ownProfileOf, presenceOf } from "./people-calls.js";
import { PIECE } from "./signals.js";
import * as wire from "./wire.js";

/** Undefined: an event that says nothing to a device, or one of a later version. */
export function pushOf(event: string, data: Json): Init<ServerMessage> | undefined {
  switch (event) {
    case "message":
      return { case: "event", value: { conversation: textOf(data["conversation"]), event: eventOf(data) } };
    case "conversation": {
      const present = data["present"] === true;
      const head = present ? numberOf(data["after"]) : 0;
      return { case: "conversation", value: { conversation: textOf(data["conversation"]), present, head } };
    }
    case "read": {
      const { conversation, user_id, delivered, read } = data;
      const positions = { delivered: numberOf(delivered), read: numberOf(read) };
      return { case: "cursor", value: { conversation: textOf(conversation), userId: numberOf(user_id), ...positions } };
    }
    case "invitation": {
      const { conversation, invited_by } = data;
      return { case: "invitation", value: { conversation: textOf(conversation), invitedBy: numberOf(invited_by) } };
    }
    case "profile":
      return { case: "profile", value: { profile: ownProfileOf(data) } };
    case "signal": {
      const { conversation, user_id, device, kind, payload, seq } = data;
      const from = { conversation: textOf(conversation), userId: numberOf(user_id), device: numberOf(device) };
      const content = { kind: numberOf(kind), payload: bytesOfBase64(textOf(payload)), seq: numberOf(seq) };
      return { case: "signal", value: { ...from, ...content } };
    }
    case "presence":
      return { case: "presence", value: presenceOf(data) };
    case "piece": {
      const { conversation, user_id, message, index, text } = data;
      const payload = wire.StreamPiece.encode({ message: numberOf(message), index: numberOf(index), text: textOf(text) });
      const from = { conversation: textOf(conversation), userId: numberOf(user_id), device: 0 };
      return { case: "signal", value: { ...from, kind: PIECE, payload, seq: 0 } };
    }
    case "favourite": {
      const { conversation, seq, removed, version } = data;
      const of = { conversation: textOf(conversation), seq: numberOf(seq) };
      return { case: "favouriteChanged", value: { ...of, removed: removed === true, version: numberOf(version) } };
    }
    case "state":
      return { case: "personalChanged", value: { personal: personalOf(data) } };
    case "contact":
      return { case: "contactChanged", value: { contact: contactOf(data) } };
    case "go_away":
      return { case: "goAway", value: { nodes: textsOf(data["nodes"]) } };
    case "end": {
      // A cursor that does not fit is a matter of the transport: the session goes on without it.
      const code = textOf(data["code"]);
      return { case: "kicked", value: { code: code === "cursor_ahead" ? "idle" : code, text: textOf(data["text"]) } };
    }
    default:
      return undefined;
  }
}
