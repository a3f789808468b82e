/** Requests of the protocol as those of the HTTP API, and their answers. */

import { adminCallOf } from "./admin-calls.js";
import type { Init } from "./codec.js";
import { ProtocolError } from "./errors.js";
import { bodyText, TEXT } from "./event.js";
import { hex, ofHex } from "./ids.js";
import {
  base64Of,
  bodyOfJson,
  bytesOfBase64,
  contextJson,
  eventOf,
  type Json,
  lineOf,
  listOf,
  numberOf,
  numbersOf,
  objectOf,
  roleName,
  settingsBody,
  settingsOf,
  roleOf,
  sessionOf,
  textOf,
  textsOf,
  tokenText,
  userOf,
} from "./json.js";
import { CHUNK_BYTES } from "./limits.js";
import type { ClientRequest, ServerMessage } from "./line.js";
import { hookCallOf } from "./hook-calls.js";
import { peopleCallOf } from "./people-calls.js";
import { personalCallOf } from "./personal-calls.js";
import { searchCallOf } from "./search-calls.js";
import * as wire from "./wire.js";

/** One request of the HTTP API. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly key?: string;
  readonly body?: Json;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of JSON. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** The answer has the headers, and the bytes as `content`. */
  readonly raw?: true;
}

export interface Calls {
  readonly calls: readonly Call[];
  /** What one of the calls does not find is left out. */
  readonly mayMiss: boolean;
  /** The answer of the protocol. Undefined: it has none. */
  readonly read: (answers: readonly Json[]) => Init<ServerMessage> | undefined;
}

/** Uploads are written by tus. */
const TUS = { "tus-resumable": "1.0.0" };
/** Bytes of a file in one answer. */
const PART_BYTES = 4 * CHUNK_BYTES;
const DONE = { case: "done", value: {} } as const;

/** Undefined: the API does not have this request. `me`: the caller. */
export function callOf(request: ClientRequest, me: number): Calls | undefined {
  switch (request.case) {
    case "register": {
      const { name, password, request: key, invite } = request.value;
      const body = { name, password, ...(invite === "" ? {} : { invite }) };
      return one(post("/v1/register", body, key), ({ user_id }) => ({ case: "registered", value: { userId: numberOf(user_id) } }));
    }
    case "login": {
      const { name, password, device, newPassword } = request.value;
      const body = { name, password, device, ...(newPassword === "" ? {} : { new_password: newPassword }) };
      return one(post("/v1/login", body), (answer) => {
        const token = bytesOfBase64(textOf(answer["token"]));
        return { case: "loggedIn", value: { userId: numberOf(answer["user_id"]), name: textOf(answer["name"]), device, token } };
      });
    }
    case "logout":
      return one(post("/v1/logout"), () => DONE);
    case "listSessions":
      return one(get("/v1/me/sessions"), ({ sessions }) => ({ case: "sessions", value: { sessions: listOf(sessions).map(sessionOf) } }));
    case "revokeSession":
      return one({ method: "DELETE", path: `/v1/me/sessions/${encodeURIComponent(request.value.device)}` }, () => DONE);
    case "changePassword": {
      const { oldPassword, newPassword, request: key } = request.value;
      return one(post("/v1/me/password", { old_password: oldPassword, new_password: newPassword }, key), () => DONE);
    }
    case "send": {
      const { conversation, clientMessageId, after, body } = request.value;
      const refers = { ...contextJson(body?.context), ...(after.length === 0 ? {} : { after: hex(after) }) };
      const message = { body: bodyOf(body), ...refers };
      return placed(post(`${of(conversation)}/messages`, message, clientMessageId), conversation, clientMessageId);
    }
    case "schedule": {
      const { conversation, clientMessageId, body, deliverAtMs } = request.value;
      const message = { body: bodyOf(body), ...contextJson(body?.context), deliver_at_ms: deliverAtMs };
      return one(post(`${of(conversation)}/messages`, message, clientMessageId), (answer) => ({
        case: "scheduled",
        value: {
          conversation,
          clientMessageId,
          deliverAtMs: numberOf(answer["deliver_at_ms"]),
          duplicate: answer["duplicate"] === true,
          seq: numberOf(answer["seq"] ?? 0),
          timeMs: numberOf(answer["time_ms"] ?? 0),
        },
      }));
    }
    case "listScheduled": {
      const { conversation, after, limit } = request.value;
      const query = { after: after.length === 0 ? undefined : hex(after), limit: limit || undefined };
      return one(get(`${of(conversation)}/scheduled`, query), (page) => ({
        case: "scheduledList",
        value: { messages: listOf(page["messages"]).map(scheduledOf), more: page["more"] === true },
      }));
    }
    case "search": {
      const found = searchCallOf(request.value);
      return found === undefined ? undefined : one(...found);
    }
    case "cancelScheduled": {
      const { conversation, clientMessageId } = request.value;
      return one({ method: "DELETE", path: `${of(conversation)}/scheduled/${hex(clientMessageId)}` }, () => DONE);
    }
    case "acknowledge":
      return one(post(`${of(request.value.conversation)}/delivered`, { seq: request.value.seq }), () => undefined);
    case "markRead":
      return one(post(`${of(request.value.conversation)}/read`, { seq: request.value.seq }), () => DONE);
    case "fetch": {
      const { conversation, seq, backward, limit } = request.value;
      const from = backward ? { before: seq === 0 ? undefined : seq } : { after: seq };
      return one(get(`${of(conversation)}/messages`, { ...from, limit: limit || undefined }), (page) => {
        const messages = listOf(page["messages"]);
        const [events, reactions] = [messages.map(eventOf), messages.filter((message) => "reactions" in message).map(reactionsOf)];
        const states = messages.filter((message) => "edited" in message || "streaming" in message || message["erased"] === true).map(stateOf);
        const [head, more] = [numberOf(page["head"]), page["more"] === true];
        const polls = messages.filter((message) => "poll" in message).map(pollOf);
        return { case: "page", value: { conversation, events, head, more, reactions, states, polls } };
      });
    }
    case "listConversations": {
      const { after, limit } = request.value;
      return one(get("/v1/conversations", { after: after || undefined, limit: limit || undefined }), (page) => {
        const [conversations, unavailable] = [listOf(page["conversations"]).map(lineOf), textsOf(page["unavailable"])];
        return { case: "conversations", value: { conversations, more: page["more"] === true, unavailable } };
      });
    }
    case "getConversations": {
      const calls = request.value.conversations.map((conversation) => get(of(conversation)));
      return { calls, mayMiss: true, read: (lines) => ({ case: "conversations", value: { conversations: lines.map(lineOf) } }) };
    }
    case "createGroup": {
      const { request: key, name, open, members } = request.value;
      return one(post("/v1/groups", { name, open, members: members.map(String) }, key), ({ conversation }) => ({
        case: "groupCreated",
        value: { conversation: textOf(conversation) },
      }));
    }
    case "changeGroup": {
      const { request: key, conversation, change } = request.value;
      const call = change === undefined ? undefined : changeOf(conversation, change, me);
      if (call === undefined) return undefined;
      const { calls, mayMiss, read } = placed({ ...call, key: hex(key) }, conversation, key);
      // Only a ban may be there already, or not be there.
      const lifted = change?.case === "ban" && change.value.lifted;
      return { calls, mayMiss, read: (answers) => (answers[0]?.["seq"] === undefined ? noBan(lifted) : read(answers)) };
    }
    case "react": {
      const { request: key, conversation, seq, emoji, remove } = request.value;
      const path = `${of(conversation)}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`;
      const { calls, mayMiss, read } = placed({ method: remove ? "DELETE" : "PUT", path, key: hex(key) }, conversation, key);
      // Without a place there was nothing to do, which the protocol refuses.
      const [code, text] = remove
        ? ["no_such_reaction", "you have not reacted with this emoji: there is nothing to take back"]
        : ["already_reacted", "you have reacted with this emoji already: there is nothing to do"];
      const failure = { case: "failure", value: { kind: wire.FailureKind.REJECTED, code, text } } as const;
      return { calls, mayMiss, read: (answers) => (answers[0]?.["seq"] === undefined ? failure : read(answers)) };
    }
    case "editMessage": {
      const { request: key, conversation, seq, body } = request.value;
      const call = { method: "PATCH", path: `${of(conversation)}/messages/${seq}`, body: { body: bodyOf(body) }, key: hex(key) } as const;
      return placed(call, conversation, key);
    }
    case "writePiece": {
      const { conversation, seq, index, text } = request.value;
      return one(post(`${of(conversation)}/messages/${seq}/pieces`, { index, text }), () => DONE);
    }
    case "endStream": {
      const { request: key, conversation, seq, text, aborted } = request.value;
      return placed(post(`${of(conversation)}/messages/${seq}/end`, { text, aborted }, key), conversation, key);
    }
    case "recallMessage": {
      const { request: key, conversation, seq } = request.value;
      const call = { method: "DELETE", path: `${of(conversation)}/messages/${seq}`, key: hex(key) } as const;
      const { calls, mayMiss, read } = placed(call, conversation, key);
      const text = "the content of this message is gone, it was recalled or has expired: there is nothing left to change";
      const failure = { case: "failure", value: { kind: wire.FailureKind.REJECTED, code: "erased", text } } as const;
      return { calls, mayMiss, read: (answers) => (answers[0]?.["seq"] === undefined ? failure : read(answers)) };
    }
    case "pinMessage": {
      const { request: key, conversation, seq, remove } = request.value;
      const call = { method: remove ? "DELETE" : "PUT", path: `${of(conversation)}/pins/${seq}`, key: hex(key) } as const;
      const { calls, mayMiss, read } = placed(call, conversation, key);
      const [code, text] = remove
        ? ["not_pinned", "this message is not pinned: there is nothing to take away"]
        : ["already_pinned", "this message is pinned already: there is nothing to do"];
      const failure = { case: "failure", value: { kind: wire.FailureKind.REJECTED, code, text } } as const;
      return { calls, mayMiss, read: (answers) => (answers[0]?.["seq"] === undefined ? failure : read(answers)) };
    }
    case "listReaders": {
      const { conversation, seq, after, limit } = request.value;
      const query = { after: after === 0 ? undefined : after, limit: limit || undefined };
      return one(get(`${of(conversation)}/messages/${seq}/readers`, query), (page) => ({
        case: "readers",
        value: { ...readCountOf(page), users: listOf(page["users"]).map(numberOf), more: page["more"] === true },
      }));
    }
    case "countReaders":
      return one(get(`${of(request.value.conversation)}/readers`, { seqs: request.value.seqs.join(",") }), ({ counts }) => ({
        case: "readCounts",
        value: { counts: listOf(counts).map((count) => ({ seq: numberOf(count["seq"]), ...readCountOf(count) })) },
      }));
    case "listPins":
      return one(get(`${of(request.value.conversation)}/pins`), ({ pins }) => ({
        case: "pins",
        value: { pins: listOf(pins).map(pinOf) },
      }));
    case "vote": {
      const { request: key, conversation, seq, options, remove } = request.value;
      const path = `${of(conversation)}/messages/${seq}/vote`;
      const call = remove ? ({ method: "DELETE", path } as const) : ({ method: "PUT", path, body: { options } } as const);
      const [code, text] = remove
        ? ["no_such_vote", "you have no vote in this poll: there is nothing to take back"]
        : ["already_voted", "you have this vote in this poll already: there is nothing to do"];
      return unlessSo(placed({ ...call, key: hex(key) }, conversation, key), code, text);
    }
    case "closePoll": {
      const { request: key, conversation, seq } = request.value;
      const call = { method: "POST", path: `${of(conversation)}/messages/${seq}/close`, key: hex(key) } as const;
      return unlessSo(placed(call, conversation, key), "poll_closed", "this poll is closed: its votes stay, read them in the history");
    }
    case "listVotes": {
      const { conversation, seq, after, limit } = request.value;
      const query = { after: after === 0 ? undefined : after, limit: limit || undefined };
      const vote = ({ user, options }: Json): wire.UserVote => ({ userId: numberOf(user), options: numbersOf(options) });
      return one(get(`${of(conversation)}/messages/${seq}/votes`, query), (page) => ({
        case: "votes",
        value: { votes: listOf(page["votes"]).map(vote), more: page["more"] === true },
      }));
    }
    case "forward": {
      const { request: key, from, seqs, to, bundle, text } = request.value;
      return one(post("/v1/forward", { from, seqs, to, bundle, ...(text === "" ? {} : { text }) }, key), forwardedOf);
    }
    case "broadcast": {
      const { request: key, body, after, limit } = request.value;
      const more = { ...(after === 0 ? {} : { after: String(after) }), ...(limit === 0 ? {} : { limit }) };
      return one(post("/v1/broadcast", { body: bodyOf(body), ...more }, key), forwardedOf);
    }
    case "admin":
      return adminCallOf(request.value);
    case "changeBot":
    case "listBots":
    case "changeHook":
    case "listHooks":
    case "listDead": {
      const found = hookCallOf(request);
      return found === undefined ? undefined : one(...found);
    }
    case "changePresence":
    case "watch":
    case "changeProfile":
    case "showProfile":
    case "changeContact":
    case "showContact":
    case "listContacts":
    case "listBlocks":
    case "report": {
      const found = peopleCallOf(request);
      return found === undefined ? undefined : one(...found);
    }
    case "changePersonal":
    case "showPersonal":
    case "deleteForMe":
    case "changeFavourite":
    case "listFavourites":
      return one(...personalCallOf(request));
    case "listMembers": {
      const { conversation, after, limit } = request.value;
      const query = { after: after === 0 ? undefined : after, limit: limit || undefined };
      return one(get(`${of(conversation)}/members`, query), (page) => ({
        case: "members",
        value: { members: listOf(page["members"]).map(memberOf), more: page["more"] === true },
      }));
    }
    case "showGroup":
      return one(get(`${of(request.value.conversation)}/settings`), (group) => ({
        case: "group",
        value: {
          conversation: textOf(group["conversation"]),
          settings: settingsOf(group),
          noticeBy: numberOf(group["notice_by"] ?? 0),
          noticeMs: numberOf(group["notice_ms"]),
          bans: numberOf(group["bans"]),
        },
      }));
    case "listBans": {
      const { conversation, after, limit } = request.value;
      const query = { after: after === 0 ? undefined : after, limit: limit || undefined };
      return one(get(`${of(conversation)}/bans`, query), (page) => ({
        case: "bans",
        value: { bans: listOf(page["bans"]).map(banOf), more: page["more"] === true },
      }));
    }
    case "listLinks":
      return one(get(`${of(request.value.conversation)}/invites`), ({ links }) => ({
        case: "links",
        value: { links: listOf(links).map(linkOf) },
      }));
    case "listJoinRequests": {
      const { conversation, after, limit } = request.value;
      const query = { after: after === 0 ? undefined : after, limit: limit || undefined };
      return one(get(`${of(conversation)}/requests`, query), (page) => ({
        case: "joinRequests",
        value: { requests: listOf(page["requests"]).map(joinRequestOf), more: page["more"] === true },
      }));
    }
    case "createUpload": {
      const { conversation, upload, name, mediaType, size, hash } = request.value;
      const more = { ...(mediaType === "" ? {} : { type: mediaType }), ...(hash.length === 0 ? {} : { hash: hex(hash) }) };
      return one(post("/v1/uploads", { conversation, name, size, ...more }, upload), uploadOf);
    }
    case "writeChunk": {
      const { conversation, upload, offset, content } = request.value;
      const headers = { ...TUS, "upload-offset": String(offset), "content-type": "application/offset+octet-stream" };
      const call = { method: "PATCH", path: uploadPath(conversation, upload), headers, bytes: Uint8Array.from(content), raw: true } as const;
      return one(call, (answer) => {
        const [received, size] = [numberOf(answer["upload-offset"]), numberOf(answer["upload-length"])];
        const hash = ofHex(textOf(answer["troupe-file"] ?? ""));
        return { case: "upload", value: { received, size, hash, expiresMs: Date.parse(textOf(answer["upload-expires"])) } };
      });
    }
    case "getUpload":
      return one(get(uploadPath(request.value.conversation, request.value.upload)), uploadOf);
    case "cancelUpload": {
      const path = uploadPath(request.value.conversation, request.value.upload);
      return one({ method: "DELETE", path, headers: TUS }, () => DONE);
    }
    case "readPreview": {
      const { conversation, hash } = request.value;
      const call: Call = { ...get(`/v1/files/${hex(hash)}/preview`, { conversation }), raw: true };
      return one(call, ({ content }) => ({ case: "preview", value: { content: content as Uint8Array<ArrayBuffer> } }));
    }
    case "listFiles": {
      const { conversation, before, kind, limit } = request.value;
      const query = { before: before || undefined, kind: kind || undefined, limit: limit || undefined };
      return one(get(`${of(conversation)}/files`, query), (page) => {
        const messages = listOf(page["messages"]);
        const states = messages.filter((message) => "edited" in message).map(stateOf);
        return { case: "fileMessages", value: { events: messages.map(eventOf), states, next: numberOf(page["next"] ?? 0) } };
      });
    }
    case "getUsage":
      return one(get("/v1/me/usage"), ({ bytes, reserved_bytes, most_bytes }) => ({
        case: "usage",
        value: { bytes: numberOf(bytes), reservedBytes: numberOf(reserved_bytes), mostBytes: numberOf(most_bytes) },
      }));
    case "showFile": {
      const { conversation, hash } = request.value;
      return one(get(`/v1/files/${hex(hash)}/info`, { conversation }), ({ name, type, size, by, time_ms, expires_ms }) => ({
        case: "file",
        value: {
          hash,
          name: textOf(name),
          mediaType: textOf(type),
          size: numberOf(size),
          by: numberOf(by),
          timeMs: numberOf(time_ms),
          expiresMs: numberOf(expires_ms),
        },
      }));
    }
    case "readFile": {
      const { conversation, hash, offset } = request.value;
      const headers = { range: `bytes=${offset}-${offset + PART_BYTES - 1}` };
      const call: Call = { ...get(`/v1/files/${hex(hash)}`, { conversation }), headers, raw: true };
      return one(call, ({ content }) => ({ case: "filePart", value: { offset, content: content as Uint8Array<ArrayBuffer> } }));
    }
    case "checkFileLink": {
      const { conversation, hash, device, expiresMs, signature } = request.value;
      const link = { conversation, user: me, device, expires_ms: expiresMs, signature: tokenText(signature) };
      return one({ ...get(`/v1/files/${hex(hash)}`, link), headers: { range: "bytes=0-0" }, raw: true }, () => DONE);
    }
    case "previewLink": {
      const { conversation, code } = request.value;
      return one(post(`${of(conversation)}/invites/preview`, { code }), ({ name, avatar, notice, members }) => ({
        case: "linkPreview",
        value: { conversation, name: textOf(name), avatar: textOf(avatar), notice: textOf(notice), members: numberOf(members) },
      }));
    }
    case "call": {
      const { conversation, request: key, step } = request.value;
      const call = stepOf(conversation, step);
      return call === undefined ? undefined : placed({ ...call, key: hex(key) }, conversation, key);
    }
    case "signal": {
      const { conversation, kind, payload, device } = request.value;
      return one(post(`${of(conversation)}/signals`, { kind, payload: base64Of(payload), device }), () => DONE);
    }
    case "listInvitations":
      return one(get("/v1/invitations"), ({ invitations }) => ({
        case: "invitations",
        value: { invitations: listOf(invitations).map(invitationOf) },
      }));
    case "acceptInvitation": {
      const { conversation, seq, decline } = request.value;
      const path = `/v1/invitations/${encodeURIComponent(conversation)}`;
      return one(post(`${path}/${decline ? "decline" : "accept"}`, { seq }), () => DONE);
    }
    case "findUsers": {
      const { prefix, after, limit } = request.value;
      return one(get("/v1/users", { prefix, after: after || undefined, limit: limit || undefined }), usersOf);
    }
    case "listOnline": {
      const { after, limit } = request.value;
      return one(get("/v1/online", { after: after || undefined, limit: limit || undefined }), usersOf);
    }
    case "getUsers": {
      const asked = [...request.value.ids.map(String), ...request.value.names];
      const calls = asked.map((user) => get(`/v1/users/${encodeURIComponent(user)}`));
      return { calls, mayMiss: true, read: (users) => ({ case: "users", value: { users: users.map(userOf) } }) };
    }
    // The transport answers these by itself, or by others.
    case "hello":
    case "resume":
    case "ping":
    case "pong":
      return undefined;
  }
}

function one(call: Call, read: (answer: Json) => Init<ServerMessage> | undefined): Calls {
  return { calls: [call], mayMiss: false, read: ([answer = {}]) => read(answer) };
}

function placed(call: Call, conversation: string, clientMessageId: Uint8Array): Calls {
  return one(call, ({ seq, time_ms, duplicate }) => ({
    case: "sendAck",
    value: { clientMessageId, seq: numberOf(seq), timeMs: numberOf(time_ms), duplicate: duplicate === true, conversation },
  }));
}

function uploadPath(conversation: string, upload: Uint8Array): string {
  return `/v1/uploads/${conversation}.${hex(upload)}`;
}

function uploadOf({ offset, size, expires_ms, file }: Json): Init<ServerMessage> {
  const value = { received: numberOf(offset), size: numberOf(size), hash: ofHex(textOf(file ?? "")), expiresMs: numberOf(expires_ms) };
  return { case: "upload", value };
}

function post(path: string, body: Json = {}, key?: Uint8Array): Call {
  const call = { method: "POST", path, ...(Object.keys(body).length === 0 ? {} : { body }) } as const;
  return key === undefined ? call : { ...call, key: hex(key) };
}

function get(path: string, query: Record<string, string | number | undefined> = {}): Call {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const words = given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return { method: "GET", path: words.length === 0 ? path : `${path}?${words.join("&")}` };
}

function of(conversation: string): string {
  return `/v1/conversations/${encodeURIComponent(conversation)}`;
}

function stepOf(conversation: string, step: wire.Call["step"]): Call | undefined {
  const path = `${of(conversation)}/calls`;
  switch (step?.case) {
    case "start":
      return { method: "POST", path, body: { video: step.value.video } };
    case "answer": {
      // Another number is no path of the API, so the answer is a refusal.
      const word = ["unknown", "accept", "refuse", "busy"][step.value.answer] ?? "unknown";
      return { method: "POST", path: `${path}/${step.value.call}/${word}` };
    }
    case "end":
      return { method: "POST", path: `${path}/${step.value}/end` };
    default:
      return undefined;
  }
}

function changeOf(conversation: string, change: NonNullable<wire.ChangeGroup["change"]>, me: number): Call | undefined {
  const path = of(conversation);
  switch (change.case) {
    case "rename":
      return { method: "PATCH", path, body: { name: change.value } };
    case "add":
      return { method: "POST", path: `${path}/members`, body: { users: change.value.users.map(String) } };
    case "remove":
      return { method: "DELETE", path: `${path}/members/${change.value}` };
    case "leave":
      return { method: "DELETE", path };
    case "join":
      return { method: "POST", path: `${path}/members/${me}` };
    case "setRole":
      return { method: "PATCH", path: `${path}/members/${change.value.user}`, body: { role: roleName(change.value.role) } };
    case "set":
      return { method: "PATCH", path, body: settingsBody(change.value) };
    case "mute":
      return { method: "PATCH", path: `${path}/members/${change.value.user}`, body: { muted_until_ms: change.value.untilMs } };
    case "transfer":
      return { method: "POST", path: `${path}/transfer`, body: { user: String(change.value) } };
    case "disband":
      return { method: "POST", path: `${path}/disband` };
    case "joinLink":
      return { method: "POST", path: `${path}/invites/join`, body: { code: change.value } };
    case "makeLink": {
      const { code, uses, expiresMs } = change.value;
      return { method: "POST", path: `${path}/invites`, body: { code, uses, expires_ms: expiresMs } };
    }
    case "revokeLink":
      return { method: "DELETE", path: `${path}/invites/${change.value}` };
    case "askToJoin":
      return { method: "POST", path: `${path}/requests`, body: { text: change.value } };
    case "withdraw":
      return { method: "DELETE", path: `${path}/requests` };
    case "answerRequest": {
      const { user, accept } = change.value;
      return { method: "POST", path: `${path}/requests/${user}/${accept ? "accept" : "refuse"}`, body: {} };
    }
    case "ban":
      return { method: change.value.lifted ? "DELETE" : "PUT", path: `${path}/bans/${change.value.user}` };
  }
}

function bodyOf(body: wire.Body | undefined): Json {
  const { kind = 0, content = new Uint8Array(0) } = body ?? {};
  const text = bodyText(kind, content);
  return text === undefined ? { kind, content: base64Of(content) } : { kind, text };
}

function usersOf(page: Json): Init<ServerMessage> {
  return { case: "users", value: { users: listOf(page["users"]).map(userOf), more: page["more"] === true } };
}

function memberOf({ user_id, role, delivered, read, muted_until_ms }: Json): wire.Member {
  const cursor = { delivered: numberOf(delivered), read: numberOf(read) };
  return { userId: numberOf(user_id), role: roleOf(role), ...cursor, mutedUntilMs: numberOf(muted_until_ms ?? 0) };
}

function banOf({ user_id, by, time_ms }: Json): wire.Ban {
  return { userId: numberOf(user_id), by: numberOf(by), timeMs: numberOf(time_ms) };
}

function readCountOf({ read_by, seen_by }: Json): { readBy: number; seenBy: number } {
  return { readBy: numberOf(read_by), seenBy: numberOf(seen_by) };
}

function pinOf({ seq, by, time_ms }: Json): wire.Pin {
  return { seq: numberOf(seq), by: numberOf(by), timeMs: numberOf(time_ms) };
}

function joinRequestOf({ user_id, text, time_ms }: Json): wire.JoinRequest {
  return { userId: numberOf(user_id), text: textOf(text), timeMs: numberOf(time_ms) };
}

function linkOf({ link, by, created_ms, expires_ms, uses, used }: Json): wire.Link {
  const times = { createdMs: numberOf(created_ms), expiresMs: numberOf(expires_ms) };
  return { link: numberOf(link), by: numberOf(by), ...times, uses: numberOf(uses), used: numberOf(used) };
}

/** A ban without a place changes nothing, which the protocol refuses. */
function noBan(lifted: boolean): Init<ServerMessage> {
  const [code, text] = lifted
    ? ["not_banned", "this user is not banned: there is nothing to lift"]
    : ["already_banned", "this user is banned already: there is nothing to do"];
  return { case: "failure", value: { kind: wire.FailureKind.REJECTED, code, text } };
}

/** Without a place there was nothing to do, which the protocol refuses. */
function unlessSo({ calls, mayMiss, read }: Calls, code: string, text: string): Calls {
  const failure = { case: "failure", value: { kind: wire.FailureKind.REJECTED, code, text } } as const;
  return { calls, mayMiss, read: (answers) => (answers[0]?.["seq"] === undefined ? failure : read(answers)) };
}

const KINDS: ReadonlyMap<unknown, number> = new Map([
  ["rejected", wire.FailureKind.REJECTED],
  ["overloaded", wire.FailureKind.OVERLOADED],
  ["unavailable", wire.FailureKind.UNAVAILABLE],
  ["failed_precondition", wire.FailureKind.FAILED_PRECONDITION],
]);

function failureOf({ kind, code, detail, retry_after_ms }: Json): Init<wire.Failure> {
  const again = { retryAfterMs: numberOf(retry_after_ms ?? 0) };
  return { kind: KINDS.get(kind) ?? wire.FailureKind.UNAVAILABLE, code: textOf(code), text: textOf(detail), ...again };
}

function forwardedOf({ outcomes, next }: Json): Init<ServerMessage> {
  const outcome = ({ conversation, placed: places, problem }: Json): Init<wire.ForwardOutcome> => {
    const place = ({ seq, time_ms, client_message_id, duplicate }: Json): Init<wire.SendAck> => ({
      clientMessageId: ofHex(textOf(client_message_id)),
      seq: numberOf(seq),
      timeMs: numberOf(time_ms),
      duplicate: duplicate === true,
      conversation: textOf(conversation),
    });
    const failure = problem === undefined ? {} : { failure: failureOf(objectOf(problem)) };
    return { conversation: textOf(conversation), acks: listOf(places).map(place), ...failure };
  };
  return { case: "forwarded", value: { outcomes: listOf(outcomes).map(outcome), next: numberOf(next ?? 0) } };
}

function pollOf({ seq, poll }: Json): wire.PollState {
  const { counts, voters, mine, closed } = objectOf(poll);
  const votes = { counts: numbersOf(counts), voters: numberOf(voters), mine: numbersOf(mine) };
  return { seq: numberOf(seq), ...votes, closed: closed === true };
}

function reactionsOf({ seq, reactions }: Json): wire.Reactions {
  const count = ({ emoji, users, mine }: Json): wire.Reaction => ({ emoji: textOf(emoji), users: numberOf(users), mine: mine === true });
  return { seq: numberOf(seq), counts: listOf(reactions).map(count) };
}

function scheduledOf(message: Json): Init<wire.ScheduledMessage> {
  const { client_message_id, deliver_at_ms, body, refused } = message;
  const id = { clientMessageId: ofHex(textOf(client_message_id)) };
  return { ...id, body: bodyOfJson(objectOf(body), message), deliverAtMs: numberOf(deliver_at_ms), refused: textOf(refused ?? "") };
}

export function stateOf({ seq, edited, streaming, erased, deleted, kind }: Json): Init<wire.MessageState> {
  const isGone = { erased: erased === true && kind === "unknown", deleted: deleted === true };
  const state = { seq: numberOf(seq), ...isGone, edits: [], body: undefined };
  if (streaming !== undefined) {
    const { text, pieces } = objectOf(streaming);
    const body = { kind: TEXT, content: new TextEncoder().encode(textOf(text)) };
    return { ...state, body, streaming: true, pieces: numberOf(pieces) };
  }
  if (edited === undefined) return state;
  const { edits, body } = objectOf(edited);
  if (!Array.isArray(edits)) throw new ProtocolError("the answer has no list where the HTTP API has one");
  return { ...state, edits: edits.map(numberOf), body: bodyOfJson(objectOf(body), {}) };
}

function invitationOf({ conversation, name, invited_by, seq, created_ms }: Json): wire.Invitation {
  const place = { seq: numberOf(seq), createdMs: numberOf(created_ms) };
  return { conversation: textOf(conversation), name: textOf(name), invitedBy: numberOf(invited_by), ...place };
}
