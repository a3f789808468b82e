/** Bodies of messages that are no text. */

import { type TypedBody, typedBody } from "troupe-chat";

export type ShownBody = Extract<TypedBody, { type: "image" | "voice" | "video" | "file" | "location" | "card" | "poll" | "bundle" }>;

const SHOWN: ReadonlySet<string> = new Set(["image", "voice", "video", "file", "location", "card", "poll", "bundle"]);

/** Undefined: it is shown as a text. */
export function bodyOfMessage({ bodyKind, content, text }: { readonly bodyKind: number; readonly content: Uint8Array; readonly text: string | undefined }): ShownBody | undefined {
  if (text !== undefined) return undefined;
  const body = typedBody(bodyKind, content);
  return body !== undefined && SHOWN.has(body.type) ? (body as ShownBody) : undefined;
}

const UNITS = ["B", "KB", "MB", "GB"];

/** `1.4 MB`. */
export function sizeText(tag: string, bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (size >= 1_000 && unit < UNITS.length - 1) [size, unit] = [size / 1_000, unit + 1];
  return `${new Intl.NumberFormat(tag, { maximumFractionDigits: unit === 0 || size >= 100 ? 0 : 1 }).format(size)} ${UNITS[unit]}`;
}

/** `1:05`. */
export function lengthText(ms: number): string {
  const seconds = Math.max(Math.round(ms / 1_000), 0);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
