// Messages of proto/proto/content.proto and client.proto. Written by generate.mjs: do not edit.
//
// A oneof is the field that is set, with its value, or undefined.

import { message } from "./codec.js";
import { WireEvent } from "./event.js";

export const BodyKind = {
  BODY_KIND_UNSPECIFIED: 0,
  BODY_TEXT: 1,
  BODY_IMAGE: 2,
  BODY_VOICE: 3,
  BODY_VIDEO: 4,
  BODY_FILE: 5,
  BODY_STICKER: 6,
  BODY_EMOJI: 7,
  BODY_CARD: 8,
  BODY_LOCATION: 9,
  BODY_CUSTOM: 10,
  BODY_NOTICE: 11,
  BODY_POLL: 12,
  BODY_BUNDLE: 13,
} as const;
/** A value of BodyKind, or one of a later version. */
export type BodyKind = number;

export const FailureKind = {
  KIND_UNSPECIFIED: 0,
  REJECTED: 1,
  OVERLOADED: 2,
  UNAVAILABLE: 3,
  FAILED_PRECONDITION: 4,
} as const;
/** A value of FailureKind, or one of a later version. */
export type FailureKind = number;

export const CallOutcome = {
  CALL_OUTCOME_UNSPECIFIED: 0,
  TALKED: 1,
  CALL_REFUSED: 2,
  CALL_BUSY: 3,
  CANCELLED: 4,
  MISSED: 5,
} as const;
/** A value of CallOutcome, or one of a later version. */
export type CallOutcome = number;

export const Role = {
  ROLE_UNSPECIFIED: 0,
  MEMBER: 1,
  ADMIN: 2,
  OWNER: 3,
} as const;
/** A value of Role, or one of a later version. */
export type Role = number;

export const CallAnswer = {
  CALL_ANSWER_UNSPECIFIED: 0,
  ACCEPT: 1,
  REFUSE: 2,
  BUSY: 3,
} as const;
/** A value of CallAnswer, or one of a later version. */
export type CallAnswer = number;

export const JoinPolicy = {
  JOIN_UNSPECIFIED: 0,
  JOIN_OPEN: 1,
  JOIN_INVITE_ONLY: 2,
  JOIN_APPROVAL: 3,
} as const;
/** A value of JoinPolicy, or one of a later version. */
export type JoinPolicy = number;

export const HistoryPolicy = {
  HISTORY_UNSPECIFIED: 0,
  HISTORY_SINCE_JOINING: 1,
  HISTORY_EVERYTHING: 2,
} as const;
/** A value of HistoryPolicy, or one of a later version. */
export type HistoryPolicy = number;

export const Act = {
  ACT_UNSPECIFIED: 0,
  ACT_RENAME: 1,
  ACT_ADD: 2,
  ACT_REMOVE: 3,
  ACT_PIN: 4,
  ACT_NOTICE: 5,
  ACT_MUTE: 6,
  ACT_BAN: 7,
  ACT_SETTINGS: 8,
  ACT_INVITE: 9,
  ACT_RECALL: 20,
} as const;
/** A value of Act, or one of a later version. */
export type Act = number;

export const Meeting = {
  MEETING_APART: 0,
  MEETING_ALLOWED: 1,
  MEETING_REFUSED: 2,
} as const;
/** A value of Meeting, or one of a later version. */
export type Meeting = number;

export const Viewers = {
  VIEWERS_EVERYONE: 0,
  VIEWERS_CONTACTS: 1,
  VIEWERS_NO_ONE: 2,
} as const;
/** A value of Viewers, or one of a later version. */
export type Viewers = number;

export const HookKind = {
  HOOK_KIND_UNSPECIFIED: 0,
  INCOMING: 1,
  OUTGOING: 2,
  BEFORE: 3,
} as const;
/** A value of HookKind, or one of a later version. */
export type HookKind = number;

export const Audience = {
  AUDIENCE_UNSPECIFIED: 0,
  EVERYONE: 1,
  CONTACTS: 2,
} as const;
/** A value of Audience, or one of a later version. */
export type Audience = number;

export const ContactState = {
  CONTACT_STATE_UNSPECIFIED: 0,
  REQUESTED: 1,
  RECEIVED: 2,
  MUTUAL: 3,
} as const;
/** A value of ContactState, or one of a later version. */
export type ContactState = number;

export interface Context {
  replyTo: number;
  thread: number;
  mentions: number[];
  mentionsEveryone: boolean;
  expiresInMs: number;
  stream: boolean;
}
export const Context = /* @__PURE__ */ message<Context>("Context", [
  [1, "replyTo", "uint64"],
  [2, "thread", "uint64"],
  [3, "mentions", "uint64", "repeated"],
  [4, "mentionsEveryone", "bool"],
  [100, "expiresInMs", "uint64"],
  [150, "stream", "bool"],
]);

export interface Attachment {
  hash: Uint8Array;
  name: string;
  size: number;
  mediaType: string;
}
export const Attachment = /* @__PURE__ */ message<Attachment>("Attachment", [
  [1, "hash", "bytes"],
  [2, "name", "string"],
  [3, "size", "uint64"],
  [4, "mediaType", "string"],
]);

export interface ImageBody {
  file?: Attachment | undefined;
  width: number;
  height: number;
  preview: Uint8Array;
  caption: string;
}
export const ImageBody = /* @__PURE__ */ message<ImageBody>("ImageBody", [
  [1, "file", () => Attachment, "optional"],
  [2, "width", "uint32"],
  [3, "height", "uint32"],
  [4, "preview", "bytes"],
  [5, "caption", "string"],
]);

export interface VoiceBody {
  file?: Attachment | undefined;
  durationMs: number;
}
export const VoiceBody = /* @__PURE__ */ message<VoiceBody>("VoiceBody", [
  [1, "file", () => Attachment, "optional"],
  [2, "durationMs", "uint64"],
]);

export interface VideoBody {
  file?: Attachment | undefined;
  width: number;
  height: number;
  preview: Uint8Array;
  caption: string;
  durationMs: number;
}
export const VideoBody = /* @__PURE__ */ message<VideoBody>("VideoBody", [
  [1, "file", () => Attachment, "optional"],
  [2, "width", "uint32"],
  [3, "height", "uint32"],
  [4, "preview", "bytes"],
  [5, "caption", "string"],
  [6, "durationMs", "uint64"],
]);

export interface FileBody {
  file?: Attachment | undefined;
  caption: string;
}
export const FileBody = /* @__PURE__ */ message<FileBody>("FileBody", [
  [1, "file", () => Attachment, "optional"],
  [2, "caption", "string"],
]);

export interface StickerBody {
  set: string;
  name: string;
  file?: Attachment | undefined;
}
export const StickerBody = /* @__PURE__ */ message<StickerBody>("StickerBody", [
  [1, "set", "string"],
  [2, "name", "string"],
  [3, "file", () => Attachment, "optional"],
]);

export interface EmojiBody {
  emoji: string;
}
export const EmojiBody = /* @__PURE__ */ message<EmojiBody>("EmojiBody", [
  [1, "emoji", "string"],
]);

export interface CardBody {
  user: number;
  group: string;
  name: string;
}
export const CardBody = /* @__PURE__ */ message<CardBody>("CardBody", [
  [1, "user", "uint64"],
  [2, "group", "string"],
  [3, "name", "string"],
]);

export interface LocationBody {
  latitudeE7: number;
  longitudeE7: number;
  name: string;
}
export const LocationBody = /* @__PURE__ */ message<LocationBody>("LocationBody", [
  [1, "latitudeE7", "int64"],
  [2, "longitudeE7", "int64"],
  [3, "name", "string"],
]);

export interface CustomBody {
  name: string;
  data: Uint8Array;
}
export const CustomBody = /* @__PURE__ */ message<CustomBody>("CustomBody", [
  [1, "name", "string"],
  [2, "data", "bytes"],
]);

export interface NoticeBody {
  text: string;
}
export const NoticeBody = /* @__PURE__ */ message<NoticeBody>("NoticeBody", [
  [1, "text", "string"],
]);

export interface PollBody {
  question: string;
  options: string[];
  multiple: boolean;
  anonymous: boolean;
  endsMs: number;
}
export const PollBody = /* @__PURE__ */ message<PollBody>("PollBody", [
  [1, "question", "string"],
  [2, "options", "string", "repeated"],
  [3, "multiple", "bool"],
  [4, "anonymous", "bool"],
  [5, "endsMs", "uint64"],
]);

export interface BundleBody {
  from: string;
  messages: BundledMessage[];
}
export const BundleBody = /* @__PURE__ */ message<BundleBody>("BundleBody", [
  [1, "from", "string"],
  [2, "messages", () => BundledMessage, "repeated"],
]);

export interface BundledMessage {
  seq: number;
  sender: number;
  timeMs: number;
  kind: number;
  content: Uint8Array;
}
export const BundledMessage = /* @__PURE__ */ message<BundledMessage>("BundledMessage", [
  [1, "seq", "uint64"],
  [2, "sender", "uint64"],
  [3, "timeMs", "uint64"],
  [4, "kind", "uint32"],
  [5, "content", "bytes"],
]);

export interface ClientFrame {
  requestId: number;
  request?:
    | { case: "hello"; value: Hello }
    | { case: "register"; value: Register }
    | { case: "login"; value: Login }
    | { case: "resume"; value: Resume }
    | { case: "logout"; value: Logout }
    | { case: "listSessions"; value: ListSessions }
    | { case: "revokeSession"; value: RevokeSession }
    | { case: "send"; value: Send }
    | { case: "acknowledge"; value: Acknowledge }
    | { case: "markRead"; value: MarkRead }
    | { case: "fetch"; value: Fetch }
    | { case: "listConversations"; value: ListConversations }
    | { case: "createGroup"; value: CreateGroup }
    | { case: "changeGroup"; value: ChangeGroup }
    | { case: "listMembers"; value: ListMembers }
    | { case: "findUsers"; value: FindUsers }
    | { case: "listOnline"; value: ListOnline }
    | { case: "getUsers"; value: GetUsers }
    | { case: "ping"; value: Ping }
    | { case: "pong"; value: Pong }
    | { case: "listInvitations"; value: ListInvitations }
    | { case: "acceptInvitation"; value: AcceptInvitation }
    | { case: "changePassword"; value: ChangePassword }
    | { case: "admin"; value: Admin }
    | { case: "react"; value: React }
    | { case: "editMessage"; value: EditMessage }
    | { case: "recallMessage"; value: RecallMessage }
    | { case: "vote"; value: Vote }
    | { case: "closePoll"; value: ClosePoll }
    | { case: "listVotes"; value: ListVotes }
    | { case: "forward"; value: Forward }
    | { case: "broadcast"; value: Broadcast }
    | { case: "getConversations"; value: GetConversations }
    | { case: "showGroup"; value: ShowGroup }
    | { case: "listBans"; value: ListBans }
    | { case: "listLinks"; value: ListLinks }
    | { case: "previewLink"; value: PreviewLink }
    | { case: "listJoinRequests"; value: ListJoinRequests }
    | { case: "pinMessage"; value: PinMessage }
    | { case: "listPins"; value: ListPins }
    | { case: "listReaders"; value: ListReaders }
    | { case: "countReaders"; value: CountReaders }
    | { case: "schedule"; value: Schedule }
    | { case: "listScheduled"; value: ListScheduled }
    | { case: "cancelScheduled"; value: CancelScheduled }
    | { case: "signal"; value: Signal }
    | { case: "call"; value: Call }
    | { case: "changePresence"; value: ChangePresence }
    | { case: "createUpload"; value: CreateUpload }
    | { case: "writeChunk"; value: WriteChunk }
    | { case: "getUpload"; value: GetUpload }
    | { case: "cancelUpload"; value: CancelUpload }
    | { case: "showFile"; value: ShowFile }
    | { case: "readFile"; value: ReadFile }
    | { case: "checkFileLink"; value: CheckFileLink }
    | { case: "getUsage"; value: GetUsage }
    | { case: "readPreview"; value: ReadPreview }
    | { case: "listFiles"; value: ListFiles }
    | { case: "changeProfile"; value: ChangeProfile }
    | { case: "showProfile"; value: ShowProfile }
    | { case: "changeContact"; value: ChangeContact }
    | { case: "showContact"; value: ShowContact }
    | { case: "listContacts"; value: ListContacts }
    | { case: "listBlocks"; value: ListBlocks }
    | { case: "report"; value: Report }
    | { case: "changePersonal"; value: ChangePersonal }
    | { case: "showPersonal"; value: ShowPersonal }
    | { case: "deleteForMe"; value: DeleteForMe }
    | { case: "changeFavourite"; value: ChangeFavourite }
    | { case: "listFavourites"; value: ListFavourites }
    | { case: "changeBot"; value: ChangeBot }
    | { case: "listBots"; value: ListBots }
    | { case: "changeHook"; value: ChangeHook }
    | { case: "listHooks"; value: ListHooks }
    | { case: "listDead"; value: ListDead }
    | { case: "search"; value: Search }
    | { case: "writePiece"; value: WritePiece }
    | { case: "endStream"; value: EndStream }
    | { case: "watch"; value: Watch }
    | undefined;
}
export const ClientFrame = /* @__PURE__ */ message<ClientFrame>("ClientFrame", [
  [1, "requestId", "uint64"],
  [2, "hello", () => Hello, "oneof", "request"],
  [3, "register", () => Register, "oneof", "request"],
  [4, "login", () => Login, "oneof", "request"],
  [5, "resume", () => Resume, "oneof", "request"],
  [6, "logout", () => Logout, "oneof", "request"],
  [7, "listSessions", () => ListSessions, "oneof", "request"],
  [8, "revokeSession", () => RevokeSession, "oneof", "request"],
  [9, "send", () => Send, "oneof", "request"],
  [10, "acknowledge", () => Acknowledge, "oneof", "request"],
  [11, "markRead", () => MarkRead, "oneof", "request"],
  [12, "fetch", () => Fetch, "oneof", "request"],
  [13, "listConversations", () => ListConversations, "oneof", "request"],
  [14, "createGroup", () => CreateGroup, "oneof", "request"],
  [15, "changeGroup", () => ChangeGroup, "oneof", "request"],
  [16, "listMembers", () => ListMembers, "oneof", "request"],
  [17, "findUsers", () => FindUsers, "oneof", "request"],
  [18, "listOnline", () => ListOnline, "oneof", "request"],
  [19, "getUsers", () => GetUsers, "oneof", "request"],
  [20, "ping", () => Ping, "oneof", "request"],
  [21, "pong", () => Pong, "oneof", "request"],
  [40, "listInvitations", () => ListInvitations, "oneof", "request"],
  [41, "acceptInvitation", () => AcceptInvitation, "oneof", "request"],
  [50, "changePassword", () => ChangePassword, "oneof", "request"],
  [51, "admin", () => Admin, "oneof", "request"],
  [60, "react", () => React, "oneof", "request"],
  [61, "editMessage", () => EditMessage, "oneof", "request"],
  [62, "recallMessage", () => RecallMessage, "oneof", "request"],
  [70, "vote", () => Vote, "oneof", "request"],
  [71, "closePoll", () => ClosePoll, "oneof", "request"],
  [72, "listVotes", () => ListVotes, "oneof", "request"],
  [73, "forward", () => Forward, "oneof", "request"],
  [74, "broadcast", () => Broadcast, "oneof", "request"],
  [130, "getConversations", () => GetConversations, "oneof", "request"],
  [140, "showGroup", () => ShowGroup, "oneof", "request"],
  [141, "listBans", () => ListBans, "oneof", "request"],
  [142, "listLinks", () => ListLinks, "oneof", "request"],
  [143, "previewLink", () => PreviewLink, "oneof", "request"],
  [144, "listJoinRequests", () => ListJoinRequests, "oneof", "request"],
  [145, "pinMessage", () => PinMessage, "oneof", "request"],
  [146, "listPins", () => ListPins, "oneof", "request"],
  [147, "listReaders", () => ListReaders, "oneof", "request"],
  [148, "countReaders", () => CountReaders, "oneof", "request"],
  [170, "schedule", () => Schedule, "oneof", "request"],
  [171, "listScheduled", () => ListScheduled, "oneof", "request"],
  [172, "cancelScheduled", () => CancelScheduled, "oneof", "request"],
  [185, "signal", () => Signal, "oneof", "request"],
  [186, "call", () => Call, "oneof", "request"],
  [187, "changePresence", () => ChangePresence, "oneof", "request"],
  [200, "createUpload", () => CreateUpload, "oneof", "request"],
  [201, "writeChunk", () => WriteChunk, "oneof", "request"],
  [202, "getUpload", () => GetUpload, "oneof", "request"],
  [203, "cancelUpload", () => CancelUpload, "oneof", "request"],
  [204, "showFile", () => ShowFile, "oneof", "request"],
  [205, "readFile", () => ReadFile, "oneof", "request"],
  [206, "checkFileLink", () => CheckFileLink, "oneof", "request"],
  [207, "getUsage", () => GetUsage, "oneof", "request"],
  [208, "readPreview", () => ReadPreview, "oneof", "request"],
  [209, "listFiles", () => ListFiles, "oneof", "request"],
  [220, "changeProfile", () => ChangeProfile, "oneof", "request"],
  [221, "showProfile", () => ShowProfile, "oneof", "request"],
  [222, "changeContact", () => ChangeContact, "oneof", "request"],
  [223, "showContact", () => ShowContact, "oneof", "request"],
  [224, "listContacts", () => ListContacts, "oneof", "request"],
  [225, "listBlocks", () => ListBlocks, "oneof", "request"],
  [226, "report", () => Report, "oneof", "request"],
  [240, "changePersonal", () => ChangePersonal, "oneof", "request"],
  [241, "showPersonal", () => ShowPersonal, "oneof", "request"],
  [242, "deleteForMe", () => DeleteForMe, "oneof", "request"],
  [243, "changeFavourite", () => ChangeFavourite, "oneof", "request"],
  [244, "listFavourites", () => ListFavourites, "oneof", "request"],
  [260, "changeBot", () => ChangeBot, "oneof", "request"],
  [261, "listBots", () => ListBots, "oneof", "request"],
  [264, "changeHook", () => ChangeHook, "oneof", "request"],
  [265, "listHooks", () => ListHooks, "oneof", "request"],
  [266, "listDead", () => ListDead, "oneof", "request"],
  [290, "search", () => Search, "oneof", "request"],
  [300, "writePiece", () => WritePiece, "oneof", "request"],
  [301, "endStream", () => EndStream, "oneof", "request"],
  [320, "watch", () => Watch, "oneof", "request"],
]);

export interface ServerFrame {
  requestId: number;
  message?:
    | { case: "failure"; value: Failure }
    | { case: "welcome"; value: Welcome }
    | { case: "registered"; value: Registered }
    | { case: "loggedIn"; value: LoggedIn }
    | { case: "done"; value: Done }
    | { case: "sessions"; value: Sessions }
    | { case: "sendAck"; value: SendAck }
    | { case: "page"; value: Page }
    | { case: "conversations"; value: Conversations }
    | { case: "groupCreated"; value: GroupCreated }
    | { case: "members"; value: Members }
    | { case: "users"; value: Users }
    | { case: "pong"; value: Pong }
    | { case: "event"; value: EventPush }
    | { case: "cursor"; value: CursorPush }
    | { case: "conversation"; value: ConversationPush }
    | { case: "kicked"; value: Kicked }
    | { case: "goAway"; value: GoAway }
    | { case: "ping"; value: Ping }
    | { case: "invitations"; value: Invitations }
    | { case: "invitation"; value: InvitationPush }
    | { case: "admin"; value: AdminAnswer }
    | { case: "votes"; value: Votes }
    | { case: "forwarded"; value: Forwarded }
    | { case: "group"; value: Group }
    | { case: "bans"; value: Bans }
    | { case: "links"; value: Links }
    | { case: "linkPreview"; value: LinkPreview }
    | { case: "joinRequests"; value: JoinRequests }
    | { case: "pins"; value: Pins }
    | { case: "readers"; value: Readers }
    | { case: "readCounts"; value: ReadCounts }
    | { case: "scheduled"; value: Scheduled }
    | { case: "scheduledList"; value: ScheduledList }
    | { case: "signal"; value: SignalPush }
    | { case: "upload"; value: Upload }
    | { case: "file"; value: File }
    | { case: "filePart"; value: FilePart }
    | { case: "usage"; value: Usage }
    | { case: "preview"; value: Preview }
    | { case: "fileMessages"; value: FileMessages }
    | { case: "ownProfile"; value: OwnProfile }
    | { case: "contact"; value: Contact }
    | { case: "contacts"; value: Contacts }
    | { case: "blocks"; value: Blocks }
    | { case: "profile"; value: ProfilePush }
    | { case: "contactChanged"; value: ContactPush }
    | { case: "personal"; value: Personal }
    | { case: "favourites"; value: Favourites }
    | { case: "personalChanged"; value: PersonalPush }
    | { case: "favouriteChanged"; value: FavouritePush }
    | { case: "bot"; value: Bot }
    | { case: "bots"; value: Bots }
    | { case: "hook"; value: Hook }
    | { case: "hooks"; value: Hooks }
    | { case: "deadEvents"; value: DeadEvents }
    | { case: "found"; value: Found }
    | { case: "watched"; value: Watched }
    | { case: "presence"; value: PresencePush }
    | undefined;
}
export const ServerFrame = /* @__PURE__ */ message<ServerFrame>("ServerFrame", [
  [1, "requestId", "uint64"],
  [2, "failure", () => Failure, "oneof", "message"],
  [3, "welcome", () => Welcome, "oneof", "message"],
  [4, "registered", () => Registered, "oneof", "message"],
  [5, "loggedIn", () => LoggedIn, "oneof", "message"],
  [6, "done", () => Done, "oneof", "message"],
  [7, "sessions", () => Sessions, "oneof", "message"],
  [8, "sendAck", () => SendAck, "oneof", "message"],
  [9, "page", () => Page, "oneof", "message"],
  [10, "conversations", () => Conversations, "oneof", "message"],
  [11, "groupCreated", () => GroupCreated, "oneof", "message"],
  [12, "members", () => Members, "oneof", "message"],
  [13, "users", () => Users, "oneof", "message"],
  [14, "pong", () => Pong, "oneof", "message"],
  [20, "event", () => EventPush, "oneof", "message"],
  [21, "cursor", () => CursorPush, "oneof", "message"],
  [22, "conversation", () => ConversationPush, "oneof", "message"],
  [23, "kicked", () => Kicked, "oneof", "message"],
  [24, "goAway", () => GoAway, "oneof", "message"],
  [25, "ping", () => Ping, "oneof", "message"],
  [40, "invitations", () => Invitations, "oneof", "message"],
  [41, "invitation", () => InvitationPush, "oneof", "message"],
  [50, "admin", () => AdminAnswer, "oneof", "message"],
  [72, "votes", () => Votes, "oneof", "message"],
  [73, "forwarded", () => Forwarded, "oneof", "message"],
  [140, "group", () => Group, "oneof", "message"],
  [141, "bans", () => Bans, "oneof", "message"],
  [142, "links", () => Links, "oneof", "message"],
  [143, "linkPreview", () => LinkPreview, "oneof", "message"],
  [144, "joinRequests", () => JoinRequests, "oneof", "message"],
  [146, "pins", () => Pins, "oneof", "message"],
  [147, "readers", () => Readers, "oneof", "message"],
  [148, "readCounts", () => ReadCounts, "oneof", "message"],
  [170, "scheduled", () => Scheduled, "oneof", "message"],
  [171, "scheduledList", () => ScheduledList, "oneof", "message"],
  [185, "signal", () => SignalPush, "oneof", "message"],
  [200, "upload", () => Upload, "oneof", "message"],
  [201, "file", () => File, "oneof", "message"],
  [202, "filePart", () => FilePart, "oneof", "message"],
  [203, "usage", () => Usage, "oneof", "message"],
  [204, "preview", () => Preview, "oneof", "message"],
  [205, "fileMessages", () => FileMessages, "oneof", "message"],
  [221, "ownProfile", () => OwnProfile, "oneof", "message"],
  [223, "contact", () => Contact, "oneof", "message"],
  [224, "contacts", () => Contacts, "oneof", "message"],
  [225, "blocks", () => Blocks, "oneof", "message"],
  [230, "profile", () => ProfilePush, "oneof", "message"],
  [231, "contactChanged", () => ContactPush, "oneof", "message"],
  [241, "personal", () => Personal, "oneof", "message"],
  [244, "favourites", () => Favourites, "oneof", "message"],
  [250, "personalChanged", () => PersonalPush, "oneof", "message"],
  [251, "favouriteChanged", () => FavouritePush, "oneof", "message"],
  [260, "bot", () => Bot, "oneof", "message"],
  [261, "bots", () => Bots, "oneof", "message"],
  [264, "hook", () => Hook, "oneof", "message"],
  [265, "hooks", () => Hooks, "oneof", "message"],
  [266, "deadEvents", () => DeadEvents, "oneof", "message"],
  [290, "found", () => Found, "oneof", "message"],
  [320, "watched", () => Watched, "oneof", "message"],
  [321, "presence", () => PresencePush, "oneof", "message"],
]);

export interface Failure {
  kind: FailureKind;
  code: string;
  text: string;
  retryAfterMs: number;
}
export const Failure = /* @__PURE__ */ message<Failure>("Failure", [
  [1, "kind", "enum"],
  [2, "code", "string"],
  [3, "text", "string"],
  [4, "retryAfterMs", "uint32"],
]);

export type Done = Record<never, never>;
export const Done = /* @__PURE__ */ message<Done>("Done", []);

export interface Ping {
  nonce: bigint;
}
export const Ping = /* @__PURE__ */ message<Ping>("Ping", [
  [1, "nonce", "wide64"],
]);

export interface Pong {
  nonce: bigint;
}
export const Pong = /* @__PURE__ */ message<Pong>("Pong", [
  [1, "nonce", "wide64"],
]);

export interface Hello {
  minVersion: number;
  maxVersion: number;
  client: string;
}
export const Hello = /* @__PURE__ */ message<Hello>("Hello", [
  [1, "minVersion", "uint32"],
  [2, "maxVersion", "uint32"],
  [3, "client", "string"],
]);

export interface Welcome {
  version: number;
  clusterId: Uint8Array;
  nodeId: bigint;
  server: string;
  nodes: string[];
  maxMessageBytes: number;
  sendWindow: number;
  pingSeconds: number;
  history: bigint;
  continues: Uint8Array[];
}
export const Welcome = /* @__PURE__ */ message<Welcome>("Welcome", [
  [1, "version", "uint32"],
  [2, "clusterId", "bytes"],
  [3, "nodeId", "wide64"],
  [4, "server", "string"],
  [5, "nodes", "string", "repeated"],
  [6, "maxMessageBytes", "uint32"],
  [7, "sendWindow", "uint32"],
  [8, "pingSeconds", "uint32"],
  [75, "history", "wide64"],
  [90, "continues", "bytes", "repeated"],
]);

export interface Register {
  name: string;
  password: string;
  request: Uint8Array;
  invite: string;
}
export const Register = /* @__PURE__ */ message<Register>("Register", [
  [1, "name", "string"],
  [2, "password", "string"],
  [3, "request", "bytes"],
  [50, "invite", "string"],
]);

export interface Registered {
  userId: number;
}
export const Registered = /* @__PURE__ */ message<Registered>("Registered", [
  [1, "userId", "uint64"],
]);

export interface Login {
  name: string;
  password: string;
  device: string;
  newPassword: string;
}
export const Login = /* @__PURE__ */ message<Login>("Login", [
  [1, "name", "string"],
  [2, "password", "string"],
  [3, "device", "string"],
  [50, "newPassword", "string"],
]);

export interface Resume {
  token: Uint8Array;
}
export const Resume = /* @__PURE__ */ message<Resume>("Resume", [
  [1, "token", "bytes"],
]);

export interface LoggedIn {
  userId: number;
  name: string;
  device: string;
  token: Uint8Array;
}
export const LoggedIn = /* @__PURE__ */ message<LoggedIn>("LoggedIn", [
  [1, "userId", "uint64"],
  [2, "name", "string"],
  [3, "device", "string"],
  [4, "token", "bytes"],
]);

export type Logout = Record<never, never>;
export const Logout = /* @__PURE__ */ message<Logout>("Logout", []);

export type ListSessions = Record<never, never>;
export const ListSessions = /* @__PURE__ */ message<ListSessions>("ListSessions", []);

export interface Sessions {
  sessions: Session[];
}
export const Sessions = /* @__PURE__ */ message<Sessions>("Sessions", [
  [1, "sessions", () => Session, "repeated"],
]);

export interface Session {
  device: string;
  createdMs: number;
  online: boolean;
  current: boolean;
  usedMs: number;
}
export const Session = /* @__PURE__ */ message<Session>("Session", [
  [1, "device", "string"],
  [2, "createdMs", "uint64"],
  [3, "online", "bool"],
  [4, "current", "bool"],
  [50, "usedMs", "uint64"],
]);

export interface RevokeSession {
  device: string;
}
export const RevokeSession = /* @__PURE__ */ message<RevokeSession>("RevokeSession", [
  [1, "device", "string"],
]);

export interface Kicked {
  code: string;
  text: string;
}
export const Kicked = /* @__PURE__ */ message<Kicked>("Kicked", [
  [1, "code", "string"],
  [2, "text", "string"],
]);

export interface GoAway {
  nodes: string[];
}
export const GoAway = /* @__PURE__ */ message<GoAway>("GoAway", [
  [1, "nodes", "string", "repeated"],
]);

export interface Send {
  conversation: string;
  clientMessageId: Uint8Array;
  after: Uint8Array;
  body?: Body | undefined;
}
export const Send = /* @__PURE__ */ message<Send>("Send", [
  [1, "conversation", "string"],
  [2, "clientMessageId", "bytes"],
  [3, "after", "bytes"],
  [4, "body", () => Body, "optional"],
]);

export interface Body {
  kind: number;
  content: Uint8Array;
  context?: Context | undefined;
}
export const Body = /* @__PURE__ */ message<Body>("Body", [
  [1, "kind", "uint32"],
  [2, "content", "bytes"],
  [30, "context", () => Context, "optional"],
]);

export interface SendAck {
  clientMessageId: Uint8Array;
  seq: number;
  timeMs: number;
  duplicate: boolean;
  conversation: string;
}
export const SendAck = /* @__PURE__ */ message<SendAck>("SendAck", [
  [1, "clientMessageId", "bytes"],
  [2, "seq", "uint64"],
  [3, "timeMs", "uint64"],
  [4, "duplicate", "bool"],
  [5, "conversation", "string"],
]);

export interface Schedule {
  conversation: string;
  clientMessageId: Uint8Array;
  body?: Body | undefined;
  deliverAtMs: number;
}
export const Schedule = /* @__PURE__ */ message<Schedule>("Schedule", [
  [1, "conversation", "string"],
  [2, "clientMessageId", "bytes"],
  [3, "body", () => Body, "optional"],
  [4, "deliverAtMs", "uint64"],
]);

export interface Scheduled {
  conversation: string;
  clientMessageId: Uint8Array;
  deliverAtMs: number;
  duplicate: boolean;
  seq: number;
  timeMs: number;
}
export const Scheduled = /* @__PURE__ */ message<Scheduled>("Scheduled", [
  [1, "conversation", "string"],
  [2, "clientMessageId", "bytes"],
  [3, "deliverAtMs", "uint64"],
  [4, "duplicate", "bool"],
  [5, "seq", "uint64"],
  [6, "timeMs", "uint64"],
]);

export interface ListScheduled {
  conversation: string;
  after: Uint8Array;
  limit: number;
}
export const ListScheduled = /* @__PURE__ */ message<ListScheduled>("ListScheduled", [
  [1, "conversation", "string"],
  [2, "after", "bytes"],
  [3, "limit", "uint32"],
]);

export interface ScheduledList {
  messages: ScheduledMessage[];
  more: boolean;
}
export const ScheduledList = /* @__PURE__ */ message<ScheduledList>("ScheduledList", [
  [1, "messages", () => ScheduledMessage, "repeated"],
  [2, "more", "bool"],
]);

export interface ScheduledMessage {
  clientMessageId: Uint8Array;
  body?: Body | undefined;
  deliverAtMs: number;
  refused: string;
}
export const ScheduledMessage = /* @__PURE__ */ message<ScheduledMessage>("ScheduledMessage", [
  [1, "clientMessageId", "bytes"],
  [2, "body", () => Body, "optional"],
  [3, "deliverAtMs", "uint64"],
  [4, "refused", "string"],
]);

export interface CancelScheduled {
  conversation: string;
  clientMessageId: Uint8Array;
}
export const CancelScheduled = /* @__PURE__ */ message<CancelScheduled>("CancelScheduled", [
  [1, "conversation", "string"],
  [2, "clientMessageId", "bytes"],
]);

export interface Created {
  name: string;
}
export const Created = /* @__PURE__ */ message<Created>("Created", [
  [1, "name", "string"],
]);

export interface Renamed {
  name: string;
}
export const Renamed = /* @__PURE__ */ message<Renamed>("Renamed", [
  [1, "name", "string"],
]);

export interface Added {
  users: number[];
}
export const Added = /* @__PURE__ */ message<Added>("Added", [
  [1, "users", "uint64", "repeated"],
]);

export interface Removed {
  user: number;
}
export const Removed = /* @__PURE__ */ message<Removed>("Removed", [
  [1, "user", "uint64"],
]);

export interface RoleChanged {
  user: number;
  role: Role;
}
export const RoleChanged = /* @__PURE__ */ message<RoleChanged>("RoleChanged", [
  [1, "user", "uint64"],
  [2, "role", "enum"],
]);

export interface Reacted {
  to: number;
  emoji: string;
  removed: boolean;
}
export const Reacted = /* @__PURE__ */ message<Reacted>("Reacted", [
  [1, "to", "uint64"],
  [2, "emoji", "string"],
  [3, "removed", "bool"],
]);

export interface Edited {
  to: number;
  body?: Body | undefined;
}
export const Edited = /* @__PURE__ */ message<Edited>("Edited", [
  [1, "to", "uint64"],
  [2, "body", () => Body, "optional"],
]);

export interface Recalled {
  to: number;
}
export const Recalled = /* @__PURE__ */ message<Recalled>("Recalled", [
  [1, "to", "uint64"],
]);

export interface Vanished {
  to: number;
}
export const Vanished = /* @__PURE__ */ message<Vanished>("Vanished", [
  [1, "to", "uint64"],
]);

export interface StreamEnded {
  to: number;
  body?: Body | undefined;
  aborted: boolean;
}
export const StreamEnded = /* @__PURE__ */ message<StreamEnded>("StreamEnded", [
  [1, "to", "uint64"],
  [2, "body", () => Body, "optional"],
  [3, "aborted", "bool"],
]);

export interface Voted {
  to: number;
  options: number[];
  removed: boolean;
}
export const Voted = /* @__PURE__ */ message<Voted>("Voted", [
  [1, "to", "uint64"],
  [2, "options", "uint32", "repeated"],
  [3, "removed", "bool"],
]);

export interface PollClosed {
  to: number;
  voters: number;
  counts: number[];
}
export const PollClosed = /* @__PURE__ */ message<PollClosed>("PollClosed", [
  [1, "to", "uint64"],
  [2, "voters", "uint32"],
  [3, "counts", "uint32", "repeated"],
]);

export interface Muted {
  user: number;
  untilMs: number;
}
export const Muted = /* @__PURE__ */ message<Muted>("Muted", [
  [1, "user", "uint64"],
  [2, "untilMs", "uint64"],
]);

export interface Banned {
  user: number;
  lifted: boolean;
}
export const Banned = /* @__PURE__ */ message<Banned>("Banned", [
  [1, "user", "uint64"],
  [2, "lifted", "bool"],
]);

export interface Transferred {
  to: number;
}
export const Transferred = /* @__PURE__ */ message<Transferred>("Transferred", [
  [1, "to", "uint64"],
]);

export type Disbanded = Record<never, never>;
export const Disbanded = /* @__PURE__ */ message<Disbanded>("Disbanded", []);

export interface LinkMade {
  hash: Uint8Array;
  uses: number;
  expiresMs: number;
}
export const LinkMade = /* @__PURE__ */ message<LinkMade>("LinkMade", [
  [1, "hash", "bytes"],
  [2, "uses", "uint32"],
  [3, "expiresMs", "uint64"],
]);

export interface LinkRevoked {
  link: number;
}
export const LinkRevoked = /* @__PURE__ */ message<LinkRevoked>("LinkRevoked", [
  [1, "link", "uint64"],
]);

export type JoinAsked = Record<never, never>;
export const JoinAsked = /* @__PURE__ */ message<JoinAsked>("JoinAsked", []);

export interface JoinClosed {
  user: number;
}
export const JoinClosed = /* @__PURE__ */ message<JoinClosed>("JoinClosed", [
  [1, "user", "uint64"],
]);

export interface Pinned {
  to: number;
  removed: boolean;
}
export const Pinned = /* @__PURE__ */ message<Pinned>("Pinned", [
  [1, "to", "uint64"],
  [2, "removed", "bool"],
]);

export interface CallStarted {
  video: boolean;
  device: number;
}
export const CallStarted = /* @__PURE__ */ message<CallStarted>("CallStarted", [
  [1, "video", "bool"],
  [2, "device", "uint64"],
]);

export interface CallAnswered {
  call: number;
  device: number;
}
export const CallAnswered = /* @__PURE__ */ message<CallAnswered>("CallAnswered", [
  [1, "call", "uint64"],
  [2, "device", "uint64"],
]);

export interface CallEnded {
  call: number;
  caller: number;
  video: boolean;
  outcome: CallOutcome;
  lastedMs: number;
}
export const CallEnded = /* @__PURE__ */ message<CallEnded>("CallEnded", [
  [1, "call", "uint64"],
  [2, "caller", "uint64"],
  [3, "video", "bool"],
  [4, "outcome", "enum"],
  [5, "lastedMs", "uint64"],
]);

export interface EventPush {
  conversation: string;
  event?: WireEvent | undefined;
}
export const EventPush = /* @__PURE__ */ message<EventPush>("EventPush", [
  [1, "conversation", "string"],
  [2, "event", () => WireEvent, "optional"],
]);

export interface Acknowledge {
  conversation: string;
  seq: number;
}
export const Acknowledge = /* @__PURE__ */ message<Acknowledge>("Acknowledge", [
  [1, "conversation", "string"],
  [2, "seq", "uint64"],
]);

export interface MarkRead {
  conversation: string;
  seq: number;
}
export const MarkRead = /* @__PURE__ */ message<MarkRead>("MarkRead", [
  [1, "conversation", "string"],
  [2, "seq", "uint64"],
]);

export interface CursorPush {
  conversation: string;
  userId: number;
  delivered: number;
  read: number;
}
export const CursorPush = /* @__PURE__ */ message<CursorPush>("CursorPush", [
  [1, "conversation", "string"],
  [2, "userId", "uint64"],
  [3, "delivered", "uint64"],
  [4, "read", "uint64"],
]);

export interface Fetch {
  conversation: string;
  seq: number;
  backward: boolean;
  limit: number;
}
export const Fetch = /* @__PURE__ */ message<Fetch>("Fetch", [
  [1, "conversation", "string"],
  [2, "seq", "uint64"],
  [3, "backward", "bool"],
  [4, "limit", "uint32"],
]);

export interface Page {
  conversation: string;
  events: WireEvent[];
  head: number;
  more: boolean;
  reactions: Reactions[];
  states: MessageState[];
  polls: PollState[];
}
export const Page = /* @__PURE__ */ message<Page>("Page", [
  [1, "conversation", "string"],
  [2, "events", () => WireEvent, "repeated"],
  [3, "head", "uint64"],
  [4, "more", "bool"],
  [5, "reactions", () => Reactions, "repeated"],
  [20, "states", () => MessageState, "repeated"],
  [30, "polls", () => PollState, "repeated"],
]);

export interface MessageState {
  seq: number;
  erased: boolean;
  edits: number[];
  body?: Body | undefined;
  streaming: boolean;
  pieces: number;
  deleted: boolean;
}
export const MessageState = /* @__PURE__ */ message<MessageState>("MessageState", [
  [1, "seq", "uint64"],
  [2, "erased", "bool"],
  [3, "edits", "uint64", "repeated"],
  [4, "body", () => Body, "optional"],
  [150, "streaming", "bool"],
  [151, "pieces", "uint64"],
  [160, "deleted", "bool"],
]);

export interface PollState {
  seq: number;
  counts: number[];
  voters: number;
  mine: number[];
  closed: boolean;
}
export const PollState = /* @__PURE__ */ message<PollState>("PollState", [
  [1, "seq", "uint64"],
  [2, "counts", "uint32", "repeated"],
  [3, "voters", "uint32"],
  [4, "mine", "uint32", "repeated"],
  [5, "closed", "bool"],
]);

export interface Reactions {
  seq: number;
  counts: Reaction[];
}
export const Reactions = /* @__PURE__ */ message<Reactions>("Reactions", [
  [1, "seq", "uint64"],
  [2, "counts", () => Reaction, "repeated"],
]);

export interface Reaction {
  emoji: string;
  users: number;
  mine: boolean;
}
export const Reaction = /* @__PURE__ */ message<Reaction>("Reaction", [
  [1, "emoji", "string"],
  [2, "users", "uint64"],
  [3, "mine", "bool"],
]);

export interface Search {
  query: string;
  sender: number;
  kind: number;
  afterMs: number;
  beforeMs: number;
  limit: number;
  page: string;
  conversations: string[];
  rows: number;
}
export const Search = /* @__PURE__ */ message<Search>("Search", [
  [1, "query", "string"],
  [2, "sender", "uint64"],
  [3, "kind", "uint32"],
  [4, "afterMs", "uint64"],
  [5, "beforeMs", "uint64"],
  [6, "limit", "uint32"],
  [7, "page", "string"],
  [8, "conversations", "string", "repeated"],
  [9, "rows", "uint32"],
]);

export interface Found {
  messages: FoundMessage[];
  page: string;
  incomplete: string[];
  rows: number;
}
export const Found = /* @__PURE__ */ message<Found>("Found", [
  [1, "messages", () => FoundMessage, "repeated"],
  [2, "page", "string"],
  [3, "incomplete", "string", "repeated"],
  [4, "rows", "uint32"],
]);

export interface FoundMessage {
  conversation: string;
  seq: number;
  timeMs: number;
  sender: number;
  kind: number;
  snippet: string;
  places: number[];
}
export const FoundMessage = /* @__PURE__ */ message<FoundMessage>("FoundMessage", [
  [1, "conversation", "string"],
  [2, "seq", "uint64"],
  [3, "timeMs", "uint64"],
  [4, "sender", "uint64"],
  [5, "kind", "uint32"],
  [6, "snippet", "string"],
  [7, "places", "uint32", "repeated"],
]);

export interface React {
  request: Uint8Array;
  conversation: string;
  seq: number;
  emoji: string;
  remove: boolean;
}
export const React = /* @__PURE__ */ message<React>("React", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
  [4, "emoji", "string"],
  [5, "remove", "bool"],
]);

export interface EditMessage {
  request: Uint8Array;
  conversation: string;
  seq: number;
  body?: Body | undefined;
}
export const EditMessage = /* @__PURE__ */ message<EditMessage>("EditMessage", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
  [4, "body", () => Body, "optional"],
]);

export interface RecallMessage {
  request: Uint8Array;
  conversation: string;
  seq: number;
}
export const RecallMessage = /* @__PURE__ */ message<RecallMessage>("RecallMessage", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
]);

export interface Vote {
  request: Uint8Array;
  conversation: string;
  seq: number;
  options: number[];
  remove: boolean;
}
export const Vote = /* @__PURE__ */ message<Vote>("Vote", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
  [4, "options", "uint32", "repeated"],
  [5, "remove", "bool"],
]);

export interface ClosePoll {
  request: Uint8Array;
  conversation: string;
  seq: number;
}
export const ClosePoll = /* @__PURE__ */ message<ClosePoll>("ClosePoll", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
]);

export interface ListVotes {
  conversation: string;
  seq: number;
  after: number;
  limit: number;
}
export const ListVotes = /* @__PURE__ */ message<ListVotes>("ListVotes", [
  [1, "conversation", "string"],
  [2, "seq", "uint64"],
  [3, "after", "uint64"],
  [4, "limit", "uint32"],
]);

export interface Votes {
  votes: UserVote[];
  more: boolean;
}
export const Votes = /* @__PURE__ */ message<Votes>("Votes", [
  [1, "votes", () => UserVote, "repeated"],
  [2, "more", "bool"],
]);

export interface UserVote {
  userId: number;
  options: number[];
}
export const UserVote = /* @__PURE__ */ message<UserVote>("UserVote", [
  [1, "userId", "uint64"],
  [2, "options", "uint32", "repeated"],
]);

export interface Forward {
  request: Uint8Array;
  from: string;
  seqs: number[];
  to: string[];
  bundle: boolean;
  text: string;
}
export const Forward = /* @__PURE__ */ message<Forward>("Forward", [
  [1, "request", "bytes"],
  [2, "from", "string"],
  [3, "seqs", "uint64", "repeated"],
  [4, "to", "string", "repeated"],
  [5, "bundle", "bool"],
  [6, "text", "string"],
]);

export interface Broadcast {
  request: Uint8Array;
  body?: Body | undefined;
  after: number;
  limit: number;
}
export const Broadcast = /* @__PURE__ */ message<Broadcast>("Broadcast", [
  [1, "request", "bytes"],
  [2, "body", () => Body, "optional"],
  [3, "after", "uint64"],
  [4, "limit", "uint32"],
]);

export interface Forwarded {
  outcomes: ForwardOutcome[];
  next: number;
}
export const Forwarded = /* @__PURE__ */ message<Forwarded>("Forwarded", [
  [1, "outcomes", () => ForwardOutcome, "repeated"],
  [2, "next", "uint64"],
]);

export interface ForwardOutcome {
  conversation: string;
  acks: SendAck[];
  failure?: Failure | undefined;
}
export const ForwardOutcome = /* @__PURE__ */ message<ForwardOutcome>("ForwardOutcome", [
  [1, "conversation", "string"],
  [2, "acks", () => SendAck, "repeated"],
  [3, "failure", () => Failure, "optional"],
]);

export interface WritePiece {
  conversation: string;
  seq: number;
  index: number;
  text: string;
}
export const WritePiece = /* @__PURE__ */ message<WritePiece>("WritePiece", [
  [1, "conversation", "string"],
  [2, "seq", "uint64"],
  [3, "index", "uint64"],
  [4, "text", "string"],
]);

export interface StreamPiece {
  message: number;
  index: number;
  text: string;
}
export const StreamPiece = /* @__PURE__ */ message<StreamPiece>("StreamPiece", [
  [1, "message", "uint64"],
  [2, "index", "uint64"],
  [3, "text", "string"],
]);

export interface EndStream {
  request: Uint8Array;
  conversation: string;
  seq: number;
  text: string;
  aborted: boolean;
}
export const EndStream = /* @__PURE__ */ message<EndStream>("EndStream", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
  [4, "text", "string"],
  [5, "aborted", "bool"],
]);

export interface Signal {
  conversation: string;
  kind: number;
  payload: Uint8Array;
  device: number;
}
export const Signal = /* @__PURE__ */ message<Signal>("Signal", [
  [1, "conversation", "string"],
  [2, "kind", "uint32"],
  [3, "payload", "bytes"],
  [4, "device", "uint64"],
]);

export interface SignalPush {
  conversation: string;
  userId: number;
  device: number;
  kind: number;
  payload: Uint8Array;
  seq: number;
}
export const SignalPush = /* @__PURE__ */ message<SignalPush>("SignalPush", [
  [1, "conversation", "string"],
  [2, "userId", "uint64"],
  [3, "device", "uint64"],
  [4, "kind", "uint32"],
  [5, "payload", "bytes"],
  [6, "seq", "uint64"],
]);

export interface Call {
  request: Uint8Array;
  conversation: string;
  step?:
    | { case: "start"; value: StartCall }
    | { case: "answer"; value: AnswerCall }
    | { case: "end"; value: number }
    | undefined;
}
export const Call = /* @__PURE__ */ message<Call>("Call", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "start", () => StartCall, "oneof", "step"],
  [4, "answer", () => AnswerCall, "oneof", "step"],
  [5, "end", "uint64", "oneof", "step"],
]);

export interface StartCall {
  video: boolean;
}
export const StartCall = /* @__PURE__ */ message<StartCall>("StartCall", [
  [1, "video", "bool"],
]);

export interface AnswerCall {
  call: number;
  answer: CallAnswer;
}
export const AnswerCall = /* @__PURE__ */ message<AnswerCall>("AnswerCall", [
  [1, "call", "uint64"],
  [2, "answer", "enum"],
]);

export interface ListConversations {
  after: string;
  limit: number;
}
export const ListConversations = /* @__PURE__ */ message<ListConversations>("ListConversations", [
  [1, "after", "string"],
  [2, "limit", "uint32"],
]);

export interface GetConversations {
  conversations: string[];
}
export const GetConversations = /* @__PURE__ */ message<GetConversations>("GetConversations", [
  [1, "conversations", "string", "repeated"],
]);

export interface Conversations {
  conversations: Conversation[];
  more: boolean;
  unavailable: string[];
}
export const Conversations = /* @__PURE__ */ message<Conversations>("Conversations", [
  [1, "conversations", () => Conversation, "repeated"],
  [2, "more", "bool"],
  [3, "unavailable", "string", "repeated"],
]);

export interface Conversation {
  conversation: string;
  name: string;
  head: number;
  timeMs: number;
  delivered: number;
  read: number;
  unread: number;
  members: number;
  role: Role;
  open: boolean;
  kept: number;
  personal?: Personal | undefined;
  mentions: number;
}
export const Conversation = /* @__PURE__ */ message<Conversation>("Conversation", [
  [1, "conversation", "string"],
  [2, "name", "string"],
  [3, "head", "uint64"],
  [4, "timeMs", "uint64"],
  [5, "delivered", "uint64"],
  [6, "read", "uint64"],
  [7, "unread", "uint64"],
  [8, "members", "uint32"],
  [9, "role", "enum"],
  [10, "open", "bool"],
  [75, "kept", "uint64"],
  [160, "personal", () => Personal, "optional"],
  [161, "mentions", "uint32"],
]);

export interface Personal {
  conversation: string;
  version: number;
  pin: number;
  mutedUntilMs: number;
  archived: boolean;
  hidden: boolean;
  draft: string;
  markedUnread: boolean;
  cleared: number;
  deleted: number[];
}
export const Personal = /* @__PURE__ */ message<Personal>("Personal", [
  [1, "conversation", "string"],
  [2, "version", "uint64"],
  [3, "pin", "uint64"],
  [4, "mutedUntilMs", "uint64"],
  [5, "archived", "bool"],
  [6, "hidden", "bool"],
  [7, "draft", "string"],
  [8, "markedUnread", "bool"],
  [9, "cleared", "uint64"],
  [10, "deleted", "uint64", "repeated"],
]);

export interface ChangePersonal {
  conversation: string;
  request: Uint8Array;
  seen?: number | undefined;
  pin?: number | undefined;
  mutedUntilMs?: number | undefined;
  archived?: boolean | undefined;
  hidden?: boolean | undefined;
  draft?: string | undefined;
  markedUnread?: boolean | undefined;
  clearTo?: number | undefined;
}
export const ChangePersonal = /* @__PURE__ */ message<ChangePersonal>("ChangePersonal", [
  [1, "conversation", "string"],
  [2, "request", "bytes"],
  [3, "seen", "uint64", "optional"],
  [4, "pin", "uint64", "optional"],
  [5, "mutedUntilMs", "uint64", "optional"],
  [6, "archived", "bool", "optional"],
  [7, "hidden", "bool", "optional"],
  [8, "draft", "string", "optional"],
  [9, "markedUnread", "bool", "optional"],
  [10, "clearTo", "uint64", "optional"],
]);

export interface ShowPersonal {
  conversation: string;
}
export const ShowPersonal = /* @__PURE__ */ message<ShowPersonal>("ShowPersonal", [
  [1, "conversation", "string"],
]);

export interface DeleteForMe {
  conversation: string;
  seqs: number[];
}
export const DeleteForMe = /* @__PURE__ */ message<DeleteForMe>("DeleteForMe", [
  [1, "conversation", "string"],
  [2, "seqs", "uint64", "repeated"],
]);

export interface ChangeFavourite {
  request: Uint8Array;
  conversation: string;
  seq: number;
  removed: boolean;
}
export const ChangeFavourite = /* @__PURE__ */ message<ChangeFavourite>("ChangeFavourite", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
  [4, "removed", "bool"],
]);

export interface ListFavourites {
  before: number;
  limit: number;
}
export const ListFavourites = /* @__PURE__ */ message<ListFavourites>("ListFavourites", [
  [1, "before", "uint64"],
  [2, "limit", "uint32"],
]);

export interface Favourites {
  favourites: Favourite[];
  next: number;
  version: number;
}
export const Favourites = /* @__PURE__ */ message<Favourites>("Favourites", [
  [1, "favourites", () => Favourite, "repeated"],
  [2, "next", "uint64"],
  [3, "version", "uint64"],
]);

export interface Favourite {
  number: number;
  conversation: string;
  seq: number;
  savedMs: number;
  event?: WireEvent | undefined;
  state?: MessageState | undefined;
  unavailable: boolean;
}
export const Favourite = /* @__PURE__ */ message<Favourite>("Favourite", [
  [1, "number", "uint64"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
  [4, "savedMs", "uint64"],
  [5, "event", () => WireEvent, "optional"],
  [6, "state", () => MessageState, "optional"],
  [7, "unavailable", "bool"],
]);

export interface FavouritePush {
  conversation: string;
  seq: number;
  removed: boolean;
  version: number;
}
export const FavouritePush = /* @__PURE__ */ message<FavouritePush>("FavouritePush", [
  [1, "conversation", "string"],
  [2, "seq", "uint64"],
  [3, "removed", "bool"],
  [4, "version", "uint64"],
]);

export interface PersonalPush {
  personal?: Personal | undefined;
}
export const PersonalPush = /* @__PURE__ */ message<PersonalPush>("PersonalPush", [
  [1, "personal", () => Personal, "optional"],
]);

export interface ConversationPush {
  conversation: string;
  present: boolean;
  head: number;
}
export const ConversationPush = /* @__PURE__ */ message<ConversationPush>("ConversationPush", [
  [1, "conversation", "string"],
  [2, "present", "bool"],
  [3, "head", "uint64"],
]);

export type ListInvitations = Record<never, never>;
export const ListInvitations = /* @__PURE__ */ message<ListInvitations>("ListInvitations", []);

export interface Invitations {
  invitations: Invitation[];
}
export const Invitations = /* @__PURE__ */ message<Invitations>("Invitations", [
  [1, "invitations", () => Invitation, "repeated"],
]);

export interface Invitation {
  conversation: string;
  name: string;
  invitedBy: number;
  seq: number;
  createdMs: number;
}
export const Invitation = /* @__PURE__ */ message<Invitation>("Invitation", [
  [1, "conversation", "string"],
  [2, "name", "string"],
  [3, "invitedBy", "uint64"],
  [4, "seq", "uint64"],
  [5, "createdMs", "uint64"],
]);

export interface InvitationPush {
  conversation: string;
  invitedBy: number;
}
export const InvitationPush = /* @__PURE__ */ message<InvitationPush>("InvitationPush", [
  [1, "conversation", "string"],
  [2, "invitedBy", "uint64"],
]);

export interface AcceptInvitation {
  conversation: string;
  seq: number;
  decline: boolean;
}
export const AcceptInvitation = /* @__PURE__ */ message<AcceptInvitation>("AcceptInvitation", [
  [1, "conversation", "string"],
  [2, "seq", "uint64"],
  [120, "decline", "bool"],
]);

export interface CreateGroup {
  request: Uint8Array;
  name: string;
  open: boolean;
  members: number[];
}
export const CreateGroup = /* @__PURE__ */ message<CreateGroup>("CreateGroup", [
  [1, "request", "bytes"],
  [2, "name", "string"],
  [3, "open", "bool"],
  [4, "members", "uint64", "repeated"],
]);

export interface GroupCreated {
  conversation: string;
}
export const GroupCreated = /* @__PURE__ */ message<GroupCreated>("GroupCreated", [
  [1, "conversation", "string"],
]);

export interface ChangeGroup {
  request: Uint8Array;
  conversation: string;
  change?:
    | { case: "rename"; value: string }
    | { case: "add"; value: AddMembers }
    | { case: "remove"; value: number }
    | { case: "leave"; value: Done }
    | { case: "join"; value: Done }
    | { case: "setRole"; value: RoleChanged }
    | { case: "set"; value: GroupSettings }
    | { case: "mute"; value: Muted }
    | { case: "ban"; value: Banned }
    | { case: "transfer"; value: number }
    | { case: "disband"; value: Done }
    | { case: "makeLink"; value: NewLink }
    | { case: "revokeLink"; value: number }
    | { case: "joinLink"; value: string }
    | { case: "askToJoin"; value: string }
    | { case: "answerRequest"; value: AnswerRequest }
    | { case: "withdraw"; value: Done }
    | undefined;
}
export const ChangeGroup = /* @__PURE__ */ message<ChangeGroup>("ChangeGroup", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "rename", "string", "oneof", "change"],
  [4, "add", () => AddMembers, "oneof", "change"],
  [5, "remove", "uint64", "oneof", "change"],
  [6, "leave", () => Done, "oneof", "change"],
  [7, "join", () => Done, "oneof", "change"],
  [8, "setRole", () => RoleChanged, "oneof", "change"],
  [50, "set", () => GroupSettings, "oneof", "change"],
  [51, "mute", () => Muted, "oneof", "change"],
  [52, "ban", () => Banned, "oneof", "change"],
  [53, "transfer", "uint64", "oneof", "change"],
  [54, "disband", () => Done, "oneof", "change"],
  [55, "makeLink", () => NewLink, "oneof", "change"],
  [56, "revokeLink", "uint64", "oneof", "change"],
  [57, "joinLink", "string", "oneof", "change"],
  [58, "askToJoin", "string", "oneof", "change"],
  [59, "answerRequest", () => AnswerRequest, "oneof", "change"],
  [60, "withdraw", () => Done, "oneof", "change"],
]);

export interface AddMembers {
  users: number[];
}
export const AddMembers = /* @__PURE__ */ message<AddMembers>("AddMembers", [
  [1, "users", "uint64", "repeated"],
]);

export interface AnswerRequest {
  user: number;
  accept: boolean;
}
export const AnswerRequest = /* @__PURE__ */ message<AnswerRequest>("AnswerRequest", [
  [1, "user", "uint64"],
  [2, "accept", "bool"],
]);

export interface GroupSettings {
  name?: string | undefined;
  notice?: string | undefined;
  avatar?: string | undefined;
  join: JoinPolicy;
  history: HistoryPolicy;
  slowSeconds?: number | undefined;
  mutedUntilMs?: number | undefined;
  permissions: Permission[];
  noContact?: boolean | undefined;
  retentionSeconds?: number | undefined;
}
export const GroupSettings = /* @__PURE__ */ message<GroupSettings>("GroupSettings", [
  [1, "name", "string", "optional"],
  [2, "notice", "string", "optional"],
  [3, "avatar", "string", "optional"],
  [4, "join", "enum"],
  [5, "history", "enum"],
  [6, "slowSeconds", "uint64", "optional"],
  [7, "mutedUntilMs", "uint64", "optional"],
  [8, "permissions", () => Permission, "repeated"],
  [9, "noContact", "bool", "optional"],
  [100, "retentionSeconds", "uint64", "optional"],
]);

export interface Permission {
  act: Act;
  role: Role;
}
export const Permission = /* @__PURE__ */ message<Permission>("Permission", [
  [1, "act", "enum"],
  [2, "role", "enum"],
]);

export interface ShowGroup {
  conversation: string;
  userId: number;
}
export const ShowGroup = /* @__PURE__ */ message<ShowGroup>("ShowGroup", [
  [1, "conversation", "string"],
  [2, "userId", "uint64"],
]);

export interface Group {
  conversation: string;
  settings?: GroupSettings | undefined;
  noticeBy: number;
  noticeMs: number;
  bans: number;
  meeting: Meeting;
}
export const Group = /* @__PURE__ */ message<Group>("Group", [
  [1, "conversation", "string"],
  [2, "settings", () => GroupSettings, "optional"],
  [3, "noticeBy", "uint64"],
  [4, "noticeMs", "uint64"],
  [5, "bans", "uint32"],
  [6, "meeting", "enum"],
]);

export interface NewLink {
  code: string;
  uses: number;
  expiresMs: number;
}
export const NewLink = /* @__PURE__ */ message<NewLink>("NewLink", [
  [1, "code", "string"],
  [2, "uses", "uint32"],
  [3, "expiresMs", "uint64"],
]);

export interface ListLinks {
  conversation: string;
}
export const ListLinks = /* @__PURE__ */ message<ListLinks>("ListLinks", [
  [1, "conversation", "string"],
]);

export interface Links {
  links: Link[];
}
export const Links = /* @__PURE__ */ message<Links>("Links", [
  [1, "links", () => Link, "repeated"],
]);

export interface Link {
  link: number;
  by: number;
  createdMs: number;
  expiresMs: number;
  uses: number;
  used: number;
}
export const Link = /* @__PURE__ */ message<Link>("Link", [
  [1, "link", "uint64"],
  [2, "by", "uint64"],
  [3, "createdMs", "uint64"],
  [4, "expiresMs", "uint64"],
  [5, "uses", "uint32"],
  [6, "used", "uint32"],
]);

export interface PreviewLink {
  conversation: string;
  code: string;
}
export const PreviewLink = /* @__PURE__ */ message<PreviewLink>("PreviewLink", [
  [1, "conversation", "string"],
  [2, "code", "string"],
]);

export interface LinkPreview {
  conversation: string;
  name: string;
  avatar: string;
  notice: string;
  members: number;
}
export const LinkPreview = /* @__PURE__ */ message<LinkPreview>("LinkPreview", [
  [1, "conversation", "string"],
  [2, "name", "string"],
  [3, "avatar", "string"],
  [4, "notice", "string"],
  [5, "members", "uint32"],
]);

export interface CreateUpload {
  conversation: string;
  upload: Uint8Array;
  name: string;
  mediaType: string;
  size: number;
  hash: Uint8Array;
}
export const CreateUpload = /* @__PURE__ */ message<CreateUpload>("CreateUpload", [
  [1, "conversation", "string"],
  [2, "upload", "bytes"],
  [3, "name", "string"],
  [4, "mediaType", "string"],
  [5, "size", "uint64"],
  [6, "hash", "bytes"],
]);

export interface WriteChunk {
  conversation: string;
  upload: Uint8Array;
  offset: number;
  content: Uint8Array;
}
export const WriteChunk = /* @__PURE__ */ message<WriteChunk>("WriteChunk", [
  [1, "conversation", "string"],
  [2, "upload", "bytes"],
  [3, "offset", "uint64"],
  [4, "content", "bytes"],
]);

export interface GetUpload {
  conversation: string;
  upload: Uint8Array;
}
export const GetUpload = /* @__PURE__ */ message<GetUpload>("GetUpload", [
  [1, "conversation", "string"],
  [2, "upload", "bytes"],
]);

export interface CancelUpload {
  conversation: string;
  upload: Uint8Array;
}
export const CancelUpload = /* @__PURE__ */ message<CancelUpload>("CancelUpload", [
  [1, "conversation", "string"],
  [2, "upload", "bytes"],
]);

export interface Upload {
  received: number;
  size: number;
  hash: Uint8Array;
  expiresMs: number;
}
export const Upload = /* @__PURE__ */ message<Upload>("Upload", [
  [1, "received", "uint64"],
  [2, "size", "uint64"],
  [3, "hash", "bytes"],
  [4, "expiresMs", "uint64"],
]);

export interface ReadPreview {
  conversation: string;
  hash: Uint8Array;
}
export const ReadPreview = /* @__PURE__ */ message<ReadPreview>("ReadPreview", [
  [1, "conversation", "string"],
  [2, "hash", "bytes"],
]);

export interface Preview {
  content: Uint8Array;
  isKept: boolean;
  size: number;
  mediaType: string;
}
export const Preview = /* @__PURE__ */ message<Preview>("Preview", [
  [1, "content", "bytes"],
  [2, "isKept", "bool"],
  [3, "size", "uint64"],
  [4, "mediaType", "string"],
]);

export interface ListFiles {
  conversation: string;
  before: number;
  kind: number;
  limit: number;
}
export const ListFiles = /* @__PURE__ */ message<ListFiles>("ListFiles", [
  [1, "conversation", "string"],
  [2, "before", "uint64"],
  [3, "kind", "uint32"],
  [4, "limit", "uint32"],
]);

export interface FileMessages {
  events: WireEvent[];
  states: MessageState[];
  next: number;
}
export const FileMessages = /* @__PURE__ */ message<FileMessages>("FileMessages", [
  [1, "events", () => WireEvent, "repeated"],
  [2, "states", () => MessageState, "repeated"],
  [3, "next", "uint64"],
]);

export type GetUsage = Record<never, never>;
export const GetUsage = /* @__PURE__ */ message<GetUsage>("GetUsage", []);

export interface Usage {
  bytes: number;
  reservedBytes: number;
  mostBytes: number;
  reservedUntilMs: number;
}
export const Usage = /* @__PURE__ */ message<Usage>("Usage", [
  [1, "bytes", "uint64"],
  [2, "reservedBytes", "uint64"],
  [3, "mostBytes", "uint64"],
  [4, "reservedUntilMs", "uint64"],
]);

export interface ShowFile {
  conversation: string;
  hash: Uint8Array;
}
export const ShowFile = /* @__PURE__ */ message<ShowFile>("ShowFile", [
  [1, "conversation", "string"],
  [2, "hash", "bytes"],
]);

export interface File {
  hash: Uint8Array;
  name: string;
  mediaType: string;
  size: number;
  by: number;
  timeMs: number;
  expiresMs: number;
}
export const File = /* @__PURE__ */ message<File>("File", [
  [1, "hash", "bytes"],
  [2, "name", "string"],
  [3, "mediaType", "string"],
  [4, "size", "uint64"],
  [5, "by", "uint64"],
  [6, "timeMs", "uint64"],
  [7, "expiresMs", "uint64"],
]);

export interface ReadFile {
  conversation: string;
  hash: Uint8Array;
  offset: number;
}
export const ReadFile = /* @__PURE__ */ message<ReadFile>("ReadFile", [
  [1, "conversation", "string"],
  [2, "hash", "bytes"],
  [3, "offset", "uint64"],
]);

export interface FilePart {
  offset: number;
  content: Uint8Array;
}
export const FilePart = /* @__PURE__ */ message<FilePart>("FilePart", [
  [1, "offset", "uint64"],
  [2, "content", "bytes"],
]);

export interface CheckFileLink {
  conversation: string;
  hash: Uint8Array;
  device: string;
  expiresMs: number;
  signature: Uint8Array;
}
export const CheckFileLink = /* @__PURE__ */ message<CheckFileLink>("CheckFileLink", [
  [1, "conversation", "string"],
  [2, "hash", "bytes"],
  [3, "device", "string"],
  [4, "expiresMs", "uint64"],
  [5, "signature", "bytes"],
]);

export interface ListBans {
  conversation: string;
  after: number;
  limit: number;
}
export const ListBans = /* @__PURE__ */ message<ListBans>("ListBans", [
  [1, "conversation", "string"],
  [2, "after", "uint64"],
  [3, "limit", "uint32"],
]);

export interface Bans {
  bans: Ban[];
  more: boolean;
}
export const Bans = /* @__PURE__ */ message<Bans>("Bans", [
  [1, "bans", () => Ban, "repeated"],
  [2, "more", "bool"],
]);

export interface Ban {
  userId: number;
  by: number;
  timeMs: number;
}
export const Ban = /* @__PURE__ */ message<Ban>("Ban", [
  [1, "userId", "uint64"],
  [2, "by", "uint64"],
  [3, "timeMs", "uint64"],
]);

export interface ListReaders {
  conversation: string;
  seq: number;
  after: number;
  limit: number;
}
export const ListReaders = /* @__PURE__ */ message<ListReaders>("ListReaders", [
  [1, "conversation", "string"],
  [2, "seq", "uint64"],
  [3, "after", "uint64"],
  [4, "limit", "uint32"],
]);

export interface Readers {
  readBy: number;
  seenBy: number;
  users: number[];
  more: boolean;
}
export const Readers = /* @__PURE__ */ message<Readers>("Readers", [
  [1, "readBy", "uint32"],
  [2, "seenBy", "uint32"],
  [3, "users", "uint64", "repeated"],
  [4, "more", "bool"],
]);

export interface CountReaders {
  conversation: string;
  seqs: number[];
}
export const CountReaders = /* @__PURE__ */ message<CountReaders>("CountReaders", [
  [1, "conversation", "string"],
  [2, "seqs", "uint64", "repeated"],
]);

export interface ReadCounts {
  counts: ReadCount[];
}
export const ReadCounts = /* @__PURE__ */ message<ReadCounts>("ReadCounts", [
  [1, "counts", () => ReadCount, "repeated"],
]);

export interface ReadCount {
  seq: number;
  readBy: number;
  seenBy: number;
}
export const ReadCount = /* @__PURE__ */ message<ReadCount>("ReadCount", [
  [1, "seq", "uint64"],
  [2, "readBy", "uint32"],
  [3, "seenBy", "uint32"],
]);

export interface PinMessage {
  request: Uint8Array;
  conversation: string;
  seq: number;
  remove: boolean;
}
export const PinMessage = /* @__PURE__ */ message<PinMessage>("PinMessage", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
  [4, "remove", "bool"],
]);

export interface ListPins {
  conversation: string;
}
export const ListPins = /* @__PURE__ */ message<ListPins>("ListPins", [
  [1, "conversation", "string"],
]);

export interface Pins {
  pins: Pin[];
}
export const Pins = /* @__PURE__ */ message<Pins>("Pins", [
  [1, "pins", () => Pin, "repeated"],
]);

export interface Pin {
  seq: number;
  by: number;
  timeMs: number;
}
export const Pin = /* @__PURE__ */ message<Pin>("Pin", [
  [1, "seq", "uint64"],
  [2, "by", "uint64"],
  [3, "timeMs", "uint64"],
]);

export interface ListJoinRequests {
  conversation: string;
  after: number;
  limit: number;
}
export const ListJoinRequests = /* @__PURE__ */ message<ListJoinRequests>("ListJoinRequests", [
  [1, "conversation", "string"],
  [2, "after", "uint64"],
  [3, "limit", "uint32"],
]);

export interface JoinRequests {
  requests: JoinRequest[];
  more: boolean;
}
export const JoinRequests = /* @__PURE__ */ message<JoinRequests>("JoinRequests", [
  [1, "requests", () => JoinRequest, "repeated"],
  [2, "more", "bool"],
]);

export interface JoinRequest {
  userId: number;
  text: string;
  timeMs: number;
}
export const JoinRequest = /* @__PURE__ */ message<JoinRequest>("JoinRequest", [
  [1, "userId", "uint64"],
  [2, "text", "string"],
  [3, "timeMs", "uint64"],
]);

export interface ListMembers {
  conversation: string;
  after: number;
  limit: number;
}
export const ListMembers = /* @__PURE__ */ message<ListMembers>("ListMembers", [
  [1, "conversation", "string"],
  [2, "after", "uint64"],
  [3, "limit", "uint32"],
]);

export interface Members {
  members: Member[];
  more: boolean;
}
export const Members = /* @__PURE__ */ message<Members>("Members", [
  [1, "members", () => Member, "repeated"],
  [2, "more", "bool"],
]);

export interface Member {
  userId: number;
  role: Role;
  delivered: number;
  read: number;
  mutedUntilMs: number;
}
export const Member = /* @__PURE__ */ message<Member>("Member", [
  [1, "userId", "uint64"],
  [2, "role", "enum"],
  [3, "delivered", "uint64"],
  [4, "read", "uint64"],
  [50, "mutedUntilMs", "uint64"],
]);

export interface FindUsers {
  prefix: string;
  after: string;
  limit: number;
}
export const FindUsers = /* @__PURE__ */ message<FindUsers>("FindUsers", [
  [1, "prefix", "string"],
  [2, "after", "string"],
  [3, "limit", "uint32"],
]);

export interface ListOnline {
  after: string;
  limit: number;
}
export const ListOnline = /* @__PURE__ */ message<ListOnline>("ListOnline", [
  [1, "after", "string"],
  [2, "limit", "uint32"],
]);

export interface GetUsers {
  ids: number[];
  names: string[];
}
export const GetUsers = /* @__PURE__ */ message<GetUsers>("GetUsers", [
  [1, "ids", "uint64", "repeated"],
  [2, "names", "string", "repeated"],
]);

export interface Users {
  users: User[];
  more: boolean;
}
export const Users = /* @__PURE__ */ message<Users>("Users", [
  [1, "users", () => User, "repeated"],
  [2, "more", "bool"],
]);

export interface User {
  userId: number;
  name: string;
  online: boolean;
  deleted: boolean;
  lastSeenMs: number;
  presenceShownTo: Viewers;
  profile?: Profile | undefined;
  botOf: number;
}
export const User = /* @__PURE__ */ message<User>("User", [
  [1, "userId", "uint64"],
  [2, "name", "string"],
  [3, "online", "bool"],
  [50, "deleted", "bool"],
  [110, "lastSeenMs", "uint64"],
  [111, "presenceShownTo", "enum"],
  [120, "profile", () => Profile, "optional"],
  [140, "botOf", "uint64"],
]);

export interface ChangePresence {
  shownTo: Viewers;
}
export const ChangePresence = /* @__PURE__ */ message<ChangePresence>("ChangePresence", [
  [1, "shownTo", "enum"],
]);

export interface Watch {
  userIds: number[];
}
export const Watch = /* @__PURE__ */ message<Watch>("Watch", [
  [1, "userIds", "uint64", "repeated"],
]);

export interface Watched {
  users: PresencePush[];
}
export const Watched = /* @__PURE__ */ message<Watched>("Watched", [
  [1, "users", () => PresencePush, "repeated"],
]);

export interface PresencePush {
  userId: number;
  online: boolean;
  lastSeenMs: number;
}
export const PresencePush = /* @__PURE__ */ message<PresencePush>("PresencePush", [
  [1, "userId", "uint64"],
  [2, "online", "bool"],
  [3, "lastSeenMs", "uint64"],
]);

export interface BotScopes {
  read: boolean;
  send: boolean;
  manage: boolean;
}
export const BotScopes = /* @__PURE__ */ message<BotScopes>("BotScopes", [
  [1, "read", "bool"],
  [2, "send", "bool"],
  [3, "manage", "bool"],
]);

export interface ChangeBot {
  request: Uint8Array;
  change?:
    | { case: "create"; value: NewBot }
    | { case: "rotate"; value: number }
    | { case: "end"; value: number }
    | undefined;
}
export const ChangeBot = /* @__PURE__ */ message<ChangeBot>("ChangeBot", [
  [1, "request", "bytes"],
  [2, "create", () => NewBot, "oneof", "change"],
  [3, "rotate", "uint64", "oneof", "change"],
  [4, "end", "uint64", "oneof", "change"],
]);

export interface NewBot {
  name: string;
  scopes?: BotScopes | undefined;
}
export const NewBot = /* @__PURE__ */ message<NewBot>("NewBot", [
  [1, "name", "string"],
  [2, "scopes", () => BotScopes, "optional"],
]);

export interface Bot {
  userId: number;
  name: string;
  scopes?: BotScopes | undefined;
  createdMs: number;
  tokenSetMs: number;
  token: Uint8Array;
}
export const Bot = /* @__PURE__ */ message<Bot>("Bot", [
  [1, "userId", "uint64"],
  [2, "name", "string"],
  [3, "scopes", () => BotScopes, "optional"],
  [4, "createdMs", "uint64"],
  [5, "tokenSetMs", "uint64"],
  [6, "token", "bytes"],
]);

export type ListBots = Record<never, never>;
export const ListBots = /* @__PURE__ */ message<ListBots>("ListBots", []);

export interface Bots {
  bots: Bot[];
}
export const Bots = /* @__PURE__ */ message<Bots>("Bots", [
  [1, "bots", () => Bot, "repeated"],
]);

export interface ChangeHook {
  request: Uint8Array;
  conversation: string;
  change?:
    | { case: "make"; value: NewHook }
    | { case: "end"; value: number }
    | { case: "retry"; value: RetryDead }
    | undefined;
}
export const ChangeHook = /* @__PURE__ */ message<ChangeHook>("ChangeHook", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "make", () => NewHook, "oneof", "change"],
  [4, "end", "uint64", "oneof", "change"],
  [5, "retry", () => RetryDead, "oneof", "change"],
]);

export interface NewHook {
  kind: HookKind;
  name: string;
  secret: string;
  url: string;
  closed: boolean;
}
export const NewHook = /* @__PURE__ */ message<NewHook>("NewHook", [
  [1, "kind", "enum"],
  [2, "name", "string"],
  [3, "secret", "string"],
  [4, "url", "string"],
  [5, "closed", "bool"],
]);

export interface RetryDead {
  hook: number;
  seq: number;
}
export const RetryDead = /* @__PURE__ */ message<RetryDead>("RetryDead", [
  [1, "hook", "uint64"],
  [2, "seq", "uint64"],
]);

export interface Hook {
  hook: number;
  kind: HookKind;
  name: string;
  by: number;
  createdMs: number;
  url: string;
  delivered: number;
  dead: number;
  closed: boolean;
}
export const Hook = /* @__PURE__ */ message<Hook>("Hook", [
  [1, "hook", "uint64"],
  [2, "kind", "enum"],
  [3, "name", "string"],
  [4, "by", "uint64"],
  [5, "createdMs", "uint64"],
  [6, "url", "string"],
  [7, "delivered", "uint64"],
  [8, "dead", "uint32"],
  [9, "closed", "bool"],
]);

export interface ListHooks {
  conversation: string;
}
export const ListHooks = /* @__PURE__ */ message<ListHooks>("ListHooks", [
  [1, "conversation", "string"],
]);

export interface Hooks {
  hooks: Hook[];
}
export const Hooks = /* @__PURE__ */ message<Hooks>("Hooks", [
  [1, "hooks", () => Hook, "repeated"],
]);

export interface ListDead {
  conversation: string;
  hook: number;
  after: number;
  limit: number;
}
export const ListDead = /* @__PURE__ */ message<ListDead>("ListDead", [
  [1, "conversation", "string"],
  [2, "hook", "uint64"],
  [3, "after", "uint64"],
  [4, "limit", "uint32"],
]);

export interface DeadEvents {
  events: DeadEvent[];
  more: boolean;
}
export const DeadEvents = /* @__PURE__ */ message<DeadEvents>("DeadEvents", [
  [1, "events", () => DeadEvent, "repeated"],
  [2, "more", "bool"],
]);

export interface DeadEvent {
  seq: number;
  attempts: number;
  status: number;
  why: string;
  atMs: number;
  again: boolean;
}
export const DeadEvent = /* @__PURE__ */ message<DeadEvent>("DeadEvent", [
  [1, "seq", "uint64"],
  [2, "attempts", "uint32"],
  [3, "status", "uint32"],
  [4, "why", "string"],
  [5, "atMs", "uint64"],
  [6, "again", "bool"],
]);

export interface Profile {
  displayName: string;
  avatar: string;
  about: string;
  language: string;
}
export const Profile = /* @__PURE__ */ message<Profile>("Profile", [
  [1, "displayName", "string"],
  [2, "avatar", "string"],
  [3, "about", "string"],
  [4, "language", "string"],
]);

export interface ChangeProfile {
  request: Uint8Array;
  displayName?: string | undefined;
  avatar?: string | undefined;
  about?: string | undefined;
  language?: string | undefined;
  messagesFrom?: Audience | undefined;
}
export const ChangeProfile = /* @__PURE__ */ message<ChangeProfile>("ChangeProfile", [
  [1, "request", "bytes"],
  [2, "displayName", "string", "optional"],
  [3, "avatar", "string", "optional"],
  [4, "about", "string", "optional"],
  [5, "language", "string", "optional"],
  [6, "messagesFrom", "enum", "optional"],
]);

export type ShowProfile = Record<never, never>;
export const ShowProfile = /* @__PURE__ */ message<ShowProfile>("ShowProfile", []);

export interface OwnProfile {
  profile?: Profile | undefined;
  version: number;
  messagesFrom: Audience;
}
export const OwnProfile = /* @__PURE__ */ message<OwnProfile>("OwnProfile", [
  [1, "profile", () => Profile, "optional"],
  [2, "version", "uint64"],
  [3, "messagesFrom", "enum"],
]);

export interface ProfilePush {
  profile?: OwnProfile | undefined;
}
export const ProfilePush = /* @__PURE__ */ message<ProfilePush>("ProfilePush", [
  [1, "profile", () => OwnProfile, "optional"],
]);

export interface ChangeContact {
  request: Uint8Array;
  userId: number;
  change?:
    | { case: "ask"; value: string }
    | { case: "accept"; value: Done }
    | { case: "end"; value: Done }
    | { case: "remark"; value: string }
    | { case: "block"; value: boolean }
    | undefined;
}
export const ChangeContact = /* @__PURE__ */ message<ChangeContact>("ChangeContact", [
  [1, "request", "bytes"],
  [2, "userId", "uint64"],
  [3, "ask", "string", "oneof", "change"],
  [4, "accept", () => Done, "oneof", "change"],
  [5, "end", () => Done, "oneof", "change"],
  [6, "remark", "string", "oneof", "change"],
  [7, "block", "bool", "oneof", "change"],
]);

export interface ShowContact {
  userId: number;
}
export const ShowContact = /* @__PURE__ */ message<ShowContact>("ShowContact", [
  [1, "userId", "uint64"],
]);

export interface ListContacts {
  after: number;
  limit: number;
  since: number;
}
export const ListContacts = /* @__PURE__ */ message<ListContacts>("ListContacts", [
  [1, "after", "uint64"],
  [2, "limit", "uint32"],
  [3, "since", "uint64"],
]);

export interface Contacts {
  contacts: Contact[];
  next: number;
  version: number;
}
export const Contacts = /* @__PURE__ */ message<Contacts>("Contacts", [
  [1, "contacts", () => Contact, "repeated"],
  [2, "next", "uint64"],
  [3, "version", "uint64"],
]);

export interface Contact {
  userId: number;
  state: ContactState;
  text: string;
  remark: string;
  sinceMs: number;
  version: number;
  blocked: boolean;
}
export const Contact = /* @__PURE__ */ message<Contact>("Contact", [
  [1, "userId", "uint64"],
  [2, "state", "enum"],
  [3, "text", "string"],
  [4, "remark", "string"],
  [5, "sinceMs", "uint64"],
  [6, "version", "uint64"],
  [7, "blocked", "bool"],
]);

export interface ContactPush {
  contact?: Contact | undefined;
}
export const ContactPush = /* @__PURE__ */ message<ContactPush>("ContactPush", [
  [1, "contact", () => Contact, "optional"],
]);

export interface ListBlocks {
  after: number;
  limit: number;
}
export const ListBlocks = /* @__PURE__ */ message<ListBlocks>("ListBlocks", [
  [1, "after", "uint64"],
  [2, "limit", "uint32"],
]);

export interface Blocks {
  blocks: Block[];
  more: boolean;
}
export const Blocks = /* @__PURE__ */ message<Blocks>("Blocks", [
  [1, "blocks", () => Block, "repeated"],
  [2, "more", "bool"],
]);

export interface Block {
  userId: number;
  sinceMs: number;
}
export const Block = /* @__PURE__ */ message<Block>("Block", [
  [1, "userId", "uint64"],
  [2, "sinceMs", "uint64"],
]);

export interface Report {
  request: Uint8Array;
  conversation: string;
  seq: number;
  userId: number;
  reason: string;
}
export const Report = /* @__PURE__ */ message<Report>("Report", [
  [1, "request", "bytes"],
  [2, "conversation", "string"],
  [3, "seq", "uint64"],
  [4, "userId", "uint64"],
  [5, "reason", "string"],
]);

export interface ChangePassword {
  oldPassword: string;
  newPassword: string;
  request: Uint8Array;
}
export const ChangePassword = /* @__PURE__ */ message<ChangePassword>("ChangePassword", [
  [1, "oldPassword", "string"],
  [2, "newPassword", "string"],
  [3, "request", "bytes"],
]);

export interface Admin {
  request: Uint8Array;
  operation?:
    | { case: "listAccounts"; value: ListAccounts }
    | { case: "showAccount"; value: string }
    | { case: "createAccount"; value: CreateAccount }
    | { case: "disableAccount"; value: string }
    | { case: "enableAccount"; value: string }
    | { case: "deleteAccount"; value: string }
    | { case: "resetPassword"; value: ResetPassword }
    | { case: "setAdmin"; value: SetAdmin }
    | { case: "accountSessions"; value: string }
    | { case: "endSessions"; value: EndSessions }
    | { case: "createInvite"; value: CreateInvite }
    | { case: "listInvites"; value: ListInvites }
    | { case: "revokeInvite"; value: string }
    | { case: "readAudit"; value: ReadAudit }
    | { case: "showSettings"; value: Done }
    | { case: "changeSettings"; value: ChangeSettings }
    | { case: "export"; value: Export }
    | { case: "importEvents"; value: Import }
    | { case: "importAccount"; value: ImportAccount }
    | { case: "importFile"; value: ImportFile }
    | { case: "importProfile"; value: ImportProfile }
    | { case: "importContact"; value: ExportedContact }
    | { case: "listReports"; value: ListReports }
    | { case: "closeReport"; value: CloseReport }
    | { case: "setRole"; value: SetRole }
    | { case: "listGroups"; value: ListGroups }
    | undefined;
}
export const Admin = /* @__PURE__ */ message<Admin>("Admin", [
  [1, "request", "bytes"],
  [2, "listAccounts", () => ListAccounts, "oneof", "operation"],
  [3, "showAccount", "string", "oneof", "operation"],
  [4, "createAccount", () => CreateAccount, "oneof", "operation"],
  [5, "disableAccount", "string", "oneof", "operation"],
  [6, "enableAccount", "string", "oneof", "operation"],
  [7, "deleteAccount", "string", "oneof", "operation"],
  [8, "resetPassword", () => ResetPassword, "oneof", "operation"],
  [9, "setAdmin", () => SetAdmin, "oneof", "operation"],
  [10, "accountSessions", "string", "oneof", "operation"],
  [11, "endSessions", () => EndSessions, "oneof", "operation"],
  [12, "createInvite", () => CreateInvite, "oneof", "operation"],
  [13, "listInvites", () => ListInvites, "oneof", "operation"],
  [14, "revokeInvite", "string", "oneof", "operation"],
  [15, "readAudit", () => ReadAudit, "oneof", "operation"],
  [16, "showSettings", () => Done, "oneof", "operation"],
  [17, "changeSettings", () => ChangeSettings, "oneof", "operation"],
  [18, "export", () => Export, "oneof", "operation"],
  [19, "importEvents", () => Import, "oneof", "operation"],
  [20, "importAccount", () => ImportAccount, "oneof", "operation"],
  [21, "importFile", () => ImportFile, "oneof", "operation"],
  [22, "importProfile", () => ImportProfile, "oneof", "operation"],
  [23, "importContact", () => ExportedContact, "oneof", "operation"],
  [120, "listReports", () => ListReports, "oneof", "operation"],
  [121, "closeReport", () => CloseReport, "oneof", "operation"],
  [240, "setRole", () => SetRole, "oneof", "operation"],
  [241, "listGroups", () => ListGroups, "oneof", "operation"],
]);

export interface AdminAnswer {
  answer?:
    | { case: "done"; value: Done }
    | { case: "accounts"; value: Accounts }
    | { case: "sessions"; value: Sessions }
    | { case: "invites"; value: Invites }
    | { case: "audit"; value: AuditPage }
    | { case: "settings"; value: Settings }
    | { case: "exported"; value: Exported }
    | { case: "imported"; value: Imported }
    | { case: "upload"; value: Upload }
    | { case: "reports"; value: Reports }
    | { case: "groups"; value: Groups }
    | undefined;
}
export const AdminAnswer = /* @__PURE__ */ message<AdminAnswer>("AdminAnswer", [
  [1, "done", () => Done, "oneof", "answer"],
  [2, "accounts", () => Accounts, "oneof", "answer"],
  [3, "sessions", () => Sessions, "oneof", "answer"],
  [4, "invites", () => Invites, "oneof", "answer"],
  [5, "audit", () => AuditPage, "oneof", "answer"],
  [6, "settings", () => Settings, "oneof", "answer"],
  [7, "exported", () => Exported, "oneof", "answer"],
  [8, "imported", () => Imported, "oneof", "answer"],
  [9, "upload", () => Upload, "oneof", "answer"],
  [120, "reports", () => Reports, "oneof", "answer"],
  [240, "groups", () => Groups, "oneof", "answer"],
]);

export interface ListReports {
  after: number;
  limit: number;
}
export const ListReports = /* @__PURE__ */ message<ListReports>("ListReports", [
  [1, "after", "uint64"],
  [2, "limit", "uint32"],
]);

export interface Reports {
  reports: ReportRow[];
  more: boolean;
}
export const Reports = /* @__PURE__ */ message<Reports>("Reports", [
  [1, "reports", () => ReportRow, "repeated"],
  [2, "more", "bool"],
]);

export interface ReportRow {
  number: number;
  by: number;
  about: number;
  conversation: string;
  seq: number;
  excerpt: string;
  reason: string;
  createdMs: number;
}
export const ReportRow = /* @__PURE__ */ message<ReportRow>("ReportRow", [
  [1, "number", "uint64"],
  [2, "by", "uint64"],
  [3, "about", "uint64"],
  [4, "conversation", "string"],
  [5, "seq", "uint64"],
  [6, "excerpt", "string"],
  [7, "reason", "string"],
  [8, "createdMs", "uint64"],
]);

export interface CloseReport {
  number: number;
  note: string;
}
export const CloseReport = /* @__PURE__ */ message<CloseReport>("CloseReport", [
  [1, "number", "uint64"],
  [2, "note", "string"],
]);

export interface ListGroups {
  after: string;
  limit: number;
}
export const ListGroups = /* @__PURE__ */ message<ListGroups>("ListGroups", [
  [1, "after", "string"],
  [2, "limit", "uint32"],
]);

export interface Groups {
  groups: GroupRow[];
  more: boolean;
}
export const Groups = /* @__PURE__ */ message<Groups>("Groups", [
  [1, "groups", () => GroupRow, "repeated"],
  [2, "more", "bool"],
]);

export interface GroupRow {
  conversation: string;
  name: string;
  members: number;
  head: number;
  fileBytes: number;
  lastMs: number;
  createdMs: number;
  open: boolean;
  disbanded: boolean;
}
export const GroupRow = /* @__PURE__ */ message<GroupRow>("GroupRow", [
  [1, "conversation", "string"],
  [2, "name", "string"],
  [3, "members", "uint32"],
  [4, "head", "uint64"],
  [5, "fileBytes", "uint64"],
  [6, "lastMs", "uint64"],
  [7, "createdMs", "uint64"],
  [8, "open", "bool"],
  [9, "disbanded", "bool"],
]);

export interface SetRole {
  account: string;
  role: string;
}
export const SetRole = /* @__PURE__ */ message<SetRole>("SetRole", [
  [1, "account", "string"],
  [2, "role", "string"],
]);

export interface ListAccounts {
  after: number;
  limit: number;
}
export const ListAccounts = /* @__PURE__ */ message<ListAccounts>("ListAccounts", [
  [1, "after", "uint64"],
  [2, "limit", "uint32"],
]);

export interface Accounts {
  accounts: Account[];
  more: boolean;
}
export const Accounts = /* @__PURE__ */ message<Accounts>("Accounts", [
  [1, "accounts", () => Account, "repeated"],
  [2, "more", "bool"],
]);

export interface Account {
  userId: number;
  name: string;
  status: string;
  admin: boolean;
  oneTimePassword: boolean;
  createdMs: number;
  passwordSetMs: number;
  sessions: number;
  online: boolean;
  lastLoginMs: number;
  lastLoginFrom: string;
  role: string;
}
export const Account = /* @__PURE__ */ message<Account>("Account", [
  [1, "userId", "uint64"],
  [2, "name", "string"],
  [3, "status", "string"],
  [4, "admin", "bool"],
  [5, "oneTimePassword", "bool"],
  [6, "createdMs", "uint64"],
  [7, "passwordSetMs", "uint64"],
  [8, "sessions", "uint32"],
  [9, "online", "bool"],
  [240, "lastLoginMs", "uint64"],
  [241, "lastLoginFrom", "string"],
  [242, "role", "string"],
]);

export interface CreateAccount {
  name: string;
  password: string;
  admin: boolean;
}
export const CreateAccount = /* @__PURE__ */ message<CreateAccount>("CreateAccount", [
  [1, "name", "string"],
  [2, "password", "string"],
  [3, "admin", "bool"],
]);

export interface ResetPassword {
  account: string;
  password: string;
}
export const ResetPassword = /* @__PURE__ */ message<ResetPassword>("ResetPassword", [
  [1, "account", "string"],
  [2, "password", "string"],
]);

export interface SetAdmin {
  account: string;
  admin: boolean;
}
export const SetAdmin = /* @__PURE__ */ message<SetAdmin>("SetAdmin", [
  [1, "account", "string"],
  [2, "admin", "bool"],
]);

export interface EndSessions {
  account: string;
  device: string;
}
export const EndSessions = /* @__PURE__ */ message<EndSessions>("EndSessions", [
  [1, "account", "string"],
  [2, "device", "string"],
]);

export interface CreateInvite {
  code: string;
  uses: number;
  expiresMs: number;
  note: string;
}
export const CreateInvite = /* @__PURE__ */ message<CreateInvite>("CreateInvite", [
  [1, "code", "string"],
  [2, "uses", "uint32"],
  [3, "expiresMs", "uint64"],
  [4, "note", "string"],
]);

export interface ListInvites {
  after: string;
  limit: number;
}
export const ListInvites = /* @__PURE__ */ message<ListInvites>("ListInvites", [
  [1, "after", "string"],
  [2, "limit", "uint32"],
]);

export interface Invites {
  invites: Invite[];
  more: boolean;
}
export const Invites = /* @__PURE__ */ message<Invites>("Invites", [
  [1, "invites", () => Invite, "repeated"],
  [2, "more", "bool"],
]);

export interface Invite {
  id: string;
  createdMs: number;
  expiresMs: number;
  uses: number;
  used: number;
  revoked: boolean;
  note: string;
  by: string;
}
export const Invite = /* @__PURE__ */ message<Invite>("Invite", [
  [1, "id", "string"],
  [2, "createdMs", "uint64"],
  [3, "expiresMs", "uint64"],
  [4, "uses", "uint32"],
  [5, "used", "uint32"],
  [6, "revoked", "bool"],
  [7, "note", "string"],
  [8, "by", "string"],
]);

export interface ReadAudit {
  sinceMs: number;
  after?: AuditPlace | undefined;
  limit: number;
}
export const ReadAudit = /* @__PURE__ */ message<ReadAudit>("ReadAudit", [
  [1, "sinceMs", "uint64"],
  [2, "after", () => AuditPlace, "optional"],
  [3, "limit", "uint32"],
]);

export interface AuditPlace {
  timeMs: number;
  slot: number;
  number: bigint;
}
export const AuditPlace = /* @__PURE__ */ message<AuditPlace>("AuditPlace", [
  [1, "timeMs", "uint64"],
  [2, "slot", "uint32"],
  [3, "number", "wide64"],
]);

export interface AuditPage {
  rows: AuditRow[];
  more: boolean;
}
export const AuditPage = /* @__PURE__ */ message<AuditPage>("AuditPage", [
  [1, "rows", () => AuditRow, "repeated"],
  [2, "more", "bool"],
]);

export interface AuditRow {
  place?: AuditPlace | undefined;
  by: number;
  byName: string;
  address: string;
  action: string;
  target: string;
  detail: string;
}
export const AuditRow = /* @__PURE__ */ message<AuditRow>("AuditRow", [
  [1, "place", () => AuditPlace, "optional"],
  [2, "by", "uint64"],
  [3, "byName", "string"],
  [4, "address", "string"],
  [5, "action", "string"],
  [6, "target", "string"],
  [7, "detail", "string"],
]);

export interface Settings {
  registration: string;
  sessionIdleSeconds: number;
  strangers: string;
  recallSeconds: number;
  fileBytes: number;
}
export const Settings = /* @__PURE__ */ message<Settings>("Settings", [
  [1, "registration", "string"],
  [2, "sessionIdleSeconds", "uint64"],
  [3, "strangers", "string"],
  [20, "recallSeconds", "uint64"],
  [130, "fileBytes", "uint64"],
]);

export interface ChangeSettings {
  registration?: string | undefined;
  sessionIdleSeconds?: number | undefined;
  strangers?: string | undefined;
  recallSeconds?: number | undefined;
  fileBytes?: number | undefined;
}
export const ChangeSettings = /* @__PURE__ */ message<ChangeSettings>("ChangeSettings", [
  [1, "registration", "string", "optional"],
  [2, "sessionIdleSeconds", "uint64", "optional"],
  [3, "strangers", "string", "optional"],
  [20, "recallSeconds", "uint64", "optional"],
  [130, "fileBytes", "uint64", "optional"],
]);

export interface Export {
  part?:
    | { case: "accounts"; value: ExportAccounts }
    | { case: "conversations"; value: ExportConversations }
    | { case: "events"; value: ExportEvents }
    | { case: "positions"; value: ExportPositions }
    | { case: "file"; value: ExportFile }
    | { case: "contacts"; value: ExportContacts }
    | undefined;
}
export const Export = /* @__PURE__ */ message<Export>("Export", [
  [1, "accounts", () => ExportAccounts, "oneof", "part"],
  [2, "conversations", () => ExportConversations, "oneof", "part"],
  [3, "events", () => ExportEvents, "oneof", "part"],
  [4, "positions", () => ExportPositions, "oneof", "part"],
  [5, "file", () => ExportFile, "oneof", "part"],
  [6, "contacts", () => ExportContacts, "oneof", "part"],
]);

export interface ExportAccounts {
  after: number;
  limit: number;
  passwordHashes: boolean;
}
export const ExportAccounts = /* @__PURE__ */ message<ExportAccounts>("ExportAccounts", [
  [1, "after", "uint64"],
  [2, "limit", "uint32"],
  [3, "passwordHashes", "bool"],
]);

export interface ExportConversations {
  after: string;
  limit: number;
}
export const ExportConversations = /* @__PURE__ */ message<ExportConversations>("ExportConversations", [
  [1, "after", "string"],
  [2, "limit", "uint32"],
]);

export interface ExportEvents {
  conversation: string;
  after: number;
  limit: number;
}
export const ExportEvents = /* @__PURE__ */ message<ExportEvents>("ExportEvents", [
  [1, "conversation", "string"],
  [2, "after", "uint64"],
  [3, "limit", "uint32"],
]);

export interface ExportPositions {
  conversation: string;
  after: number;
  limit: number;
}
export const ExportPositions = /* @__PURE__ */ message<ExportPositions>("ExportPositions", [
  [1, "conversation", "string"],
  [2, "after", "uint64"],
  [3, "limit", "uint32"],
]);

export interface ExportContacts {
  after: number;
  afterOther: number;
  limit: number;
}
export const ExportContacts = /* @__PURE__ */ message<ExportContacts>("ExportContacts", [
  [1, "after", "uint64"],
  [2, "afterOther", "uint64"],
  [3, "limit", "uint32"],
]);

export interface ExportFile {
  conversation: string;
  hash: Uint8Array;
  offset: number;
}
export const ExportFile = /* @__PURE__ */ message<ExportFile>("ExportFile", [
  [1, "conversation", "string"],
  [2, "hash", "bytes"],
  [3, "offset", "uint64"],
]);

export interface Exported {
  part?:
    | { case: "accounts"; value: ExportedAccounts }
    | { case: "conversations"; value: ExportedConversations }
    | { case: "events"; value: Page }
    | { case: "positions"; value: Members }
    | { case: "file"; value: ExportedFile }
    | { case: "contacts"; value: ExportedContacts }
    | undefined;
}
export const Exported = /* @__PURE__ */ message<Exported>("Exported", [
  [1, "accounts", () => ExportedAccounts, "oneof", "part"],
  [2, "conversations", () => ExportedConversations, "oneof", "part"],
  [3, "events", () => Page, "oneof", "part"],
  [4, "positions", () => Members, "oneof", "part"],
  [5, "file", () => ExportedFile, "oneof", "part"],
  [6, "contacts", () => ExportedContacts, "oneof", "part"],
]);

export interface ExportedFile {
  name: string;
  mediaType: string;
  size: number;
  content: Uint8Array;
}
export const ExportedFile = /* @__PURE__ */ message<ExportedFile>("ExportedFile", [
  [1, "name", "string"],
  [2, "mediaType", "string"],
  [3, "size", "uint64"],
  [4, "content", "bytes"],
]);

export interface ExportedAccounts {
  accounts: ExportedAccount[];
  more: boolean;
}
export const ExportedAccounts = /* @__PURE__ */ message<ExportedAccounts>("ExportedAccounts", [
  [1, "accounts", () => ExportedAccount, "repeated"],
  [2, "more", "bool"],
]);

export interface ExportedAccount {
  userId: number;
  name: string;
  status: string;
  admin: boolean;
  oneTimePassword: boolean;
  createdMs: number;
  passwordHash: string;
  bornWithCluster: boolean;
  profile?: OwnProfile | undefined;
}
export const ExportedAccount = /* @__PURE__ */ message<ExportedAccount>("ExportedAccount", [
  [1, "userId", "uint64"],
  [2, "name", "string"],
  [3, "status", "string"],
  [4, "admin", "bool"],
  [5, "oneTimePassword", "bool"],
  [6, "createdMs", "uint64"],
  [7, "passwordHash", "string"],
  [8, "bornWithCluster", "bool"],
  [9, "profile", () => OwnProfile, "optional"],
]);

export interface ExportedContacts {
  contacts: ExportedContact[];
  more: boolean;
  next: number;
  nextOther: number;
  rows: number;
}
export const ExportedContacts = /* @__PURE__ */ message<ExportedContacts>("ExportedContacts", [
  [1, "contacts", () => ExportedContact, "repeated"],
  [2, "more", "bool"],
  [3, "next", "uint64"],
  [4, "nextOther", "uint64"],
  [5, "rows", "uint32"],
]);

export interface ExportedContact {
  userId: number;
  otherId: number;
  wants: boolean;
  text: string;
  remark: string;
  blocked: boolean;
}
export const ExportedContact = /* @__PURE__ */ message<ExportedContact>("ExportedContact", [
  [1, "userId", "uint64"],
  [2, "otherId", "uint64"],
  [3, "wants", "bool"],
  [4, "text", "string"],
  [5, "remark", "string"],
  [6, "blocked", "bool"],
]);

export interface ExportedConversations {
  conversations: ExportedConversation[];
  more: boolean;
}
export const ExportedConversations = /* @__PURE__ */ message<ExportedConversations>("ExportedConversations", [
  [1, "conversations", () => ExportedConversation, "repeated"],
  [2, "more", "bool"],
]);

export interface ExportedConversation {
  conversation: string;
  head: number;
  open: boolean;
  firstSender: number;
  firstId: Uint8Array;
}
export const ExportedConversation = /* @__PURE__ */ message<ExportedConversation>("ExportedConversation", [
  [1, "conversation", "string"],
  [2, "head", "uint64"],
  [3, "open", "bool"],
  [4, "firstSender", "uint64"],
  [5, "firstId", "bytes"],
]);

export interface Import {
  conversation: string;
  groupKey: Uint8Array;
  open: boolean;
  source: string;
  events: WireEvent[];
  positions: ImportPosition[];
}
export const Import = /* @__PURE__ */ message<Import>("Import", [
  [1, "conversation", "string"],
  [2, "groupKey", "bytes"],
  [3, "open", "bool"],
  [4, "source", "string"],
  [5, "events", () => WireEvent, "repeated"],
  [6, "positions", () => ImportPosition, "repeated"],
]);

export interface ImportPosition {
  userId: number;
  delivered: number;
  read: number;
}
export const ImportPosition = /* @__PURE__ */ message<ImportPosition>("ImportPosition", [
  [1, "userId", "uint64"],
  [2, "delivered", "uint64"],
  [3, "read", "uint64"],
]);

export interface Imported {
  conversation: string;
  head: number;
  placed: number;
}
export const Imported = /* @__PURE__ */ message<Imported>("Imported", [
  [1, "conversation", "string"],
  [2, "head", "uint64"],
  [3, "placed", "uint64"],
]);

export interface ImportFile {
  conversation: string;
  owner: number;
  hash: Uint8Array;
  name: string;
  mediaType: string;
  size: number;
  offset: number;
  content: Uint8Array;
}
export const ImportFile = /* @__PURE__ */ message<ImportFile>("ImportFile", [
  [1, "conversation", "string"],
  [2, "owner", "uint64"],
  [3, "hash", "bytes"],
  [4, "name", "string"],
  [5, "mediaType", "string"],
  [6, "size", "uint64"],
  [7, "offset", "uint64"],
  [8, "content", "bytes"],
]);

export interface ImportProfile {
  userId: number;
  profile?: OwnProfile | undefined;
}
export const ImportProfile = /* @__PURE__ */ message<ImportProfile>("ImportProfile", [
  [1, "userId", "uint64"],
  [2, "profile", () => OwnProfile, "optional"],
]);

export interface ImportAccount {
  name: string;
  passwordHash: string;
  admin: boolean;
  oneTimePassword: boolean;
  createdMs: number;
}
export const ImportAccount = /* @__PURE__ */ message<ImportAccount>("ImportAccount", [
  [1, "name", "string"],
  [2, "passwordHash", "string"],
  [3, "admin", "bool"],
  [4, "oneTimePassword", "bool"],
  [5, "createdMs", "uint64"],
]);
