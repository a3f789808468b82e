/**
 * All requests except sends.
 *
 * Each request is safe to repeat, reads by nature and changes by their request id. It is repeated
 * at any node that answers, until the client's patience ends. Answers are messages of client.proto.
 */

import type { Init } from "./codec.js";
import { ProtocolError } from "./errors.js";
import { type Event, ofWire, TEXT } from "./event.js";
import {
  type ClientMessageId,
  clientMessageId,
  compareConversations,
  type ConversationId,
  conversationId,
  hex,
  ofHex,
  randomId,
  type Seq,
  seq,
} from "./ids.js";
import { HookRequests } from "./hooks.js";
import type { Acked } from "./items.js";
import * as limits from "./limits.js";
import type { Request } from "./line.js";
import { type Change, requestId } from "./people.js";
import { TYPING } from "./signals.js";
import { sha256 } from "./sha256.js";
import type * as wire from "./wire.js";

/** One of `words`, `sender` and `kind` is needed. */
export interface SearchFor {
  readonly words?: string;
  readonly sender?: number;
  /** Of the body; 1 is text. */
  readonly kind?: number;
  readonly afterMs?: number;
  readonly beforeMs?: number;
  /** At most 200; empty: all on this user's list. */
  readonly conversations?: readonly string[];
  readonly limit?: number;
}

export interface HistoryPage {
  /** Oldest first. */
  readonly events: readonly Event[];
  readonly head: Seq;
  /** There are more events in the requested direction. */
  readonly more: boolean;
  /** To messages of this page, by their seq, counting every event up to `head`. */
  readonly reactions: ReadonlyMap<Seq, readonly wire.Reaction[]>;
  /** Of messages of this page that are not as they were sent, as of `head`. */
  readonly states: ReadonlyMap<Seq, wire.MessageState>;
  /** The polls that have votes or are closed, by their seq. */
  readonly polls: ReadonlyMap<Seq, wire.PollState>;
}

export abstract class Requests extends HookRequests {
  /** Asks the present node once. For requests that must not be repeated, and whose answer says nothing. */
  protected abstract once(request: Request): Promise<void>;
  protected abstract readonly isKicked: boolean;

  // ---- sessions

  /** Ends this session everywhere. The client stops. */
  async logout(): Promise<void> {
    try {
      await this.call({ case: "logout", value: {} }, "done");
    } catch (error) {
      // The last frame may be the kick instead of the answer.
      if (!this.isKicked) throw error;
    }
  }

  async sessions(): Promise<wire.Session[]> {
    return (await this.call({ case: "listSessions", value: {} }, "sessions")).sessions;
  }

  /** Logs out another device of this user. */
  async revoke(device: string): Promise<void> {
    await this.call({ case: "revokeSession", value: { device } }, "done");
  }

  /** Ends the sessions of the other devices. */
  async changePassword(oldPassword: string, newPassword: string): Promise<void> {
    await this.call({ case: "changePassword", value: { oldPassword, newPassword, request: randomId() } }, "done");
  }

  // ---- conversations

  /** The whole list, and the conversations whose shard does not answer now: ask again. */
  async conversations(): Promise<{ conversations: wire.Conversation[]; unavailable: ConversationId[] }> {
    const conversations: wire.Conversation[] = [];
    const unavailable: ConversationId[] = [];
    for (let after = ""; ; ) {
      const request: Request = { case: "listConversations", value: { after, limit: limits.PAGE_CONVERSATIONS } };
      const page = await this.call(request, "conversations");
      conversations.push(...page.conversations);
      unavailable.push(...page.unavailable.map(conversationId));
      // A page may hold only unavailable conversations. The next page begins after the last of
      // both.
      const all = [...page.conversations.map((line) => line.conversation), ...page.unavailable];
      const last = all.sort(compareConversations).at(-1);
      if (!page.more || last === undefined || (after !== "" && compareConversations(last, after) <= 0)) {
        return { conversations, unavailable };
      }
      after = last;
    }
  }

  /** Of these conversations (at most 200), the ones that the user is in. */
  async getConversations(conversations: readonly string[]): Promise<wire.Conversations> {
    return this.call({ case: "getConversations", value: { conversations } }, "conversations");
  }

  /** Up to `limit` (500) events after `after`. */
  historyAfter(conversation: string, after = 0, limit = limits.PAGE_EVENTS): Promise<HistoryPage> {
    return this.history(conversation, after, false, limit);
  }

  /** Up to `limit` (500) events before `before`; zero means up to the newest. */
  historyBefore(conversation: string, before = 0, limit = limits.PAGE_EVENTS): Promise<HistoryPage> {
    return this.history(conversation, before, true, limit);
  }

  private async history(conversation: string, from: number, backward: boolean, limit: number): Promise<HistoryPage> {
    const value = { conversation: conversationId(conversation), seq: from, backward, limit: Math.min(limit, limits.PAGE_EVENTS) };
    const page = await this.call({ case: "fetch", value }, "page");
    const reactions = new Map(page.reactions.map(({ seq: of, counts }) => [seq(of), counts]));
    const states = new Map(page.states.map((state) => [seq(state.seq), state]));
    const polls = new Map(page.polls.map((poll) => [seq(poll.seq), poll]));
    return { events: page.events.map(ofWire), head: seq(page.head), more: page.more, reactions, states, polls };
  }

  /** Reports to the members that this user has read up to `upTo`. */
  async markRead(conversation: string, upTo: number): Promise<void> {
    await this.call({ case: "markRead", value: { conversation: conversationId(conversation), seq: upTo } }, "done");
  }

  /** Gives a reaction to a message. It is an event of the conversation's log. */
  react(conversation: string, to: number, emoji: string, change: Change = {}): Promise<Acked> {
    return this.reaction(conversation, to, emoji, false, change);
  }

  /** Takes a reaction back. */
  unreact(conversation: string, to: number, emoji: string, change: Change = {}): Promise<Acked> {
    return this.reaction(conversation, to, emoji, true, change);
  }

  private async reaction(conversation: string, to: number, emoji: string, remove: boolean, change: Change): Promise<Acked> {
    const request = requestId(change);
    const value = { request, conversation: conversationId(conversation), seq: to, emoji, remove };
    return acked(request, await this.call({ case: "react", value }, "sendAck"));
  }

  /** Keeps a message until its time, at most a year ahead. The cluster sends it then, without this client. */
  schedule(conversation: string, body: wire.Body, deliverAtMs: number, change: Change = {}): Promise<wire.Scheduled> {
    const value = { conversation: conversationId(conversation), clientMessageId: requestId(change), body, deliverAtMs };
    return this.call({ case: "schedule", value }, "scheduled");
  }

  /** The user's messages that wait there, and those refused in the last week, in order of their ids. */
  async scheduled(conversation: string): Promise<wire.ScheduledMessage[]> {
    const messages: wire.ScheduledMessage[] = [];
    let after = new Uint8Array(0);
    for (;;) {
      const value = { conversation: conversationId(conversation), after, limit: 0 };
      const page = await this.call({ case: "listScheduled", value }, "scheduledList");
      messages.push(...page.messages);
      const last = page.messages.at(-1)?.clientMessageId ?? new Uint8Array(0);
      if (!page.more || hex(last) <= hex(after)) return messages;
      after = Uint8Array.from(last);
    }
  }

  /** Takes a message back before its time, or a refused one off the list. */
  async cancelScheduled(conversation: string, id: ClientMessageId | string | Uint8Array): Promise<void> {
    const value = { conversation: conversationId(conversation), clientMessageId: ofHex(clientMessageId(id)) };
    await this.call({ case: "cancelScheduled", value }, "done");
  }

  /**
   * Calls the other user of a direct conversation, whose devices ring for a minute. The seq of the
   * answer names the call.
   */
  startCall(conversation: string, video = false, change: Change = {}): Promise<Acked> {
    return this.callStep(conversation, { case: "start", value: { video } }, change);
  }

  /** Takes a call, or refuses it. One device takes it: all others get `already_answered`. */
  answerCall(conversation: string, call: number, answer: wire.CallAnswer, change: Change = {}): Promise<Acked> {
    return this.callStep(conversation, { case: "answer", value: { call, answer } }, change);
  }

  /** Hangs up, or takes a call back that rings. */
  endCall(conversation: string, call: number, change: Change = {}): Promise<Acked> {
    return this.callStep(conversation, { case: "end", value: call }, change);
  }

  private async callStep(conversation: string, step: NonNullable<wire.Call["step"]>, change: Change): Promise<Acked> {
    const request = requestId(change);
    const value = { request, conversation: conversationId(conversation), step };
    return acked(request, await this.call({ case: "call", value } as Request, "sendAck"));
  }

  /** Tells the other members that this user types. Repeat it every few seconds while that lasts. */
  sendTyping(conversation: string): Promise<void> {
    return this.signal(conversation, TYPING);
  }

  /**
   * Sends a signal to the devices of the other members that are connected now.
   *
   * In a direct conversation `device` names the only one to get it. A signal is never repeated: it
   * arrives at most once, or not at all. `signals` has the kinds.
   */
  signal(conversation: string, kind: number, payload: Uint8Array<ArrayBuffer> = new Uint8Array(0), device = 0): Promise<void> {
    return this.once({ case: "signal", value: { conversation: conversationId(conversation), kind, payload, device } });
  }

  /** Gives an own message another text, or another body of the kind that it has. */
  async edit(conversation: string, to: number, text: string | wire.Body, change: Change = {}): Promise<Acked> {
    const request = requestId(change);
    const body = typeof text === "string" ? { kind: TEXT, content: new TextEncoder().encode(text) } : text;
    const value = { request, conversation: conversationId(conversation), seq: to, body };
    return acked(request, await this.call({ case: "editMessage", value }, "sendAck"));
  }

  /** Erases the content of a message. Senders may for a time, admins of a group always. */
  async recall(conversation: string, to: number, change: Change = {}): Promise<Acked> {
    const request = requestId(change);
    const value = { request, conversation: conversationId(conversation), seq: to };
    return acked(request, await this.call({ case: "recallMessage", value }, "sendAck"));
  }

  /** Votes in a poll, or changes the vote. The options count from 0. */
  async vote(conversation: string, poll: number, options: readonly number[], change: Change = {}): Promise<Acked> {
    const request = requestId(change);
    const value = { request, conversation: conversationId(conversation), seq: poll, options: options.toSorted((a, b) => a - b) };
    return acked(request, await this.call({ case: "vote", value: { ...value, remove: false } }, "sendAck"));
  }

  async takeVoteBack(conversation: string, poll: number, change: Change = {}): Promise<Acked> {
    const request = requestId(change);
    const value = { request, conversation: conversationId(conversation), seq: poll, options: [], remove: true };
    return acked(request, await this.call({ case: "vote", value }, "sendAck"));
  }

  /** Its sender closes a poll, and admins of a group. */
  async closePoll(conversation: string, poll: number, change: Change = {}): Promise<Acked> {
    const request = requestId(change);
    const value = { request, conversation: conversationId(conversation), seq: poll };
    return acked(request, await this.call({ case: "closePoll", value }, "sendAck"));
  }

  /** Sends messages that this user sees to other conversations, nothing twice under one request. */
  async forward(
    from: string,
    seqs: readonly number[],
    to: readonly string[],
    options: Change & { readonly bundle?: boolean; readonly text?: string } = {},
  ): Promise<wire.ForwardOutcome[]> {
    const { bundle = false, text = "" } = options;
    const value = { request: requestId(options), from: conversationId(from), seqs, to, bundle, text };
    return (await this.call({ case: "forward", value }, "forwarded")).outcomes;
  }

  /** Sends a message to the direct conversation of each contact. */
  async broadcast(text: string | wire.Body, change: Change = {}): Promise<wire.ForwardOutcome[]> {
    const body = typeof text === "string" ? { kind: TEXT, content: new TextEncoder().encode(text) } : text;
    const request = requestId(change);
    const outcomes: wire.ForwardOutcome[] = [];
    for (let after = 0; ; ) {
      const page = await this.call({ case: "broadcast", value: { request, body, after, limit: 0 } }, "forwarded");
      outcomes.push(...page.outcomes);
      if (page.next <= after) return outcomes;
      after = page.next;
    }
  }

  /** All votes of a poll that is not anonymous, in order of the ids of their users. */
  async votes(conversation: string, poll: number): Promise<wire.UserVote[]> {
    const votes: wire.UserVote[] = [];
    for (let after = 0; ; ) {
      const value = { conversation: conversationId(conversation), seq: poll, after, limit: 0 };
      const page = await this.call({ case: "listVotes", value }, "votes");
      votes.push(...page.votes);
      const last = page.votes.at(-1)?.userId ?? 0;
      if (!page.more || last <= after) return votes;
      after = last;
    }
  }

  // ---- groups

  /** Creates a group once, however often it is repeated with the same `request`. */
  async createGroup(
    name: string,
    options: Change & { readonly members?: readonly number[]; readonly open?: boolean } = {},
  ): Promise<ConversationId> {
    const value = { request: requestId(options), name, open: options.open ?? false, members: options.members ?? [] };
    return conversationId((await this.call({ case: "createGroup", value }, "groupCreated")).conversation);
  }

  renameGroup(group: string, name: string, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "rename", value: name }, change);
  }

  addMembers(group: string, users: readonly number[], change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "add", value: { users: [...users] } }, change);
  }

  removeMember(group: string, user: number, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "remove", value: user }, change);
  }

  leaveGroup(group: string, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "leave", value: {} }, change);
  }

  joinGroup(group: string, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "join", value: {} }, change);
  }

  setRole(group: string, user: number, role: wire.Role, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "setRole", value: { user, role } }, change);
  }

  /** The settings of a group, all of them. */
  group(group: string): Promise<wire.Group> {
    return this.call({ case: "showGroup", value: { conversation: conversationId(group) } }, "group");
  }

  /** Appends a piece to an own stream. `index` is the number of pieces before it: a repeat is harmless. */
  async writePiece(conversation: string, message: number, index: number, text: string): Promise<void> {
    const value = { conversation: conversationId(conversation), seq: message, index, text };
    await this.call({ case: "writePiece", value }, "done");
  }

  /** Ends an own stream with this text, or with what was streamed. */
  async endStream(conversation: string, message: number, text = "", aborted = false, change: Change = {}): Promise<Acked> {
    const request = requestId(change);
    const value = { request, conversation: conversationId(conversation), seq: message, text, aborted };
    return acked(request, await this.call({ case: "endStream", value }, "sendAck"));
  }

  /** Lets new messages of a group or direct conversation vanish after so many seconds; 0: they stay. */
  setRetention(conversation: string, seconds: number, change: Change = {}): Promise<Acked> {
    return this.setGroup(conversation, { retentionSeconds: seconds }, change);
  }

  /** Changes the settings that are present. */
  setGroup(group: string, settings: Init<wire.GroupSettings>, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "set", value: settings as wire.GroupSettings }, change);
  }

  /** Until then the member does not speak; 0 lifts the mute. */
  mute(group: string, user: number, untilMs: number, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "mute", value: { user, untilMs } }, change);
  }

  /** Removes a user and keeps it out, or lifts the ban. */
  ban(group: string, user: number, change: Change & { readonly lift?: boolean } = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "ban", value: { user, lifted: change.lift ?? false } }, change);
  }

  /** Makes another member the owner; this user stays as an admin. */
  transferGroup(group: string, to: number, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "transfer", value: to }, change);
  }

  /** Ends a group for all of its members. */
  disbandGroup(group: string, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "disband", value: {} }, change);
  }

  /** All bans, in order of the ids of their users. */
  async bans(group: string): Promise<wire.Ban[]> {
    const bans: wire.Ban[] = [];
    for (let after = 0; ; ) {
      const value = { conversation: conversationId(group), after, limit: limits.PAGE_MEMBERS };
      const page = await this.call({ case: "listBans", value }, "bans");
      bans.push(...page.bans);
      const last = page.bans.at(-1)?.userId ?? 0;
      if (!page.more || last <= after) return bans;
      after = last;
    }
  }

  /** A link lets the holders of its code in. `expiresMs` 0: it does not expire. */
  makeLink(group: string, code: string, uses: number, expiresMs = 0, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "makeLink", value: { code, uses, expiresMs } }, change);
  }

  /** Without their codes, which the cluster does not keep. */
  async links(group: string): Promise<wire.Link[]> {
    return (await this.call({ case: "listLinks", value: { conversation: conversationId(group) } }, "links")).links;
  }

  revokeLink(group: string, link: number, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "revokeLink", value: link }, change);
  }

  /** What the holder of a code sees of the group before it joins. */
  previewLink(group: string, code: string): Promise<wire.LinkPreview> {
    return this.call({ case: "previewLink", value: { conversation: conversationId(group), code } }, "linkPreview");
  }

  joinByLink(group: string, code: string, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "joinLink", value: code }, change);
  }

  /** All members that have read a message, in order of their ids. Its sender does not count. */
  async readers(conversation: string, to: number): Promise<number[]> {
    const users: number[] = [];
    for (let after = 0; ; ) {
      const value = { conversation: conversationId(conversation), seq: to, after, limit: 0 };
      const page = await this.call({ case: "listReaders", value }, "readers");
      users.push(...page.users);
      const last = page.users.at(-1) ?? 0;
      if (!page.more || last <= after) return users;
      after = last;
    }
  }

  /** How many members see these messages, and have read them. At most 50. */
  async readCounts(conversation: string, seqs: readonly number[]): Promise<wire.ReadCount[]> {
    const value = { conversation: conversationId(conversation), seqs: [...seqs] };
    return (await this.call({ case: "countReaders", value }, "readCounts")).counts;
  }

  /** Pins a message for all members. */
  pin(conversation: string, to: number, change: Change = {}): Promise<Acked> {
    return this.changePin(conversation, to, false, change);
  }

  unpin(conversation: string, to: number, change: Change = {}): Promise<Acked> {
    return this.changePin(conversation, to, true, change);
  }

  private async changePin(conversation: string, to: number, remove: boolean, change: Change): Promise<Acked> {
    const request = requestId(change);
    const value = { request, conversation: conversationId(conversation), seq: to, remove };
    return acked(request, await this.call({ case: "pinMessage", value }, "sendAck"));
  }

  /** The pinned messages that this user sees; the one that was pinned first comes first. */
  async pins(conversation: string): Promise<wire.Pin[]> {
    return (await this.call({ case: "listPins", value: { conversation: conversationId(conversation) } }, "pins")).pins;
  }

  /** Asks to join a group that lets users in by approval. Those that decide read the text. */
  askToJoin(group: string, text = "", change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "askToJoin", value: text }, change);
  }

  /** Takes this user's own request back. */
  withdrawRequest(group: string, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "withdraw", value: {} }, change);
  }

  /** Lets a user in that has asked to join, or refuses it. */
  answerRequest(group: string, user: number, accept: boolean, change: Change = {}): Promise<Acked> {
    return this.changeGroup(group, { case: "answerRequest", value: { user, accept } }, change);
  }

  /** All open requests to join, in order of the ids of their users. An outsider gets its own. */
  async joinRequests(group: string): Promise<wire.JoinRequest[]> {
    const requests: wire.JoinRequest[] = [];
    for (let after = 0; ; ) {
      const value = { conversation: conversationId(group), after, limit: 0 };
      const page = await this.call({ case: "listJoinRequests", value }, "joinRequests");
      requests.push(...page.requests);
      const last = page.requests.at(-1)?.userId ?? 0;
      if (!page.more || last <= after) return requests;
      after = last;
    }
  }

  /** A change is an event of the group's log. */
  private async changeGroup(group: string, what: wire.ChangeGroup["change"], change: Change): Promise<Acked> {
    const request = requestId(change);
    const value = { request, conversation: conversationId(group), change: what };
    return acked(request, await this.call({ case: "changeGroup", value } as Request, "sendAck"));
  }

  /** All members, in order of their ids. */
  async members(conversation: string): Promise<wire.Member[]> {
    const members: wire.Member[] = [];
    for (let after = 0; ; ) {
      const value = { conversation: conversationId(conversation), after, limit: limits.PAGE_MEMBERS };
      const page = await this.call({ case: "listMembers", value }, "members");
      members.push(...page.members);
      const last = page.members.at(-1)?.userId ?? 0;
      if (!page.more || last <= after) return members;
      after = last;
    }
  }

  /** Groups to which strangers have added this user, and conversations that they have begun. */
  async invitations(): Promise<wire.Invitation[]> {
    return (await this.call({ case: "listInvitations", value: {} }, "invitations")).invitations;
  }

  /** `at` is the seq of the invitation, as listed. */
  async acceptInvitation(conversation: string, at: number): Promise<void> {
    await this.call({ case: "acceptInvitation", value: { conversation: conversationId(conversation), seq: at } }, "done");
  }

  /** The direct conversation of a stranger stays unlisted. `at` is as listed. */
  async declineMessages(conversation: string, at: number): Promise<void> {
    const value = { conversation: conversationId(conversation), seq: at, decline: true };
    await this.call({ case: "acceptInvitation", value }, "done");
  }

  /** Leaves the group, which ends the invitation. */
  async declineInvitation(conversation: string): Promise<void> {
    await this.leaveGroup(conversation);
  }

  // ---- files

  /** Uploads a file and returns its name. A repeat with the same `request` goes on where it was. */
  async upload(conversation: string, name: string, content: Uint8Array, options: Change & { readonly mediaType?: string } = {}): Promise<Uint8Array> {
    const of = { conversation: conversationId(conversation), upload: requestId(options) };
    const about = { name, mediaType: options.mediaType ?? "", size: content.length, hash: fileName(content) };
    let state = await this.call({ case: "createUpload", value: { ...of, ...about } }, "upload");
    while (state.hash.length === 0) {
      const offset = state.received;
      const end = offset - (offset % limits.CHUNK_BYTES) + limits.CHUNK_BYTES;
      state = await this.call({ case: "writeChunk", value: { ...of, offset, content: content.slice(offset, end) } }, "upload");
    }
    return state.hash;
  }

  uploadState(conversation: string, upload: ClientMessageId | string): Promise<wire.Upload> {
    const value = { conversation: conversationId(conversation), upload: ofHex(clientMessageId(upload)) };
    return this.call({ case: "getUpload", value }, "upload");
  }

  /** Ends an upload. A file that has come of it stays. */
  async cancelUpload(conversation: string, upload: ClientMessageId | string): Promise<void> {
    const value = { conversation: conversationId(conversation), upload: ofHex(clientMessageId(upload)) };
    await this.call({ case: "cancelUpload", value }, "done");
  }

  /** A small JPEG of an image, without what its file says about place and camera. */
  async preview(conversation: string, name: Uint8Array): Promise<Uint8Array> {
    const value = { conversation: conversationId(conversation), hash: name.slice() };
    return (await this.call({ case: "readPreview", value }, "preview")).content;
  }

  /**
   * The images, voice messages, videos and files that this user sees, newest first. `before` is
   * `next` of the page before; `kind` selects one kind of bodies. `states` has the present bodies of
   * edited messages.
   */
  files(conversation: string, before = 0, { kind = 0, limit = 0 } = {}): Promise<wire.FileMessages> {
    const value = { conversation: conversationId(conversation), before, kind, limit };
    return this.call({ case: "listFiles", value }, "fileMessages");
  }

  /** The room of the user's files over all conversations, in bytes. */
  usage(): Promise<wire.Usage> {
    return this.call({ case: "getUsage", value: {} }, "usage");
  }

  /** Name, type and size of a file. */
  file(conversation: string, name: Uint8Array): Promise<wire.File> {
    return this.call({ case: "showFile", value: { conversation: conversationId(conversation), hash: name.slice() } }, "file");
  }

  /** A whole file, whose bytes have this name. */
  async download(conversation: string, name: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    const of = { conversation: conversationId(conversation), hash: name.slice() };
    const { size } = await this.file(conversation, name);
    const content = new Uint8Array(Math.min(size, limits.FILE_BYTES));
    for (let offset = 0; offset < content.length; ) {
      const part = await this.call({ case: "readFile", value: { ...of, offset } }, "filePart");
      if (part.content.length === 0 || part.content.length > content.length - offset) throw new ProtocolError("a part of a file has another length");
      content.set(part.content, offset);
      offset += part.content.length;
    }
    if (hex(fileName(content)) !== hex(name)) throw new ProtocolError("the file is not the one that was asked for");
    return content;
  }

  // ---- people

  /** Users whose name begins with `prefix`, after the name `after`, and whether there are more. */
  /**
   * The newest messages of this user's conversations for which all conditions hold. `page` is that of
   * the answer before; an answer with an empty one is the last.
   */
  findMessages(wanted: SearchFor, page = ""): Promise<wire.Found> {
    const { words = "", conversations = [], ...others } = wanted;
    const value = { ...others, query: words, conversations: conversations.map(conversationId), page };
    return this.call({ case: "search", value }, "found");
  }

  findUsers(prefix: string, after = ""): Promise<wire.Users> {
    return this.call({ case: "findUsers", value: { prefix, after, limit: limits.PAGE_USERS } }, "users");
  }

  onlineUsers(after = ""): Promise<wire.Users> {
    return this.call({ case: "listOnline", value: { after, limit: limits.PAGE_USERS } }, "users");
  }

  /** The users with these ids and names. Unknown ones are omitted. */
  async getUsers(of: { readonly ids?: readonly number[]; readonly names?: readonly string[] }): Promise<wire.User[]> {
    return (await this.call({ case: "getUsers", value: { ids: of.ids ?? [], names: of.names ?? [] } }, "users")).users;
  }
}

function acked(request: Uint8Array, ack: wire.SendAck): Acked {
  return { id: clientMessageId(request), seq: seq(ack.seq), timeMs: ack.timeMs };
}

/** The name of a file: a chain over the SHA-256 of its chunks. Empty without bytes. */
export function fileName(content: Uint8Array): Uint8Array<ArrayBuffer> {
  let name = new Uint8Array(0);
  for (let start = 0; start < content.length; start += limits.CHUNK_BYTES) {
    const chunk = sha256(content.subarray(start, start + limits.CHUNK_BYTES));
    const both = new Uint8Array(name.length + chunk.length);
    both.set(name);
    both.set(chunk, name.length);
    name = sha256(both);
  }
  return name;
}
