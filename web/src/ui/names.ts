/** Names of users, conversations and events in the language of the page. */

import { EVERYONE, type Event, isErased, typedBody, wire } from "troupe-chat";
import { spanText } from "../core/format";
import type { Session } from "../core/session";
import { lengthText } from "./bodies";
import type { Words } from "./words";

export function userName(session: Session, id: number, t: Words): string {
  const own = session.contacts.remark(id);
  if (own !== undefined) return own;
  const name = session.people.name(id);
  if (name === "") return t.deletedUser;
  return name ?? (id === session.client.user ? session.client.name : undefined) ?? t.userWithId(id);
}

/** `name`: of the list, if it has the conversation. */
export function roomName(session: Session, id: string, name: string | undefined, t: Words): string {
  if (id === EVERYONE) return t.everyone;
  const peer = session.peerOf(id);
  // The list has the name of the account, and the user may show another one.
  const shown = peer === undefined ? undefined : (session.contacts.remark(peer) ?? session.people.name(peer));
  if (shown !== undefined && shown !== "") return shown;
  if (name !== undefined && name !== "") return name;
  return peer === undefined ? id : userName(session, peer, t);
}

export function roleName(role: number, t: Words): string {
  if (role === wire.Role.OWNER) return t.roles.owner;
  return role === wire.Role.ADMIN ? t.roles.admin : t.roles.member;
}

/** The text of a message, or words for a body that is no text. */
export function messageText(content: { readonly bodyKind: number; readonly content: Uint8Array; readonly text: string | undefined }, t: Words): string {
  if (content.text !== undefined) return content.text;
  const body = typedBody(content.bodyKind, content.content);
  if (body === undefined) return t.unsupportedMessage;
  switch (body.type) {
    case "emoji":
      return body.value.emoji;
    case "notice":
      return body.value.text;
    case "poll":
      return `${t.bodies.poll} · ${body.value.question}`;
    case "location": {
      const { latitudeE7, longitudeE7, name } = body.value;
      return [t.bodies.location, name, `${latitudeE7 / 1e7}, ${longitudeE7 / 1e7}`].filter((part) => part !== "").join(" · ");
    }
    case "image":
    case "video":
    case "file":
      return [t.bodies[body.type], body.value.file?.name ?? "", body.value.caption].filter((part) => part !== "").join(" · ");
    default:
      return t.bodies[body.type];
  }
}

/** One line about an event that is not a message. */
export function noteText(session: Session, event: Event, t: Words): string {
  const name = (id: number): string => (id === session.client.user ? t.you : userName(session, id, t));
  const by = name(event.sender);
  const { content } = event;
  const { notes } = t;
  switch (content.kind) {
    case "created":
      return notes.created(by, content.name);
    case "renamed":
      return notes.renamed(by, content.name);
    case "added": {
      if (content.users.length === 1 && content.users[0] === event.sender) return notes.joined(by);
      return notes.added(by, content.users.map(name).join(t.tag === "en" ? ", " : "、"));
    }
    case "removed":
      return content.user === event.sender ? notes.left(by) : notes.removed(by, name(content.user));
    case "roleChanged":
      return notes.role(by, name(content.user), roleName(content.role, t));
    case "settingsChanged": {
      const { notice, retentionSeconds } = content.settings;
      if (retentionSeconds !== undefined) return retentionSeconds === 0 ? notes.noRetention(by) : notes.retention(by, spanText(t.tag, retentionSeconds * 1_000));
      return notice !== undefined && notice !== "" ? notes.notice(by, notice) : notes.settings(by);
    }
    case "muted":
      return content.untilMs === 0 ? notes.unmuted(by, name(content.user)) : notes.muted(by, name(content.user));
    case "banned":
      return content.lifted ? notes.unbanned(by, name(content.user)) : notes.banned(by, name(content.user));
    case "transferred":
      return notes.transferred(by, name(content.to));
    case "disbanded":
      return notes.disbanded(by);
    case "linkMade":
      return notes.linkMade(by);
    case "linkRevoked":
      return notes.linkRevoked(by);
    case "pinned":
      return content.removed ? notes.unpinned(by) : notes.pinned(by);
    case "joinAsked":
      return notes.joinAsked(by);
    case "joinClosed":
      return content.user === event.sender ? notes.joinWithdrawn(by) : notes.joinRefused(by, name(content.user));
    case "edited":
      return notes.edited(by);
    case "recalled":
      return notes.recalled(by);
    case "vanished":
      return t.vanishedMessage;
    case "voted":
      return notes.voted(by);
    case "pollClosed":
      return notes.pollClosed(by);
    case "callStarted":
      return notes.called(by, content.video);
    case "callAnswered":
      return "";
    case "callEnded":
      return callText(content, name(content.caller), t);
    case "unsupported":
      return isErased(event) ? t.erasedMessage : t.unsupportedEvent(content.number);
    default:
      return "";
  }
}

/** The record of a call. */
export function callText({ outcome, lastedMs, video }: { readonly outcome: number; readonly lastedMs: number; readonly video: boolean }, by: string, t: Words): string {
  const { CallOutcome } = wire;
  const { calls } = t;
  const kind = video ? calls.video : calls.voice;
  switch (outcome) {
    case CallOutcome.TALKED:
      return calls.talked(kind, lengthText(lastedMs));
    case CallOutcome.CALL_REFUSED:
      return calls.refused(kind, by);
    case CallOutcome.CALL_BUSY:
      return calls.busy(kind, by);
    case CallOutcome.CANCELLED:
      return calls.cancelled(kind, by);
    default:
      return calls.missed(kind, by);
  }
}

/** The line of a conversation in the list. */
export function previewOf(session: Session, conversation: string, event: Event | undefined, t: Words): string {
  if (event === undefined) return conversation === EVERYONE ? t.everyoneHint : "";
  const { content } = event;
  if (content.kind === "reacted") return `${nameOf(session, event.sender, t)} ${content.removed ? "" : content.emoji}`.trim();
  if (content.kind !== "message") return noteText(session, event, t);
  const text = messageText(content, t);
  if (event.sender === session.client.user) return `${t.you}: ${text}`;
  return session.peerOf(conversation) === undefined ? `${userName(session, event.sender, t)}: ${text}` : text;
}

function nameOf(session: Session, id: number, t: Words): string {
  return id === session.client.user ? t.you : userName(session, id, t);
}
