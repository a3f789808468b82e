/** Typed bodies of messages: the messages of content.proto, by the kind of the body. */

import type { Init, Type } from "./codec.js";
import { ProtocolError } from "./errors.js";
import type { ClientMessageId } from "./ids.js";
import * as wire from "./wire.js";

const utf8 = new TextEncoder();

/** The content of a typed body. `type` is its name in the HTTP API. */
export type TypedBody =
  | { readonly type: "image"; readonly value: wire.ImageBody }
  | { readonly type: "voice"; readonly value: wire.VoiceBody }
  | { readonly type: "video"; readonly value: wire.VideoBody }
  | { readonly type: "file"; readonly value: wire.FileBody }
  | { readonly type: "sticker"; readonly value: wire.StickerBody }
  | { readonly type: "emoji"; readonly value: wire.EmojiBody }
  | { readonly type: "card"; readonly value: wire.CardBody }
  | { readonly type: "location"; readonly value: wire.LocationBody }
  | { readonly type: "custom"; readonly value: wire.CustomBody }
  | { readonly type: "notice"; readonly value: wire.NoticeBody }
  | { readonly type: "poll"; readonly value: wire.PollBody }
  | { readonly type: "bundle"; readonly value: wire.BundleBody };

/** A body to send; fields that are left out are empty. */
export type NewBody = { [T in TypedBody as T["type"]]: { readonly type: T["type"]; readonly value: Init<T["value"]> } }[TypedBody["type"]];

// A table refers to types of every kind.
const KINDS: Readonly<Record<TypedBody["type"], readonly [number, Type<any>]>> = {
  image: [wire.BodyKind.BODY_IMAGE, wire.ImageBody],
  voice: [wire.BodyKind.BODY_VOICE, wire.VoiceBody],
  video: [wire.BodyKind.BODY_VIDEO, wire.VideoBody],
  file: [wire.BodyKind.BODY_FILE, wire.FileBody],
  sticker: [wire.BodyKind.BODY_STICKER, wire.StickerBody],
  emoji: [wire.BodyKind.BODY_EMOJI, wire.EmojiBody],
  card: [wire.BodyKind.BODY_CARD, wire.CardBody],
  location: [wire.BodyKind.BODY_LOCATION, wire.LocationBody],
  custom: [wire.BodyKind.BODY_CUSTOM, wire.CustomBody],
  notice: [wire.BodyKind.BODY_NOTICE, wire.NoticeBody],
  poll: [wire.BodyKind.BODY_POLL, wire.PollBody],
  bundle: [wire.BodyKind.BODY_BUNDLE, wire.BundleBody],
};

/** The kind of a body, and its bytes. */
export function encodeBody(body: NewBody): readonly [number, Uint8Array<ArrayBuffer>] {
  const [kind, type] = KINDS[body.type];
  return [kind, type.encode(body.value)];
}

/** Undefined: a text, a kind that this version does not know, or bytes that are not of it. */
export function typedBody(kind: number, content: Uint8Array): TypedBody | undefined {
  const found = Object.entries(KINDS).find(([, [number]]) => number === kind);
  if (found === undefined) return undefined;
  const [name, [, type]] = found;
  try {
    return { type: name, value: type.decode(content) } as TypedBody;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** How a message is sent. `replyTo` and `thread` are seqs of messages. */
export interface SendOptions {
  readonly kind?: number;
  readonly id?: ClientMessageId | string | Uint8Array;
  readonly replyTo?: number;
  readonly thread?: number;
  /** At most 50 users. */
  readonly mentions?: readonly number[];
  readonly mentionsEveryone?: boolean;
  /** Milliseconds after which the content vanishes everywhere; 0: it stays. */
  readonly expiresInMs?: number;
  /** The message grows by `writePiece` until `endStream`. Its first text may be empty. */
  readonly stream?: boolean;
}

/** The kind of what an application sends, and its bytes. */
export function bytesOf(body: string | Uint8Array | NewBody, kind: number): readonly [number, Uint8Array] {
  if (typeof body === "string") return [kind, utf8.encode(body)];
  return body instanceof Uint8Array ? [kind, body] : encodeBody(body);
}

/** The context of a message that refers to something, or vanishes. */
export function contextOf(options: SendOptions): { readonly context?: wire.Context } {
  const { replyTo = 0, thread = 0, mentions = [], mentionsEveryone = false, expiresInMs = 0, stream = false } = options;
  const refers = replyTo !== 0 || thread !== 0 || mentions.length > 0 || mentionsEveryone || expiresInMs !== 0 || stream;
  return refers ? { context: { replyTo, thread, mentions: [...mentions], mentionsEveryone, expiresInMs, stream } } : {};
}
